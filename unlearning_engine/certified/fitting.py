"""Training of a linear head: Newton's method from zero to a stated norm of the gradient.

The objective is strongly convex: where it ends depends neither on a seed nor on the order of rows. Equal tables give
equal bits on one machine with one number of threads; elsewhere the weights agree to `tolerance`/l2.
"""

from __future__ import annotations

import dataclasses
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from unlearning_engine.certified.convex import minimise
from unlearning_engine.certified.heads import (
    Head,
    HeadConfig,
    digest_of,
    hexadecimal,
    no_guarantee,
    read_rows,
    sum_of,
    write_head,
)
from unlearning_engine.configs import Checked, build, number
from unlearning_engine.contracts import TrainSpec
from unlearning_engine.data import load_ids
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.patches.weights import Weights
from unlearning_engine.progress import Report, silent
from unlearning_engine.sisa.tables import Table

MODEL = "model"


@dataclass(frozen=True, kw_only=True)
class FitConfig(Checked):
    """Settings of a training; those it shares with `HeadConfig` mean the same.

    Args:
        tolerance: norm of the gradient at which training ends; it enters every bound as `tolerance`/l2.
        steps: Newton steps that it may take.
        surrogate: a table that will stand in for the training set later. Its Hessian's distance from that of the
            training set is measured now, while both are at hand, and kept in the head.
    """

    classes: list[str]
    dimension: int = number(1, 1, 10**6)
    loss: str = "logistic"
    l2: float = number(0.0, 0.0, 1e6)
    clip: float = number(1.0, 0.0, 1e6)
    bias: bool = True
    extractor: dict[str, Any] = field(default_factory=lambda: {"name": "", "saw_data": "unknown", "note": ""})
    budget_epsilon: float = number(8.0, 0.0, 1e3)
    budget_delta: float = number(1e-3, 0.0, 0.5)
    tolerance: float = number(1e-10, 1e-14, 1.0)
    steps: int = number(100, 1, 10**4)
    surrogate: str = ""

    def conflicts(self) -> list[str]:
        """No strong convexity, no training."""
        return [] if self.l2 else ["l2: must be above 0: without it the objective may have no minimiser at all"]

    def head(self) -> HeadConfig:
        """The part that the head keeps."""
        shared = {f.name for f in dataclasses.fields(HeadConfig)}
        return HeadConfig(**{name: value for name, value in vars(self).items() if name in shared})


def train_head(spec: TrainSpec, out: str | Path, report: Report = silent) -> dict[str, Any]:
    """Train a head on a table into `out/model`.

    Returns:
        Metrics: rows, parameters, steps, residual, accuracy on the rows, digests, and `not_certifiable`: why
        nothing could be certified about it.

    Raises:
        ConfigError, DataError: the settings or the table are wrong.
        DivergenceError: the gradient's norm was not reached.
    """
    started = time.perf_counter()
    config = build(FitConfig, spec.config, "spec.config")
    kept = config.head()
    table = _left(read_rows(kept, spec.dataset), spec.exclude_ids)
    head = fit(kept, table, tolerance=config.tolerance, steps=config.steps)
    rows = head.rows(table)
    if config.surrogate:
        head = with_gap(head, table, read_rows(kept, config.surrogate))
    for reason in no_guarantee(head.config):
        report({"event": "warning", "stage": "train", "message": f"no deletion can be certified: {reason}"})
    folder = Path(out) / MODEL
    write_head(folder, head)
    return {
        "method": "head",
        "records": len(table),
        "parameters": head.config.parameters,
        "residual": float(np.linalg.norm(kept.objective.gradient(head.weights, rows))),
        "accuracy": head.accuracy(rows),
        "gaps": head.config.gaps,
        "not_certifiable": no_guarantee(head.config),
        "dataset_digest": head.config.dataset_digest,
        "weights_digest": Weights(folder).digest(),
        "seconds": time.perf_counter() - started,
    }


def _left(table: Table, exclude: str) -> Table:
    names = set(load_ids(exclude)) if exclude else set()
    left = table.take([at for at, name in enumerate(table.ids) if name not in names])
    if not len(left):
        raise DataError("there is nothing to train on: every record was left out")
    return left


def fit(config: HeadConfig, table: Table, *, tolerance: float = 1e-10, steps: int = 100) -> Head:
    """The head that minimises the objective over a table's rows.

    Raises:
        DivergenceError: see `convex.minimise`.
    """
    if not config.l2:
        raise ConfigError("l2: must be above 0: without it the objective may have no minimiser at all")
    blank = Head(config=config, weights=np.zeros(config.shape))
    rows = blank.rows(table)
    weights, _, _ = minimise(config.objective, rows, blank.weights, tolerance=tolerance, steps=steps)
    made = dataclasses.replace(
        config,
        n=len(table),
        rows_sum=hexadecimal(sum_of(table)),
        dataset_digest=digest_of(table),
        residual=tolerance,  # not what was reached below it: noise is scaled by it, and would tell of the rows
        centre=tolerance / config.l2,
    )
    return Head(config=made, weights=weights)


def with_gap(head: Head, table: Table, surrogate: Table) -> Head:
    """The head with the measured distance of this surrogate's Hessian, rounded up to two digits."""
    objective = head.config.objective
    gap = objective.hessian(head.weights, head.rows(table)) - objective.hessian(head.weights, head.rows(surrogate))
    size = float(np.abs(np.linalg.eigvalsh(gap)).max())
    gaps = {**head.config.gaps, digest_of(surrogate): rounded_up(size)}
    return Head(config=dataclasses.replace(head.config, gaps=gaps), weights=head.weights)


def rounded_up(value: float) -> float:
    """To two digits, never below: what is kept of a measurement on the training set should tell little."""
    if value <= 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return math.ceil(value / unit) * unit
