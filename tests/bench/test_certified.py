"""Certified unlearning of linear heads, measured (docs/certified.md).

Distance to the retrained head by ways of combining Hessians, the bound beside it, accuracy with the noise, the
empirical epsilon of the best attack. `python -m pytest tests/bench/test_certified.py -s` takes two minutes.
"""

from __future__ import annotations

import dataclasses
import os
import statistics
import time
from collections.abc import Callable

import numpy as np
import pytest

from tests.engine.certified_heads import CLEAN, table
from unlearning_engine.certified import newton
from unlearning_engine.certified.audit import empirical_epsilon, likelihood_scores
from unlearning_engine.certified.closeness import gap_of
from unlearning_engine.certified.convex import Array, Rows
from unlearning_engine.certified.fitting import fit, with_gap
from unlearning_engine.certified.heads import Head, HeadConfig, digest_of
from unlearning_engine.certified.noise import deviation, normal
from unlearning_engine.certified.settings import NewtonConfig
from unlearning_engine.sisa.tables import Table, concat

pytestmark = pytest.mark.bench

SEEDS = int(os.environ.get("LETHE_BENCH_CERTIFIED_SEEDS", "5"))
TRIALS = int(os.environ.get("LETHE_BENCH_CERTIFIED_TRIALS", "1000"))
DELTA = 1e-5


