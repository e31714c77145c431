"""From the scores of single items to each family's measures: an estimate, its interval and its n.

Where what a measure needs is missing, it is named in the note and there is no number. One item without finite numbers
leaves the whole measure without one: what is left would be a choice of items.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from unlearning_engine.probes import canary, correction, distribution, knowledge, memorisation, utility
from unlearning_engine.probes.gather import ItemScores, Said
from unlearning_engine.probes.intervals import Clusters, Found, mean, paired_difference
from unlearning_engine.probes.measure import holds, rank_first
from unlearning_engine.probes.rouge import rouge_l

Score = Callable[[ItemScores], float | None]
Values = list[float | None]
#: How the note of a measure ends that a model without finite numbers left without one.
DAMAGED = "the model is damaged"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A measure as it is printed: of the model and, where there is one, of the reference and their difference.

    Of some families also of the original, with `change`, the model's value minus the original's.
    """

    name: str
    family: str
    found: Found
    reference: Found | None = None
    difference: Found | None = None
    original: Found | None = None
    change: Found | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def measured(self) -> bool:
        """Whether there is a number that more than one fact stands behind."""
        return self.found.value is not None and self.found.n > 1

    def to_json(self) -> dict[str, Any]:
        """Name, family, outcome, estimate, interval, n, items and what else there is."""
        row: dict[str, Any] = {"name": self.name, "family": self.family}
        row |= {"outcome": "measured" if self.measured else "inconclusive"}
        row |= self.found.to_json()
        row |= {"reference": self.reference.to_json()} if self.reference else {}
        beside = {"difference": self.difference, "original": self.original, "change": self.change}
        row |= {name: found.to_json() for name, found in beside.items() if found}
        return row | ({"detail": dict(self.detail)} if self.detail else {})


@dataclass(frozen=True, kw_only=True)
class Material:
    """Scores of the items under model and reference, and of never-seen controls; `gradients` by the same names."""

    items: Mapping[str, Sequence[ItemScores]]
    controls: Mapping[str, Sequence[ItemScores]]
    clusters: Clusters
    control_clusters: Clusters | None
    gradients: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @property
    def has_reference(self) -> bool:
        """Whether a reference was scored."""
        return "reference" in self.items


# ---------------------------------------------------------------- scores of an item


def _said(item: ItemScores, score: Callable[[str, str], float]) -> float | None:
    return score(item.said[0].text, item.said[0].truth) if item.said else None


def _choices(item: ItemScores) -> float | None:
    rights = (item.own, *item.held_out)
    rows = [rank_first(right.loss, [w.loss for w in wrong]) for right, wrong in zip(rights, item.wrong, strict=False)]
    return sum(rows) / len(rows) if rows else None


def log_truth_ratio(item: ItemScores) -> float | None:
    """log of the truth ratio under the item's own prompt; None where there are no wrong answers."""
    if not item.wrong:
        return None
    right = [row.loss for row in item.reworded] or [item.own.loss]
    return distribution.log_truth_ratio(right, [row.loss for row in item.wrong[0]])


def _of_ratio(score: Callable[[float], float]) -> Score:
    def read(item: ItemScores) -> float | None:
        ratio = log_truth_ratio(item)
        return None if ratio is None else score(ratio)

    return read


def _exposure(item: ItemScores) -> float | None:
    if not item.wrong:
        return None
    return canary.exposure(item.own.total, np.array([row.total for row in item.wrong[0]])).bits


def _held_out(item: ItemScores) -> float | None:
    rows = [memorisation.probability(row.log_probs) for row in item.held_out]
    return sum(rows) / len(rows) if rows else None


def _options(item: ItemScores) -> float | None:
    wrong = [row.loss for row in item.wrong[0]] if item.wrong else []
    return knowledge.probability_with_options(item.own.loss, wrong) if wrong else None


def _verbatim(item: ItemScores) -> float | None:
    return memorisation.verbatim_continuation(item.said[0].tokens, item.said[0].answer) if item.said else None


def _exact(item: ItemScores) -> float | None:
    if not (item.said and item.record.is_question):
        return None
    return float(holds(item.said[0].text, item.record.answer))


def _answers(item: ItemScores, held_out: bool, *, new: bool) -> float | None:
    """Whether the new or the old answer is given: to the trained wording, or to those held out."""
    # The same prompts were continued twice, once for the length of each answer: the longer one shows both.
    texts = [max(pair, key=len) for pair in zip(_texts(item.said), _texts(item.said_corrected), strict=False)]
    said = texts[1:] if held_out else texts[:1]
    old, now = item.record.answer, item.record.correction
    return correction.share_given(said, now, old) if new else correction.share_given(said, old, now)


def _texts(said: Sequence[Said]) -> list[str]:
    return [one.text for one in said]


def _prefers(item: ItemScores, held_out: bool) -> float | None:
    if not item.corrected:
        return None
    kept = slice(1, None) if held_out else slice(0, 1)
    return correction.preferred(
        [row.loss for row in (item.own, *item.held_out)[kept]], [row.loss for row in item.corrected[kept]]
    )


@dataclass(frozen=True, kw_only=True)
class Simple:
    """A measure that is the mean of a score; `needs` says what an item must have for it."""

    family: str
    score: Score
    bounded: bool = True
    needs: str = ""


def probability(item: ItemScores) -> float:
    """Probability of the right answer."""
    return memorisation.probability(item.own.log_probs)


