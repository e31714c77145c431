"""Labelled rows of numbers, column by column: tables and images, read from JSON lines, npz or safetensors.

    .jsonl        {"id", "features": flat or nested list of numbers, "label": int, optional "subject", "likelihood"}
    .npz          arrays ids (text), features (rows, ...), labels (rows), optional subjects, likelihoods; never pickled
    .safetensors  tensors features, labels; metadata "rows": JSON object of ids, optional subjects, likelihoods.
                  The form in which a lineage keeps its rows

Numbers are kept as uint8 where all of them are whole and between 0 and 255, else as float32. What a row teaches,
and so its digest, does not depend on that: other rows of the file decide it.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from unlearning_engine.data import raise_all
from unlearning_engine.errors import DataError, StorageError

SUFFIX = ".safetensors"
#: Rows worked on at once where each needs memory of its own.
_CHUNK = 4096

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Table:
    """Rows as columns. `features` has shape (rows, *shape), uint8 or float32; `labels` (rows,), int64."""

    ids: list[str]
    subjects: list[str]
    likelihoods: list[float]
    features: Array
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, positions: Sequence[int]) -> Table:
        """These rows, in this order."""
        at = np.asarray(positions, dtype=np.int64)
        ids, subjects, likelihoods = ([column[i] for i in at.tolist()] for column in self._texts)
        taken = Table(ids, subjects, likelihoods, self.features[at], self.labels[at])
        if "_digests" in self.__dict__:
            taken.__dict__["_digests"] = [self._digests[i] for i in at.tolist()]
        return taken

    @property
    def _texts(self) -> tuple[list[Any], list[Any], list[Any]]:
        return self.ids, self.subjects, self.likelihoods

    def digests(self) -> list[str]:
        """Hex SHA-256 of each row's numbers (float32, little-endian) and label (int64); worked out once."""
        return list(self._digests)

    @functools.cached_property
    def _digests(self) -> list[str]:
        out: list[str] = []
        labels = self.labels.astype("<i8")
        for at in range(0, len(self), _CHUNK):
            numbers = self.features[at : at + _CHUNK].astype("<f4")
            numbers += 0.0  # minus zero is zero
            pairs = zip(numbers, labels[at : at + _CHUNK], strict=True)
            out.extend(hashlib.sha256(row.tobytes() + label.tobytes()).hexdigest() for row, label in pairs)
        return out


def concat(parts: Sequence[Table]) -> Table:
    """The rows of all parts, one after the other."""
    ids, subjects, likelihoods = ([x for part in parts for x in part._texts[n]] for n in range(3))
    features = np.concatenate([part.features for part in parts])
    joined = Table(ids, subjects, likelihoods, features, np.concatenate([part.labels for part in parts]))
    joined.__dict__["_digests"] = [digest for part in parts for digest in part._digests]  # each stage asks for them
    return joined


# ---------------------------------------------------------------- reading


@dataclass
class _Columns:
    """What a file says, before its values are checked; `places` names each row, `problems` are found so far."""

    places: list[str] = field(default_factory=list)
    ids: list[Any] = field(default_factory=list)
    subjects: list[Any] = field(default_factory=list)
    likelihoods: list[Any] = field(default_factory=list)
    features: Any = field(default_factory=list)
    labels: Any = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_table(path: str | Path, *, shape: Sequence[int], classes: int) -> Table:
    """Read and check a table.

    Args:
        shape: of one row's features.
        classes: labels are whole numbers from 0 to `classes` - 1.

    Raises:
        DataError: naming every row with a wrong length, a number that is not finite, a label out of range, or an id
            that is missing or repeated.
    """
    source = Path(path)
    readers = {".jsonl": _json, ".npz": _npz, SUFFIX: _safetensors}
    if source.suffix not in readers:
        raise DataError(f"{source}: is not a table; give a file that ends in {', '.join(readers)}")
    try:
        columns = readers[source.suffix](source, tuple(shape))
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, SafetensorError) as error:
        raise DataError(f"{source}: is not a readable table ({error}); write it again") from error
    raise_all(columns.problems + _faults(columns, classes))
    if not columns.ids:
        raise DataError(f"{source}: holds no rows")
    likelihoods = [float(value or 0) for value in columns.likelihoods]
    subjects = [value or "" for value in columns.subjects]
    return Table(columns.ids, subjects, likelihoods, _packed(columns.features), np.asarray(columns.labels, np.int64))


def _json(path: Path, shape: tuple[int, ...]) -> _Columns:
    out = _Columns()
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            place = f"{path.name}:{number}"
            try:
                row = json.loads(line)
            except ValueError as error:  # bad JSON and bad UTF-8 alike
                out.problems.append(f"{place}: is not JSON ({error})")
                continue
            if not isinstance(row, dict):
                out.problems.append(f"{place}: must be a JSON object")
                continue
            features, problem = _numbers(row.get("features"), shape)
            label = row.get("label")
            if problem:
                out.problems.append(f"{place}: {problem}")
            if not isinstance(label, int) or isinstance(label, bool) or not -(2**62) < label < 2**62:
                out.problems.append(f"{place}: label must be a whole number, is {label!r:.40}")
                label = 0
            out.places.append(place)
            out.ids.append(row.get("id"))
            out.subjects.append(row.get("subject"))
            out.likelihoods.append(row.get("likelihood"))
            out.features.append(features)
            out.labels.append(label)
    out.features = np.stack(out.features) if out.features else np.zeros((0, *shape), np.uint8)
    out.labels = np.asarray(out.labels, np.int64)
    return out


