"""The watch over a run of unlearning: what is forgotten against what stays, looked at while it happens.

At even steps the model is asked for rows that it is not trained on in this run: retained ones, and neighbours, which
are retained rows of the same kinds as the forgotten ones but of other subjects. What it gives them, as a share of
what the original gave, is its utility; the lowest of the shares counts. The curve of forgetting against utility over
all looks is the frontier of the run. A model that falls below `stop_below` is stopped; one that ends below
`utility_floor` is put back to the look that forgot most among those that kept the floor.

The watch reads the likelihood of trained wordings, which the objective itself is made of. It asks no probe of the
verdict, and none of its items but the forget set's own rows: nothing is tuned on the verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file

from unlearning_engine import together
from unlearning_engine.contracts import WATCH
from unlearning_engine.data import Record
from unlearning_engine.losses import sequence_losses
from unlearning_engine.progress import Report
from unlearning_engine.tokens import Example, order_key
from unlearning_engine.training import forward

if TYPE_CHECKING:
    from transformers import PreTrainedModel

FORGET, RETAIN, NEIGHBOURS = "forget", "retain", "neighbours"
ROWS = 64
#: Files of earlier best weights that are kept, so that the checkpoint before the last one still finds its own.
KEEP = 2


@dataclass(frozen=True, kw_only=True)
class Point:
    """One look: mean probability of the answers to forget, and utility by component, as a share of the original's."""

    step: int
    forget: float
    utility: dict[str, float]

    @property
    def lowest(self) -> float:
        """The utility that counts; 1 where nothing is watched."""
        return min(self.utility.values(), default=1.0)


# ---------------------------------------------------------------- what is watched


def set_aside(
    forget: Sequence[Record], retain: Sequence[Record], count: int, seed: int
) -> tuple[dict[str, list[Record]], list[Record]]:
    """Rows to watch by set, and what is left of the retained to train on.

    Of the forget set `count` rows; of the neighbours and of the other retained whole facts of about as many rows each,
    which are then not trained on. A retain set too small to spare them is watched and trained on.
    """
    subjects, kinds = {r.subject for r in forget if r.subject}, {r.kind for r in forget if r.kind}
    near = [r for r in retain if r.kind in kinds and r.subject not in subjects]
    named = {r.id for r in near}
    far = [r for r in retain if r.id not in named]
    sets = {FORGET: forget, NEIGHBOURS: near, RETAIN: far}
    watched = {name: _facts(rows, count, seed) for name, rows in sets.items() if rows}
    apart = {r.id for name in (NEIGHBOURS, RETAIN) for r in watched.get(name, ())}
    spare = len(retain) >= 5 * len(apart)
    return watched, [r for r in retain if r.id not in apart] if spare else list(retain)


def _facts(rows: Sequence[Record], count: int, seed: int) -> list[Record]:
    """Rows of whole facts in keyed order, until there are `count`."""
    order = sorted({r.cluster for r in rows}, key=lambda name: order_key(seed, 0, name))
    groups: dict[str, list[Record]] = {}
    for row in rows:
        groups.setdefault(row.cluster, []).append(row)
    found: list[Record] = []
    for name in order:
        if len(found) >= count:
            break
        found += groups[name]
    return found


def probability(model: PreTrainedModel, examples: Sequence[Example], pad_id: int) -> float:
    """Mean over rows of exp(-mean cross entropy of the counted tokens), 0 to 1."""
    ordered = sorted(examples, key=lambda example: len(example.tokens))
    total = 0.0
    with torch.no_grad():
        for at in range(0, len(ordered), ROWS):
            values = sequence_losses(*forward(model, ordered[at : at + ROWS], pad_id))
            total += float(torch.exp(-values.double()).sum())
    return total / len(ordered)


# ---------------------------------------------------------------- the watch


