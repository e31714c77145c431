"""A second reader, written from docs/patches.md alone and sharing no code with the engine, gets the same bits."""

from __future__ import annotations

import hashlib
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.engine.patching import bits, write
from unlearning_engine.patches.making import make


class Reader:
    """One patch of 32-bit tensors."""

    def __init__(self, folder: Path) -> None:
        self.manifest = json.loads((folder / "manifest.json").read_bytes())
        raw = (folder / "patch.safetensors").read_bytes()
        length = int.from_bytes(raw[:8], "little")
        self._header, self._data = json.loads(raw[8 : 8 + length]), raw[8 + length :]

    def numbers(self, name: str, count: int) -> list[int]:
        start, end = self._header[name]["data_offsets"]
        stream, found = self._data[start:end], [0] * count
        for plane in range(4):
            kind, length = stream[0], int.from_bytes(stream[1:9], "little")
            body, stream = stream[9 : 9 + length], stream[9 + length :]
            values = bytes(count) if kind == 0 else body if kind == 1 else zlib.decompress(body)
            found = [number | value << 8 * plane for number, value in zip(found, values, strict=True)]
        assert not stream
        return found

    def step(self, values: list[int], entry: dict[str, Any], key: str, sign: int) -> None:
        row, places, place = entry.get("row", 1), list(range(len(values))), -1
        if entry["encoding"] != "dense":
            places = []
            for gap in self.numbers(f"{key}index", entry["values"]):
                place += gap + 1
                places += range(place * row, place * row + row)
        for at, folded in zip(places, self.numbers(f"{key}delta", len(places)), strict=True):
            change = folded // 2 if folded % 2 == 0 else -(folded + 1) // 2
            values[at] = (values[at] + sign * change) % 2**32

    def predict(self, values: list[int], block: dict[str, Any], key: str, sign: int) -> list[int]:
        rank, row = block["rank"], block["row"]
        left, right = (
            np.array(self.numbers(key + name, count), np.uint32).view(np.float32).astype(np.float64)
            for name, count in (("left", len(values) // row * rank), ("right", rank * row))
        )
        total = np.zeros((len(values) // row, row))
        for k in range(rank):
            total = total + np.outer(left.reshape(-1, rank)[:, k], right.reshape(rank, row)[k])
        start = np.array(values, np.uint32).view(np.float32).astype(np.float64).reshape(total.shape)
        return [int(v) for v in (start + sign * total).astype(np.float32).view(np.uint32).reshape(-1)]

    def move(self, number: int, values: list[int], sign: int) -> list[int]:
        for at, block in enumerate(self.manifest["tensors"][number]["blocks"]):
            part, key = slice(block["start"], block["start"] + block["count"]), f"{number}.{at}."
            own, way = values[part], "forward" if sign > 0 else "backward"
            if block["encoding"] != "lowrank":
                self.step(own, block, key, sign)
            else:
                own = self.predict(own, block, key, sign)
                if block[way]:
                    self.step(own, block[way], f"{key}{way}.", 1)
            values[part] = own
        return values


def flat(value: torch.Tensor) -> list[int]:
    return [int(v) for v in np.frombuffer(bits(value), np.uint32)]


@pytest.fixture
def pair() -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    state = torch.Generator().manual_seed(1)
    old = {name: torch.randn(128, 128, generator=state) * 0.02 for name in ("dense", "lowrank", "rows", "sparse")}
    noise = torch.randn(128, 128, generator=state) * 1e-3
    few = torch.rand(128, 128, generator=state) < 0.01
    lines = torch.arange(128)[:, None] % 20 == 0
    thin = torch.randn(128, 2, generator=state) @ torch.randn(2, 128, generator=state) * 0.01
    change = {"dense": noise, "lowrank": thin, "rows": noise * lines, "sparse": noise * few}
    return old, {name: value + change[name] for name, value in old.items()}


def test_a_reader_written_from_the_document_goes_both_ways(tmp_path: Path, pair: Any) -> None:
    old, new = pair
    make(write(tmp_path / "base", old), write(tmp_path / "model", new), tmp_path / "patch")
    reader = Reader(tmp_path / "patch")
    for number, tensor in enumerate(reader.manifest["tensors"]):
        name = tensor["name"]
        assert tensor["blocks"][0]["encoding"] == name
        assert reader.move(number, flat(old[name]), 1) == flat(new[name])
        assert reader.move(number, flat(new[name]), -1) == flat(old[name])
        assert tensor["base"] == "sha256:" + hashlib.sha256(bits(old[name])).hexdigest()


def test_digests_are_those_that_the_document_defines(tmp_path: Path, pair: Any) -> None:
    old, new = pair
    make(write(tmp_path / "base", old), write(tmp_path / "model", new), tmp_path / "patch")
    manifest = Reader(tmp_path / "patch").manifest
    for side, tensors in (("base", old), ("result", new)):
        form = b"\0torch.float32\0(128, 128)\0"
        said = b"".join(name.encode() + form + bits(value) for name, value in sorted(tensors.items()))
        assert manifest[side]["weights"] == "sha256:" + hashlib.sha256(said).hexdigest()
    given = manifest.pop("digest")
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert given == "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    payload = (tmp_path / "patch" / "patch.safetensors").read_bytes()
    assert manifest["payload"]["sha256"] == "sha256:" + hashlib.sha256(payload).hexdigest()
