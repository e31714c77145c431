"""The bound of the Newton step: values by hand, retraining never further away, and what the reference leaves out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.engine.certified_heads import config, head, listed, table
from unlearning_engine.certified import closeness, newton
from unlearning_engine.certified.bounds import NUMERIC, Step, least_curvature, with_data, without_data
from unlearning_engine.certified.convex import Array, Constants, Rows
from unlearning_engine.certified.fitting import fit, with_gap
from unlearning_engine.certified.heads import Head, digest_of
from unlearning_engine.certified.settings import NewtonConfig
from unlearning_engine.errors import ConfigError
from unlearning_engine.sisa.tables import Table

ROUND = Constants(l2=0.5, slope=1.0, smooth=1.0, cubic=0.25)
ASKED: dict[str, Any] = {"epsilon": 1.0, "delta": 1e-5}


def far(one: Array, other: Array) -> float:
    return float(np.linalg.norm(one - other))


def cut(rows: Table, forget: int) -> tuple[Table, Table]:
    return rows.take(range(forget)), rows.take(range(forget, len(rows)))


# ---------------------------------------------------------------- by hand


def test_the_step_lands_on_the_retrained_head_of_a_parabola() -> None:
    # One input of 1, targets of two outputs, l2 = 1: the minimiser is the mean target halved.
    rows = listed([[1.0]] * 4, [1, 0, 0, 1])
    made = head(rows, classes=2, loss="squared", l2=1.0, bias=False, clip=1.0)
    gone, rest = cut(rows, 1)
    assert made.weights.ravel() == pytest.approx([0.25, 0.25])
    step = newton.newton_step(made.config.objective, made.weights, made.rows(gone), made.rows(rest), 4)
    # g_f = (w - t) + w = (1/2, -1/2), m/(n-m) = 1/3, H = 2 for any rows.
    assert step.ravel() == pytest.approx([1 / 12, -1 / 12])
    assert (made.weights + step).ravel() == pytest.approx([1 / 3, 1 / 6])


def test_the_parts_of_the_bound_are_those_worked_out_by_hand() -> None:
    # n = 101, m = 1: least = 0.5 - 1/100; |g_r| <= 2/101; gap 0.1 off 0.
    shift = without_data(ROUND, n=101, m=1, gap=0.1, off=0.0, shared=False)
    slope, least = 2 / 101, 0.49
    assert shift.newton == pytest.approx(0.25 * (slope / 0.5) ** 2 / (2 * 0.5))
    assert shift.surrogate == pytest.approx(1.01 * 0.1 * slope / (0.5 * least))
    assert (shift.drift, shift.start) == (0, 0)
    assert shift.total == pytest.approx(shift.newton + shift.surrogate + NUMERIC)
    off = without_data(ROUND, n=101, m=1, gap=0.0, off=0.2, shared=False)
    assert off.drift == pytest.approx(0.2 * (0.01 * 1.5 / 0.5 + 0.25 * slope / 0.25)) and off.start == 0.2
    assert without_data(ROUND, n=101, m=1, gap=0.0, off=0.2, shared=True).start == 0


def test_the_reach_follows_from_the_step_that_was_seen() -> None:
    # about = 0.01, curve = 0.25: R = (1 - sqrt(1 - 4 x 0.01 x 0.25))/(2 x 0.25); newton = 0.25 R^2.
    seen = without_data(ROUND, n=101, m=1, gap=0.0, off=0.0, shared=False, seen=Step(length=0.01, gradient=1.0))
    reach = (1 - math.sqrt(1 - 0.01)) / 0.5
    assert seen.newton == pytest.approx(0.25 * reach**2) and seen.surrogate == 0


def test_one_step_on_the_retained_data_is_bounded_before_and_after_it() -> None:
    before = with_data(ROUND, n=101, m=1, off=0.1)
    assert before.newton == pytest.approx(0.25 * (0.1 + 2 / 101 / 0.5) ** 2)
    assert with_data(ROUND, n=101, m=1, off=0.1, left=1e-6).newton == pytest.approx(2e-6)
    assert with_data(ROUND, n=101, m=1, off=0.0, left=9.0) == with_data(ROUND, n=101, m=1, off=0.0)


def test_too_many_rows_for_the_ridge_are_refused_with_the_number_that_can_go() -> None:
    assert least_curvature(ROUND, 100, 33) == pytest.approx(0.5 - 33 / 67)
    with pytest.raises(ConfigError, match=r"n mu - m b = .* is not positive .*At most 33 rows"):
        least_curvature(ROUND, 100, 34)
    with pytest.raises(ConfigError, match="not fewer than the 100"):
        least_curvature(ROUND, 100, 100)


# ---------------------------------------------------------------- against retraining


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("loss", ["logistic", "squared"])
@pytest.mark.parametrize("sensitivity", ["worst_case", "observed"])
@pytest.mark.parametrize("kind", ["retained", "measured", "hessian"])
def test_the_retrained_head_is_never_further_than_the_bound(
    classes: int, loss: str, sensitivity: str, kind: str
) -> None:
    for seed, (l2, forget) in enumerate([(0.05, 1), (0.2, 8), (1.0, 30)]):
        rows, substitute = table(400, classes=classes, seed=seed), table(150, classes=classes, seed=50, offset=0.3)
        made = with_gap(head(rows, classes=classes, loss=loss, l2=l2, tolerance=1e-4), rows, substitute)
        gone, rest = cut(rows, forget)
        gap = made.config.gaps[digest_of(substitute)]
        given = {"distance": gap, "justification": "measured beside the training set"} if kind == "hessian" else {}
        settings = NewtonConfig(**ASKED, surrogate=kind, sensitivity=sensitivity, **given)
        moved = newton.step(settings, made, gone, rest if kind == "retained" else substitute)
        retrained = fit(made.config, rest)
        assert far(moved.weights, retrained.weights) <= moved.shift.total
        assert far(moved.weights, retrained.weights) < far(made.weights, retrained.weights)


def test_a_later_step_moves_as_the_retrained_heads_do_up_to_its_bound() -> None:
    rows, substitute = table(3000), table(2000, seed=50)
    made = with_gap(head(rows, l2=0.2), rows, substitute)
    first, second = rows.take(range(3)), rows.take(range(3, 6))
    for sensitivity in ("worst_case", "observed"):
        settings = NewtonConfig(**ASKED, surrogate="measured", sensitivity=sensitivity)
        moved = newton.step(settings, made, first, substitute)
        released = newton.release(settings, made, moved, first, substitute, seed=b"first")
        again = newton.step(settings, released, second, substitute)
        one, two = (fit(made.config, rows.take(range(at, 3000))).weights for at in (3, 6))
        assert again.shared and again.shift.start == 0 and again.failure == pytest.approx(1e-6)
        assert far(again.weights - released.weights, two - one) <= again.shift.total
        assert again.shift.drift > moved.shift.drift


def test_an_optimiser_that_stopped_early_costs_noise() -> None:
    rows = table(400)
    gone, rest = cut(rows, 2)
    parts = []
    for tolerance in (1e-10, 1e-3):
        made = fit(config(), rows, tolerance=tolerance)
        settings = NewtonConfig(**ASKED, surrogate="hessian", distance=0.4, justification="as wide as can be here")
        moved = newton.step(settings, made, gone, table(200, seed=9))
        assert moved.shift.start == made.config.residual / 0.1
        parts.append(moved.shift.total)
    assert parts[1] > parts[0]


# ---------------------------------------------------------------- what the reference leaves out


def reference_step(made: Head, gone: Rows, substitute: Rows) -> Array:
    """m/(n-m) H^-1 g_f with the surrogate's Hessian weighed by the surrogate's size."""
    objective, n, m, n_s = made.config.objective, made.config.n, len(gone), len(substitute)
    combined = (n_s * objective.hessian(made.weights, substitute) - m * objective.hessian(made.weights, gone)) / (
        n_s - m
    )
    right = m / (n - m) * objective.gradient(made.weights, gone).ravel()
    return np.asarray(np.linalg.solve(combined, right).reshape(made.weights.shape))


def test_weighing_by_the_surrogates_size_errs_where_the_published_bound_is_zero() -> None:
    # Inputs 1, 1, 1/2, 1/2; the surrogate has one of each: the same distribution and Hessian. A squared loss has no
    # cubic term, so that both terms of the published bound vanish. True H_r = (1 + 1/4 + 1/4)/3 + 1 = 3/2; with n_s = 2
    # it is taken for 2 (5/8 + 1) - 2 = 5/4.
    rows = listed([[1.0], [1.0], [0.5], [0.5]], [0, 1, 0, 1])
    made = head(rows, classes=2, loss="squared", l2=1.0, bias=False, clip=1.0)
    gone, rest = cut(rows, 1)
    forgotten, substitute = made.rows(gone), made.rows(rows.take([1, 3]))
    retrained = fit(made.config, rest).weights
    ours = newton.newton_step(made.config.objective, made.weights, forgotten, substitute, 4)
    theirs = reference_step(made, forgotten, substitute)
    assert made.weights + ours == pytest.approx(retrained, abs=1e-9)
    assert theirs == pytest.approx(ours * (3 / 2) / (5 / 4))
    assert far(made.weights + theirs, retrained) > 0.01


def test_two_samples_of_one_distribution_have_different_hessians() -> None:
    made = head(table(400))
    objective = made.config.objective
    one, other = (objective.hessian(made.weights, made.rows(table(400, seed=seed))) for seed in (1, 2))
    found = float(np.linalg.norm(one - other, 2))
    settings = NewtonConfig(**ASKED, surrogate="tv", distance=0.0, justification="drawn from the very same population")
    gap = closeness._population(settings, made, 400, 0.0, "")
    assert 0.005 < found < gap.value and gap.failure == pytest.approx(1e-6)


# ---------------------------------------------------------------- how near a surrogate is


def test_deviation_bounds_hold_and_shrink_with_the_rows() -> None:
    log = math.log(2 * 15 / 0.05)
    made = head(table(20_000))
    objective, constants = made.config.objective, made.config.constants
    whole = objective.hessian(made.weights, made.rows(table(100_000, seed=3)))
    for count in (100, 1000):
        off = [
            float(np.linalg.norm(objective.hessian(made.weights, made.rows(table(count, seed=s))) - whole, 2))
            for s in range(20, 30)
        ]
        assert max(off) < closeness.bernstein(constants.smooth, count, log)
    assert closeness.bernstein(1.0, 10_000, log) < 0.2 * closeness.bernstein(1.0, 100, log)


def test_the_hessian_at_weights_made_from_the_rows_deviates_less_than_the_uniform_bound() -> None:
    whole, bounds, found = table(100_000, classes=2, seed=3), [], []
    for count in (300, 30_000):
        made = head(table(count, classes=2), classes=2)
        objective, constants = made.config.objective, made.config.constants
        ours, true = (objective.hessian(made.weights, made.rows(rows)) for rows in (table(count, classes=2), whole))
        found.append(float(np.linalg.norm(ours - true, 2)))
        reach = closeness.largest_minimiser(objective)
        assert np.linalg.norm(made.weights) < reach
        bounds.append(closeness.uniform(constants, objective.outputs, reach, count, 0.05))
    assert found[0] < bounds[0] and found[1] < bounds[1] < 0.2 * constants.smooth
    # 4/sqrt(n) (cubic reach + 2 smooth) + smooth sqrt(ln(2/p)/(2n)), one output
    by_hand = 4 / 100 * (0.25 * 3 + 2) + math.sqrt(math.log(200) / 20000)
    assert closeness.uniform(ROUND, 1, 3.0, 10_000, 0.01) == pytest.approx(by_hand)


def test_divergences_give_the_values_by_hand() -> None:
    eye = np.eye(2)
    assert closeness.divergence((np.zeros(2), eye), (np.array([1.0, 0]), eye)) == pytest.approx(0.5)
    wide = closeness.divergence((np.zeros(2), eye), (np.zeros(2), 4 * eye))
    assert wide == pytest.approx(0.5 * (2 / 4 - 2 + 2 * math.log(4)))
    assert closeness.variation_of(0.02) == pytest.approx(0.1)  # Pinsker
    assert closeness.variation_of(4.0) == pytest.approx(math.sqrt(1 - math.exp(-4)))  # Bretagnolle and Huber
    assert closeness.variation_of(0.0) == 0.0
