"""Honest statistics for probes: facts as clusters, bounds that survive a zero count, no silent optimism.

Every score lies in [0, 1] and every row of input is one fact, its phrasings averaged before. Facts of one work
may stand or fall together, so variances and resampling go by work where there are enough works. Intervals of
differences and ratios are the wider of a seeded cluster bootstrap and a closed form (Newcombe 1998; Donner and
Zou 2012, MOVER): the bootstrap sees skew, the closed form sees that 0 hits of 180 do not prove a rate of 0.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from unlearning_engine.contracts import Estimate

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

#: More items than this are called undecidable: no case will ever bring them.
MOST_ITEMS = 100_000


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to resample. `minimum_works`: with fewer works, facts are resampled instead."""

    confidence: float = 0.95
    resamples: int = 2000
    minimum_works: int = 12
    seed: int = 0

    @property
    def one_sided(self) -> float:
        """Normal quantile of a one-sided bound."""
        return float(stats.norm.ppf(self.confidence))

    @property
    def two_sided(self) -> float:
        """Normal quantile of a two-sided interval."""
        return float(stats.norm.ppf((1 + self.confidence) / 2))

    def stream(self, name: str) -> np.random.Generator:
        """A probe's own random numbers, whatever other probes there are."""
        return np.random.default_rng([self.seed, zlib.crc32(name.encode())])


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One score a fact, shape (n,), in [0, 1], and the number of the work that each fact belongs to."""

    values: Array
    works: Labels

    def __post_init__(self) -> None:
        if self.values.shape != self.works.shape or self.values.ndim != 1:
            raise ValueError(f"values {self.values.shape} and works {self.works.shape} must be two equal rows")

    @property
    def n(self) -> int:
        """Independent facts."""
        return int(self.values.size)

    @property
    def mean(self) -> float:
        """Mean over facts."""
        return float(self.values.mean())


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """A value with its two one-sided bounds, each at the policy's confidence, and its count of facts."""

    value: float
    low: float
    high: float
    n: int

    def estimate(self) -> Estimate:
        """The same as a plain record."""
        return Estimate(value=self.value, low=self.low, high=self.high, n=self.n)


def by_fact(values: Sequence[float], facts: Sequence[int], works: Sequence[int]) -> Sample:
    """Average phrasings within each fact. A fact belongs to the work of its first phrasing."""
    _, first, inverse = np.unique(np.asarray(facts, dtype=np.int64), return_index=True, return_inverse=True)
    sums = np.bincount(inverse, weights=np.asarray(values, dtype=np.float64))
    means = sums / np.bincount(inverse)
    return Sample(values=means, works=np.asarray(works, dtype=np.int64)[first])


# ---------------------------------------------------------------- closed forms


def wilson(share: float, n: float, z: float) -> tuple[float, float]:
    """Wilson's (1927) score interval of a share of `n` trials; `n` may be an effective size."""
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(max(share * (1 - share), 0.0) / n + z * z / (4 * n * n))
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def variance_of_mean(sample: Sample) -> float:
    """The larger of two variances of the mean: facts independent, and works independent."""
    n = sample.n
    if n < 2:
        return 0.0
    left = sample.values - sample.values.mean()
    alone = float(left @ left) / (n * (n - 1))
    totals = np.bincount(np.unique(sample.works, return_inverse=True)[1], weights=left)
    if totals.size < 2:
        return alone
    together = float(totals @ totals) / n**2 * totals.size / (totals.size - 1)
    return max(alone, together)


def effective_size(sample: Sample) -> float:
    """How many independent yes/no trials would give a mean as sure as this one; n where no variance was seen."""
    share, variance = sample.mean, variance_of_mean(sample)
    return share * (1 - share) / variance if variance > 0 and 0 < share < 1 else float(sample.n)


def estimate(sample: Sample, settings: Settings) -> Estimate:
    """Mean with a two-sided Wilson interval at the effective size."""
    low, high = wilson(sample.mean, effective_size(sample), settings.two_sided)
    return Estimate(value=sample.mean, low=low, high=high, n=sample.n)


def _correlation(a: Sample, b: Sample, paired: bool) -> float:
    if not paired or a.values.std() == 0 or b.values.std() == 0:
        return 0.0
    return float(np.corrcoef(a.values, b.values)[0, 1])


def _root(square: float) -> float:
    return math.sqrt(max(0.0, square))


