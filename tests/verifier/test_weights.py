"""A model's folder held against statements about it: its files one by one, and its weights however they are cut."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from governance.evidence import dsse
from governance.evidence.statements import Origin, Thing
from governance.services import attestations
from lethe_verify import Outcome, weights
from lethe_verify.__main__ import main
from lethe_verify.errors import Refused
from lethe_verify.statements import judge
from lethe_verify.trust import Trust, load
from lethe_verify.verdict import Verdict
from unlearning_engine.errors import DataError
from unlearning_engine.models import weights_digest
from unlearning_engine.patches.weights import Weights

VALUES = {
    "b": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a": np.arange(5, dtype=np.int64),
    "c": np.array(1.5, dtype=np.float16),
    "é": np.zeros((0, 4), dtype=np.uint8),
}


def model(folder: Path, *, shards: int = 1) -> Path:
    """A folder with these weights, a configuration and something below it."""
    (folder / "sub").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "sub" / "notes.txt").write_text("notes")
    names = [f"model-{n}.safetensors" for n in range(shards)] if shards > 1 else ["model.safetensors"]
    where = {name: names[at % shards] for at, name in enumerate(VALUES)}
    for file in names:
        save_file({name: VALUES[name] for name in VALUES if where[name] == file}, folder / file)
    if shards > 1:
        (folder / weights.INDEX).write_text(json.dumps({"weight_map": where}))
    return folder


def stated(folder: Path, place: Path, *, digest: str, kind: str = "registration") -> Trust:
    """Statements about a folder in `place`, and whom to believe."""
    files = {
        path.relative_to(folder).as_posix(): f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
        for path in folder.rglob("*")
        if path.is_file()
    }
    origin = Origin(kind=kind, method="", parameters={}, materials=(), code={}, invocation="urn:uuid:0",
                    started_at="2026-11-29T12:00:00Z", finished_at="2026-11-29T12:00:00Z")  # fmt: skip
    thing = Thing(name="Lumen rev. 1", kind="model", model="Lumen", issuer="House", issuer_url="https://h.example",
                  files=files, origin=origin, made_at="2026-11-29T12:00:00Z", weights=digest)  # fmt: skip
    key = place.parent / "key"
    key.mkdir()
    dsse.create_key(key)
    place.mkdir()
    for name, data in attestations.make(thing, dsse.FileSigner(key)).items():
        (place / name).write_bytes(data)
    return load(str(place / "signer.pub.pem"))


@pytest.fixture
def signed(tmp_path: Path) -> tuple[Path, Path, Trust]:
    """A model's folder, the statements about it, whom to believe."""
    folder = model(tmp_path / "model")
    return folder, tmp_path / "set", stated(folder, tmp_path / "set", digest=weights_digest(folder))


def said(verdict: Verdict, code: str) -> tuple[str, str]:
    """State and words of the one finding with this code."""
    [found] = [one for one in verdict.findings if one.code == code]
    return found.state, found.text


def test_three_readers_agree_on_which_weights_these_are(tmp_path: Path) -> None:
    whole, cut = model(tmp_path / "whole"), model(tmp_path / "cut", shards=3)
    found = {f"sha256:{weights.digest(whole)}", f"sha256:{weights.digest(cut)}"}
    assert found == {weights_digest(whole), weights_digest(cut), Weights(whole).digest(), Weights(cut).digest()}
    assert len(found) == 1


@pytest.mark.parametrize("name", ["a\0torch.float32\0(2,)\0" + "\0" * 8 + "b", "a\nb", "a\x85b"])
def test_names_that_could_end_elsewhere_are_read_by_none(name: str, tmp_path: Path) -> None:
    """The first would have the digest of two tensors `a` and `b`."""
    save_file({name: np.zeros(2, np.float32)}, tmp_path / "model.safetensors")
    with pytest.raises(Refused, match="no sound safetensors file"):
        weights.digest(tmp_path)
    for read in (weights_digest, lambda folder: Weights(folder).digest()):
        with pytest.raises(DataError, match="control characters"):
            read(tmp_path)


