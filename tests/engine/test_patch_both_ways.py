"""A patch gives the unlearned model to the bit, and taken off again the base to the bit, whatever the tensors hold."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.conftest import Corpus
from tests.engine.patching import changed, llama, nudge, read, same, write
from unlearning_engine import models
from unlearning_engine.patches import blocks
from unlearning_engine.patches.applying import apply
from unlearning_engine.patches.making import make
from unlearning_engine.patches.manifest import Patch
from unlearning_engine.patches.streams import difference, pack, step, unpack
from unlearning_engine.patches.weights import Weights


def there_and_back(base: Path, model: Path, folder: Path) -> Patch:
    make(base, model, folder / "patch")
    done = apply(base, [folder / "patch"], folder / "applied")
    back = apply(folder / "applied", [folder / "patch"], folder / "back", back=True)
    assert same(read(folder / "applied"), read(model)) and same(read(folder / "back"), read(base))
    assert done.before == back.after == models.weights_digest(base)
    assert done.after == back.before == models.weights_digest(model)
    return Patch(folder / "patch")


@pytest.mark.parametrize("shard", ["", "20KB"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_model_goes_there_and_back_to_the_bit(corpus: Corpus, tmp_path: Path, dtype: torch.dtype, shard: str) -> None:
    base = llama(corpus, tmp_path / "base", dtype=dtype, shard=shard)
    patch = there_and_back(base, changed(base, tmp_path / "model", nudge("layers.1")), tmp_path)
    assert len(list(base.glob("*.safetensors"))) > 1 or not shard
    assert all("layers.1" in name for name in patch.tensors), "only what changed is shipped"
    for name in ("applied", "back"):
        loaded = models.load(tmp_path / name, device="cpu", dtype="auto")
        assert loaded.model.dtype == dtype and loaded.tokenizer.pad_token == "<pad>"
    for file in base.glob("*.safetensors"):
        assert (tmp_path / "back" / file.name).read_bytes() == file.read_bytes(), "the very files"


def test_tied_weights_stay_tied(corpus: Corpus, tmp_path: Path) -> None:
    base = llama(corpus, tmp_path / "base")
    there_and_back(base, changed(base, tmp_path / "model", nudge("embed_tokens")), tmp_path)
    model = models.load_model(tmp_path / "applied", device="cpu")
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight


def test_base_and_model_may_be_cut_into_files_differently(corpus: Corpus, tmp_path: Path) -> None:
    base = llama(corpus, tmp_path / "base", shard="20KB")
    model = write(tmp_path / "model", {n: v + 1 for n, v in read(base).items()}, config=config(base))
    there_and_back(base, model, tmp_path)
    assert {p.name for p in (tmp_path / "applied").glob("*.safetensors")} == {
        p.name for p in base.glob("*.safetensors")
    }


def config(folder: Path) -> dict[str, object]:
    return dict(json.loads((folder / "config.json").read_text()))


ODD = {
    "float32": torch.tensor([0x7FC00001, 0xFFC12345, 0x80000000, 0, 0x7F800000, 1], dtype=torch.uint32).view(
        torch.float32
    ),
    "bfloat16": torch.tensor([0x7FC1, 0xFFC3, 0x8000, 0, 0x7F80, 1], dtype=torch.uint16).view(torch.bfloat16),
    "float16": torch.tensor([0x7E01, 0xFE03, 0x8000, 0, 0x7C00, 1], dtype=torch.uint16).view(torch.float16),
}


@pytest.mark.parametrize("kind", ODD)
def test_the_payload_of_nan_and_the_sign_of_zero_are_kept(tmp_path: Path, kind: str) -> None:
    values = ODD[kind]
    square = values.repeat(60, 10)
    base = write(tmp_path / "base", {"v": values, "m": square})
    turned = {"v": values[[3, 2, 1, 0, 5, 4]].clone(), "m": square.flip(1).contiguous()}
    there_and_back(base, write(tmp_path / "model", turned), tmp_path)


def test_whole_numbers_truth_values_scalars_and_empty_tensors_are_taken(tmp_path: Path) -> None:
    old = {
        "i64": torch.tensor([2**63 - 1, -(2**63), 0]),
        "i8": torch.tensor([127, -128, 0], dtype=torch.int8),
        "u16": torch.tensor([65535, 0], dtype=torch.uint16),
        "bool": torch.tensor([True, False]),
        "f64": torch.tensor([1.0, float("nan")], dtype=torch.float64),
        "f8": torch.tensor([1.0, -2.0]).to(torch.float8_e4m3fn),
        "scalar": torch.tensor(1.0),
        "empty": torch.zeros(0, 4),
        "same": torch.ones(3),
    }
    new = {name: turned(value) if value.dim() and len(value) else -value for name, value in old.items()}
    base, model = write(tmp_path / "base", old), write(tmp_path / "model", new)
    assert set(there_and_back(base, model, tmp_path).tensors) == old.keys() - {"empty", "same"}


def turned(value: torch.Tensor) -> torch.Tensor:
    """A vector the other way round, of types too that torch cannot flip."""
    return value.view(torch.uint8).reshape(len(value), -1).flip(0).reshape(-1).view(value.dtype)


@pytest.mark.parametrize("kind", ["lowrank", "rows", "sparse", "dense"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_each_kind_of_change_is_exact_and_gets_its_encoding(tmp_path: Path, kind: str, dtype: torch.dtype) -> None:
    state = torch.Generator().manual_seed(3)
    old = torch.randn(512, 512, generator=state) * 0.02
    noise = torch.randn(512, 512, generator=state) * 1e-2
    thin = torch.randn(512, 4, generator=state) @ torch.randn(4, 512, generator=state) * 0.05
    lines = torch.arange(512)[:, None] % 20 == 0
    few = torch.rand(512, 512, generator=state) < 0.01
    change = {"lowrank": thin, "rows": noise * lines, "sparse": noise * few, "dense": noise}[kind]
    base = write(tmp_path / "base", {"m": old.to(dtype)})
    patch = there_and_back(base, write(tmp_path / "model", {"m": (old + change).to(dtype)}), tmp_path)
    found = {block["encoding"] for block in patch.manifest["tensors"][0]["blocks"]}
    assert found == {kind} or (kind == "lowrank" and dtype != torch.float32), "coarse types may be smaller otherwise"


def test_a_merged_adapter_ships_in_a_fifth_of_its_difference(tmp_path: Path) -> None:
    state = torch.Generator().manual_seed(3)
    old = torch.randn(1024, 512, generator=state) * 0.02
    new = old + torch.randn(1024, 8, generator=state) @ torch.randn(8, 512, generator=state) * 1e-4
    base, model = write(tmp_path / "base", {"m": old}), write(tmp_path / "model", {"m": new})
    patch = there_and_back(base, model, tmp_path)
    before, after = (value.reshape(-1).view(torch.uint32).numpy() for value in (old, new))
    dense = len(pack(difference(before, after)))
    assert 5 * patch.manifest["payload"]["bytes"] < dense
    assert patch.manifest["tensors"][0]["blocks"][0]["rank"] == 8


def test_a_tensor_of_many_blocks_ships_only_those_that_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 1000)
    old = torch.randn(100, 64)
    new = old.clone()
    new[40] += 1
    wide = torch.randn(2, 3000)
    tensors = ({"m": old, "wide": wide}, {"m": new, "wide": wide + 1})
    base, model = (write(tmp_path / name, own) for name, own in zip(("base", "model"), tensors, strict=True))
    patch = there_and_back(base, model, tmp_path)
    assert [(b["start"], b["count"]) for b in patch.tensors["m"][1]["blocks"]] == [(1920, 960)]
    assert len(patch.tensors["wide"][1]["blocks"]) == 6


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_bits_go_there_and_back(data: st.DataObject) -> None:
    dtype, width = data.draw(st.sampled_from([("F32", 4), ("BF16", 2), ("F16", 2), ("U8", 1), ("I64", 8)]))
    rows, row = data.draw(st.integers(1, 20)), data.draw(st.integers(1, 20))
    raw = data.draw(st.binary(min_size=rows * row * width, max_size=rows * row * width))
    old = blocks.view(raw, width)
    new = old.copy()
    for at, value in data.draw(
        st.lists(st.tuples(st.integers(0, old.size - 1), st.integers(0, 2 ** (8 * width) - 1)), max_size=old.size)
    ):
        new[at] = value
    found = blocks.encode(old, new, dtype=dtype, row=row)
    if found is None:
        assert (old == new).all()
        return
    for start, end, back in ((old, new, False), (new, old, True)):
        assert (blocks.move(start, found.entry, found.streams, dtype, back=back) == end).all()


@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_small_steps_of_either_sign_are_small_numbers(width: int) -> None:
    values = blocks.view(bytes(range(64)), width)
    for shift, folded in ((1, 2), (-1, 1), (0, 0)):
        new = values + values.dtype.type(shift % 2 ** (8 * width))
        found = difference(values, new)
        assert (found == folded).all() and (values + step(found) == new).all()
        assert (unpack(pack(found), found.size, width) == found).all()


def test_the_digest_in_pieces_is_the_models_digest(corpus: Corpus, tmp_path: Path) -> None:
    for number, (shard, dtype) in enumerate(itertools.product(("", "20KB"), (torch.float32, torch.bfloat16))):
        folder = llama(corpus, tmp_path / str(number), shard=shard, dtype=dtype)
        assert Weights(folder).digest() == models.weights_digest(folder)
