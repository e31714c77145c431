"""The folder of a linear head, and what a head keeps of the rows that it was trained on.

    config.json         `HeadConfig` and kind "linear_head"
    model.safetensors   weights (outputs, inputs), 64 bits; the last input is the constant 1 where there is a bias

Inputs are features scaled down to the norm `clip` where theirs is larger, then the constant. Nothing but the features'
direction is lost where all rows are longer than `clip`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from unlearning_engine.certified.convex import LOSSES, MOST_PARAMETERS, Array, Constants, Loss, Rows
from unlearning_engine.certified.noise import Spent
from unlearning_engine.configs import Checked, build, number
from unlearning_engine.errors import ConfigError, DataError, StorageError
from unlearning_engine.sisa.tables import Table, read_table

KIND = "linear_head"
CONFIG, WEIGHTS = "config.json", "model.safetensors"
SAW = ("no", "yes", "unknown")
#: Bits of the sum that names a set of rows: no other set with the same sum can be found (Lewi et al. 2019, LtHash).
_SUM_BITS = 2048


@dataclass(frozen=True, kw_only=True)
class HeadConfig(Checked):
    """How a head was made and what was spent on it.

    Args:
        classes: names, in the order of labels.
        dimension: of one row's features.
        loss: "logistic" or "squared".
        l2: strength of the ridge term, on the bias too: without it the objective is not strongly convex.
        clip: norm that no row of features exceeds; 0 where rows were taken as they are.
        bias: whether a constant 1 stands behind the features.
        extractor: of the features: `name`, `saw_data` ("no", "yes", "unknown": whether it was trained on the rows
            that the head is trained on), `note`.
        n: rows of the training set, `rows_sum` and `dataset_digest` their names (see `sum_of`, `digest_of`).
        residual: norm that the objective's gradient did not exceed where training ended.
        centre: bound of the distance between the weights without their noise and the minimiser over the n rows.
        noise: standard deviation of the noise that is in each weight.
        gaps: for surrogates that were at hand in training: their `digest_of`, and the measured distance of their
            Hessian from that of the training set at the weights.
        budget_epsilon, budget_delta: what all requests together may spend.
        ledger: one entry a request: epsilon, delta, failure, ratio (`noise.Spent`), rows, and how they came about.
    """

    classes: list[str]
    dimension: int = number(1, 1, 10**6)
    loss: str = "logistic"
    l2: float = number(0.0, 0.0, 1e6)
    clip: float = number(0.0, 0.0, 1e6)
    bias: bool = True
    extractor: dict[str, Any] = field(default_factory=lambda: {"name": "", "saw_data": "unknown", "note": ""})
    n: int = number(0, 0, 10**12)
    rows_sum: str = ""
    dataset_digest: str = ""
    residual: float = number(0.0, 0.0, 1e6)
    centre: float = number(0.0, 0.0, 1e12)
    noise: float = number(0.0, 0.0, 1e12)
    gaps: dict[str, Any] = field(default_factory=dict)
    budget_epsilon: float = number(8.0, 0.0, 1e3)
    budget_delta: float = number(1e-3, 0.0, 0.5)
    ledger: list[dict[str, Any]] = field(default_factory=list)

    def conflicts(self) -> list[str]:
        """Wrong lists, an unknown loss, a head that is too large for dense Hessians."""
        found = []
        if len(self.classes) < 2 or len({str(c) for c in self.classes}) < len(self.classes):
            found.append("classes: must be at least two names, none twice")
        if self.loss not in LOSSES:
            found.append(f"loss: {self.loss!r} is unknown; one of {', '.join(LOSSES)}")
        if self.extractor.get("saw_data") not in SAW:
            found.append(f"extractor.saw_data: must be one of {', '.join(SAW)}")
        if not found and self.parameters > MOST_PARAMETERS:
            found.append(
                f"dimension: {self.parameters} parameters are more than {MOST_PARAMETERS}; project the features "
                "to fewer dimensions, by a map that is not learnt from these rows"
            )
        if any(set(entry) < {f.name for f in dataclasses.fields(Spent)} for entry in self.ledger):
            found.append("ledger: every entry must say epsilon, delta, failure and ratio")
        return found

    @property
    def objective(self) -> Loss:
        """The loss with its ridge term."""
        return Loss(name=self.loss, classes=len(self.classes), l2=self.l2)

    @property
    def shape(self) -> tuple[int, int]:
        """Of the weights: outputs, inputs."""
        return self.objective.outputs, self.dimension + self.bias

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return math.prod(self.shape)

    @property
    def radius(self) -> float:
        """Norm that no row of inputs exceeds; infinite without `clip`."""
        return math.sqrt(self.clip**2 + self.bias) if self.clip else math.inf

    @property
    def constants(self) -> Constants:
        """Of the objective on rows of norm `radius`."""
        return self.objective.constants(self.radius)

    @property
    def spent(self) -> list[Spent]:
        """The ledger as `noise.composed` reads it."""
        names = [f.name for f in dataclasses.fields(Spent)]
        return [Spent(**{name: float(entry[name]) for name in names}) for entry in self.ledger]


@dataclass(frozen=True, kw_only=True)
class Head:
    """A head in memory: `weights` of shape `config.shape`."""

    config: HeadConfig
    weights: Array

    def rows(self, table: Table) -> Rows:
        """A table as the head sees it."""
        features = table.features.reshape(len(table), -1).astype(np.float64)
        if self.config.clip:
            norms = np.linalg.norm(features, axis=1, keepdims=True)
            # A hair below, so that rounding lifts no row above the norm that the proof assumes.
            features *= np.minimum(1.0, self.config.clip * (1 - 1e-12) / np.maximum(norms, 1e-300))
        constant = np.ones((len(table), int(self.config.bias)))
        return Rows(inputs=np.hstack([features, constant]), labels=table.labels)

    def accuracy(self, rows: Rows) -> float:
        """Share of right predictions."""
        return float((self.config.objective.scores(self.weights, rows.inputs).argmax(axis=1) == rows.labels).mean())


def read_rows(config: HeadConfig, path: str | Path) -> Table:
    """A table of this head's dimension and classes, in the order of ids: sums do not depend on the file's order.

    Raises:
        DataError: see `tables.read_table`.
    """
    table = read_table(path, shape=[config.dimension], classes=len(config.classes))
    return table.take(sorted(range(len(table)), key=table.ids.__getitem__))


# ---------------------------------------------------------------- names of sets of rows


def row_names(table: Table) -> list[str]:
    """A name for each row: its id and all that it teaches."""
    return [f"{name}\0{digest}" for name, digest in zip(table.ids, table.digests(), strict=True)]


def sum_of(table: Table) -> int:
    """A sum of the rows' hashes modulo 2^2048: that of a difference of sets is the difference of their sums."""
    hashes = (hashlib.shake_256(name.encode()).digest(_SUM_BITS // 8) for name in row_names(table))
    return sum(int.from_bytes(h, "little") for h in hashes) % (1 << _SUM_BITS)


def without(rows_sum: str, table: Table) -> str:
    """The name of a set without these rows."""
    return hexadecimal((int(rows_sum, 16) - sum_of(table)) % (1 << _SUM_BITS))


def hexadecimal(rows_sum: int) -> str:
    """A sum as a configuration keeps it."""
    return f"{rows_sum:0{_SUM_BITS // 4}x}"


def digest_of(table: Table) -> str:
    """`sha256:<hex>` of a set of rows, whatever their order and the form of their file."""
    return "sha256:" + hashlib.sha256("\n".join(sorted(row_names(table))).encode()).hexdigest()


# ---------------------------------------------------------------- the folder


def read_head(folder: str | Path) -> Head:
    """The head in a folder.

    Raises:
        ConfigError: its configuration is wrong, all faults named.
        DataError: it is missing, damaged or no linear head.
    """
    place = Path(folder)
    try:
        data = json.loads((place / CONFIG).read_text(encoding="utf-8"))
        weights = load_file(place / WEIGHTS)["weights"].astype(np.float64)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise DataError(f"{place}: is not a readable linear head ({error}); train it again") from error
    if not isinstance(data, Mapping) or data.get("kind") != KIND:
        raise DataError(f"{place}: is not a linear head; the method newton unlearns heads of kind {KIND!r}")
    config = build(HeadConfig, {k: v for k, v in data.items() if k != "kind"}, f"{place.name}/{CONFIG}")
    if weights.shape != config.shape or not np.isfinite(weights).all():
        raise DataError(f"{place}: weights of shape {list(weights.shape)}, not finite numbers of {list(config.shape)}")
    return Head(config=config, weights=weights)


def write_head(folder: Path, head: Head) -> None:
    """Write a head, whole or not at all; one that stood there is replaced.

    Raises:
        StorageError: the disk refused.
    """
    draft = folder.with_name(f".{folder.name}.part")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        text = json.dumps({"kind": KIND, **dataclasses.asdict(head.config)}, indent=1, allow_nan=False)
        (draft / CONFIG).write_text(text, encoding="utf-8")
        save_file({"weights": np.ascontiguousarray(head.weights)}, draft / WEIGHTS)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(draft, folder)
    except OSError as error:
        raise StorageError(f"{folder}: cannot be written ({error}); free space and run the job again") from error


def no_guarantee(config: HeadConfig) -> list[str]:
    """Why nothing can be certified about this head, whatever is to be forgotten; empty where something can."""
    found = []
    if not config.l2:
        found.append("l2: is 0, so the objective is not strongly convex and no distance is bounded; train it with l2")
    if not config.clip:
        found.append("clip: is 0, so gradient and Hessian of a row are not bounded; train it with rows of bounded norm")
    saw = config.extractor["saw_data"]
    if saw != "no":
        what = "saw the rows" if saw == "yes" else "may have seen the rows"
        found.append(
            f"extractor.saw_data: the feature extractor {what} ({saw}), and keeps what it learnt from them whatever is "
            "done to the head: a certificate would be false; unlearn or retrain the extractor, or use one that is "
            "known not to have seen them"
        )
    if not config.n or not config.rows_sum:
        found.append("n: the head does not say how many rows it was trained on, and which; train it here")
    return found


def require_certifiable(config: HeadConfig, *, tested: bool = False) -> None:
    """Raise what `no_guarantee` finds; `tested` lets a head pass whose noise was drawn from a known seed.

    Raises:
        ConfigError: there is something.
    """
    found = no_guarantee(config)
    if not tested and not all(entry.get("certified") for entry in config.ledger):
        found.append("ledger: an earlier request drew its noise from a known seed; begin with the head before it")
    if found:
        raise ConfigError([f"model.{message}" for message in found])
