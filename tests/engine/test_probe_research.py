"""Scores over many models, by hand and with the caps that their number puts on them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from unlearning_engine.probes.research import (
    challenge_score,
    epsilon,
    klom,
    lira,
    scalability,
    sustainability,
    true_positives,
)

RNG = np.random.default_rng(3)


def test_lira_is_the_ratio_of_two_normal_densities() -> None:
    inside, outside = np.array([[1.0, 3.0]]), np.array([[-1.0, 1.0]])
    found = lira(np.array([2.0]), inside, outside)
    by_hand = stats.norm.logpdf(2, 2, math.sqrt(2)) - stats.norm.logpdf(2, 0, math.sqrt(2))
    assert found.ratios == pytest.approx([by_hand])
    assert (found.models, found.pooled, found.smallest_fpr) == (2, True, 1.0)


def test_lira_keeps_each_samples_own_variance_where_there_are_enough_models() -> None:
    inside = RNG.normal(1, [[0.1], [3.0]], size=(2, 64))
    outside = RNG.normal(0, [[0.1], [3.0]], size=(2, 64))
    found = lira(np.array([1.0, 1.0]), inside, outside)
    assert not found.pooled
    assert found.ratios[0] > 10 > 1 > abs(found.ratios[1])


def test_members_found_at_a_rate_of_false_alarms() -> None:
    members, others = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.0, 2.5, 0.5, 1.5])
    assert true_positives(members, others, 0.0) == 0.5
    assert true_positives(members, others, 0.25) == 0.75
    assert true_positives(members, others, 1.0) == 1.0


def test_margins_of_the_same_models_do_not_diverge_and_none_passes_the_cap() -> None:
    same = RNG.normal(size=(3, 50))
    assert klom(same, same).values == pytest.approx(np.zeros(3), abs=1e-12)
    apart = klom(np.zeros((1, 50)), np.ones((1, 50)))
    assert apart.values == pytest.approx([apart.cap])
    few, many = (klom(np.zeros((1, n)), np.ones((1, n))).cap for n in (5, 500))
    assert few < many
    assert (apart.models, apart.bins) == (50, 20)


def test_klom_by_hand() -> None:
    found = klom(np.array([[0.0, 0.0, 0.0, 1.0]]), np.array([[0.0, 1.0, 1.0, 1.0]]), bins=2, smoothing=1.0)
    p, q = np.array([2, 4]) / 6, np.array([4, 2]) / 6
    assert found.values == pytest.approx([float((p * np.log(p / q)).sum())])


def test_epsilon_by_hand() -> None:
    unlearned, retrained = np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.5, 1.5, 2.5, 3.5])
    # The best attacks accuse one of four retrained models and miss one of four unlearned ones, or nearly.
    found = epsilon(unlearned, retrained, delta=0.0)
    errors = [(f / 4, m / 4) for f in range(1, 4) for m in range(1, 4)]
    assert any(found == pytest.approx(math.log((1 - f) / m)) for f, m in errors)
    assert epsilon(np.arange(4.0), 10 + np.arange(4.0)) == math.inf
    assert epsilon(np.zeros(4), np.zeros(4)) == 0.0


def test_an_interval_attack_sees_what_no_threshold_does() -> None:
    middle, ends = np.array([-0.1, 0.1, 0.0, 9.0]), np.array([-5.0, 5.0, -6.0, 0.05])
    assert epsilon(middle, ends, delta=0.0) == pytest.approx(math.log((1 - 0.25) / 0.25))


def test_the_challenge_score_of_the_same_models_is_their_relative_accuracy() -> None:
    scores = np.tile(np.linspace(-1, 1, 16), (4, 1))
    found = challenge_score(scores, scores, retain_accuracy=(0.9, 1.0), test_accuracy=(0.8, 0.8))
    assert found.score == pytest.approx(found.points.mean() * 0.9)
    assert (found.epsilons <= found.cap).all()
    apart = challenge_score(scores, scores + 10, retain_accuracy=(1.0, 1.0), test_accuracy=(1.0, 1.0))
    assert np.isinf(apart.epsilons).all()
    assert apart.score == pytest.approx(0.5**12)
    assert apart.cap == pytest.approx(math.log(16 * (1 - 1e-5) - 1))


def test_courses_are_relative_to_the_first_request() -> None:
    grown = scalability(np.array([1.0, 2.0, 4.0]), np.array([0.8, 0.6, 0.4]))
    assert grown.relative == pytest.approx([1.0, 0.75, 0.5])
    assert (grown.slope, grown.worst, grown.requests) == (pytest.approx(-0.25), 0.5, 3)
    assert sustainability(np.array([0.5, 0.5, 0.5])).slope == pytest.approx(0.0)


def test_scores_that_cannot_be_used_are_refused() -> None:
    one = np.zeros((2, 1))
    two = np.zeros((2, 2))
    for call in (
        lambda: lira(np.zeros(2), one, two),
        lambda: lira(np.zeros(3), two, two),
        lambda: lira(np.array([math.nan, 0.0]), two, two),
        lambda: klom(two, one),
        lambda: scalability(np.array([2.0, 1.0]), np.array([1.0, 1.0])),
        lambda: sustainability(np.array([0.0, 1.0])),
        lambda: sustainability(np.array([1.0])),
    ):
        with pytest.raises(ValueError, match="must|needs"):
            call()
