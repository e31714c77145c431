"""Tables and heads for the tests of certified unlearning."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from unlearning_engine.certified.fitting import fit
from unlearning_engine.certified.heads import Head, HeadConfig
from unlearning_engine.sisa.tables import Table

CLEAN = {"name": "raw columns", "saw_data": "no", "note": ""}


def table(rows: int, dimension: int = 4, classes: int = 3, *, seed: int = 0, offset: float = 0.0) -> Table:
    """Rows whose class follows a linear rule with noise; `seed` draws the rows, the rule is the same for all."""
    random = np.random.default_rng([seed, rows])
    rule = np.random.default_rng([99, dimension, classes]).normal(size=(classes, dimension)) * 2
    features = (random.normal(size=(rows, dimension)) + offset).astype(np.float32)
    labels = (features @ rule.T + random.gumbel(size=(rows, classes))).argmax(axis=1)
    return Table([f"s{seed}.{n:05d}" for n in range(rows)], [""] * rows, [0.0] * rows, features, labels)


def listed(inputs: list[list[float]], labels: list[int]) -> Table:
    """These very rows."""
    count = len(labels)
    features = np.asarray(inputs, np.float32)
    return Table([f"r{n}" for n in range(count)], [""] * count, [0.0] * count, features, np.asarray(labels, np.int64))


def config(dimension: int = 4, classes: int = 3, **changed: Any) -> HeadConfig:
    names = [f"class {n}" for n in range(classes)]
    settings = {"l2": 0.1, "clip": 1.0, "bias": True, "extractor": CLEAN, **changed}
    return HeadConfig(classes=names, dimension=dimension, **settings)


def head(rows: Table, *, tolerance: float = 1e-10, **changed: Any) -> Head:
    return fit(config(rows.features.shape[1], **changed), rows, tolerance=tolerance)


def write_jsonl(path: Path, rows: Table) -> Path:
    lines = [
        json.dumps({"id": name, "features": row.tolist(), "label": int(label)})
        for name, row, label in zip(rows.ids, rows.features, rows.labels, strict=True)
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path
