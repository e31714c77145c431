"""Research output over arrays of scores, from many trained models: never part of a verdict.

Each result names N, the number of models (or requests) behind it, and the cap which that N puts on the number: with 10
models nothing larger than the cap can be seen, however bad the unlearning was. Nothing here loads a model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from unlearning_engine.statistics import Array

#: With fewer models a class than this, variances are pooled over samples (Carlini et al. 2022, section VI-C).
POOLED_BELOW = 64
#: Of the NeurIPS 2023 challenge: width of a bucket of epsilon, number of buckets, delta.
BUCKET, BUCKETS, DELTA = 0.5, 13, 1e-5


# ---------------------------------------------------------------- LiRA


@dataclass(frozen=True, kw_only=True)
class Lira:
    """`ratios`: log-likelihood ratios, shape (n,), above nought where a sample looks like a member.

    `models` is the smaller number of shadow models of the two kinds. `smallest_fpr` is 1/n: no lower rate of false
    alarms can be told from nought with n samples.
    """

    ratios: Array
    models: int
    pooled: bool
    smallest_fpr: float


def _normal(values: Array, pooled: bool) -> tuple[Array, Array]:
    mean, own = values.mean(axis=1), values.std(axis=1, ddof=1)
    spread = np.full_like(own, math.sqrt(float((own**2).mean()))) if pooled else own
    return mean, np.maximum(spread, 1e-12)


def lira(observed: Array, inside: Array, outside: Array) -> Lira:
    """Online likelihood-ratio attack (Carlini et al. 2022).

    Args:
        observed: logit-scaled confidences log(p / (1 - p)) of the model under attack, shape (n,).
        inside, outside: the same of shadow models trained with and without each sample, shapes (n, N) and (n, M);
            N and M at least 2.

    Raises:
        ValueError: shapes that do not fit, fewer than two models of a kind, or a value that is not finite.
    """
    _check(observed, inside, outside)
    pooled = min(inside.shape[1], outside.shape[1]) < POOLED_BELOW
    (m_in, s_in), (m_out, s_out) = _normal(inside, pooled), _normal(outside, pooled)
    ratios = stats.norm.logpdf(observed, m_in, s_in) - stats.norm.logpdf(observed, m_out, s_out)
    models = min(inside.shape[1], outside.shape[1])
    return Lira(ratios=np.asarray(ratios), models=models, pooled=pooled, smallest_fpr=1 / observed.size)


def _check(observed: Array, *groups: Array) -> None:
    for group in groups:
        if group.ndim != 2 or group.shape[0] != observed.shape[0] or group.shape[1] < 2:
            raise ValueError(f"scores of shape {group.shape} must be (samples {observed.shape[0]}, models >= 2)")
    if not all(np.isfinite(values).all() for values in (observed, *groups)):
        raise ValueError("scores must be finite")


def true_positives(members: Array, others: Array, rate: float) -> float:
    """Share of members found where at most `rate` of the others are accused; scores high for members."""
    allowed = math.floor(rate * others.size)
    threshold = np.sort(others)[::-1][allowed] if allowed < others.size else -math.inf
    return float((members > threshold).mean())


# ---------------------------------------------------------------- KLOM


@dataclass(frozen=True, kw_only=True)
class Klom:
    """`values`: KL divergence in nats per sample, shape (n,); `cap` the largest value that N models can show."""

    values: Array
    models: int
    bins: int
    cap: float


def klom(unlearned: Array, retrained: Array, *, bins: int = 20, smoothing: float = 1e-2) -> Klom:
    """KL divergence of margins (Georgiev et al. 2024): KL(retrained || unlearned) of each sample's margin histogram.

    Args:
        unlearned, retrained: margins log(p / (1 - p)) of N models each, shapes (n, N) and (n, M).
        bins: of equal width over the range of both groups together.
        smoothing: added to every count, so that an empty bin does not make the divergence infinite.
    """
    _check(unlearned[:, 0], unlearned, retrained)
    values = []
    for own, other in zip(unlearned, retrained, strict=True):
        low, high = min(own.min(), other.min()), max(own.max(), other.max())
        edges = np.linspace(low, high if high > low else low + 1, bins + 1)
        q, p = (np.histogram(v, edges)[0] + smoothing for v in (own, other))
        p, q = p / p.sum(), q / q.sum()
        values.append(float((p * np.log(p / q)).sum()))
    return Klom(
        values=np.array(values),
        models=min(unlearned.shape[1], retrained.shape[1]),
        bins=bins,
        cap=_klom_cap(unlearned.shape[1], retrained.shape[1], bins, smoothing),
    )


def _klom_cap(own: int, other: int, bins: int, smoothing: float) -> float:
    """The divergence of two groups that lie in one bin each, not the same."""
    q, p = np.full(bins, smoothing), np.full(bins, smoothing)
    q[0], p[-1] = q[0] + own, p[-1] + other
    p, q = p / p.sum(), q / q.sum()
    return float((p * np.log(p / q)).sum())


# ---------------------------------------------------------------- NeurIPS 2023 challenge


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """`epsilons` and `points` per sample, shape (n,), and the final `score`.

    A finite epsilon is at most `cap`, ln(N (1 - delta) - 1) for N models of either kind. Two groups of models that some
    attack separates without an error have an infinite one and the points of the last bucket.
    """

    epsilons: Array
    points: Array
    score: float
    models: int
    cap: float


def _errors(unlearned: Array, retrained: Array) -> tuple[Array, Array]:
    """False positive and false negative rates of every threshold and interval attack on one sample's scores."""
    cuts = np.unique(np.concatenate([unlearned, retrained]))
    edges = np.concatenate([[-np.inf], (cuts[1:] + cuts[:-1]) / 2, [np.inf]])
    own = np.searchsorted(np.sort(unlearned), edges) / unlearned.size
    other = np.searchsorted(np.sort(retrained), edges) / retrained.size
    low, high = np.triu_indices(edges.size, k=1)
    hit, false = own[high] - own[low], other[high] - other[low]
    # Inside an interval is "unlearned", or outside of it; a threshold is an interval with an infinite end.
    return np.concatenate([false, 1 - false]), np.concatenate([1 - hit, hit])


