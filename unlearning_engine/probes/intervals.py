"""A mean over facts with its two-sided interval: for shares in [0, 1] and for scores without bounds.

Rows of one fact are averaged, facts of one work vary together (`statistics`). One fact alone has no variance to see:
the interval of a share is then Wilson's for a single trial, that of an unbounded score is not there; both say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from unlearning_engine.data import Record
from unlearning_engine.statistics import Sample, Settings, by_fact, difference, estimate, variance_of_mean

ONE = "one fact alone: nothing shows how much facts differ"


@dataclass(frozen=True, kw_only=True)
class Found:
    """A number with its interval at `confidence`, two-sided; `n` facts in `items` rows."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    items: int = 0
    note: str = ""

    def times(self, factor: float) -> Found:
        """The same on another scale."""
        ends = [None if v is None else v * factor for v in (self.value, self.low, self.high)]
        return Found(value=ends[0], low=ends[1], high=ends[2], n=self.n, items=self.items, note=self.note)

    def to_json(self) -> dict[str, Any]:
        """As it is printed."""
        interval = None if self.low is None or self.high is None else [self.low, self.high]
        found: dict[str, Any] = {"estimate": self.value, "interval": interval, "n": self.n, "items": self.items}
        return {**found, "note": self.note} if self.note else found


@dataclass(frozen=True, kw_only=True)
class Clusters:
    """Numbers of fact and work of each row, and the settings of resampling."""

    facts: tuple[int, ...]
    works: tuple[int, ...]
    settings: Settings

    @classmethod
    def of(cls, records: Sequence[Record], settings: Settings) -> Clusters:
        """Facts and works numbered in order of first appearance; a record without a work is a work of its own."""
        facts: dict[str, int] = {}
        works: dict[tuple[str, ...], int] = {}
        keys = [(r.subject, r.work) if r.work else (r.subject, r.cluster, "") for r in records]
        return cls(
            facts=tuple(facts.setdefault(r.cluster, len(facts)) for r in records),
            works=tuple(works.setdefault(key, len(works)) for key in keys),
            settings=settings,
        )

    def sample(self, values: Sequence[float | None]) -> Sample | None:
        """Values averaged within facts, rows without one left out; None where there are none."""
        rows = [n for n, value in enumerate(values) if value is not None]
        if not rows:
            return None
        kept = [value for value in values if value is not None]
        return by_fact(kept, [self.facts[n] for n in rows], [self.works[n] for n in rows])


def _t_interval(sample: Sample, settings: Settings) -> tuple[float, float] | tuple[None, None]:
    if sample.n < 2:
        return None, None
    clusters = np.unique(sample.works).size
    freedom = (clusters if clusters > 1 else sample.n) - 1
    reach = float(stats.t.ppf((1 + settings.confidence) / 2, freedom)) * float(np.sqrt(variance_of_mean(sample)))
    return sample.mean - reach, sample.mean + reach


def mean(values: Sequence[float | None], clusters: Clusters, *, bounded: bool) -> Found:
    """Mean over facts; `bounded` where every value lies in [0, 1]: Wilson's interval, else Student's."""
    sample = clusters.sample(values)
    if sample is None:
        return Found(value=None, note="nothing to measure")
    items = sum(value is not None for value in values)
    if bounded:
        found = estimate(sample, clusters.settings)
        low, high = found.low, found.high
    else:
        low, high = _t_interval(sample, clusters.settings)  # type: ignore[assignment]
    return Found(value=sample.mean, low=low, high=high, n=sample.n, items=items, note=ONE if sample.n == 1 else "")


def paired_difference(
    values: Sequence[float | None], others: Sequence[float | None], clusters: Clusters, *, bounded: bool, name: str
) -> Found:
    """Mean difference of two models on the same rows, with its two-sided interval."""
    both = [n for n, (a, b) in enumerate(zip(values, others, strict=True)) if a is not None and b is not None]
    a, b = (clusters.sample([v if n in set(both) else None for n, v in enumerate(row)]) for row in (values, others))
    if a is None or b is None:
        return Found(value=None, note="nothing to compare")
    if bounded:
        sides = Settings(
            confidence=(1 + clusters.settings.confidence) / 2,
            resamples=clusters.settings.resamples,
            minimum_works=clusters.settings.minimum_works,
            seed=clusters.settings.seed,
        )
        found = difference(a, b, sides, name=name, paired=True)
        low, high = found.low, found.high
    else:
        low, high = _t_interval(Sample(values=a.values - b.values, works=a.works), clusters.settings)  # type: ignore[assignment]
    note = ONE if a.n == 1 else ""
    return Found(value=a.mean - b.mean, low=low, high=high, n=a.n, items=len(both), note=note)


def resampled(values: Sequence[float], clusters: Clusters, statistic: Any, *, name: str) -> tuple[float, float]:
    """Two-sided bootstrap interval of a statistic of weighted rows: `statistic(weights)`, weights of shape (rows,).

    Works are drawn with replacement where there are enough of them, else facts; all rows of one go together.
    """
    settings = clusters.settings
    groups = np.asarray(clusters.works if len(set(clusters.works)) >= settings.minimum_works else clusters.facts)
    _, inverse = np.unique(groups, return_inverse=True)
    count = int(inverse.max()) + 1
    draws = settings.stream(name).multinomial(count, np.full(count, 1 / count), size=settings.resamples)[:, inverse]
    found = np.array([statistic(row) for row in draws.astype(np.float64)])
    tail = (1 - settings.confidence) / 2
    low, high = np.quantile(found[np.isfinite(found)], [tail, 1 - tail])
    return float(low), float(high)
