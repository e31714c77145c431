"""A patch is made, applied and checked in the memory of about one shard, and reads a model as few times as it says."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.engine.patching import changed, nudge, write
from unlearning_engine.patches import blocks, weights
from unlearning_engine.patches.applying import apply
from unlearning_engine.patches.making import make
from unlearning_engine.patches.verifying import verify

SHARDS, TENSORS, SIDE = 8, 32, 512
#: Bytes of a shard: four tensors of a megabyte.
SHARD = TENSORS // SHARDS * SIDE * SIDE * 4


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(blocks, "BLOCK", 2**16)
    monkeypatch.setattr(weights, "CHUNK", 2**18)
    return write(tmp_path / "base", {f"t{n:02d}": torch.randn(SIDE, SIDE) for n in range(TENSORS)}, shards=SHARDS)


def peak(work: Callable[[], object]) -> int:
    """The most memory, in bytes, that Python and numpy held beyond what was held before."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_no_step_holds_more_than_about_one_shard(base: Path, tmp_path: Path) -> None:
    model = changed(base, tmp_path / "model", nudge())
    patch, out = tmp_path / "patch", tmp_path / "out"
    verify(write_small(tmp_path))  # imports and the schema's validator are no part of the measurement
    for name, work in {
        "make": lambda: make(base, model, patch),
        "apply": lambda: apply(base, [patch], out),
        "rollback": lambda: apply(out, [patch], tmp_path / "back", back=True),
        "verify": lambda: verify(patch, base=base, result=model),
    }.items():
        assert peak(work) < 1.5 * SHARD, f"{name}: a model is {SHARDS} shards"


def write_small(folder: Path) -> Path:
    old = write(folder / "small", {"a": torch.ones(2)})
    make(old, changed(old, folder / "small2", nudge()), folder / "small-patch")
    return folder / "small-patch"


def test_each_byte_of_a_model_is_read_once(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = changed(base, tmp_path / "model", nudge("t0"))
    read: Counter[str] = Counter()
    original = weights.Ranges.fill

    def counting(self: weights.Ranges, file: str, offset: int, target: memoryview) -> None:
        read[self._folder.name] += len(target)
        original(self, file, offset, target)

    monkeypatch.setattr(weights.Ranges, "fill", counting)
    make(base, model, tmp_path / "patch")
    assert read["base"] == read["model"] == SHARDS * SHARD
    read.clear()
    apply(base, [tmp_path / "patch"], tmp_path / "out")
    assert SHARDS * SHARD <= read["base"] < 1.01 * SHARDS * SHARD, "and the headers"
