"""How far the surrogate's mean Hessian may lie from that of the training set, at the head's weights.

Total variation of distributions bounds the distance of *expected* Hessians: each row's data term lies between 0 and
`smooth`, so it is at most smooth TV. What Basaran et al. (2025) then use is the Hessian of one sample in place of that
of another, and their bound has no term for it: two samples of one distribution have TV 0 and different Hessians. Here
three are added, two of them with a probability of failure that goes into delta:

    surrogate   matrix Bernstein (Tropp 2012, theorem 1.4): rows are independent of the weights, each between 0 and
                smooth, so of variance at most smooth^2/4; after an earlier request as for the source
    source      the weights were made from these very rows, so the deviation must hold for all weights at once. Along
                a direction V, a row's data term is a function of W x and V x with Lipschitz constants cubic/C and
                2 smooth/C; Maurer's contraction (2016) bounds the Rademacher complexity over |W| <= w and |V| <= 1 by
                2 sqrt(outputs/n) (cubic w + 2 smooth), whatever the dimension. Symmetrisation doubles it, and by
                McDiarmid it is exceeded by smooth sqrt(ln(1/p)/(2n)) with probability p. A minimiser has
                w <= sqrt(2 F(0)/l2). Noise of earlier requests shifts all weights alike and changes nothing
    requests    that went before: which rows they took may depend on the rows, so these count as the worst ones

Labels play no part: none of the losses has them in its Hessian. And no Hessian is further than `smooth` from any other,
whatever the distributions: where the sum is larger than that, it is not used.

Their code estimates KL by the Donsker-Varadhan form, a *lower* bound, between the surrogate and samples drawn from the
model: no upper bound follows. Here a divergence is given with its reason or computed from declared Gaussians.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from unlearning_engine.certified.convex import SQUARED, Array, Constants, Loss, Rows
from unlearning_engine.certified.heads import Head, digest_of
from unlearning_engine.certified.settings import GAUSSIAN, HESSIAN, KL, MEASURED, TV, NewtonConfig
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.sisa.tables import Table

#: A declared distance below this share of what two samples of one distribution would differ by is not believed.
_CREDIBLE = 0.5
#: A surrogate whose mean would lie as far from the declared one with a lower probability does not have it.
_IMPLAUSIBLE = 1e-6


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Bound of the spectral distance; it fails with probability `failure`. `assumptions` are whole sentences."""

    value: float
    failure: float
    assumptions: tuple[str, ...]


def gap_of(config: NewtonConfig, head: Head, surrogate: Table) -> Gap:
    """The bound for a surrogate that is not the retained data.

    Raises:
        ConfigError: there is no bound, or none that is credible.
    """
    constants, rows = head.config.constants, head.rows(surrogate)
    if config.surrogate == MEASURED:
        return _measured(head, surrogate, constants)
    if config.surrogate == HESSIAN:
        _believe(config.distance, head, rows)
        return _capped(
            Gap(
                value=config.distance,
                failure=0.0,
                assumptions=(
                    f"The surrogate's mean Hessian lies within {config.distance:g} of that of the training set in "
                    f"spectral norm; given by the operator, because: {config.justification.strip()}",
                ),
            ),
            constants,
        )
    if config.surrogate in (TV, KL, GAUSSIAN):
        variation, sentence = _variation(config, head, surrogate)
        return _capped(_population(config, head, len(rows), variation, sentence), constants)
    raise ConfigError(
        "spec.config.surrogate: missing, and retain is not the training set without the rows to forget: without a "
        "bound of the surrogate's distance nothing is certified. Say measured, hessian, tv, kl or gaussian, with its "
        "numbers, or give the retained rows"
    )


def _capped(gap: Gap, constants: Constants) -> Gap:
    if gap.value < constants.smooth:
        return gap
    nothing = "Nothing is assumed of the surrogate: its Hessian is taken to be as wrong as that of any rows could be."
    return Gap(value=constants.smooth, failure=0.0, assumptions=(nothing,))


def _measured(head: Head, surrogate: Table, constants: Constants) -> Gap:
    name = digest_of(surrogate)
    if name not in head.config.gaps:
        raise ConfigError(
            f"spec.config.surrogate: the head holds no measured distance for this surrogate ({name[:18]}...); name it "
            "as `surrogate` when the head is trained, or state a distance with its justification"
        )
    sentence = (
        "The distance of the surrogate's Hessian was measured on the training set in training; the two digits kept "
        "of it are taken to tell nothing about single rows."
    )
    return Gap(value=min(float(head.config.gaps[name]), constants.smooth), failure=0.0, assumptions=(sentence,))


def moved_gap(gap: float, constants: Constants, *, n: int, m: int, moved: float) -> float:
    """A measured distance after `m` of `n` rows went and the weights moved by `moved`."""
    return min(constants.smooth, (n * gap + m * constants.smooth) / (n - m) + 2 * constants.cubic * moved)


def _believe(distance: float, head: Head, rows: Rows) -> None:
    """Refuse a distance that not even a fresh sample of the same distribution could have.

    Two halves of the surrogate differ by a norm h; samples of n and n_s rows by about h/2 sqrt(1 + n_s/n).
    """
    if len(rows) < 4:
        raise ConfigError(f"spec.retain: {len(rows)} rows are too few for a surrogate")
    order = np.random.default_rng(0).permutation(len(rows))
    objective = head.config.objective
    first, second = (
        objective.hessian(head.weights, Rows(inputs=rows.inputs[half], labels=rows.labels[half]))
        for half in np.array_split(order, 2)
    )
    halves = float(np.abs(np.linalg.eigvalsh(first - second)).max())
    least = _CREDIBLE * halves / 2 * math.sqrt(1 + len(rows) / head.config.n)
    if distance < least:
        raise ConfigError(
            f"spec.config.distance: {distance:g} is not credible: a fresh sample of the very same distribution would "
            f"differ by about {least / _CREDIBLE:.2g}; give a larger one, or have it measured in training"
        )