def _numbers(value: Any, shape: tuple[int, ...]) -> tuple[Array, str]:
    """A row's features in their shape, or zeros and what is wrong."""
    problem = "features must be a list of numbers"
    if isinstance(value, list):
        try:
            found = np.asarray(value)
        except ValueError:  # nested lists of different lengths
            found = np.asarray(None)
        if found.dtype.kind in "iuf" and found.shape in (shape, (math.prod(shape),)):
            return _packed(found.reshape(shape)), ""
        if found.dtype.kind in "iuf":
            problem = f"features have shape {list(found.shape)}, not {list(shape)} or [{math.prod(shape)}]"
    return np.zeros(shape, np.uint8), problem


def _npz(path: Path, shape: tuple[int, ...]) -> _Columns:
    with np.load(path, allow_pickle=False) as file:
        columns = {name: file[name] for name in ("ids", "subjects", "likelihoods") if name in file}
        return _arrays(path, shape, file["features"], file["labels"], {k: v.tolist() for k, v in columns.items()})


def _safetensors(path: Path, shape: tuple[int, ...]) -> _Columns:
    with safe_open(path, framework="np") as file:
        columns = json.loads((file.metadata() or {}).get("rows", "{}"))
        return _arrays(path, shape, file.get_tensor("features"), file.get_tensor("labels"), columns)


def _arrays(path: Path, shape: tuple[int, ...], features: Array, labels: Array, columns: dict[str, Any]) -> _Columns:
    rows = len(features) if features.ndim else 0
    problems = []
    if features.dtype.kind not in "biuf":
        problems.append(f"{path}: features must be numbers, are {features.dtype}")
    if features.shape not in ((rows, *shape), (rows, math.prod(shape))):
        problems.append(f"{path}: features have shape {list(features.shape)}, not [rows, {str(list(shape))[1:]}")
    if labels.dtype.kind not in "iu" or labels.shape != (rows,):
        problems.append(
            f"{path}: labels must be {rows} whole numbers, are {labels.dtype} of shape {list(labels.shape)}"
        )
    ids = columns.get("ids")
    if not isinstance(ids, list) or len(ids) != rows:
        problems.append(f"{path}: ids must be {rows} texts")
    for name in ("subjects", "likelihoods"):
        if name in columns and (not isinstance(columns[name], list) or len(columns[name]) != rows):
            problems.append(f"{path}: {name} must be {rows}, one a row")
    raise_all(problems)
    return _Columns(
        places=[f"{path.name} row {number}" for number in range(1, rows + 1)],
        ids=columns["ids"],
        subjects=columns.get("subjects", [""] * rows),
        likelihoods=columns.get("likelihoods", [0.0] * rows),
        features=features.reshape(rows, *shape),
        labels=labels,
    )


def _faults(columns: _Columns, classes: int) -> list[str]:
    """What is wrong with the values, row by row."""
    found: list[str] = []
    seen: dict[str, str] = {}
    for place, name in zip(columns.places, columns.ids, strict=True):
        if not isinstance(name, str) or not name:
            found.append(f"{place}: id is missing or not text")
        elif name in seen:
            found.append(f"{place}: id {name!r} was used at {seen[name]}")
        else:
            seen[name] = place
    for place, subject, value in zip(columns.places, columns.subjects, columns.likelihoods, strict=True):
        if subject is not None and not isinstance(subject, str):
            found.append(f"{place}: subject must be text, is {subject!r:.40}")
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1):
            found.append(f"{place}: likelihood must be a number from 0 to 1, is {value!r:.40}")
    labels = np.asarray(columns.labels)
    for at in np.flatnonzero((labels < 0) | (labels >= classes)).tolist():
        found.append(f"{columns.places[at]}: label {labels[at]} is not between 0 and {classes - 1}")
    if columns.features.dtype.kind == "f":
        with np.errstate(over="ignore"):  # what 32 bits cannot hold becomes infinite and is named
            bad = ~np.isfinite(columns.features.astype(np.float32)).reshape(len(labels), -1).all(axis=1)
        found.extend(f"{columns.places[at]}: a feature is not a finite number of 32 bits" for at in np.flatnonzero(bad))
    return found


def _packed(values: Array) -> Array:
    """The same numbers as uint8 where it can hold them all, else as float32."""
    if values.dtype.kind in "bu" and values.dtype.itemsize == 1:
        return np.ascontiguousarray(values, dtype=np.uint8)
    if values.size and values.min() >= 0 and values.max() <= 255:  # NaN is neither
        small = values.astype(np.uint8)
        if np.array_equal(small, values):
            return small
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


# ---------------------------------------------------------------- writing


def write_table(path: Path, table: Table) -> None:
    """Keep a table as safetensors; equal tables give equal files.

    Raises:
        StorageError: the disk refused; nothing stands at `path` that was not there before.
    """
    # One entry: safetensors writes several in no fixed order.
    rows: dict[str, Any] = {"ids": table.ids}
    if any(table.subjects):
        rows["subjects"] = table.subjects
    if any(table.likelihoods):
        rows["likelihoods"] = table.likelihoods
    tensors = {"features": _packed(table.features), "labels": table.labels}
    draft = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            file.write(save(tensors, {"rows": json.dumps(rows, ensure_ascii=False)}))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise StorageError(f"{path}: cannot be written ({error}); free space and run the job again") from error
