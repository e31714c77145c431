"""What a patch refuses: another base, whatever was altered, another form, another order; nothing is left behind."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.patching import INDEX, changed, nudge, read, same, write
from unlearning_engine import models
from unlearning_engine.contracts import canonical
from unlearning_engine.errors import DataError, StorageError
from unlearning_engine.patches import applying
from unlearning_engine.patches.applying import apply
from unlearning_engine.patches.making import make
from unlearning_engine.patches.manifest import Altered, Patch, seal
from unlearning_engine.patches.verifying import verify

TENSORS = {"a": torch.randn(40, 30), "b": torch.randn(40, 30), "c": torch.randn(7)}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write(tmp_path / "base", TENSORS)


@pytest.fixture
def model(base: Path, tmp_path: Path) -> Path:
    return changed(base, tmp_path / "model", nudge("a"))


@pytest.fixture
def patch(base: Path, model: Path, tmp_path: Path) -> Path:
    make(base, model, tmp_path / "patch")
    return tmp_path / "patch"


def alter(patch: Path, change: Callable[[dict[str, Any]], Any], *, sealed: bool = False) -> None:
    """Change a manifest; `sealed` gives it a fitting digest again, as a forger would."""
    manifest = json.loads((patch / "manifest.json").read_bytes())
    change(manifest)
    (patch / "manifest.json").write_bytes(canonical(seal(manifest) if sealed else manifest))


# ---------------------------------------------------------------- the base


def test_another_base_is_refused_and_both_digests_are_named(patch: Path, base: Path, tmp_path: Path) -> None:
    other = changed(base, tmp_path / "other", nudge("a", seed=5))
    with pytest.raises(DataError) as caught:
        apply(other, [patch], tmp_path / "out")
    assert models.weights_digest(other) in str(caught.value) and models.weights_digest(base) in str(caught.value)
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".out*"))


def test_a_base_that_differs_in_an_untouched_tensor_is_refused_too(patch: Path, base: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is for sha256:"):
        apply(changed(base, tmp_path / "other", nudge("c")), [patch], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_patch_is_not_applied_or_taken_off_twice(patch: Path, base: Path, model: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="applied already"):
        apply(model, [patch], tmp_path / "out")
    with pytest.raises(DataError, match="taken off already"):
        apply(base, [patch], tmp_path / "out", back=True)


def test_a_base_of_other_form_is_refused(patch: Path, tmp_path: Path) -> None:
    for number, tensors in enumerate(
        ({**TENSORS, "a": TENSORS["a"].bfloat16()}, {**TENSORS, "a": torch.randn(30, 40)}, {"b": TENSORS["b"]})
    ):
        with pytest.raises(DataError, match="is for sha256:"):
            apply(write(tmp_path / f"{number}", tensors), [patch], tmp_path / "out")


# ---------------------------------------------------------------- alterations


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(confidential=False),
        lambda m: m["base"].update(weights="sha256:" + "0" * 64),
        lambda m: m["tensors"][0].update(name="b"),
        lambda m: m["summary"].update(touched=0),
    ],
)
def test_an_altered_manifest_is_refused(patch: Path, base: Path, tmp_path: Path, change: Any) -> None:
    alter(patch, change)
    with pytest.raises(Altered, match="altered"):
        apply(base, [patch], tmp_path / "out")
    assert verify(patch).exit_code == 1


@pytest.mark.parametrize("at", [0, 9, 200, -1])
def test_altered_tensors_are_refused(patch: Path, base: Path, tmp_path: Path, at: int) -> None:
    data = bytearray((patch / "patch.safetensors").read_bytes())
    data[at] ^= 1
    (patch / "patch.safetensors").write_bytes(data)
    with pytest.raises(Altered, match="altered"):
        apply(base, [patch], tmp_path / "out")
    assert verify(patch).exit_code == 1


def test_a_forged_patch_with_fitting_digests_does_not_lead_to_its_result(
    patch: Path, base: Path, model: Path, tmp_path: Path
) -> None:
    make(base, changed(base, tmp_path / "forged", nudge("a", seed=9)), tmp_path / "wrong")
    shutil.copy(tmp_path / "wrong" / "patch.safetensors", patch / "patch.safetensors")
    payload = json.loads((tmp_path / "wrong" / "manifest.json").read_bytes())["payload"]
    blocks = json.loads((tmp_path / "wrong" / "manifest.json").read_bytes())["tensors"][0]["blocks"]
    alter(patch, lambda m: (m.update(payload=payload), m["tensors"][0].update(blocks=blocks)), sealed=True)
    with pytest.raises(Altered, match="does not make the a"):
        apply(base, [patch], tmp_path / "out")
    assert verify(patch).exit_code == 0, "alone it looks whole"
    assert verify(patch, base=base).exit_code == 1
    assert verify(patch, expected="sha256:" + "1" * 64).exit_code == 1


def test_a_result_that_is_not_what_comes_out_is_refused(patch: Path, base: Path, tmp_path: Path) -> None:
    alter(patch, lambda m: m["result"].update(weights="sha256:" + "0" * 64), sealed=True)
    with pytest.raises(Altered, match="leads to"):
        apply(base, [patch], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m["payload"].update(file="../base/model.safetensors"), "payload.file"),
        (lambda m: m["payload"].update(file="/etc/passwd"), "payload.file"),
        (lambda m: m.update(schema=2), "schema 2"),
        (lambda m: m.update(kind="other"), "no manifest"),
        (lambda m: m.update(subject="a name"), "subject"),
        (lambda m: m.update(run={"method": "A Person's Name", "guarantee": "exact", "spec": m["digest"]}), "run"),
        (lambda m: m.pop("base"), "base"),
        (lambda m: m["tensors"][0].update(shape=[10**9, 10**9]), "maximum|order|altered|form"),
        (lambda m: m["tensors"][0]["blocks"][0].update(start=-1), "blocks"),
        (lambda m: m["tensors"][0]["blocks"][0].update(count=10**7), "blocks"),
        (lambda m: m["tensors"][0]["blocks"][0].update(start=1), "outside of its tensor"),
        (lambda m: m["tensors"].append(m["tensors"][0]), "each once"),
    ],
)
def test_a_manifest_of_wrong_form_is_refused_with_the_place(
    patch: Path, base: Path, tmp_path: Path, change: Any, said: str
) -> None:
    alter(patch, change, sealed=True)
    with pytest.raises(DataError, match=re.compile(said)):
        apply(base, [patch], tmp_path / "out")


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b"[" * 100_000, b'{"kind": NaN}', b"\xff\xfe"])
def test_a_manifest_that_is_no_json_object_is_refused(patch: Path, base: Path, tmp_path: Path, text: bytes) -> None:
    (patch / "manifest.json").write_bytes(text)
    with pytest.raises(DataError, match="manifest"):
        apply(base, [patch], tmp_path / "out")


def test_a_manifest_in_other_words_is_refused(patch: Path) -> None:
    path = patch / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()), indent=1))
    with pytest.raises(Altered, match="canonical"):
        Patch(patch)


def test_missing_files_are_named(patch: Path, base: Path, tmp_path: Path) -> None:
    (patch / "patch.safetensors").unlink()
    for folder, said in ((patch, "patch.safetensors: is missing"), (tmp_path / "none", "does not exist")):
        with pytest.raises(DataError, match=said):
            apply(base, [folder], tmp_path / "out")
    with pytest.raises(DataError, match="does not exist"):
        make(tmp_path / "none", base, tmp_path / "out")


# ---------------------------------------------------------------- models that make no patch


def test_models_of_other_form_make_no_patch_and_every_difference_is_told(base: Path, tmp_path: Path) -> None:
    for number, (tensors, said) in enumerate(
        (
            ({**TENSORS, "a": TENSORS["a"].bfloat16()}, r"a: is BF16 \[40, 30\], in the base F32"),
            ({**TENSORS, "a": torch.randn(30, 40)}, r"a: is F32 \[30, 40\]"),
            ({**TENSORS, "extra": torch.zeros(1)}, "extra: is not in the base"),
            ({"a": TENSORS["a"]}, "(?s)b: is missing.*c: is missing"),
        )
    ):
        with pytest.raises(DataError, match=said):
            make(base, write(tmp_path / f"{number}", tensors), tmp_path / "out")
    other = write(tmp_path / "gpt", TENSORS, config={"model_type": "gpt2", "hidden_size": 8})
    with pytest.raises(DataError, match="model_type is 'gpt2', in the base 'llama'"):
        make(base, other, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_models_with_the_same_weights_make_no_patch(base: Path, tmp_path: Path) -> None:
    shutil.copytree(base, tmp_path / "copy")
    with pytest.raises(DataError, match="nothing to ship"):
        make(base, tmp_path / "copy", tmp_path / "out")
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".out*"))


@pytest.mark.parametrize("cut", [1, 4000, 10**6])
def test_truncated_weights_are_refused(base: Path, model: Path, patch: Path, tmp_path: Path, cut: int) -> None:
    file = base / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-cut])
    for work in (lambda: make(base, model, tmp_path / "out"), lambda: apply(base, [patch], tmp_path / "out")):
        with pytest.raises(DataError, match="no sound safetensors file"):
            work()


def test_pickles_are_never_read_nor_carried_along(base: Path, model: Path, patch: Path, tmp_path: Path) -> None:
    for name in ("pytorch_model.bin", "recipe.json", "optimizer.pt"):
        (base / name).write_bytes(b"\x80\x04cos\nsystem\n")
    apply(base, [patch], tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["config.json", "model.safetensors"]
    (base / "model.safetensors").unlink()
    with pytest.raises(DataError, match="pytorch_model.bin, which could run code"):
        make(base, model, tmp_path / "patch2")


def test_an_index_that_leads_out_of_its_folder_or_forgets_a_file_is_refused(tmp_path: Path) -> None:
    sharded = write(tmp_path / "sharded", TENSORS, shards=2)
    index = json.loads((sharded / INDEX).read_text())
    for name in ("../base/model.safetensors", "/tmp/x.safetensors", "weights.bin", "gone.safetensors"):  # noqa: S108
        (sharded / INDEX).write_text(json.dumps({"weight_map": {**index["weight_map"], "a": name}}))
        with pytest.raises(DataError, match="no file of this folder|not there"):
            make(sharded, sharded, tmp_path / "out")
    (sharded / INDEX).write_text(json.dumps(index))
    shutil.copy(next(sharded.glob("*.safetensors")), sharded / "stray.safetensors")
    with pytest.raises(DataError, match="stray.safetensors is not in"):
        make(sharded, sharded, tmp_path / "out")


# ---------------------------------------------------------------- order


@pytest.fixture
def chain(base: Path, tmp_path: Path) -> list[Path]:
    """Three patches, each on the result of the one before; the second and third touch the same tensor."""
    at = base
    for number, part in enumerate(("a", "b", "b")):
        after = changed(at, tmp_path / f"m{number}", nudge(part, seed=number))
        make(at, after, tmp_path / f"p{number}")
        at = after
    return [tmp_path / f"p{number}" for number in range(3)]


def test_patches_in_order_lead_to_the_last_model_and_back(base: Path, chain: list[Path], tmp_path: Path) -> None:
    apply(base, chain, tmp_path / "all")
    assert same(read(tmp_path / "all"), read(tmp_path / "m2"))
    apply(tmp_path / "all", chain[:0:-1], tmp_path / "one", back=True)
    assert same(read(tmp_path / "one"), read(tmp_path / "m0"))
    apply(tmp_path / "all", chain[::-1], tmp_path / "none", back=True)
    assert same(read(tmp_path / "none"), read(base))


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 1, 0), (0, 2, 1)])
def test_a_wrong_order_is_refused_with_the_one_that_works(
    base: Path, chain: list[Path], tmp_path: Path, order: tuple[int, ...]
) -> None:
    with pytest.raises(DataError, match="the order that works: .*p0 .*p1 .*p2$"):
        apply(base, [chain[n] for n in order], tmp_path / "out")
    if order != (2, 1, 0):
        with pytest.raises(DataError, match="the order that works: .*p2 .*p1 .*p0$"):
            apply(tmp_path / "m2", [chain[n] for n in order], tmp_path / "out", back=True)


def test_patches_that_are_no_chain_are_refused(base: Path, chain: list[Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no chain"):
        apply(base, [chain[0], chain[2]], tmp_path / "out")
    with pytest.raises(DataError, match="no patch is given"):
        apply(base, [], tmp_path / "out")


# ---------------------------------------------------------------- the new folder


def test_an_existing_folder_is_never_written_to(patch: Path, base: Path, model: Path, tmp_path: Path) -> None:
    for work in (lambda: apply(base, [patch], model), lambda: make(base, model, patch)):
        with pytest.raises(DataError, match="exists already"):
            work()


@pytest.mark.parametrize("name", ["apply", "make"])
def test_a_full_disk_leaves_nothing_half_done(
    patch: Path, base: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite" if name == "apply" else "fsync", full)
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(StorageError, match="disk is full"):
        apply(base, [patch], tmp_path / "out") if name == "apply" else make(base, model, tmp_path / "out")
    assert kept == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_an_interrupted_apply_leaves_nothing(
    patch: Path, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(applying.Writer, "write", stop)
    with pytest.raises(KeyboardInterrupt):
        apply(base, [patch], tmp_path / "out")
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".out*"))


# ---------------------------------------------------------------- a forger with time


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base and a patch with every encoding."""
    folder = tmp_path_factory.mktemp("rich")
    state = torch.Generator().manual_seed(1)
    old = {name: torch.randn(256, 256, generator=state) * 0.02 for name in ("dense", "lowrank", "rows", "sparse")}
    noise = torch.randn(256, 256, generator=state) * 1e-3
    thin = torch.randn(256, 2, generator=state) @ torch.randn(2, 256, generator=state) * 0.01
    few = torch.rand(256, 256, generator=state) < 0.01
    lines = torch.arange(256)[:, None] % 20 == 0
    change = {"dense": noise, "lowrank": thin, "rows": noise * lines, "sparse": noise * few}
    base = write(folder / "base", old)
    make(base, write(folder / "model", {n: v + change[n] for n, v in old.items()}), folder / "patch")
    found = {t["name"]: t["blocks"][0]["encoding"] for t in Patch(folder / "patch").manifest["tensors"]}
    assert found == {name: name for name in old}
    return folder


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_a_forger_changes_is_refused_in_words_or_changes_nothing(rich: Path, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        patch = Path(shutil.copytree(rich / "patch", Path(scratch) / "patch"))
        payload = bytearray((patch / "patch.safetensors").read_bytes())
        streams = sorted(Patch(patch).streams.values(), key=lambda place: place.offset)
        for _ in range(data.draw(st.integers(1, 3))):
            place = data.draw(st.sampled_from(streams))
            near = data.draw(st.sampled_from([12, place.size]))  # heads of streams, or anywhere
            payload[place.offset + data.draw(st.integers(0, min(near, place.size) - 1))] = data.draw(
                st.integers(0, 255)
            )
        (patch / "patch.safetensors").write_bytes(payload)
        sha = "sha256:" + hashlib.sha256(payload).hexdigest()
        alter(patch, lambda m: m["payload"].update(sha256=sha), sealed=True)
        found = verify(patch, base=rich / "base", result=rich / "model")
        if not found.findings:
            apply(rich / "base", [patch], Path(scratch) / "out")
            assert same(read(Path(scratch) / "out"), read(rich / "model"))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_entry_of_a_block_a_forger_changes_is_refused_in_words(rich: Path, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        patch = Path(shutil.copytree(rich / "patch", Path(scratch) / "patch"))
        value = st.sampled_from(
            [0, 1, 2, 255, 256, 257, 65535, 65536, 2**22, 2**31, 2**53, -1, 1.0, None, "dense", [], {}]
        )

        def change(manifest: dict[str, Any]) -> None:
            block = data.draw(st.sampled_from(manifest["tensors"]))["blocks"][0]
            block[data.draw(st.sampled_from(sorted(block)))] = data.draw(value)

        alter(patch, change, sealed=True)
        try:
            verified = verify(patch, base=rich / "base")
        except DataError:
            return
        if not verified.findings:
            assert apply(rich / "base", [patch], Path(scratch) / "out").after == Patch(rich / "patch").result


@pytest.mark.parametrize("text", ['"a"', '"\\ud800"', "1.0", "1e3", "NaN", "9" * 5000])
def test_numbers_and_names_that_have_no_canonical_form_are_refused(patch: Path, text: str) -> None:
    path = patch / "manifest.json"
    path.write_bytes(re.sub(rb'"touched":\d+', lambda _: b'"touched":' + text.encode(), path.read_bytes()))
    with pytest.raises(DataError, match="manifest"):
        Patch(patch)
