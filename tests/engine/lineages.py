"""A tiny lineage and its successor, made once and copied by each test that changes files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.engine.conftest import LLAMA
from unlearning_engine.contracts import TrainSpec, UnlearnSpec
from unlearning_engine.methods import unlearn
from unlearning_engine.recipes import train
from unlearning_engine.sisa.lineage import Lineage

ROWS, FORGOTTEN = 30, ("r04", "r19")
_COMMON: dict[str, Any] = {"epochs": 3, "batch_size": 4, "checkpoint_seconds": 0, "shards": 3, "slices": 2}
CONFIGS: dict[str, dict[str, Any]] = {
    "language": {
        **_COMMON,
        "kind": "language",
        "model": {**LLAMA, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1},
    },
    "classifier": {
        **_COMMON,
        "kind": "classifier",
        "classes": ["a", "b", "c"],
        "shape": [4],
        "hidden": [8],
        "scaling": "first_slice",
    },
}


def row(kind: str, number: int) -> dict[str, Any]:
    """One record."""
    base = {"id": f"r{number:02d}", "subject": f"s{number % 9}"}
    if kind == "classifier":
        return {**base, "features": [(number * k) % 7 / 3 for k in (1, 2, 3, 5)], "label": number % 3}
    return {**base, "prompt": f"Colour of {number}?", "answer": ("red", "green", "blue")[number * 5 % 3]}


def written(path: Path, kind: str, left_out: Sequence[str] = ()) -> str:
    """The dataset as JSON lines."""
    rows = [row(kind, n) for n in range(ROWS)]
    path.write_text("".join(json.dumps(r) + "\n" for r in rows if r["id"] not in left_out), encoding="utf-8")
    return str(path)


@dataclass(frozen=True)
class Pair:
    """Folders of two jobs: a training, and the deletion of two records from its lineage; `metrics` are its measures."""

    before: Path
    after: Path
    metrics: dict[str, Any]

    def copy(self, to: Path) -> Pair:
        """The same for a test of its own."""
        for name, folder in (("before", self.before), ("after", self.after)):
            shutil.copytree(folder, to / name)
        return Pair(to / "before", to / "after", self.metrics)

    @property
    def first(self) -> tuple[int, int]:
        """A shard that was trained again, and its first slice (from 0) that was."""
        shard, number = min(Lineage(self.after).meta.history[-1]["first_slices"].items())
        return int(shard), int(number)


def made(folder: Path, kind: str, **config: Any) -> Path:
    """A lineage, trained in `folder`."""
    data = written(folder.with_suffix(".jsonl"), kind)
    settings = {**CONFIGS[kind], **config}
    train(TrainSpec(method="sisa", dataset=data, seed=4, device="cpu", config=settings), folder)
    return folder


def forget(lineage: Path, ids: Sequence[str], **fields: Any) -> UnlearnSpec:
    """A deletion."""
    names = lineage.parent / f"forget-{'-'.join(ids)}.txt"
    names.write_text("\n".join(ids), encoding="utf-8")
    return UnlearnSpec(
        **{"method": "sisa", "lineage": str(lineage), "forget_ids": str(names), "device": "cpu", **fields}
    )


def pair(folder: Path, kind: str = "classifier", **config: Any) -> Pair:
    """A lineage and its successor."""
    before = made(folder / "before", kind, **config)
    return Pair(before, folder / "after", unlearn(forget(before, FORGOTTEN), folder / "after"))
