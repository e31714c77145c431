"""How far the weights after a Newton step may lie from the retrained ones.

Written out for F of `convex` over n rows, of which m are to go; r marks the objective over those that stay, s the
surrogate, f the forgotten. w* is the minimiser over all n, w_r* the retrained head. At w*, F_r has the gradient
g_r = -m/(n-m) g_f, so the step *away from the forgotten rows' descent* is

    w' = w + m/(n-m) H^-1 g_f(w),   H = (n H_s - m H_f)/(n-m), which is F_r's Hessian where H_s is F's

Its distance from w_r* falls into parts (l2 strong convexity, smooth and cubic of the data term, b = smooth + l2):

    newton      cubic R^2/(2 l2), where R = |w* - w_r*| is at most |g_r|/l2
    surrogate   n/(n-m) gap |m/(n-m) g_f|/(l2 least), least = (n l2 - m smooth - m l2)/(n-m) below H's eigenvalues; or,
                the step being known, n/(n-m) gap |step|/l2: A^-1 - B^-1 = B^-1 (B - A) A^-1
    drift       the step was taken at w, off w* by r: r (b m/((n-m) l2) + cubic |g_r|/l2^2)
    start       that distance itself, where it is no noise that both worlds share

|g_r| is at most 2 slope m/n, the difference of the means over the two parts; or m/(n-m) (|g_f(w)| + b r).

Where this departs from Basaran et al. (2025):

- They weigh H_s by the surrogate's size, (n_s H_s - m H_f)/(n_s - m). That is F_r's Hessian for n_s = n only; their
  second term vanishes with TV although the step is then wrong (a surrogate of every second of doubled rows has the very
  Hessian, and a squared loss no other error: `test_certified_newton`). Weighed by n there is no such error.
- Their first term is four times the one above; both it and theirs hold.
- Their second term is for the difference of distributions alone; see `closeness`.
- |g_f| in it makes the amount of noise depend on the rows to be forgotten, which their definition does not provide for.
- The step from one head to the next, and a minimiser that was not reached, are not treated.
- Their code combines products with inverse Hessians instead of inverting the combined one: no Newton step at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from unlearning_engine.certified.convex import Constants
from unlearning_engine.errors import ConfigError

#: Room for rounding in the solution of linear equations, which is checked, and in what follows.
NUMERIC = 1e-9


@dataclass(frozen=True, kw_only=True)
class Shift:
    """Parts of the distance between two worlds; see the module. All are norms of weights."""

    newton: float = 0.0
    surrogate: float = 0.0
    drift: float = 0.0
    start: float = 0.0

    @property
    def total(self) -> float:
        """The bound that noise is calibrated to."""
        return self.newton + self.surrogate + self.drift + self.start + NUMERIC


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a step was observed to be: norms of the step and of the mean gradient over the forgotten rows."""

    length: float
    gradient: float


def least_curvature(constants: Constants, n: int, m: int) -> float:
    """Lower bound of the combined Hessian's eigenvalues.

    Raises:
        ConfigError: it is not positive, or nothing would be left.
    """
    if m >= n:
        raise ConfigError(f"spec.forget: {m} rows are not fewer than the {n} that the head was trained on")
    least = constants.l2 - m * constants.smooth / (n - m)
    if least <= 0:
        most = math.ceil(n * constants.l2 / (constants.smooth + constants.l2)) - 1
        raise ConfigError(
            f"spec.forget: n mu - m b = {(n - m) * least:.3g} is not positive for m = {m} of n = {n} rows "
            f"(mu = {constants.l2:g}, b = {constants.smooth + constants.l2:g}): the combined Hessian may be singular. "
            f"At most {most} rows can go at once without the retained data; forget fewer, give the retained rows, or "
            "train with more l2"
        )
    return least


def without_data(
    constants: Constants, *, n: int, m: int, gap: float, off: float, shared: bool, seen: Step | None = None
) -> Shift:
    """Bound for the step with a surrogate.

    Args:
        gap: spectral distance of the surrogate's Hessian from that over all n rows, at the weights.
        off: distance of the weights from the minimiser over the n rows.
        shared: `off` is noise that the retrained head is compared with, too.
        seen: what these rows gave; without it, the bound holds for all rows.
    """
    least, left, l2 = least_curvature(constants, n, m), m / (n - m), constants.l2
    curved = constants.smooth + l2
    slope = left * (seen.gradient + curved * off) if seen else 2 * constants.slope * m / n
    forgotten = left * seen.gradient if seen else slope + left * curved * off
    replaced = n / (n - m) * gap
    if seen:
        surrogate = min(replaced * seen.length / l2, seen.length + forgotten / l2)
    else:
        surrogate = min(replaced * forgotten / (l2 * least), forgotten / least)
    drift = off * (left * curved / l2 + constants.cubic * slope / l2**2)
    reach = slope / l2
    if seen:
        reach = _reach(seen.length + surrogate + drift, constants.cubic / (2 * l2), reach)
    newton = constants.cubic * reach**2 / (2 * l2)
    return Shift(newton=newton, surrogate=surrogate, drift=drift, start=0.0 if shared else off)


def _reach(about: float, curve: float, most: float) -> float:
    """|w* - w_r*| from R <= about + curve R^2 and R <= most, where that singles out the smaller root."""
    inside = 1 - 4 * about * curve
    if curve == 0:
        return min(most, about)
    if inside <= 0 or most >= (1 + math.sqrt(inside)) / (2 * curve):
        return most
    return min(most, 2 * about / (1 + math.sqrt(inside)))


def with_data(constants: Constants, *, n: int, m: int, off: float, left: float | None = None) -> Shift:
    """Bound for one Newton step on the retained data; `left`, where it counts, is the gradient's norm after it."""
    reach = off + 2 * constants.slope * m / (n * constants.l2)
    newton = constants.cubic * reach**2 / (2 * constants.l2)
    return Shift(newton=newton if left is None else min(newton, left / constants.l2))


def converged(constants: Constants, tolerance: float) -> Shift:
    """Bound for steps on the retained data that went on until the gradient's norm was `tolerance`."""
    return Shift(newton=tolerance / constants.l2)