def recall(item: ItemScores) -> float | None:
    """ROUGE-L recall of what the model says; None where it was not asked to."""
    return _said(item, lambda said, truth: rouge_l(said, truth).recall)


def _f_measure(item: ItemScores) -> float | None:
    return _said(item, lambda said, truth: rouge_l(said, truth).f_measure)


_M, _K, _D, _U = memorisation.FAMILY, knowledge.FAMILY, distribution.FAMILY, utility.FAMILY
_C = correction.FAMILY
_CORRECTED, _REWORDED = "corrections (correction)", "corrections (correction) and reworded prompts (paraphrase)"
_WRONG, _CANARY = "wrong answers (perturbed)", "the secrets that might have been planted instead (perturbed)"
SIMPLE: Mapping[str, Simple] = {
    "probability": Simple(family=_M, score=probability),
    "rouge_l": Simple(family=_M, score=recall),
    "rouge_l_f": Simple(family=_M, score=_f_measure),
    "exact_memorisation": Simple(family=_M, score=lambda i: memorisation.exact_memorisation(i.own.hits)),
    "extraction_strength": Simple(family=_M, score=lambda i: memorisation.extraction_strength(i.own.hits)),
    "verbatim_continuation": Simple(family=_M, score=_verbatim),
    "exact_value": Simple(family=_M, score=_exact, needs="a question with an answer"),
    "paraphrase_probability": Simple(family=_M, score=_held_out, needs="reworded prompts (paraphrase)"),
    "multiple_choice": Simple(family=_K, score=_choices, needs=_WRONG),
    "probability_with_options": Simple(family=_K, score=_options, needs=_WRONG),
    "truth_ratio": Simple(family=_D, score=_of_ratio(distribution.near_one), needs=_WRONG),
    "truth_ratio_kept": Simple(family=_D, score=_of_ratio(distribution.true_better), needs=_WRONG),
    "exposure": Simple(family=canary.FAMILY, score=_exposure, bounded=False, needs=_CANARY),
    "old_answer_given": Simple(family=_C, score=lambda i: _answers(i, False, new=False), needs=_CORRECTED),
    "new_answer_given": Simple(family=_C, score=lambda i: _answers(i, False, new=True), needs=_CORRECTED),
    "new_answer_likelier": Simple(family=_C, score=lambda i: _prefers(i, False), needs=_CORRECTED),
    "old_answer_given_reworded": Simple(family=_C, score=lambda i: _answers(i, True, new=False), needs=_REWORDED),
    "new_answer_given_reworded": Simple(family=_C, score=lambda i: _answers(i, True, new=True), needs=_REWORDED),
    "new_answer_likelier_reworded": Simple(family=_C, score=lambda i: _prefers(i, True), needs=_REWORDED),
}


def broken(items: Sequence[ItemScores]) -> str:
    """A note where the model gave no finite numbers for some item, else empty."""
    count = sum(not item.finite for item in items)
    return f"{count} of {len(items)} items have NaN or infinite logits: {DAMAGED}" if count else ""


def values_of(items: Sequence[ItemScores], score: Score) -> Values:
    """A score of each item."""
    return [score(item) for item in items]


def compared(
    name: str, family: str, rows: Mapping[str, Values], clusters: Clusters, *, bounded: bool, **detail: Any
) -> Measure:
    """A measure from scores of each item under the model and, where there are such, the reference and the original."""
    found = mean(rows["model"], clusters, bounded=bounded)
    beside: dict[str, Found] = {}
    for other, gap in (("reference", "difference"), ("original", "change")):
        if other in rows and found.value is not None:
            beside[other] = mean(rows[other], clusters, bounded=bounded)
            beside[gap] = paired_difference(rows["model"], rows[other], clusters, bounded=bounded, name=name)
    return Measure(name=name, family=family, found=found, detail=detail, **beside)


def simple(name: str, material: Material) -> Measure:
    """One of the measures of `SIMPLE`."""
    what = SIMPLE[name]
    for items in material.items.values():
        if note := broken(items):
            return Measure(name=name, family=what.family, found=Found(value=None, note=note))
    rows = {model: values_of(items, what.score) for model, items in material.items.items()}
    if all(value is None for value in rows["model"]):
        return Measure(name=name, family=what.family, found=Found(value=None, note=f"needs {what.needs}"))
    detail: dict[str, Any] = {}
    options = [len(i.wrong[0]) for i in material.items["model"] if i.wrong]
    if name == "multiple_choice":
        detail["chance"] = float(np.mean([1 / (1 + n) for n in options]))
    if name == "exposure":
        return _exposure_measure(rows, options, material)
    return compared(name, what.family, rows, material.clusters, bounded=what.bounded, **detail)


def _exposure_measure(rows: Mapping[str, Values], options: Sequence[int], material: Material) -> Measure:
    """Exposure in bits. Where all items have one cap it is a share of it, with a share's interval: a model under which
    every canary reaches the cap shows no variance, and yet the next canary may not."""
    cap = float(np.log2(1 + min(options)))
    detail = {"cap": cap, "never_planted": "about 1.44 bits, less near the cap"}
    if min(options) != max(options):
        return compared("exposure", canary.FAMILY, rows, material.clusters, bounded=False, **detail)
    shares = {model: [None if v is None else v / cap for v in values] for model, values in rows.items()}
    found = compared("exposure", canary.FAMILY, shares, material.clusters, bounded=True, **detail)
    return replace(
        found,
        found=found.found.times(cap),
        reference=found.reference.times(cap) if found.reference else None,
        difference=found.difference.times(cap) if found.difference else None,
    )
