"""The empirical epsilon of the best attack stays below the claim, and finds noise that is too little."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.engine.certified_heads import head, table
from unlearning_engine.certified import newton
from unlearning_engine.certified.audit import empirical_epsilon, likelihood_scores, upper_rate
from unlearning_engine.certified.convex import Array
from unlearning_engine.certified.fitting import fit, with_gap
from unlearning_engine.certified.noise import deviation, normal
from unlearning_engine.certified.settings import NewtonConfig

TRIALS, DELTA = 400, 1e-5


def released(centre: Array, sd: float, name: str, trials: int = TRIALS) -> Array:
    """Outputs with noise from the product's own generator, shape (trials, weights)."""
    seeds = (f"{name} {trial}".encode() for trial in range(trials))
    return np.stack([centre.ravel() + sd * normal(seed, (centre.size,)) for seed in seeds])


def proven(unlearned: Array, retrained: Array, sd: float, trials: int = TRIALS) -> float:
    ends = [released(c, sd, name, trials) for c, name in ((unlearned, "unlearned"), (retrained, "retrained"))]
    first, second = (likelihood_scores(end, unlearned.ravel(), retrained.ravel()) for end in ends)
    return empirical_epsilon(first, second, DELTA)


def test_rates_are_bounded_as_clopper_and_pearson_do() -> None:
    assert upper_rate(0, 200, 0.95) == pytest.approx(1 - 0.05 ** (1 / 200))
    assert upper_rate(5, 5, 0.95) == 1.0
    assert upper_rate(3, 10, 0.95) == pytest.approx(0.6066, abs=1e-4)


def test_an_attack_without_errors_proves_what_the_trials_allow_and_chance_proves_nothing() -> None:
    low, high = np.zeros(400), np.ones(400)
    limit = 1 - 0.025 ** (1 / 200)
    assert empirical_epsilon(high, low, 0.0) == pytest.approx(math.log((1 - limit) / limit))
    random = np.random.default_rng(0)
    assert empirical_epsilon(random.normal(size=400), random.normal(size=400), DELTA) == 0.0


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 2.0])
def test_two_worlds_exactly_as_far_apart_as_the_bound_are_told_apart_no_better_than_claimed(epsilon: float) -> None:
    sd, _ = deviation(1.0, epsilon, DELTA)
    centre, other = np.zeros((3, 2)), np.zeros((3, 2))
    other[1, 1] = 1.0
    assert proven(other, centre, sd, 2000) <= epsilon


def test_noise_that_is_too_little_is_found_out() -> None:
    sd, _ = deviation(1.0, 1.0, DELTA)
    centre, other = np.zeros(6), np.eye(6)[0]
    assert proven(other, centre, sd / 10) > 1.0
    assert proven(other, centre, 1e-6) > 3.5


@pytest.mark.parametrize("kind", ["retained", "measured"])
@pytest.mark.parametrize("sensitivity", ["worst_case", "observed"])
def test_unlearned_and_retrained_heads_are_told_apart_no_better_than_claimed(kind: str, sensitivity: str) -> None:
    rows, substitute = table(300), table(200, seed=50, offset=0.3)
    made = with_gap(head(rows), rows, substitute)
    gone, rest = rows.take(range(4)), rows.take(range(4, 300))
    settings: dict[str, Any] = {"epsilon": 1.0, "delta": DELTA, "surrogate": kind, "sensitivity": sensitivity}
    moved = newton.step(NewtonConfig(**settings), made, gone, rest if kind == "retained" else substitute)
    sd, _ = deviation(moved.shift.total, 1.0, DELTA - moved.failure)
    retrained = fit(made.config, rest).weights
    assert proven(moved.weights, retrained, sd) <= 1.0
    # The same attack on what was not unlearned at all: the noise alone does not pass for forgetting.
    if sensitivity == "observed" and kind == "retained":
        assert proven(made.weights, retrained, sd) > 1.0
