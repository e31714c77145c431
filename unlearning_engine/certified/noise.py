"""Gaussian noise for a certificate: how much, how it adds up over requests, and where it comes from.

A release is y + sd Z. Where two worlds put y at most `shift` apart, it is (epsilon, delta)-indistinguishable if

    epsilon < 1:  sd = shift/epsilon sqrt(2 ln(1.25/delta))                   Dwork and Roth 2014, theorem A.1
    any epsilon:  Phi(t/2 - epsilon/t) - e^epsilon Phi(-t/2 - epsilon/t) <= delta, t = shift/sd     Balle and Wang 2018

The second is exact; the first is not valid from epsilon 1 on, though it is often used there. Releases that depend
on one another add up as one with t^2 = sum of t_i^2 (Dong et al. 2022, Gaussian differential privacy: exact for
Gaussians), or plainly as (sum epsilon_i, sum delta_i). Both hold; the smaller epsilon counts.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

from unlearning_engine.errors import ConfigError

SEED_BYTES = 32
#: Normal numbers averaged into one: the rounding of a single one can be told from its neighbours' (Holohan and
#: Braghin 2021, after Mironov 2012), that of a sum of four takes an infeasible search.
PARTS = 4
CLASSICAL, ANALYTIC = "classical", "analytic"


def delta_of(epsilon: float, ratio: float) -> float:
    """The exact delta at `epsilon` of a Gaussian release with shift/sd `ratio` (Balle and Wang 2018, theorem 8)."""
    if ratio <= 0:
        return 0.0
    tail = epsilon + float(special.log_ndtr(-ratio / 2 - epsilon / ratio))  # e^epsilon alone may overflow
    return max(0.0, float(special.ndtr(ratio / 2 - epsilon / ratio)) - math.exp(tail))


def epsilon_of(delta: float, ratio: float) -> float:
    """The smallest epsilon at which `delta_of` is at most `delta`."""
    if ratio <= 0 or delta_of(0.0, ratio) <= delta:
        return 0.0
    high = 1.0
    while delta_of(high, ratio) > delta:
        high *= 2
    return float(optimize.brentq(lambda eps: delta_of(eps, ratio) - delta, 0.0, high, xtol=1e-12)) + 1e-9


def deviation(shift: float, epsilon: float, delta: float, *, rule: str = "") -> tuple[float, str]:
    """Standard deviation of the noise, and the rule that gave it: by default the classical one below epsilon 1.

    Raises:
        ConfigError: the classical rule is asked for where it does not hold.
    """
    rule = rule or (CLASSICAL if epsilon < 1 else ANALYTIC)
    if rule == CLASSICAL:
        if epsilon >= 1:
            raise ConfigError(f'calibration: the classical formula holds below epsilon 1, not at {epsilon}; "analytic"')
        return shift / epsilon * math.sqrt(2 * math.log(1.25 / delta)), rule
    low, high = 1e-9, 1.0
    while delta_of(epsilon, high) <= delta:
        high *= 2
    ratio = float(optimize.brentq(lambda t: delta_of(epsilon, t) - delta, low, high, xtol=1e-12))
    return shift / ratio * (1 + 1e-9), rule


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What one release cost: of `delta`, `failure` is for bounds that hold with high probability only.

    `ratio` is shift/sd of its noise.
    """

    epsilon: float
    delta: float
    failure: float
    ratio: float


def composed(spent: Sequence[Spent]) -> tuple[float, float, str]:
    """What several releases add up to: epsilon, delta, and "basic" or "gaussian", whichever epsilon is smaller."""
    epsilon, delta = math.fsum(s.epsilon for s in spent), math.fsum(s.delta for s in spent)
    ratio = math.sqrt(math.fsum(s.ratio**2 for s in spent))
    joint = epsilon_of(delta - math.fsum(s.failure for s in spent), ratio)
    return (joint, delta, "gaussian") if joint < epsilon else (epsilon, delta, "basic")


def radius(dimension: int, failure: float) -> float:
    """Norm that a standard normal vector exceeds with probability `failure`."""
    return math.sqrt(float(stats.chi2.isf(failure, dimension)))


# ---------------------------------------------------------------- where it comes from


def fresh_seed() -> bytes:
    """A secret from the operating system's generator. Who knows it can subtract the noise."""
    return os.urandom(SEED_BYTES)


def commitment(seed: bytes) -> str:
    """`sha256:<hex>` that binds to the seed and, with 256 random bits, tells nothing about it."""
    return "sha256:" + hashlib.sha256(b"lethe noise commitment\0" + seed).hexdigest()


def normal(seed: bytes, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Standard normal numbers from SHAKE-256 of the seed, which no part of its output foretells."""
    count = math.prod(shape) * PARTS
    stream = hashlib.shake_256(b"lethe noise\0" + seed).digest(8 * count)
    uniform = ((np.frombuffer(stream, dtype="<u8") >> np.uint64(12)).astype(np.float64) + 0.5) / 2.0**52  # never 0 or 1
    return np.asarray(special.ndtri(uniform).reshape(PARTS, *shape).sum(axis=0) / math.sqrt(PARTS))
