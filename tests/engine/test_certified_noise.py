"""Noise: known values, validity at every epsilon, composition, and a source that cannot be foretold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from unlearning_engine.certified.noise import (
    Spent,
    commitment,
    composed,
    delta_of,
    deviation,
    epsilon_of,
    fresh_seed,
    normal,
    radius,
)
from unlearning_engine.errors import ConfigError


def test_the_classical_formula_gives_the_value_by_hand() -> None:
    sd, rule = deviation(0.1, 0.5, 1e-5)
    assert rule == "classical" and sd == pytest.approx(0.1 / 0.5 * math.sqrt(2 * math.log(125000)))


def test_the_analytic_rule_gives_the_published_value() -> None:
    # Balle and Wang's calibration at epsilon 1, delta 1e-5, sensitivity 1.
    assert deviation(1.0, 1.0, 1e-5) == (pytest.approx(3.730632, abs=1e-5), "analytic")


@pytest.mark.parametrize("epsilon", [0.01, 0.3, 0.99, 1.0, 3.0, 30.0])
@pytest.mark.parametrize("delta", [1e-8, 1e-3])
def test_no_rule_gives_less_noise_than_the_exact_profile_allows(epsilon: float, delta: float) -> None:
    for rule in ("", "analytic"):
        sd, _ = deviation(2.0, epsilon, delta, rule=rule)
        assert delta_of(epsilon, 2.0 / sd) <= delta * (1 + 1e-9)
    assert delta_of(epsilon, 2.0 / (0.98 * sd)) > delta  # the analytic one is tight


def test_the_classical_formula_is_refused_where_it_does_not_hold() -> None:
    wrong = math.sqrt(2 * math.log(1.25 / 1e-5)) / 10
    assert delta_of(10, 1 / wrong) > 1e-5  # what it would claim at epsilon 10 is false
    with pytest.raises(ConfigError, match="below epsilon 1"):
        deviation(1.0, 10.0, 1e-5, rule="classical")


def test_epsilon_and_delta_are_each_others_inverse() -> None:
    for ratio in (0.05, 0.7, 4.0):
        epsilon = epsilon_of(1e-6, ratio)
        assert delta_of(epsilon, ratio) == pytest.approx(1e-6, rel=1e-4)
    assert epsilon_of(0.5, 0.1) == 0.0 and delta_of(0.0, 0.0) == 0.0
    assert delta_of(0.0, 1.0) == pytest.approx(2 * stats.norm.cdf(0.5) - 1)  # total variation


def test_one_release_costs_what_it_says_and_many_cost_less_than_their_sum() -> None:
    sd, _ = deviation(1.0, 1.0, 1e-5)
    one = Spent(epsilon=1.0, delta=1e-5, failure=0.0, ratio=1 / sd)
    assert composed([one])[:2] == (pytest.approx(1.0, abs=1e-6), 1e-5)
    epsilon, delta, how = composed([one] * 16)
    assert how == "gaussian" and delta == pytest.approx(16e-5) and 3.5 < epsilon < 6
    assert epsilon == pytest.approx(epsilon_of(16e-5, 4 / sd))


def test_what_may_fail_is_not_spent_twice() -> None:
    whole = Spent(epsilon=1.0, delta=1e-5, failure=0.0, ratio=0.26)
    part = Spent(epsilon=1.0, delta=1e-5, failure=9e-6, ratio=0.26)
    assert composed([part] * 4)[0] > composed([whole] * 4)[0]


def test_releases_that_gaussians_do_not_describe_are_added() -> None:
    loud = Spent(epsilon=0.1, delta=1e-6, failure=0.0, ratio=5.0)
    assert composed([loud, loud]) == (pytest.approx(0.2), 2e-6, "basic")


def test_the_noise_is_normal_independent_and_named_by_its_seed() -> None:
    drawn = normal(b"one", (200, 100))
    assert stats.kstest(drawn.ravel(), "norm").pvalue > 0.001
    assert abs(np.corrcoef(drawn[:-1].ravel(), drawn[1:].ravel())[0, 1]) < 0.03
    assert np.array_equal(drawn, normal(b"one", (200, 100))) and not np.array_equal(drawn, normal(b"two", (200, 100)))


def test_seeds_are_fresh_and_their_commitment_binds() -> None:
    one, two = fresh_seed(), fresh_seed()
    assert len(one) == 32 and one != two
    assert commitment(one) == commitment(bytes(one)) != commitment(two) and one.hex() not in commitment(one)


def test_a_normal_vector_leaves_the_radius_as_rarely_as_stated() -> None:
    drawn = np.linalg.norm(normal(b"radius", (4000, 5)), axis=1)
    assert (drawn > radius(5, 0.05)).mean() == pytest.approx(0.05, abs=0.015)
