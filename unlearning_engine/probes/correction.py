"""Corrections: is the old answer still given, is the new one given, and which of both does the model find likelier?

Asked under the trained wording and under held-out ones, which no correction was trained on: a model that learnt one
sentence gives the new answer to that wording alone. An answer is given where the greedy continuation holds it as whole
words. Where one answer contains the other ("Paris", "Paris in Texas"), the shorter counts only by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from unlearning_engine.probes.measure import holds, rank_first

FAMILY = "correction"


def given(said: str, answer: str, other: str) -> float:
    """1 where what was said holds the answer, unless only as a part of the other one that was said; else 0."""
    within = holds(other, answer) and holds(said, other)
    return float(holds(said, answer) and not within)


def share_given(said: Sequence[str], answer: str, other: str) -> float | None:
    """Mean of `given` over wordings, in [0, 1]; None where there are none."""
    return sum(given(text, answer, other) for text in said) / len(said) if said else None


def preferred(old: Sequence[float], new: Sequence[float]) -> float | None:
    """Share of wordings under which the new answer has the lower mean loss, nats per token, ties half.

    None where there are no wordings.
    """
    rows = [rank_first(right, [wrong]) for right, wrong in zip(new, old, strict=True)]
    return sum(rows) / len(rows) if rows else None
