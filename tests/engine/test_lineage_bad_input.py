"""Damaged lineages, unknown records and full disks: said clearly, and the last good state is kept."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.engine.lineages import CONFIGS, FORGOTTEN, Pair, forget, made, pair, written
from unlearning_engine import checkpoints, runner
from unlearning_engine.checkpoints import TENSORS
from unlearning_engine.contracts import TrainSpec, to_json
from unlearning_engine.errors import ConfigError, DataError, StorageError
from unlearning_engine.methods import unlearn
from unlearning_engine.models import build_model, build_tokenizer
from unlearning_engine.placement import Place
from unlearning_engine.progress import silent
from unlearning_engine.recipes import train
from unlearning_engine.sisa import building, commitments
from unlearning_engine.sisa.config import read_config
from unlearning_engine.sisa.lineage import Lineage, slice_folder
from unlearning_engine.sisa.source import read_index
from unlearning_engine.sisa.workload import Inputs


@pytest.fixture(scope="module")
def classifiers(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return pair(tmp_path_factory.mktemp("classifiers"))


@pytest.fixture
def own(classifiers: Pair, tmp_path: Path) -> Pair:
    return classifiers.copy(tmp_path)


def needed(own: Pair) -> Path:
    """A checkpoint that deleting needs: the one before the first slice that is trained again."""
    lineage = Lineage(own.before)
    for shard in lineage.shards:
        stages = lineage.manifest(shard).slices
        if stages[0].checkpoint and stages[1].records:
            return slice_folder(lineage.root, shard, 0) / TENSORS
    raise AssertionError("no shard has records in both slices")


def late(own: Pair, path: Path) -> str:
    """A record in the slice after that checkpoint."""
    shard = int(path.parent.parent.name.removeprefix("shard-"))
    return next(name for name, place in read_index(own.before / "lineage").items() if place == Place(shard, 1))


# ---------------------------------------------------------------- a damaged lineage


@pytest.mark.parametrize(("harm", "words"), [("missing", "is missing; restore it"), ("altered", "was altered")])
def test_a_checkpoint_that_is_missing_or_altered_is_named_and_nothing_is_written(
    own: Pair, tmp_path: Path, harm: str, words: str
) -> None:
    path = needed(own)
    name = late(own, path)
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-8] + b"\0\1\2\3\4\5\6\7")
    with pytest.raises(DataError) as found:
        unlearn(forget(own.before, [name]), tmp_path / "new")
    assert str(path) in str(found.value) and words in str(found.value)
    assert "train the lineage again" in str(found.value)
    assert not (tmp_path / "new").exists()
    # From fresh weights no checkpoint is needed: the same call with the other method goes through.
    whole = unlearn(forget(own.before, [name], method="retrain"), tmp_path / "fresh")
    assert whole["forgotten_records"] == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is no readable lineage"),
        ("[]", "is no readable lineage"),
        ('{"schema": 7, "stages": []}', "has schema 7; this engine reads 1: use the version that wrote it"),
        ('{"schema": 1}', "is no readable lineage"),
        ("shards", "shards: 3 is not of type dict"),
        ("entry", "is no readable lineage"),
        ("history", "is no readable lineage"),
    ],
)
def test_a_damaged_lineage_or_one_of_another_schema_is_refused_by_every_reader(
    own: Pair, tmp_path: Path, text: str, words: str
) -> None:
    path = own.before / "lineage" / "lineage.json"
    meta = json.loads(path.read_bytes())
    changed = {"shards": {"shards": 3}, "entry": {"shards": {"0": {}}}, "history": {"history": [{}]}}
    path.write_text(json.dumps({**meta, **changed[text]}) if text in changed else text)
    with pytest.raises(DataError, match=words):
        Lineage(own.before)
    with pytest.raises(DataError, match="lineage.json"):
        unlearn(forget(own.before, FORGOTTEN), tmp_path / "new")


def test_every_problem_of_a_configuration_is_told_at_once() -> None:
    bad = {"kind": "language", "shard": 3, "slices": "two", "vocab_size": 1}
    with pytest.raises(ConfigError) as refused:
        read_config(bad, Inputs())
    text = "\n".join(refused.value.messages)
    for part in ("slices: 'two'", "vocab_size: 1", "shard: unknown field; language takes ", "aggregation, batch_size"):
        assert part in text


@pytest.mark.parametrize(
    ("model", "words"), [({}, "model_type: missing"), ({"model_type": "lama"}, "'lama' is unknown")]
)
def test_a_model_without_a_known_architecture_is_refused_in_one_line(model: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        build_model(model, build_tokenizer("", 260), 1)
    assert words in str(refused.value) and len(str(refused.value)) < 200


def test_a_folder_without_a_lineage_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="give the folder of a training"):
        Lineage(tmp_path)


def test_an_altered_manifest_is_told_apart_from_a_damaged_one(own: Pair) -> None:
    path = own.before / "lineage" / "shards" / "shard-00" / "shard.json"
    manifest = json.loads(path.read_bytes())
    manifest["slices"][0]["passes"] += 1
    path.write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="the manifest was altered; restore the lineage's folder"):
        Lineage(own.before).manifest(0)
    path.write_text("{}")
    with pytest.raises(DataError, match="is missing or damaged"):
        Lineage(own.before).manifest(0)


def test_a_damaged_index_and_damaged_rows_are_named(own: Pair, tmp_path: Path) -> None:
    index = own.before / "lineage" / "data" / "index.json"
    good = index.read_bytes()
    index.write_text('{"r00": 3}')
    with pytest.raises(DataError, match="index.json: is missing or damaged"):
        unlearn(forget(own.before, FORGOTTEN), tmp_path / "new")
    index.write_bytes(good)
    for path in (own.before / "lineage" / "data").rglob("*.safetensors"):
        path.write_bytes(b"short")
    with pytest.raises(DataError, match="is not a readable table"):
        unlearn(forget(own.before, FORGOTTEN), tmp_path / "new")


# ---------------------------------------------------------------- wrong requests


def test_every_record_that_was_never_trained_on_is_named_at_once(own: Pair, tmp_path: Path) -> None:
    with pytest.raises(DataError) as found:
        unlearn(forget(own.before, ["r00", "nobody", "r99"]), tmp_path / "new")
    assert [m.split(" is not")[0] for m in found.value.messages] == ["record id 'nobody'", "record id 'r99'"]
    assert "never trained on, or was deleted before; take it from the list" in found.value.messages[0]


def test_shards_that_would_stay_empty_are_counted(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"30 records leave \d+ of 200 shards empty .*take fewer shards"):
        made(tmp_path / "many", "classifier", shards=200)
    assert not (tmp_path / "many").exists()


# ---------------------------------------------------------------- a full disk


def full(monkeypatch: pytest.MonkeyPatch, place: Any, name: str, after: int) -> None:
    """Let the disk fill at the call after so many; half of a file of tensors is written."""
    real: Callable[..., Any] = getattr(place, name)
    left = after

    def write(*arguments: Any, **named: Any) -> Any:
        nonlocal left
        left -= 1
        if left >= 0:
            return real(*arguments, **named)
        if name == "save_file":
            arguments[1].write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(place, name, write)


def stages(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("slice-*/state.safetensors")}


@pytest.mark.parametrize(
    ("place", "name", "after"),
    [(checkpoints, "save_file", 3), (building, "write_json", 0), (commitments, "write", 0), (building, "adopt", 2)],
)
def test_a_disk_that_fills_keeps_what_is_done_and_the_next_run_goes_on(
    classifiers: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Any, name: str, after: int
) -> None:
    data = written(tmp_path / "data.jsonl", "classifier")
    spec = TrainSpec(method="sisa", dataset=data, seed=4, device="cpu", threads=1, config=CONFIGS["classifier"])
    full(monkeypatch, place, name, after)
    with pytest.raises(StorageError, match="[Ff]ree space and run the (job again|same again)") as found:
        runner.run(to_json(spec), tmp_path / "out", store=None, report=silent)
    assert found.value.retryable
    assert not (tmp_path / "out" / "lineage" / "lineage.json").exists()
    assert not list((tmp_path / "out").rglob(".*.part/*.safetensors")), "half a checkpoint is dropped"
    kept = stages(tmp_path / "out")
    assert len(kept) >= 2
    times = {path: (tmp_path / "out" / path).stat().st_mtime_ns for path in kept}
    monkeypatch.undo()
    runner.run(to_json(spec), tmp_path / "out", store=None, report=silent)
    assert {path: (tmp_path / "out" / path).stat().st_mtime_ns for path in kept} == times, "nothing is trained twice"
    assert Lineage(tmp_path / "out").meta.shards == Lineage(classifiers.before).meta.shards


def test_a_deletion_on_a_full_disk_leaves_the_old_lineage_and_goes_on(
    own: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full(monkeypatch, checkpoints, "save_file", 0)
    spec = to_json(forget(own.before, FORGOTTEN))
    with pytest.raises(StorageError, match="free space and run the job again"):
        runner.run(spec, tmp_path / "new", store=None, report=silent)
    assert not [p for shard in Lineage(own.before).shards for p in Lineage(own.before).problems(shard)]
    monkeypatch.undo()
    runner.run(spec, tmp_path / "new", store=None, report=silent)
    assert Lineage(tmp_path / "new").meta.shards == Lineage(own.after).meta.shards


def test_a_limit_of_the_system_on_files_ends_a_process_cleanly(tmp_path: Path) -> None:
    data = written(tmp_path / "data.jsonl", "classifier")
    spec = TrainSpec(method="sisa", dataset=data, device="cpu", threads=1, config=CONFIGS["classifier"])
    (tmp_path / "spec.json").write_text(json.dumps(to_json(spec)))
    code = (
        "import resource, sys\nresource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))\n"
        "from unlearning_engine.__main__ import entry\n"
        "entry(['train', 'spec.json', '--out', 'out', '--json'])"
    )
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1, done.stderr
    error = json.loads((tmp_path / "out" / "error.json").read_bytes())
    assert error["type"] == "StorageError" and error["retryable"]
    assert "state" in str(error["messages"]) or "slice-01" in str(error["messages"])
    train(spec, tmp_path / "out")
    assert not [p for shard in Lineage(tmp_path / "out").shards for p in Lineage(tmp_path / "out").problems(shard)]