def newcombe(a: Sample, b: Sample, z: float, *, paired: bool) -> tuple[float, float]:
    """Bounds of mean(a) - mean(b) from two Wilson intervals (Newcombe 1998, methods 10, paired with correlation)."""
    (la, ua), (lb, ub) = (wilson(s.mean, effective_size(s), z) for s in (a, b))
    down_a, up_a, down_b, up_b = a.mean - la, ua - a.mean, b.mean - lb, ub - b.mean
    phi, difference = _correlation(a, b, paired), a.mean - b.mean
    low = difference - _root(down_a**2 - 2 * phi * down_a * up_b + up_b**2)
    high = difference + _root(up_a**2 - 2 * phi * up_a * down_b + down_b**2)
    return low, high


def mover_ratio(a: Sample, b: Sample, z: float, *, paired: bool) -> tuple[float, float]:
    """Bounds of mean(a) / mean(b) from two Wilson intervals (Donner and Zou 2012); (0, inf) where b may be 0."""
    (la, ua), (lb, ub) = (wilson(s.mean, effective_size(s), z) for s in (a, b))
    phi = _correlation(a, b, paired)

    def solve(off_a: float, off_b: float, sign: int) -> float:
        middle = a.mean * b.mean - phi * off_a * off_b
        bottom = b.mean**2 - off_b**2
        return (middle + sign * _root(middle**2 - bottom * (a.mean**2 - off_a**2))) / bottom

    low = solve(a.mean - la, ub - b.mean, -1) if ub < 2 * b.mean else 0.0
    high = solve(ua - a.mean, b.mean - lb, +1) if lb > 0 else math.inf
    return max(0.0, low), high


# ---------------------------------------------------------------- bootstrap


def _weights(works: Labels, settings: Settings, rng: np.random.Generator) -> Array:
    """How often each fact is drawn, shape (resamples, n): by work where there are enough works, else by fact."""
    groups, inverse = np.unique(works, return_inverse=True)
    if groups.size < settings.minimum_works:
        groups = inverse = np.arange(works.size)
    draws = rng.multinomial(groups.size, np.full(groups.size, 1 / groups.size), size=settings.resamples)
    return draws[:, inverse].astype(np.float64)


def _quantiles(values: Array, settings: Settings) -> tuple[float, float]:
    low, high = np.quantile(values, [1 - settings.confidence, settings.confidence])
    return float(low), float(high)


def _means(weights: Array, values: Array) -> Array:
    return np.asarray(weights @ values / weights.sum(axis=1))


def _two_means(a: Sample, b: Sample, settings: Settings, name: str, paired: bool) -> tuple[Array, Array]:
    """Resampled means of both samples, from the same draws where they are paired fact by fact."""
    if paired and (a.n != b.n or not np.array_equal(a.works, b.works)):
        raise ValueError(f"{name}: paired samples must hold the same facts ({a.n} and {b.n})")
    rng = settings.stream(name)
    weights = _weights(a.works, settings, rng)
    others = weights if paired else _weights(b.works, settings, rng)
    return _means(weights, a.values), _means(others, b.values)


def difference(a: Sample, b: Sample, settings: Settings, *, name: str, paired: bool) -> Bounds:
    """mean(a) - mean(b) with one-sided bounds; `paired` where both hold the same facts in the same order."""
    value = a.mean - b.mean
    first, second = _two_means(a, b, settings, name, paired)
    low, high = _quantiles(first - second, settings)
    closed_low, closed_high = newcombe(a, b, settings.one_sided, paired=paired)
    return Bounds(value=value, low=min(low, closed_low, value), high=max(high, closed_high, value), n=min(a.n, b.n))


def ratio(a: Sample, b: Sample, settings: Settings, *, name: str, paired: bool) -> Bounds | None:
    """mean(a) / mean(b) with one-sided bounds, or None where mean(b) is 0."""
    if b.mean <= 0:
        return None
    value = a.mean / b.mean
    first, second = _two_means(a, b, settings, name, paired)
    draws = np.divide(first, second, out=np.full_like(first, np.inf), where=second > 0)
    low, high = _quantiles(draws, settings)
    closed_low, closed_high = mover_ratio(a, b, settings.one_sided, paired=paired)
    return Bounds(value=value, low=min(low, closed_low, value), high=max(high, closed_high, value), n=min(a.n, b.n))


# ---------------------------------------------------------------- ranks


def _wins(members: Array, others: Array) -> Array:
    """1 where a member's loss is below another's, one half where they tie; shape (members, others)."""
    below = (members[:, None] < others[None, :]).astype(np.float64)
    wins: Array = below + 0.5 * (members[:, None] == others[None, :])
    return wins