@pytest.mark.parametrize("shape", ["1," * 64 + "1", f"{2**63},0", ",".join(["9" * 4000] * 1000)])
def test_shapes_that_no_tensor_has_are_refused_before_they_are_multiplied(shape: str, tmp_path: Path) -> None:
    size = 4 * (len(shape) == 129)
    header = f'{{"a":{{"dtype":"F32","shape":[{shape}],"data_offsets":[0,{size}]}}}}'.encode()
    (tmp_path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(size))
    started = time.process_time()
    with pytest.raises(Refused, match="no sound safetensors file"):
        weights.digest(tmp_path)
    assert time.process_time() - started < 1


def test_the_folder_that_was_signed_has_the_files_and_the_weights(signed: tuple[Path, Path, Trust]) -> None:
    folder, place, trust = signed
    verdict = judge(place, trust, model=folder)
    assert verdict.outcome is Outcome.GENUINE, verdict.findings
    assert said(verdict, "model")[0] == said(verdict, "weights")[0] == "proved"
    nothing = judge(place, trust)
    assert nothing.outcome is Outcome.GENUINE and said(nothing, "weights")[0] == "not_proved"


def flip(path: Path, at: int = -1) -> None:
    """One bit of a file, its time as before."""
    data, before = bytearray(path.read_bytes()), path.stat()
    data[at] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def linked(path: Path) -> None:
    """The file's bytes, by a symbolic link to outside of the folder."""
    path.rename(path.parent.parent / "outside")
    path.symlink_to(path.parent.parent / "outside")


