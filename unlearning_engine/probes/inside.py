"""What is taken of a model's layers for the family `representation`, and its measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from unlearning_engine.data import Record
from unlearning_engine.errors import ConfigError
from unlearning_engine.probes.families import DAMAGED, Measure, Values, compared
from unlearning_engine.probes.gather import Plan
from unlearning_engine.probes.intervals import Clusters, Found
from unlearning_engine.probes.patching import depth_scores, patched_drops
from unlearning_engine.probes.representation import FAMILY, answer_features, linear_probe, logit_lens
from unlearning_engine.statistics import Array

if TYPE_CHECKING:
    from transformers import PreTrainedModel

#: Fewer facts than this leave a linear probe nothing to learn from.
LEAST_FACTS = 10


@dataclass
class Inside:
    """Per model: probability read from each layer (layers, rows); a linear probe's score of each row, by layer; drops
    of log-probability by patching (layers, rows). Running text is left out: it has no wrong answers."""

    lens: dict[str, Array] = field(default_factory=dict)
    probes: dict[str, list[Values]] = field(default_factory=dict)
    drops: dict[str, Array] = field(default_factory=dict)
    note: str = ""

    def look(self, name: str, model: PreTrainedModel, plan: Plan, pad_id: int, *, finite: bool) -> None:
        """Lens and linear probes of one model; of a model without finite numbers nothing is taken."""
        asked = _asked(plan)
        if not finite:
            self.note = f"{name}: NaN or infinite logits: {DAMAGED}"
        if not finite or not asked:
            return
        try:
            own = [plan.examples[plan.pairs[(r.prompt, r.answer)][0]] for r in asked]
            self.lens[name] = logit_lens(model, own, pad_id)
            self.probes[name] = _linear(model, plan, asked, pad_id)
        except ConfigError as error:
            self.note = str(error)

    def patch(self, name: str, original: PreTrainedModel, source: PreTrainedModel, plan: Plan, pad_id: int) -> None:
        """Drops of the original's answers with one model's states."""
        own = [plan.examples[plan.pairs[(r.prompt, r.answer)][0]] for r in _asked(plan)]
        if not own:
            return
        drops = patched_drops(original, source, own, pad_id)
        if not np.isfinite(drops).all():
            self.note = f"original: NaN or infinite logits: {DAMAGED}"
            return
        self.drops[name] = drops

    def measures(self, records: Sequence[Record], clusters: Clusters) -> list[Measure]:
        """Depth score, lens and linear probe of each layer, each with its interval."""
        found = [self._depth(records, clusters)]
        for name, rows in (("logit_lens", self._by_layer_lens()), ("linear_probe", self.probes)):
            if "model" not in rows or not rows["model"]:
                note = self.note or f"needs questions, and for a linear probe wrong answers of {LEAST_FACTS} facts"
                found.append(Measure(name=name, family=FAMILY, found=Found(value=None, note=note)))
                continue
            for layer in range(len(rows["model"])):
                values = {model: _spread(layers[layer], records) for model, layers in rows.items()}
                number = layer if name == "linear_probe" else layer + 1
                extra = {"chance": 0.5} if name == "linear_probe" else {}
                title = f"{name}_layer_{number}"
                found.append(compared(title, FAMILY, values, clusters, bounded=True, layer=number, **extra))
        return found

    def _by_layer_lens(self) -> dict[str, list[Values]]:
        return {model: [list(layer) for layer in layers.tolist()] for model, layers in self.lens.items()}

    def _depth(self, records: Sequence[Record], clusters: Clusters) -> Measure:
        name = "activation_patching"
        if not {"model", "reference"} <= set(self.drops):
            note = self.note or "needs a retrained reference and the original (--original)"
            return Measure(name=name, family=FAMILY, found=Found(value=None, note=note))
        scores = depth_scores(self.drops["model"], self.drops["reference"])
        if all(score is None for score in scores):
            note = "no layer encodes any of the facts: the original does not know them, or the reference does"
            return Measure(name=name, family=FAMILY, found=Found(value=None, note=note))
        rows = {"model": _spread(scores, records)}
        detail = {f"drop_{model}": np.round(drops.mean(axis=1), 6).tolist() for model, drops in self.drops.items()}
        return compared(name, FAMILY, rows, clusters, bounded=True, **detail)


def _asked(plan: Plan) -> list[Record]:
    return [record for record in plan.records if record.is_question]


def _spread(scores: Sequence[float | None], records: Sequence[Record]) -> Values:
    """Scores of the questions in their places among all rows."""
    left = iter(scores)
    return [next(left) if record.is_question else None for record in records]


def _linear(model: PreTrainedModel, plan: Plan, asked: Sequence[Record], pad_id: int) -> list[Values]:
    """By layer, the score of each question; empty where too few facts have wrong answers."""
    usable = [n for n, record in enumerate(asked) if record.perturbed]
    works: dict[str, int] = {}
    groups = [works.setdefault(f"{r.subject}\0{r.work}" if r.work else r.cluster, len(works)) for r in asked]
    if len({asked[n].cluster for n in usable}) < LEAST_FACTS or len({groups[n] for n in usable}) < 2:
        return []
    pairs = [(n, answer) for n in usable for answer in (asked[n].answer, *asked[n].perturbed)]
    examples = [plan.examples[plan.pairs[(asked[n].prompt, answer)][0]] for n, answer in pairs]
    right = [answer == asked[n].answer for n, answer in pairs]
    layers: list[Values] = []
    for features in answer_features(model, examples, pad_id):
        scores = linear_probe(features, [n for n, _ in pairs], right, [groups[n] for n, _ in pairs])
        placed: Values = [None] * len(asked)
        for n, score in zip(usable, scores, strict=True):
            placed[n] = score
        layers.append(placed)
    return layers