def auc(members: Array, others: Array) -> float:
    """Chance that a member's loss is below a non-member's (Mann-Whitney), ties counted half."""
    return float(_wins(members, others).mean())


@dataclass(frozen=True, kw_only=True)
class Auc:
    """Resampled AUC of one model: `value` and `draws` of shape (resamples,)."""

    value: float
    draws: Array
    n: int
    #: Facts of the smaller group.
    least: int

    def estimate(self, settings: Settings) -> Estimate:
        """Two-sided bootstrap interval."""
        tail = (1 - settings.confidence) / 2
        low, high = (float(q) for q in np.quantile(self.draws, [tail, 1 - tail]))
        return Estimate(value=self.value, low=min(low, self.value), high=max(high, self.value), n=self.n)


def resampled_auc(members: Sample, others: Sample, settings: Settings, *, name: str) -> Auc:
    """AUC with its bootstrap. Models given the same `name` and facts share their draws, so differences are paired."""
    rng = settings.stream(name)
    rows, columns = _weights(members.works, settings, rng), _weights(others.works, settings, rng)
    wins = _wins(members.values, others.values)
    draws = np.einsum("bj,bj->b", rows @ wins, columns) / (rows.sum(axis=1) * columns.sum(axis=1))
    return Auc(value=float(wins.mean()), draws=draws, n=members.n, least=min(members.n, others.n))


def _auc_reach(given: Auc | float, settings: Settings) -> tuple[float, float]:
    """How far an AUC may lie below and above its value: Wilson's bounds at the size of the smaller group.

    The variance of an AUC is at most that of a share of so many trials (Birnbaum and Klose 1957).
    """
    if isinstance(given, float):
        return 0.0, 0.0
    low, high = wilson(given.value, given.least, settings.one_sided)
    return given.value - low, high - given.value


def auc_difference(candidate: Auc, reference: Auc | float, settings: Settings) -> Bounds:
    """Difference of two AUCs over the same facts, or of one and a known value such as one half.

    Where the resamples of one show no spread (its groups do not overlap, or all losses tie), none shows that they
    might: there the closed form, too, must hold.
    """
    other, draws = (reference, 0.0) if isinstance(reference, float) else (reference.value, reference.draws)
    value = candidate.value - other
    shifts = candidate.draws - (other if isinstance(reference, float) else draws)
    low, high = _quantiles(np.asarray(shifts), settings)
    if any(isinstance(one, Auc) and not one.draws.std() > 0 for one in (candidate, reference)):
        (down, up), (other_down, other_up) = (_auc_reach(one, settings) for one in (candidate, reference))
        low, high = min(low, value - math.hypot(down, other_up)), max(high, value + math.hypot(up, other_down))
    return Bounds(value=value, low=min(low, value), high=max(high, value), n=candidate.n)


def ks(a: Array, b: Array) -> tuple[float, float]:
    """Two-sided Kolmogorov-Smirnov distance D and p-value."""
    found = stats.ks_2samp(a, b, alternative="two-sided", method="auto")
    return float(found.statistic), float(found.pvalue)


# ---------------------------------------------------------------- decisions


def p_beyond(bounds: Bounds, limit: float, settings: Settings, *, side: str) -> float:
    """One-sided p-value against "the value is not beyond `limit`", by normal approximation.

    The standard error is the one which the bound implies, so p < 1 - confidence exactly where the bound has
    crossed the limit.

    Args:
        side: "upper" asks whether the value lies above `limit`, "lower" whether it lies below.
    """
    gap = bounds.value - limit if side == "upper" else limit - bounds.value
    reach = bounds.value - bounds.low if side == "upper" else bounds.high - bounds.value
    if math.isinf(gap) or math.isinf(reach) or reach <= 0:
        return 0.0 if gap > 0 and reach <= 0 else 1.0
    return float(stats.norm.sf(gap * settings.one_sided / reach))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's (1979) step-down adjusted p-values, in the order given."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, running = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def items_needed(n: int, distance: float, reach: float, *, floor: int) -> int | None:
    """Independent facts that would decide, were the observed value and variance to stay as they are.

    A bound reaches `reach` beyond the value at n facts and shrinks with the root of n; it decides once it
    is shorter than `distance`, the way from the value to the limit. None where no number of facts would do.
    """
    if distance <= 0 or not math.isfinite(reach):
        return None
    needed = math.ceil(n * (reach / distance) ** 2)
    return max(floor, needed) if needed <= MOST_ITEMS else None
