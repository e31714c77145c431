"""Survivors: single facts and single works that stayed, which a mean over all of them would hide.

One work of thirty that is known by heart moves a mean by .03, inside any margin. So facts and works are counted:

- `surviving_facts`: facts that are answered under the trained wordings and at least half of the held-out ones, and
  whose answer is likelier than not, against their share among facts that nobody was taught (Fisher's exact test,
  one-sided): a model guesses, and now and then right, but seldom surely;
- `surviving_works`: the work with the most such facts, and the work with the most right choices under trained and
  held-out wordings, against the beta-binomial tail at the upper bound of the untaught share, times works and kinds
  (Bonferroni); the correlation within works is estimated from the untaught;
- `relearned_works`: the same after the attack, on the works that were not taught again.

Untaught are the reference's facts, of the forget set and the controls; without a reference the original's answers
to the controls: the candidate has no part in its own bar. These tests fail a model and never pass one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from unlearning_engine.contracts import Estimate, ProbeResult
from unlearning_engine.probes.table import Row, ScoreTable
from unlearning_engine.statistics import Array, Sample, Settings, by_fact, wilson

FACTS, WORKS, RELEARNED = "surviving_facts", "surviving_works", "relearned_works"
NAMES = (FACTS, WORKS, RELEARNED)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What counts as right: a column under the trained wording and the same under held-out ones."""

    trained: str
    held_out: str
    sure: bool = False


VALUE = Kind(trained="exact", held_out="exact_paraphrase", sure=True)
CHOICE = Kind(trained="choice", held_out="choice_paraphrase")
#: Greedy answers to held-out wordings are not asked for after an attack.
RELEARNED_VALUE = Kind(trained="exact", held_out="", sure=True)


def right(rows: Sequence[Row], kind: Kind) -> Sample | None:
    """1 for each fact that is right under every trained wording and at least half of the held-out ones, else 0.

    Of a kind that must be sure, the answer's mean probability under the trained wordings is at least one half, too.
    """

    def column(name: str) -> Sample | None:
        found = [(v, r) for r in rows if name and (v := getattr(r, name)) is not None]
        return by_fact([v for v, _ in found], [r.fact for _, r in found], [r.work for _, r in found]) if found else None

    asked, held_out = column(kind.trained), column(kind.held_out)
    if asked is None:
        return None
    hits = asked.values > 1 - 1e-9
    if held_out is not None and held_out.n == asked.n:
        hits &= held_out.values >= 0.5
    likely = column("prob") if kind.sure else None
    if likely is not None and likely.n == asked.n:
        hits &= likely.values >= 0.5
    return Sample(values=hits.astype(np.float64), works=asked.works)


def _rows(table: ScoreTable, attack: str) -> tuple[list[Row], list[Row]]:
    """The candidate's rows, and those of facts that the model in question was never taught."""
    own = list(table.select("candidate", "forget", attack=attack))
    model = "reference" if table.has_reference else "original"
    sets = ("forget", "controls") if table.has_reference else ("controls",)
    return own, [row for name in sets for row in table.select(model, name, attack=attack)]


# ---------------------------------------------------------------- counts


def _counts(sample: Sample) -> tuple[Array, Array]:
    """Right facts and all facts of each work."""
    _, inverse = np.unique(sample.works, return_inverse=True)
    hits = np.bincount(inverse, weights=sample.values).astype(np.float64)
    return hits, np.bincount(inverse).astype(np.float64)


def togetherness(sample: Sample) -> float:
    """How much facts of one work are right together: the ANOVA estimate of intra-class correlation, at least 0."""
    hits, sizes = _counts(sample)
    works, n, share = sizes.size, float(sample.n), sample.mean
    if works < 2 or n <= works or not 0 < share < 1:
        return 0.0
    between = float(((hits / sizes - share) ** 2 * sizes).sum()) / (works - 1)
    within = float((hits * (1 - hits / sizes)).sum()) / (n - works)
    size = (n - float((sizes**2).sum()) / n) / (works - 1)
    bottom = between + (size - 1) * within
    return float(np.clip((between - within) / bottom, 0.0, 0.9)) if bottom > 0 else 0.0