def show(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the bench's output


@dataclasses.dataclass(frozen=True)
class Case:
    """A head's configuration with its rows in parts: to forget, to keep, in their place, to score."""

    name: str
    config: HeadConfig
    gone: Table
    rest: Table
    substitute: Table
    scored: Table


def digits(seed: int, l2: float, forget: int) -> Case:
    """scikit-learn's 1797 digits, 8 x 8 pixels: 1000 to train, 400 as surrogate, 397 to score."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(labels))
    names = [f"d{n:04d}" for n in order]
    rows = Table(
        names, [""] * len(names), [0.0] * len(names), pixels[order].astype(np.uint8), labels[order].astype(np.int64)
    )
    config = HeadConfig(classes=list("0123456789"), dimension=64, l2=l2, clip=1.0, extractor=CLEAN)
    parts = (range(forget), range(forget, 1000), range(1000, 1400), range(1400, 1797))
    gone, rest, substitute, scored = (rows.take(part) for part in parts)
    return Case("digits", config, gone, rest, substitute, scored)


def generated(seed: int, l2: float, forget: int, rows: int = 50_000) -> Case:
    """Ten columns, two classes; the surrogate is a fifth as large and its columns are 0.2 deviations off."""
    everything = table(rows, 10, 2, seed=seed)
    config = HeadConfig(classes=["no", "yes"], dimension=10, l2=l2, clip=1.0, bias=False, extractor=CLEAN)
    gone, rest = everything.take(range(forget)), everything.take(range(forget, rows))
    others = table(rows // 5, 10, 2, seed=100 + seed, offset=0.2), table(rows // 5, 10, 2, seed=200 + seed)
    return Case("generated", config, gone, rest, *others)


CASES: list[tuple[Callable[..., Case], float, int]] = [
    (digits, 0.01, 5),
    (digits, 0.05, 5),
    (digits, 0.1, 20),
    (generated, 0.01, 20),
    (generated, 0.05, 100),
]
#: More rows than a certificate allows without the data, where ways of combining Hessians differ most.
MANY: list[tuple[Callable[..., Case], float, int]] = [(digits, 0.01, 100), (digits, 0.05, 100), (generated, 0.01, 5000)]


def trained(case: Case) -> tuple[Head, Head]:
    """The head of a case with its surrogate measured, and the head retrained without the rows."""
    everything = whole(case)
    made = with_gap(fit(case.config, everything), everything, case.substitute)
    return made, fit(case.config, case.rest)


def whole(case: Case) -> Table:
    return concat([case.gone, case.rest])


def weighed(made: Head, gone: Rows, substitute: Rows, size: int) -> Array:
    """The step with the surrogate's Hessian weighed by `size`."""
    objective, n, m = made.config.objective, made.config.n, len(gone)
    hessian = objective.hessian(made.weights, substitute) * size - m * objective.hessian(made.weights, gone)
    right = m / (n - m) * objective.gradient(made.weights, gone).ravel()
    return np.asarray(np.linalg.solve(hessian / (size - m), right).reshape(made.weights.shape))


def products(made: Head, gone: Rows, substitute: Rows) -> Array:
    """Inverse-Hessian products combined, in place of the inverse of what is combined."""
    objective, n, m, n_s = made.config.objective, made.config.n, len(gone), len(substitute)
    right = m / (n - m) * objective.gradient(made.weights, gone).ravel()
    over, below = (np.linalg.solve(objective.hessian(made.weights, rows), right) for rows in (substitute, gone))
    return np.asarray(((n_s * over - m * below) / (n_s - m)).reshape(made.weights.shape))


def far(one: Array, other: Array) -> float:
    return float(np.linalg.norm(one - other))


def test_distance_to_the_retrained_head_by_way_of_combining() -> None:
    show("\ncase l2 m | untouched | data: one Hessian, products | surrogate: weighed by n, by n_s, products (medians)")
    for make, l2, forget in [*CASES, *MANY]:
        found = []
        for seed in range(SEEDS):
            case = make(seed, l2, forget)
            made, retrained = trained(case)
            gone, substitute = made.rows(case.gone), made.rows(case.substitute)
            steps = (
                np.zeros_like(made.weights),
                weighed(made, gone, made.rows(whole(case)), made.config.n),
                products(made, gone, made.rows(whole(case))),
                weighed(made, gone, substitute, made.config.n),
                weighed(made, gone, substitute, len(substitute)),
                products(made, gone, substitute),
            )
            found.append([far(made.weights + step, retrained.weights) for step in steps])
        middle = [statistics.median(column) for column in zip(*found, strict=True)]
        show(f"{case.name} {l2} {forget} | " + " | ".join(f"{value:.3g}" for value in middle))
        assert middle[1] < middle[0] and middle[3] < middle[0]


def test_bound_noise_accuracy_and_empirical_epsilon() -> None:
    show(
        "\ncase l2 m kind sensitivity | distance | bound | sd | accuracy before, after, retrained | eps found | seconds"
    )
    for make, l2, forget in CASES:
        case = make(0, l2, forget)
        made, retrained = trained(case)
        for kind, sensitivity in (
            ("retained", "observed"),
            ("measured", "observed"),
            ("retained", "worst_case"),
            ("measured", "worst_case"),
        ):
            started = time.perf_counter()
            settings = NewtonConfig(epsilon=1.0, delta=DELTA, surrogate=kind, sensitivity=sensitivity)
            rest = case.rest if kind == "retained" else case.substitute
            moved = newton.step(settings, made, case.gone, rest)
            seconds = time.perf_counter() - started
            sd, _ = deviation(moved.shift.total, 1.0, DELTA - moved.failure)
            noisy = [Head(config=made.config, weights=moved.weights + z) for z in noises(sd, moved.weights, "a", 20)]
            after = statistics.mean(head.accuracy(head.rows(case.scored)) for head in noisy)
            apart, epsilon = far(moved.weights, retrained.weights), audit(moved.weights, retrained.weights, sd)
            before, again = (head.accuracy(head.rows(case.scored)) for head in (made, retrained))
            show(
                f"{case.name} {l2} {forget} {kind} {sensitivity} | {apart:.2g} | {moved.shift.total:.2g} | {sd:.2g} | "
                f"{before:.3f} {after:.3f} {again:.3f} | {epsilon:.2f} | {seconds:.2f}"
            )
            assert apart <= moved.shift.total and epsilon <= 1.0


def noises(sd: float, like: Array, name: str, trials: int) -> list[Array]:
    return [sd * normal(f"{name} {trial}".encode(), like.shape) for trial in range(trials)]


def audit(unlearned: Array, retrained: Array, sd: float) -> float:
    """The empirical epsilon of the likelihood attack over `TRIALS` outputs of each kind."""
    scores = []
    for centre, name in ((unlearned, "unlearned"), (retrained, "retrained")):
        ends = np.stack([(centre + z).ravel() for z in noises(sd, centre, name, TRIALS)])
        scores.append(likelihood_scores(ends, unlearned.ravel(), retrained.ravel()))
    return empirical_epsilon(scores[0], scores[1], DELTA)


def test_the_audit_of_worlds_exactly_as_far_apart_as_the_bound() -> None:
    show(f"\nepsilon claimed | found over {TRIALS} trials a world | with a tenth of the noise | without noise")
    one, other = np.zeros((2, 3)), np.zeros((2, 3))
    other[0, 0] = 1.0
    for epsilon in (0.5, 1.0, 2.0, 4.0):
        sd, rule = deviation(1.0, epsilon, DELTA)
        found = [audit(one, other, sd * share) for share in (1.0, 0.1, 1e-6)]
        show(f"{epsilon} ({rule}) | " + " | ".join(f"{value:.2f}" for value in found))
        assert found[0] <= epsilon


def test_what_distances_of_distributions_give() -> None:
    show("\nrows of source and surrogate | TV | gap bounded | smooth (any Hessian) | gap measured")
    for rows in (2_000, 20_000, 200_000):
        case = generated(0, 0.05, 1, rows)
        made, _ = trained(case)
        for variation in (0.0, 0.05):
            settings = NewtonConfig(
                epsilon=1.0, delta=DELTA, surrogate="tv", distance=variation, justification="for the bench, by decree"
            )
            gap, smooth = gap_of(settings, made, case.substitute), made.config.constants.smooth
            measured = made.config.gaps[digest_of(case.substitute)]
            show(f"{rows} {rows // 5} | {variation} | {gap.value:.3f} | {smooth:.3f} | {measured:.4f}")
            assert measured <= gap.value <= smooth


def test_requests_in_sequence() -> None:
    show("\nrequest | surrogate: distance to retrained centre, bound, sd, accuracy | retained, 20 steps: the same")
    case = generated(0, 0.1, 200)
    made, _ = trained(case)
    everything = whole(case)
    heads = {"measured": made, "retained": made}
    for request in range(5):
        gone, rest = (
            everything.take(range(request * 5, request * 5 + 5)),
            everything.take(range(request * 5 + 5, 50_000)),
        )
        line = []
        for kind, settings in (
            ("measured", NewtonConfig(epsilon=1.0, delta=DELTA, surrogate="measured", sensitivity="observed")),
            ("retained", NewtonConfig(epsilon=1.0, delta=DELTA, surrogate="retained", steps=20)),
        ):
            second = rest if kind == "retained" else case.substitute
            moved = newton.step(settings, heads[kind], gone, second)
            heads[kind] = newton.release(settings, heads[kind], moved, gone, second, seed=f"{kind} {request}".encode())
            after, config = heads[kind], heads[kind].config
            line.append(f"{moved.shift.total:.2g} {config.noise:.2g} {after.accuracy(after.rows(case.scored)):.4f}")
        show(f"{request + 1} | " + " | ".join(line))