# ---------------------------------------------------------------- distributions


def _variation(config: NewtonConfig, head: Head, surrogate: Table) -> tuple[float, str]:
    """Bound of the total variation, and what it rests on."""
    if config.surrogate == TV:
        return config.distance, f"total variation is at most {config.distance:g}, given by the operator"
    if config.surrogate == KL:
        found = variation_of(config.distance)
        return found, f"Kullback-Leibler divergence is at most {config.distance:g}, given by the operator"
    dimension = head.config.dimension
    source = _gaussian(config.source, dimension, "source")
    substitute = _gaussian(config.substitute, dimension, "substitute")
    _fits(surrogate, substitute)
    found = variation_of(min(divergence(source, substitute), divergence(substitute, source)))
    return found, f"total variation is at most {found:.3g}, computed from Gaussians declared by the operator"


def variation_of(kl: float) -> float:
    """Bound of the total variation by a divergence: Bretagnolle-Huber, and Pinsker where that is smaller."""
    return min(math.sqrt(-math.expm1(-kl)), math.sqrt(kl / 2))


def divergence(one: tuple[Array, Array], other: tuple[Array, Array]) -> float:
    """Kullback-Leibler divergence, in nats, of Gaussians given as mean (d,) and covariance (d, d)."""
    (a, s), (b, t) = one, other
    spread = np.linalg.solve(t, s)
    apart = float((b - a) @ np.linalg.solve(t, b - a))
    return max(0.0, 0.5 * (float(np.trace(spread)) + apart - len(a) - float(np.linalg.slogdet(spread)[1])))


def _gaussian(given: Mapping[str, Any], dimension: int, where: str) -> tuple[Array, Array]:
    try:
        mean = np.asarray(given["mean"], dtype=np.float64)
        covariance = np.asarray(given["covariance"], dtype=np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"spec.config.{where}: needs mean and covariance, lists of numbers ({error})") from error
    matrix = np.diag(covariance) if covariance.ndim == 1 else covariance
    good = mean.shape == (dimension,) and matrix.shape == (dimension, dimension)
    good = good and bool(np.isfinite(matrix).all()) and np.allclose(matrix, matrix.T)
    if not good or float(np.linalg.eigvalsh(matrix)[0]) <= 0 or not np.isfinite(mean).all():
        raise ConfigError(
            f"spec.config.{where}: mean must have {dimension} numbers, covariance as many or a positive definite matrix"
        )
    return mean, matrix


def _fits(surrogate: Table, declared: tuple[Array, Array]) -> None:
    """Refuse a declared distribution that the surrogate at hand visibly does not have."""
    mean, covariance = declared
    off = surrogate.features.reshape(len(surrogate), -1).astype(np.float64).mean(axis=0) - mean
    statistic = len(surrogate) * float(off @ np.linalg.solve(covariance, off))
    if stats.chi2.sf(statistic, len(mean)) < _IMPLAUSIBLE:
        raise DataError(
            "spec.config.substitute: is not credible: the surrogate's mean lies further from the declared one than "
            "chance allows; declare the distribution that it was drawn from"
        )


def _population(config: NewtonConfig, head: Head, n_s: int, variation: float, what: str) -> Gap:
    """The bound for two independent samples of distributions whose total variation is bounded; see the module."""
    failure = config.delta / 10
    constants, objective = head.config.constants, head.config.objective
    taken = sum(int(entry.get("rows", 0)) for entry in head.config.ledger)
    first = head.config.n + taken
    reach = largest_minimiser(objective) + head.config.centre
    own = uniform(constants, objective.outputs, reach, first, failure / 2)
    if head.config.ledger:  # the weights were made from the surrogate, too, if it is the same
        other = uniform(constants, objective.outputs, reach, n_s, failure / 2)
    else:
        other = bernstein(constants.smooth, n_s, math.log(2 * head.config.parameters / (failure / 2)))
    value = constants.smooth * variation + other + (first * own + taken * constants.smooth) / head.config.n
    sentences = (
        f"The surrogate's features and those of the training set are independent samples of two distributions, whose "
        f"{what}, because: {config.justification.strip()}",
        "No row of the surrogate was used in training the head.",
    )
    return Gap(value=value, failure=failure, assumptions=sentences)


def largest_minimiser(objective: Loss) -> float:
    """Norm that no minimiser exceeds: its ridge term is at most the objective of zero weights."""
    at_zero = 0.5 if objective.name == SQUARED else math.log(objective.classes)
    return math.sqrt(2 * at_zero / objective.l2)


def bernstein(smooth: float, n: int, log: float) -> float:
    """Deviation of a mean of n independent matrices between 0 and `smooth`, exceeded with probability 2 d e^-log."""
    third = log / (3 * n)
    return smooth * (third + math.sqrt(third**2 + log / (2 * n)))


def uniform(constants: Constants, outputs: int, reach: float, n: int, failure: float) -> float:
    """Deviation of the mean Hessian over n rows from its expectation, at all weights up to `reach` at once."""
    complexity = 2 * math.sqrt(outputs / n) * (constants.cubic * reach + 2 * constants.smooth)
    return 2 * complexity + constants.smooth * math.sqrt(math.log(2 / failure) / (2 * n))
