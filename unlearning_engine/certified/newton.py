"""A request for certified unlearning, top to bottom: check, step, bound, noise, claim."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unlearning_engine.certified.bounds import NUMERIC, Shift, Step, converged, least_curvature, with_data, without_data
from unlearning_engine.certified.claims import claim
from unlearning_engine.certified.closeness import gap_of, moved_gap
from unlearning_engine.certified.convex import Array, Loss, Rows, minimise, solve
from unlearning_engine.certified.heads import (
    Head,
    HeadConfig,
    digest_of,
    read_head,
    read_rows,
    require_certifiable,
    row_names,
    without,
    write_head,
)
from unlearning_engine.certified.noise import Spent, commitment, composed, deviation, fresh_seed, normal, radius
from unlearning_engine.certified.settings import OBSERVED, RETAINED, NewtonConfig
from unlearning_engine.configs import build
from unlearning_engine.contracts import Guarantee, UnlearnSpec
from unlearning_engine.data import load_ids, raise_all
from unlearning_engine.errors import ConfigError, DataError, DivergenceError
from unlearning_engine.patches.weights import Weights
from unlearning_engine.progress import Report, silent
from unlearning_engine.sisa.tables import Table

MODEL = "model"
#: Weights are rounded to 32 bits after the noise: their last bits would tell of what is below it.
_ROUNDING = 2.0**-24


@dataclass(frozen=True, kw_only=True)
class Moved:
    """Weights after the step, without noise, and what bounds their distance from the retrained ones.

    `failure` is the probability that the bound does not hold; `shared` says that the noise which the weights had
    before is still in them.
    """

    weights: Array
    shift: Shift
    failure: float
    shared: bool
    assumptions: tuple[str, ...]


def unlearn_head(spec: UnlearnSpec, out: str | Path, report: Report = silent) -> dict[str, Any]:
    """Make a linear head forget the rows of `spec.forget`, in `out/model`.

    `spec.retain` holds the retained rows or a surrogate; `NewtonConfig` says which. In place of both, `spec.dataset`
    holds all rows, of which `spec.forget_ids` names those to forget.

    Returns:
        Metrics: `guarantee`, `claim` (see `claims`), `shift` by parts, `noise` and its commitment, accuracies, digests.

    Raises:
        ConfigError: nothing can be certified about this head, this surrogate or within its budget; nothing is written.
        DataError: the head or a table is wrong.
        DivergenceError: linear equations or the retained data's minimum were not solved to their tolerance.
    """
    started = time.perf_counter()
    config = build(NewtonConfig, spec.config, "spec.config")
    head = read_head(spec.model)
    require_certifiable(head.config, tested=config.seeded_noise)
    forget, rest = _tables(spec, head.config)
    config = _with_surrogate(config, head.config, forget, rest)
    report({"event": "progress", "stage": "newton", "step": 0, "total": 1})
    moved = step(config, head, forget, rest)
    released = release(config, head, moved, forget, rest, seed=_seed(config, spec.seed))
    folder = Path(out) / MODEL
    write_head(folder, released)
    _warn_of_noise(released, head, report)
    report({"event": "progress", "stage": "newton", "step": 1, "total": 1})
    return {**_metrics(config, head, released, moved, forget, rest), "weights_digest": Weights(folder).digest()} | {
        "seconds": time.perf_counter() - started
    }


def _tables(spec: UnlearnSpec, head: HeadConfig) -> tuple[Table, Table]:
    """The rows to forget, and the rest or its surrogate.

    Raises:
        ConfigError: one of them is not given.
        DataError: a table cannot be read, or has no row of a name.
    """
    if not spec.dataset:
        if not spec.forget or not spec.retain:
            raise ConfigError(
                "spec.retain: missing; the method newton needs the rows to forget, and a surrogate or the rest"
            )
        return read_rows(head, spec.forget), read_rows(head, spec.retain)
    table, wanted = read_rows(head, spec.dataset), set(load_ids(spec.forget_ids))
    if not wanted:
        raise DataError(f"{spec.forget_ids}: names no record; there is nothing to forget")
    aside = set(load_ids(spec.exclude_ids)) - wanted if spec.exclude_ids else set()
    unknown = sorted((wanted | aside) - set(table.ids))
    raise_all([f"record id {name!r} is not in the dataset" for name in unknown])
    gone = [at for at, name in enumerate(table.ids) if name in wanted]
    kept = [at for at, name in enumerate(table.ids) if name not in wanted | aside]
    if not kept:
        raise DataError(f"{spec.forget_ids}: names all of the rows; there is nothing to retain")
    return table.take(gone), table.take(kept)


def _with_surrogate(config: NewtonConfig, head: HeadConfig, forget: Table, rest: Table) -> NewtonConfig:
    """The settings with what `rest` is: the retained rows where the sums of hashes say so.

    Raises:
        ConfigError: it is said to be what it is not.
        DataError: it holds rows to be forgotten.
    """
    if shared := sorted(set(row_names(forget)) & set(row_names(rest))):
        names = ", ".join(name.partition("\0")[0] for name in shared[:5])
        raise DataError(f"spec.retain: holds {len(shared)} rows that are to be forgotten ({names}); take them out")
    whole = len(forget) + len(rest) == head.n and int(without(without(head.rows_sum, forget), rest), 16) == 0
    if config.surrogate == RETAINED and not whole:
        raise ConfigError(
            f"spec.retain: with the {len(forget)} rows of forget its {len(rest)} are not the {head.n} that the head "
            "was trained on, by their ids and contents; give all of them, or say how near the surrogate is"
        )
    if config.steps > 1 and not whole:
        raise ConfigError("spec.config.steps: only the retained data show how far is left to go; leave steps out")
    return dataclasses.replace(config, surrogate=RETAINED) if whole and not config.surrogate else config


def _seed(config: NewtonConfig, seed: int) -> bytes:
    return hashlib.sha256(f"test {seed}".encode()).digest() if config.seeded_noise else fresh_seed()


def _warn_of_noise(released: Head, head: Head, report: Report) -> None:
    """Certified and useless: to be seen at once. Drawing again until it looks better would void the noise."""
    noise, size = released.config.noise * released.weights.size**0.5, float(np.linalg.norm(head.weights))
    if noise > size / 2:
        message = (
            f"the noise (norm about {noise:.3g}) is not small beside the weights ({size:.3g}): the head may "
            "be useless. More l2, more rows, fewer to forget, sensitivity observed or the retained rows need less noise"
        )
        report({"event": "warning", "stage": "newton", "message": message})


# ---------------------------------------------------------------- the step


def step(config: NewtonConfig, head: Head, forget: Table, rest: Table) -> Moved:
    """The step and its bound, before any noise.

    Raises:
        ConfigError, DataError, DivergenceError: see `unlearn_head`.
    """
    off, failure = _off(config, head)
    if config.surrogate == RETAINED:
        return _retained_step(config, head, forget, rest, off, failure)
    n, m, constants, objective = head.config.n, len(forget), head.config.constants, head.config.objective
    least_curvature(constants, n, m)  # refuses before anything is computed
    gap = gap_of(config, head, rest)
    gone, substitute = head.rows(forget), head.rows(rest)
    gradient = objective.gradient(head.weights, gone)
    length = newton_step(objective, head.weights, gone, substitute, n)
    seen = Step(length=float(np.linalg.norm(length)), gradient=float(np.linalg.norm(gradient)))
    shared = head.config.noise > 0
    shift = without_data(
        constants,
        n=n,
        m=m,
        gap=gap.value,
        off=off,
        shared=shared,
        seen=seen if config.sensitivity == OBSERVED else None,
    )
    return Moved(
        weights=head.weights + length,
        shift=shift,
        failure=failure + gap.failure,
        shared=shared,
        assumptions=gap.assumptions,
    )


def newton_step(objective: Loss, weights: Array, gone: Rows, substitute: Rows, n: int) -> Array:
    """m/(n-m) H^-1 g_f with the combined Hessian; the substitute's is weighed by n, see `bounds`.

    Raises:
        DivergenceError: the equations could not be solved to `bounds.NUMERIC`.
    """
    m = len(gone)
    combined = (n * objective.hessian(weights, substitute) - m * objective.hessian(weights, gone)) / (n - m)
    right = (m / (n - m) * objective.gradient(weights, gone)).reshape(-1)
    found = solve(combined, right)
    if float(np.linalg.norm(combined @ found - right)) > NUMERIC / 2 * objective.l2:
        raise DivergenceError("the combined Hessian is too ill-conditioned to be solved; train the head with more l2")
    return found.reshape(weights.shape)


def _off(config: NewtonConfig, head: Head) -> tuple[float, float]:
    """Bound of the weights' distance from the minimiser, and the probability with which it fails.

    What is left of the optimiser's residual, what earlier bounds allow, and the noise of earlier requests.
    """
    if not head.config.noise:
        return head.config.centre, 0.0
    failure = config.delta / 10
    noise = head.config.noise * radius(head.config.parameters, failure)
    return head.config.centre + noise + _ROUNDING * float(np.linalg.norm(head.weights)), failure


def _retained_step(config: NewtonConfig, head: Head, forget: Table, rest: Table, off: float, failure: float) -> Moved:
    """Newton steps on the retained data: one, or as many as bring the gradient's norm to the tolerance.

    Earlier noise is in the start only and does not add up. More than one step leave a bound that no row can move.
    """
    objective, constants, rows = head.config.objective, head.config.constants, head.rows(rest)
    if config.steps > 1:
        weights, _, _ = minimise(objective, rows, head.weights, tolerance=config.tolerance, steps=config.steps)
        return Moved(
            weights=weights, shift=converged(constants, config.tolerance), failure=0.0, shared=False, assumptions=()
        )
    slope = objective.gradient(head.weights, rows).reshape(-1)
    weights = head.weights - solve(objective.hessian(head.weights, rows), slope).reshape(head.weights.shape)
    left = float(np.linalg.norm(objective.gradient(weights, rows))) if config.sensitivity == OBSERVED else None
    shift = with_data(constants, n=head.config.n, m=len(forget), off=off, left=left)
    return Moved(weights=weights, shift=shift, failure=failure, shared=False, assumptions=())


# ---------------------------------------------------------------- the release


def release(config: NewtonConfig, head: Head, moved: Moved, forget: Table, rest: Table, *, seed: bytes) -> Head:
    """The head with its noise and its ledger, if the budget allows.

    Raises:
        ConfigError: the budget is spent, or noise that was fixed beforehand is too little.
    """
    needed, rule = deviation(moved.shift.total, config.epsilon, config.delta - moved.failure, rule=config.calibration)
    if config.noise and config.noise < needed:
        raise ConfigError(
            f"spec.config.noise: {config.noise:g} is less than the {needed:.3g} that epsilon {config.epsilon:g} and "
            f"delta {config.delta:g} need here; nothing was released. Forget fewer rows at once, give the retained "
            "rows, or retrain"
        )
    sd = config.noise or needed
    spent = Spent(epsilon=config.epsilon, delta=config.delta, failure=moved.failure, ratio=moved.shift.total / sd)
    _within_budget(head.config, [*head.config.spent, spent])
    weights = (moved.weights + sd * normal(seed, moved.weights.shape)).astype(np.float32).astype(np.float64)
    entry = {
        **dataclasses.asdict(spent),
        "rows": len(forget),
        "shift": moved.shift.total,
        "noise": sd,
        "calibration": "fixed" if config.noise else rule,
        "surrogate": config.surrogate,
        "sensitivity": config.sensitivity,
        "certified": not config.seeded_noise,
        "noise_commitment": commitment(seed),
    }
    return Head(config=_after(config, head, moved, forget, rest, entry, weights), weights=weights)


def _within_budget(head: HeadConfig, spent: list[Spent]) -> None:
    epsilon, delta, how = composed(spent)
    if epsilon > head.budget_epsilon or delta > head.budget_delta:
        raise ConfigError(
            f"spec.config.epsilon: with this request {len(spent)} together would spend epsilon {epsilon:.4g} and delta "
            f"{delta:.3g} ({how} composition) of the head's {head.budget_epsilon:g} and {head.budget_delta:g}; nothing "
            "was released. Ask for less, or retrain: a new head begins with a full budget"
        )


def _after(
    config: NewtonConfig, head: Head, moved: Moved, forget: Table, rest: Table, entry: dict[str, Any], weights: Array
) -> HeadConfig:
    before, m, distance = head.config, len(forget), float(np.linalg.norm(weights - head.weights))
    gaps = {
        name: moved_gap(float(gap), before.constants, n=before.n, m=m, moved=distance)
        for name, gap in before.gaps.items()
    }
    earlier = before.noise if moved.shared else 0.0
    return dataclasses.replace(
        before,
        n=before.n - m,
        rows_sum=without(before.rows_sum, forget),
        dataset_digest=digest_of(rest) if config.surrogate == RETAINED else "",
        centre=moved.shift.total + (before.centre if moved.shared else 0.0),
        noise=float(np.hypot(earlier, entry["noise"])),
        gaps=gaps,
        ledger=[*before.ledger, entry],
    )


def _metrics(
    config: NewtonConfig, head: Head, released: Head, moved: Moved, forget: Table, rest: Table
) -> dict[str, Any]:
    total = composed(released.config.spent)
    said = claim(
        config,
        released.config,
        rows=len(forget),
        assumed=moved.assumptions,
        retained=config.surrogate == RETAINED,
        total=total,
    )
    entry = released.config.ledger[-1]
    return {
        "method": "newton",
        "guarantee": (Guarantee.APPROXIMATE if config.seeded_noise else Guarantee.CERTIFIED).value,
        "claim": said,
        "shift": {**dataclasses.asdict(moved.shift), "total": moved.shift.total},
        "noise": {name: entry[name] for name in ("noise", "calibration", "noise_commitment")},
        "surrogate": config.surrogate,
        "forgotten_records": len(forget),
        "retained_records": len(rest),
        "accuracy": {
            name: {"before": head.accuracy(head.rows(table)), "after": released.accuracy(released.rows(table))}
            for name, table in (("forget", forget), ("retain", rest))
        },
    }
