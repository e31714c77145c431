"""One job, top to bottom: what it leaves behind, what it reuses, and what it refuses."""

from __future__ import annotations

import errno
import json
import os
import resource
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from safetensors import SafetensorError
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from unlearning_engine import runner
from unlearning_engine.artifacts import Store
from unlearning_engine.contracts import digest, parse, to_json
from unlearning_engine.errors import ConfigError, DataError, DeviceError, DivergenceError, StorageError
from unlearning_engine.progress import to_line
from unlearning_engine.trees import name_of

GENERATE = {"verb": "generate", "seed": 5, "artists": 1, "persons": 1}
Verb = Callable[[Any, Path, Any], dict[str, Any]]


def run(data: object, out: Path, store: Store | None = None) -> tuple[runner.Result, list[dict[str, Any]]]:
    events: list[dict[str, Any]] = []
    return runner.run(data, out, store=store, report=events.append), events


def match_spec(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "works.jsonl").write_text(json.dumps({"id": "w", "title": "T", "text": "one two three"}) + "\n")
    (tmp_path / "data.jsonl").write_text(json.dumps({"id": "r", "text": "zero one two three four"}) + "\n")
    return {"verb": "match", "works": str(tmp_path / "works.jsonl"), "dataset": str(tmp_path / "data.jsonl")}


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> Callable[[Verb], None]:
    """Puts a function in the place of the verb `match`."""

    def put(function: Verb) -> None:
        module = types.ModuleType("a_verb_of_the_test")
        module.go = function  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setattr(runner, "VERBS", {**runner.VERBS, "match": (module.__name__, "go")})

    return put


def test_a_run_leaves_result_outputs_and_the_log_of_its_events(tmp_path: Path) -> None:
    result, events = run(GENERATE, tmp_path / "out")
    on_disk = runner.read_result(tmp_path / "out")
    assert on_disk == result
    assert result.spec_digest == digest(to_json(parse(GENERATE)))
    assert result.outputs["dataset"] == "dataset.jsonl"
    assert result.digests["works"] == name_of(tmp_path / "out" / "works")
    assert result.seconds >= 0
    assert result.environment["python"] == ".".join(map(str, sys.version_info[:3]))
    assert result.environment["versions"]["torch"]
    assert [e["event"] for e in events] == ["start", "end"]
    log = (tmp_path / "out" / "progress.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in log] == events


def test_a_finished_run_is_reused_and_not_repeated(tmp_path: Path) -> None:
    first, _ = run(GENERATE, tmp_path / "out")
    before = (tmp_path / "out" / "dataset.jsonl").stat().st_mtime_ns
    again, events = run({**GENERATE, "device": "auto"}, tmp_path / "out")  # a default written out changes nothing
    assert again == first
    assert events[-1]["reused"] is True
    assert (tmp_path / "out" / "dataset.jsonl").stat().st_mtime_ns == before


def test_a_finished_folder_is_refused_to_another_spec_and_stays_as_it_is(tmp_path: Path) -> None:
    run(GENERATE, tmp_path / "out")
    before = name_of(tmp_path / "out")
    with pytest.raises(ConfigError, match="another spec"):
        run({**GENERATE, "seed": 6}, tmp_path / "out")
    assert name_of(tmp_path / "out") == before


def test_the_same_spec_over_changed_inputs_is_refused(tmp_path: Path) -> None:
    spec = match_spec(tmp_path)
    run(spec, tmp_path / "out")
    (tmp_path / "data.jsonl").write_text(json.dumps({"id": "r", "text": "changed"}) + "\n")
    with pytest.raises(ConfigError, match="other inputs"):
        run(spec, tmp_path / "out")


def test_a_result_whose_output_was_changed_is_not_reused(tmp_path: Path) -> None:
    run(GENERATE, tmp_path / "out")
    (tmp_path / "out" / "dataset.jsonl").write_text("{}\n")
    with pytest.raises(DataError, match="'dataset' was changed"):
        run(GENERATE, tmp_path / "out")


def test_a_folder_with_strange_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match=r"not empty \(thesis.tex\)"):
        run(GENERATE, tmp_path)