def epsilon(unlearned: Array, retrained: Array, delta: float = DELTA) -> float:
    """The largest epsilon over the attacks on one sample, shapes (N,) and (M,) (Triantafillou et al. 2024).

    An attack with exactly one rate at nought says nothing that N models could support and is left out; one with both
    at nought separates the groups: infinite.
    """
    false, missed = _errors(unlearned, retrained)
    false, missed = np.round(false, 12), np.round(missed, 12)
    if np.any((false <= 0) & (missed <= 0)):
        return math.inf
    usable = (false > 0) & (missed > 0)
    fpr, fnr = false[usable], missed[usable]
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.concatenate([np.log(1 - delta - fpr) - np.log(fnr), np.log(1 - delta - fnr) - np.log(fpr)])
    finite = found[np.isfinite(found)]
    return max(0.0, float(finite.max())) if finite.size else 0.0


def challenge_score(
    unlearned: Array, retrained: Array, *, retain_accuracy: tuple[float, float], test_accuracy: tuple[float, float]
) -> Challenge:
    """Score of the NeurIPS 2023 unlearning challenge.

    Args:
        unlearned, retrained: confidences log p_y - log(sum of the others), shapes (n, N) and (n, M).
        retain_accuracy, test_accuracy: of the unlearned and of the retrained models, means over N, above nought.
    """
    _check(unlearned[:, 0], unlearned, retrained)
    epsilons = np.array([epsilon(own, other) for own, other in zip(unlearned, retrained, strict=True)])
    buckets = np.minimum(np.floor(np.minimum(epsilons, 1e6) / BUCKET), BUCKETS - 1)
    points = 0.5**buckets
    (retain, retain_ref), (test, test_ref) = retain_accuracy, test_accuracy
    own, other = unlearned.shape[1], retrained.shape[1]
    return Challenge(
        epsilons=epsilons,
        points=points,
        score=float(points.mean()) * retain / retain_ref * test / test_ref,
        models=min(own, other),
        cap=max(math.log((1 - DELTA - 1 / other) * own), math.log((1 - DELTA - 1 / own) * other)),
    )


# ---------------------------------------------------------------- MUSE: scalability and sustainability


@dataclass(frozen=True, kw_only=True)
class Course:
    """A measure over growing or successive requests: `relative` to the first, shape (k,); `slope` per step.

    `requests` is k: with three requests nothing is known about the tenth.
    """

    relative: Array
    slope: float
    worst: float
    requests: int


def _course(steps: Array, values: Array) -> Course:
    if values.ndim != 1 or values.shape != steps.shape or values.size < 2 or values[0] == 0:
        raise ValueError("a course needs at least two values, the first not nought, and as many steps")
    relative = values / values[0]
    slope = float(np.polyfit(steps, relative, 1)[0])
    return Course(relative=relative, slope=slope, worst=float(relative.min()), requests=int(values.size))


def scalability(sizes: Array, utility: Array) -> Course:
    """Utility after one request of each size (Shi et al. 2024, MUSE): the slope is per doubling of the size.

    Args:
        sizes: tokens or items of each request, shape (k,), rising, above nought.
        utility: the utility left after it, shape (k,).
    """
    if np.any(sizes <= 0) or np.any(np.diff(sizes) <= 0):
        raise ValueError("sizes must rise and be above nought")
    return _course(np.log2(sizes), utility)


def sustainability(utility: Array) -> Course:
    """Utility after the first, second ... of k requests in sequence (MUSE): the slope is per request."""
    return _course(np.arange(utility.size, dtype=np.float64), utility)
