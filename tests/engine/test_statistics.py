"""Statistics against values worked out by hand, and their honesty against simulated truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from unlearning_engine.statistics import (
    Bounds,
    Sample,
    Settings,
    auc,
    auc_difference,
    by_fact,
    difference,
    effective_size,
    estimate,
    holm,
    items_needed,
    ks,
    mover_ratio,
    newcombe,
    p_beyond,
    ratio,
    resampled_auc,
    variance_of_mean,
    wilson,
)

SETTINGS = Settings(resamples=800, seed=1)


def sample(values: list[float] | np.ndarray, per_work: int = 1) -> Sample:
    array = np.asarray(values, dtype=np.float64)
    return Sample(values=array, works=np.arange(array.size) // per_work)


def test_wilson_agrees_with_scipy() -> None:
    for hits, n in ((0, 40), (3, 40), (40, 40), (17, 180)):
        ours = wilson(hits / n, n, SETTINGS.two_sided)
        theirs = stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
        assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_no_hit_in_180_facts_does_not_prove_a_rate_of_nought() -> None:
    found = difference(sample([0.0] * 180), sample([0.0] * 180), SETTINGS, name="none", paired=True)
    assert found.value == 0
    assert found.high == pytest.approx(stats.norm.ppf(0.95) ** 2 / (180 + stats.norm.ppf(0.95) ** 2))


def test_phrasings_of_one_fact_count_once() -> None:
    found = by_fact([1, 0, 1, 1], facts=[7, 7, 3, 9], works=[1, 1, 2, 1])
    assert found.n == 3
    assert found.values.tolist() == [1.0, 0.5, 1.0]
    assert found.works.tolist() == [2, 1, 1]


def test_works_that_stand_or_fall_together_widen_the_interval() -> None:
    halves = sample(([1.0] * 6 + [0.0] * 6) * 15, per_work=6)
    alone = sample(([1.0] * 6 + [0.0] * 6) * 15)
    assert effective_size(halves) == pytest.approx(29, abs=1.5)
    assert variance_of_mean(halves) > 5 * variance_of_mean(alone)
    assert estimate(halves, SETTINGS).high > estimate(alone, SETTINGS).high


def test_newcombe_agrees_with_the_published_example() -> None:
    """Newcombe 1998 (II), example 56/70 against 48/80, method 10: 0.0524 to 0.3339."""
    low, high = newcombe(
        sample([1.0] * 56 + [0.0] * 14), sample([1.0] * 48 + [0.0] * 32), stats.norm.ppf(0.975), paired=False
    )
    assert (low, high) == pytest.approx((0.0524, 0.3339), abs=0.002)


def test_a_ratio_of_two_perfect_scores_is_not_surely_one() -> None:
    perfect = sample([1.0] * 60)
    low, high = mover_ratio(perfect, perfect, SETTINGS.one_sided, paired=True)
    assert low == pytest.approx(wilson(1.0, 60, SETTINGS.one_sided)[0], abs=1e-9)
    assert high > 1
    assert ratio(perfect, sample([0.0] * 60), SETTINGS, name="nothing", paired=True) is None


def test_pairing_demands_the_same_facts() -> None:
    with pytest.raises(ValueError, match="must hold the same facts"):
        difference(sample([1.0] * 5), sample([1.0] * 6), SETTINGS, name="odd", paired=True)


def test_the_same_seed_gives_the_same_bounds_whatever_else_is_tested() -> None:
    rng = np.random.default_rng(0)
    one, other = sample(rng.random(90)), sample(rng.random(90))
    first = difference(one, other, SETTINGS, name="x", paired=True)
    difference(one, other, SETTINGS, name="y", paired=True)
    assert difference(one, other, SETTINGS, name="x", paired=True) == first


@pytest.mark.parametrize("paired", [True, False])
def test_bounds_of_a_difference_hold_as_often_as_they_say(paired: bool) -> None:
    rng, misses, runs = np.random.default_rng(5), 0, 300
    settings = Settings(resamples=400, seed=2)
    for _ in range(runs):
        one, other = ((rng.random(120) < 1 / 6).astype(float) for _ in range(2))
        misses += difference(sample(one), sample(other), settings, name="cover", paired=paired).high < 0
    assert misses / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_auc_counts_pairs_and_halves_ties() -> None:
    assert auc(np.array([1.0, 2.0]), np.array([2.0, 3.0])) == pytest.approx(3.5 / 4)


def test_models_with_the_same_losses_have_no_difference_in_auc() -> None:
    rng = np.random.default_rng(3)
    members, others = sample(rng.random(80)), sample(rng.random(80))
    one = resampled_auc(members, others, SETTINGS, name="m")
    assert auc_difference(one, one, SETTINGS) == Bounds(value=0.0, low=0.0, high=0.0, n=80)
    assert auc_difference(one, 0.5, SETTINGS).value == pytest.approx(one.value - 0.5)


def test_groups_that_do_not_overlap_prove_no_equal_auc() -> None:
    """Eight against eight: no resample shows a spread, and the difference is not known to be nought."""
    low, high = sample(np.linspace(0, 0.1, 8)), sample(np.linspace(0.8, 0.9, 8))
    one = resampled_auc(low, high, SETTINGS, name="m")
    assert one.value == 1.0
    found = auc_difference(one, one, SETTINGS)
    assert (found.value, found.low < -0.1, found.high > 0.1) == (0.0, True, True)
    assert auc_difference(one, 0.5, SETTINGS).low < 0.5


def test_resampled_auc_spreads_like_theory() -> None:
    rng = np.random.default_rng(4)
    found = resampled_auc(sample(rng.random(150)), sample(rng.random(150)), Settings(resamples=4000), name="s")
    assert found.draws.std() == pytest.approx(math.sqrt((2 * 150 + 1) / (12 * 150 * 150)), rel=0.15)


def test_ks_sees_a_shift_and_no_shift() -> None:
    base = np.linspace(0, 1, 100)
    assert ks(base, base) == (0.0, 1.0)
    distance, p = ks(base, base + 0.5)
    assert distance == pytest.approx(0.5, abs=0.02)
    assert p < 1e-9


def test_holm_steps_down_and_keeps_order() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@pytest.mark.parametrize("side", ["upper", "lower"])
def test_p_is_below_alpha_exactly_where_the_bound_has_crossed(side: str) -> None:
    sign = 1 if side == "upper" else -1
    for limit, crossed in ((0.19, True), (0.21, False)):
        bounds = Bounds(value=sign * 0.3, low=sign * 0.3 - 0.1, high=sign * 0.3 + 0.1, n=50)
        assert (p_beyond(bounds, sign * limit, SETTINGS, side=side) < 0.05) is crossed


def test_items_needed_follows_the_square_root_law_and_knows_when_to_give_up() -> None:
    assert items_needed(100, distance=0.05, reach=0.1, floor=80) == 400
    assert items_needed(100, distance=0.2, reach=0.1, floor=80) == 80
    assert items_needed(100, distance=0.0, reach=0.1, floor=80) is None
    assert items_needed(100, distance=1e-6, reach=0.1, floor=80) is None