def test_two_runs_never_write_one_folder(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out" / ".lock"), pytest.raises(StorageError, match="another run") as caught:
        run(GENERATE, tmp_path / "out")
    assert caught.value.retryable


def test_a_failed_run_leaves_its_error_and_goes_on_where_it_was(tmp_path: Path, verb: Callable[[Verb], None]) -> None:
    def diverge(spec: Any, out: Path, report: Any) -> dict[str, Any]:
        (out / "checkpoints").mkdir()
        (out / "checkpoints" / "step").write_text("7")
        raise DivergenceError("the loss is NaN at step 8")

    def go_on(spec: Any, out: Path, report: Any) -> dict[str, Any]:
        return {"from": int((out / "checkpoints" / "step").read_text())}

    spec = match_spec(tmp_path)
    verb(diverge)
    with pytest.raises(DivergenceError):
        run(spec, tmp_path / "out")
    error = json.loads((tmp_path / "out" / "error.json").read_bytes())
    assert error == {"type": "DivergenceError", "retryable": False, "messages": ["the loss is NaN at step 8"]}
    verb(go_on)
    result, events = run(spec, tmp_path / "out")
    assert result.metrics == {"from": 7}
    assert events[0]["resumed"] is True
    assert "checkpoints" not in result.outputs
    assert not (tmp_path / "out" / "error.json").exists()


def test_a_begun_folder_is_refused_to_another_spec(tmp_path: Path, verb: Callable[[Verb], None]) -> None:
    def fail(spec: Any, out: Path, report: Any) -> dict[str, Any]:
        raise DeviceError("gone")

    verb(fail)
    spec = match_spec(tmp_path)
    with pytest.raises(DeviceError):
        run(spec, tmp_path / "out")
    with pytest.raises(ConfigError, match="begun with another spec"):
        run({**spec, "seed": 1}, tmp_path / "out")


def test_wrong_input_found_before_the_work_leaves_the_folder_free(tmp_path: Path, verb: Callable[[Verb], None]) -> None:
    def refuse(spec: Any, out: Path, report: Any) -> dict[str, Any]:
        raise ConfigError("spec.config.shard: unknown field")

    def late(spec: Any, out: Path, report: Any) -> dict[str, Any]:
        (out / "half").mkdir()
        raise DataError("damaged")

    spec = match_spec(tmp_path)
    verb(refuse)
    with pytest.raises(ConfigError, match="unknown field"):
        run(spec, tmp_path / "out")
    verb(late)
    with pytest.raises(DataError, match="damaged"):
        run({**spec, "seed": 1}, tmp_path / "out")
    with pytest.raises(ConfigError, match="begun with another spec"):
        run({**spec, "seed": 2}, tmp_path / "out")


def test_a_folder_that_cannot_be_made_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="choose"):
        run(GENERATE, tmp_path / ("long" * 100))


def test_a_full_disk_and_a_full_device_are_told_in_words(tmp_path: Path, verb: Callable[[Verb], None]) -> None:
    class OutOfMemoryError(RuntimeError):
        """Named as torch names its own."""

    def full(spec: Any, out: Path, report: Any) -> dict[str, Any]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def memory(spec: Any, out: Path, report: Any) -> dict[str, Any]:
        raise OutOfMemoryError("tried to allocate 9 GiB")

    spec = match_spec(tmp_path)
    verb(full)
    with pytest.raises(StorageError, match="disk is full"):
        run(spec, tmp_path / "disk")
    verb(memory)
    with pytest.raises(DeviceError, match="too little memory"):
        run(spec, tmp_path / "memory")