def upper_tail(hits: int, n: int, share: float, correlation: float) -> float:
    """P(at least `hits` of `n`) where each is right with chance `share`, correlated within the work."""
    if hits <= 0:
        return 1.0
    if correlation <= 1e-6:
        return float(stats.binom.sf(hits - 1, n, share))
    spread = (1 - correlation) / correlation
    return float(stats.betabinom.sf(hits - 1, n, share * spread, (1 - share) * spread))


def _estimate(hits: float, n: float, settings: Settings) -> Estimate:
    low, high = wilson(hits / n, n, settings.two_sided)
    return Estimate(value=hits / n, low=low, high=high, n=int(n))


def _worst_work(own: Sample, untaught: Sample, settings: Settings) -> tuple[float, Estimate, Estimate]:
    """p of the work with the most right facts, before Bonferroni; its share, and the largest among the untaught."""
    share = wilson(untaught.mean, untaught.n, settings.one_sided)[1]
    together = togetherness(untaught)
    hits, sizes = _counts(own)
    tails = np.array([upper_tail(int(h), int(s), share, together) for h, s in zip(hits, sizes, strict=True)])
    worst = int(np.lexsort((-hits / sizes, tails))[0])
    other_hits, other_sizes = _counts(untaught)
    most = int(np.argmax(other_hits / other_sizes))
    return (
        tails[worst],
        _estimate(hits[worst], sizes[worst], settings),
        _estimate(other_hits[most], other_sizes[most], settings),
    )


# ---------------------------------------------------------------- probes


def facts(table: ScoreTable, settings: Settings) -> ProbeResult | None:
    """`surviving_facts`; None where nothing was asked."""
    own_rows, other_rows = _rows(table, "")
    own, other = right(own_rows, VALUE), right(other_rows, VALUE)
    if own is None or other is None:
        return None
    hits, others = int(own.values.sum()), int(other.values.sum())
    p = float(stats.hypergeom.sf(hits - 1, own.n + other.n, hits + others, own.n))
    before = right(list(table.select("original", "forget")), VALUE)
    return ProbeResult(
        name=FACTS,
        family="knowledge",
        candidate=_estimate(hits, own.n, settings),
        reference=_estimate(others, other.n, settings),
        original=None if before is None else _estimate(before.values.sum(), before.n, settings),
        p_value=min(1.0, p),
        detail={"facts": hits, "untaught_facts": others, "n_untaught": other.n},
    )


def works(table: ScoreTable, settings: Settings, *, attack: str) -> ProbeResult | None:
    """`surviving_works`, or after an attack `relearned_works`; None where nothing was asked."""
    own_rows, other_rows = _rows(table, attack)
    found = []
    for kind in (RELEARNED_VALUE if attack else VALUE, CHOICE):
        own, other = right(own_rows, kind), right(other_rows, kind)
        if own is not None and other is not None:
            found.append((own, *_worst_work(own, other, settings)))
    if not found:
        return None
    own, p, worst, most = min(found, key=lambda one: one[1])
    tested = len(found) * np.unique(own.works).size
    return ProbeResult(
        name=RELEARNED if attack else WORKS,
        family="robustness" if attack else "knowledge",
        candidate=worst,
        reference=most,
        p_value=1.0 if math.isnan(p) else min(1.0, p * tested),
        detail={"works": int(np.unique(own.works).size), "p_of_the_work": p},
    )


def compare(table: ScoreTable, settings: Settings) -> list[ProbeResult]:
    """All three, as far as they were measured."""
    found = (facts(table, settings), works(table, settings, attack=""), works(table, settings, attack="relearning"))
    return [probe for probe in found if probe is not None]