def behind_a_link(folder: Path) -> None:
    (folder / "sub").rename(folder.parent / "elsewhere")
    (folder / "sub").symlink_to(folder.parent / "elsewhere")


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "altered": (lambda m: flip(m / "model.safetensors"), "model.safetensors was changed"),
    "renamed": (
        lambda m: (m / "model.safetensors").rename(m / "best.safetensors"),
        "best.safetensors has the bytes of model.safetensors, which is missing",
    ),
    "missing": (lambda m: (m / "sub" / "notes.txt").unlink(), "sub/notes.txt is missing"),
    "extra": (lambda m: (m / "sub" / "run.py").write_text("1"), "sub/run.py was added"),
    "extra and hidden": (lambda m: (m / ".hidden").write_text(""), ".hidden was added"),
    "a copy": (
        lambda m: shutil.copy(m / "model.safetensors", m / "twice.safetensors"),
        "twice.safetensors was added",
    ),
    "a link to the same bytes": (lambda m: linked(m / "model.safetensors"), "model.safetensors is a symbolic link"),
    "a folder by a link": (behind_a_link, "sub is a symbolic link"),
    "a link that leads nowhere": (lambda m: (m / "gone").symlink_to("nowhere"), "gone is a symbolic link"),
    "a pipe": (lambda m: os.mkfifo(m / "pipe"), "pipe is neither a file nor a folder"),
    "swapped": (
        lambda m: shutil.copy(m / "config.json", m / "sub" / "notes.txt"),
        "sub/notes.txt was changed",
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_the_file_that_differs_is_named(what: str, signed: tuple[Path, Path, Trust]) -> None:
    folder, place, trust = signed
    change, words = CHANGES[what]
    change(folder)
    verdict = judge(place, trust, model=folder)
    assert verdict.outcome is Outcome.REFUSED
    assert words in said(verdict, "model")[1]


def test_a_hard_link_is_the_file_and_what_changes_by_its_other_name_is_seen(signed: tuple[Path, Path, Trust]) -> None:
    folder, place, trust = signed
    os.link(folder / "model.safetensors", folder.parent / "other-name")
    assert judge(place, trust, model=folder).outcome is Outcome.GENUINE
    flip(folder.parent / "other-name")
    assert "model.safetensors was changed" in said(judge(place, trust, model=folder), "model")[1]
    os.link(folder / "config.json", folder / "second.json")
    assert "second.json was added" in said(judge(place, trust, model=folder), "model")[1]


def test_weights_in_other_files_are_the_ones_and_the_folder_is_not(
    signed: tuple[Path, Path, Trust], tmp_path: Path
) -> None:
    _folder, place, trust = signed
    cut = model(tmp_path / "cut", shards=2)
    as_folder = judge(place, trust, model=cut)
    assert as_folder.outcome is Outcome.REFUSED and "--weights" in said(as_folder, "model")[1]
    verdict = judge(place, trust, held=cut)
    assert verdict.outcome is Outcome.GENUINE and said(verdict, "weights")[0] == "proved"
    assert {one.code for one in verdict.findings if one.state == "not_proved"} >= {"beside", "model"}
    flip(cut / "model-0.safetensors")
    other = judge(place, trust, held=cut)
    assert other.outcome is Outcome.REFUSED and "other weights" in said(other, "weights")[1]


def test_statements_that_contradict_their_own_folder_are_refused(tmp_path: Path) -> None:
    folder = model(tmp_path / "model")
    trust = stated(folder, tmp_path / "set", digest="sha256:" + "0" * 64)
    verdict = judge(tmp_path / "set", trust, model=folder)
    assert verdict.outcome is Outcome.REFUSED and "other weights" in said(verdict, "weights")[1]


def test_a_head_whose_one_file_is_named_is_found(tmp_path: Path) -> None:
    folder = model(tmp_path / "model")
    name = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    trust = stated(folder, tmp_path / "set", digest=f"sha256:{name}")
    assert said(judge(tmp_path / "set", trust, model=folder), "weights")[0] == "proved"


def test_without_weights_in_the_statements_none_can_be_held_against_them(tmp_path: Path) -> None:
    folder = model(tmp_path / "model")
    trust = stated(folder, tmp_path / "set", digest="")
    assert judge(tmp_path / "set", trust, model=folder).outcome is Outcome.GENUINE
    assert judge(tmp_path / "set", trust, held=folder).outcome is Outcome.REFUSED


def header(path: Path, change: Callable[[dict[str, dict[str, object]]], object], *, tail: bytes = b"") -> None:
    """The file with its header changed."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    found = json.loads(data[8 : 8 + length])
    change(found)
    new = json.dumps(found).encode()
    path.write_bytes(len(new).to_bytes(8, "little") + new + data[8 + length :] + tail)


STRANGE: dict[str, Callable[[Path], object]] = {
    "no weights": lambda m: (m / "model.safetensors").unlink(),
    "pickled weights": lambda m: (m / "model.safetensors").rename(m / "pytorch_model.bin"),
    "two files and no index": lambda m: shutil.copy(m / "model.safetensors", m / "more.safetensors"),
    "an index that names another file": lambda m: (m / weights.INDEX).write_text('{"weight_map": {"a": "../x"}}'),
    "an index that is none": lambda m: (m / weights.INDEX).write_text("[]"),
    "an empty file": lambda m: (m / "model.safetensors").write_bytes(b""),
    "a length beyond the file": lambda m: (m / "model.safetensors").write_bytes(b"\xff" * 8 + b"{}"),
    "bytes behind the end": lambda m: header(m / "model.safetensors", lambda h: None, tail=b"x"),
    "a tensor left out": lambda m: header(m / "model.safetensors", lambda h: h.pop("a")),
    "two tensors in one place": lambda m: header(m / "model.safetensors", lambda h: h.update(z=h["a"])),
    "a shape of another size": lambda m: header(m / "model.safetensors", lambda h: h["a"].update(shape=[4])),
    "a negative size": lambda m: header(m / "model.safetensors", lambda h: h["a"].update(shape=[-1, -5])),
    "a type that nobody knows": lambda m: header(m / "model.safetensors", lambda h: h["a"].update(dtype="F3")),
    "a folder for a file": lambda m: ((m / "model.safetensors").unlink(), (m / "model.safetensors").mkdir()),
}


@pytest.mark.parametrize("what", STRANGE)
def test_weights_of_which_it_cannot_be_told_what_would_be_loaded_are_refused(what: str, tmp_path: Path) -> None:
    folder = model(tmp_path / "model")
    STRANGE[what](folder)
    with pytest.raises(Refused) as caught:
        weights.digest(folder)
    assert caught.value.code == "weights"


def test_the_command_says_so(signed: tuple[Path, Path, Trust], capsys: pytest.CaptureFixture[str]) -> None:
    folder, place, _trust = signed
    believed = ("--trust", str(place / "signer.pub.pem"))
    assert main([str(place), "--weights", str(folder), *believed]) == 0
    assert "These weights are the ones" in capsys.readouterr().out
    assert main([str(place), "--model", str(folder / "config.json"), *believed]) == 2
    flip(folder / "model.safetensors")
    assert main([str(place), "--model", str(folder), *believed]) == 1
    assert "model.safetensors was changed" in capsys.readouterr().out