@contextmanager
def short_files(limit: int) -> Iterator[None]:
    """No file may grow beyond `limit` bytes: what the system then says goes the way of a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_refuses_a_library_in_rust_is_told_in_words_too(
    tmp_path: Path, verb: Callable[[Verb], None]
) -> None:
    def weights(spec: Any, out: Path, report: Any) -> dict[str, Any]:
        with short_files(4096):
            save_file({"weights": np.zeros(100_000, dtype=np.float32)}, out / "model.safetensors")
        return {}

    def tokenizer(spec: Any, out: Path, report: Any) -> dict[str, Any]:
        core = Tokenizer(WordLevel({f"word{number}": number for number in range(10_000)}, "word0"))
        with short_files(4096):
            core.save(str(out / "tokenizer.json"))
        return {}

    spec = match_spec(tmp_path)
    for number, refused in enumerate((weights, tokenizer)):
        verb(refused)
        with pytest.raises(StorageError, match="File too large; choose a place that can be written"):
            run(spec, tmp_path / f"disk-{number}")


def test_words_of_a_library_about_a_full_disk_are_understood(tmp_path: Path, verb: Callable[[Verb], None]) -> None:
    def full(spec: Any, out: Path, report: Any) -> dict[str, Any]:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    verb(full)
    with pytest.raises(StorageError, match="disk is full"):
        run(match_spec(tmp_path), tmp_path / "out")


def test_a_fault_of_the_engine_is_not_dressed_up(tmp_path: Path, verb: Callable[[Verb], None]) -> None:
    def fault(spec: Any, out: Path, report: Any) -> dict[str, Any]:
        raise ZeroDivisionError

    verb(fault)
    with pytest.raises(ZeroDivisionError):
        run(match_spec(tmp_path), tmp_path / "out")
    assert not (tmp_path / "out" / "result.json").exists()


def test_a_metric_that_is_not_a_number_is_a_fault_and_no_result(tmp_path: Path, verb: Callable[[Verb], None]) -> None:
    verb(lambda spec, out, report: {"loss": float("nan")})
    with pytest.raises(ValueError, match="not JSON compliant"):
        run(match_spec(tmp_path), tmp_path / "out")
    assert not (tmp_path / "out" / "result.json").exists()


def test_inputs_come_from_the_store_and_are_named_in_the_result(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    spec = match_spec(tmp_path)
    stored = {**spec, "works": store.put(spec["works"]), "dataset": store.put(spec["dataset"])}
    result, _ = run(stored, tmp_path / "out", store)
    assert result.inputs == {"works": stored["works"], "dataset": stored["dataset"]}
    assert result.metrics["hits"]["exact"] == 1
    assert not (tmp_path / "out" / ".inputs").exists()
    by_path, _ = run(spec, tmp_path / "by-path")
    assert by_path.inputs == result.inputs


def test_damaged_inputs_are_all_named_with_their_fields(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    spec = {"verb": "match", "works": "sha256:" + "1" * 64, "dataset": "sha256:" + "2" * 64}
    with pytest.raises(DataError) as caught:
        run(spec, tmp_path / "out", store)
    assert [m.split(":")[0] for m in caught.value.messages] == ["spec.works", "spec.dataset"]


def test_every_problem_of_a_spec_is_reported_at_once_and_before_anything_is_written(tmp_path: Path) -> None:
    bad = {
        "verb": "unlearn",
        "method": "wishing",
        "model": "/no/such/model",
        "dataset": "sha256:" + "0" * 64,
        "seed": -1,
        "colour": "red",
    }
    with pytest.raises(ConfigError) as caught:
        run(bad, tmp_path / "out")
    text = "\n".join(caught.value.messages)
    for part in ("colour", "forget_ids: missing", "wishing", "/no/such/model", "artefact store", "seed: -1"):
        assert part in text
    assert not (tmp_path / "out").exists()


def test_a_model_of_the_hub_is_no_missing_path(tmp_path: Path) -> None:
    spec = {**match_spec(tmp_path), "verb": "unlearn", "method": "graddiff", "model": "org/model"}
    spec["forget_ids"] = spec.pop("works")
    assert runner.check(spec)
    with pytest.raises(ConfigError, match="spec.model"):
        runner.check({**spec, "model": "./org/model"})


def test_an_event_is_strict_json() -> None:
    line = to_line({"event": "progress", "loss": float("nan"), "nested": [float("inf"), 1.5], "path": Path("x")})
    assert json.loads(line) == {"event": "progress", "loss": None, "nested": [None, 1.5], "path": "x"}
    with pytest.raises(ConfigError, match="unknown"):
        to_line({"event": "rumour"})