class Watch:
    """Looks at a model while it is trained; `curve` is what it saw."""

    def __init__(
        self,
        sets: Mapping[str, Sequence[Example]],
        *,
        pad_id: int,
        every: int,
        total: int,
        floor: float,
        stop_below: float,
        folder: Path,
        report: Report,
    ) -> None:
        self._sets, self._pad, self._every, self._floor, self._stop = sets, pad_id, every, floor, stop_below
        self._folder, self._report, self._total = folder, report, total
        self._before: dict[str, float] = {}
        self.curve: list[Point] = []
        self.best: Point | None = None
        self.stopped = False

    def begin(self, model: PreTrainedModel) -> None:
        """The first look, at the original: what the later ones are shares of."""
        self._before = self._probabilities(model)
        self._add(Point(step=0, forget=self._before.get(FORGET, 0.0), utility=self._shares(self._before)))

    def resume(self, facts: Mapping[str, Any]) -> None:
        """What a checkpoint of the run kept of the watch."""
        self._before = dict(facts["before"])
        self.curve = [Point(**point) for point in facts["curve"]]
        self.best = Point(**facts["best"]) if facts["best"] else None

    def facts(self) -> dict[str, Any]:
        """What a checkpoint keeps; see `resume`."""
        best = asdict(self.best) if self.best else None
        return {"before": self._before, "curve": [asdict(point) for point in self.curve], "best": best}

    def due(self, done: int, total: int) -> bool:
        """Whether to look after `done` of `total` steps; never where `every` is 0."""
        return self._every > 0 and (done % self._every == 0 or done == total)

    def look(self, model: PreTrainedModel, done: int) -> bool:
        """One look; True when the run must stop."""
        training = model.training
        model.eval()
        found = self._probabilities(model)
        model.train(training)
        point = Point(step=done, forget=found.get(FORGET, 0.0), utility=self._shares(found))
        self._add(point)
        if point.lowest >= self._floor and (self.best is None or point.forget <= self.best.forget):
            self.best = point
            self._keep(model)
        self.stopped = point.lowest < self._stop
        return self.stopped

    def settle(self, model: PreTrainedModel) -> dict[str, Any]:
        """Put the model back to the best look if it ended below the floor; say what was seen and what was kept."""
        last = self.curve[-1]
        kept = last
        if last.lowest < self._floor and self.best:
            tensors = load_file(self._file(self.best.step))
            with torch.no_grad():
                for name, value in model.named_parameters():
                    if name in tensors:
                        together.put(value, tensors[name])
            kept = self.best
        return {
            "curve": [{**asdict(point), "lowest": point.lowest} for point in self.curve],
            "kept_step": kept.step,
            "kept_floor": kept.lowest >= self._floor,
            "utility_floor": self._floor,
            "stopped": self.stopped,
            "rows": {name: len(rows) for name, rows in self._sets.items()},
        }

    def _probabilities(self, model: PreTrainedModel) -> dict[str, float]:
        return together.agreed({name: probability(model, rows, self._pad) for name, rows in self._sets.items()})

    def _shares(self, found: Mapping[str, float]) -> dict[str, float]:
        return {name: found[name] / max(self._before[name], 1e-12) for name in found if name != FORGET}

    def _add(self, point: Point) -> None:
        self.curve.append(point)
        shares = {f"{name}_utility": share for name, share in point.utility.items()}
        where = {"event": "progress", "stage": WATCH, "step": point.step, "total": self._total}
        self._report({**where, "forget_probability": point.forget, **shares})

    def _file(self, step: int) -> Path:
        return self._folder / f"best-{step:08d}.safetensors"

    def _keep(self, model: PreTrainedModel) -> None:
        tensors: dict[str, torch.Tensor] = {}
        for name, weight in model.named_parameters():
            if weight.requires_grad:
                value = together.whole(weight.detach()).cpu().contiguous()
                tensors |= {name: value} if together.first() else {}
        if not together.first():
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._file(self.curve[-1].step)
        draft = path.with_suffix(".part")
        save_file(tensors, draft)
        draft.replace(path)
        for old in sorted(self._folder.glob("best-*.safetensors"))[:-KEEP]:
            old.unlink()
