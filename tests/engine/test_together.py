"""Several processes that share one model's weights end where one ends, go on after a kill, and leave none behind."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.engine.conftest import ARCHITECTURES, Corpus
from tests.engine.joint_jobs import together
from tests.engine.test_methods import changed, spec
from tests.engine.test_unlearn_stops import overflowing
from unlearning_engine import checkpoints, launching, models, stored
from unlearning_engine.contracts import UnlearnSpec, parse, to_json
from unlearning_engine.errors import ConfigError, DeviceError, DivergenceError
from unlearning_engine.methods import METHODS, splitting, unlearn
from unlearning_engine.recipes import CHECKPOINTS, train

TWO: dict[str, Any] = {"accumulate": 2, "epochs": 3}
#: GPT-2 without dropout: each process draws its own random numbers.
STILL = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
#: How far apart weights may end. The gradient of a key's bias is float error alone, of which AdamW makes steps.
APART = {"narrow": 1e-3, "with gpt2": 5e-4, "with gpt_neox": 5e-4, "taken back": 1e-4}
#: A run that goes too far, and of which the best look is kept.
LOOKS: dict[str, Any] = {
    "utility_floor": 0.9, "stop_below": 0.5, "epochs": 40, "learning_rate": 2e-3, "watch_looks": 20,
}  # fmt: skip
SPLIT = sorted(name for name in METHODS if name not in splitting.ALONE)


def job(corpus: Corpus, model: Path, name: str, *, processes: int = 2, **settings: Any) -> UnlearnSpec:
    settings = {**TWO, **settings}
    return spec(corpus, model, name, config=changed(name, **settings), processes=processes)


def difference(one: Path, other: Path) -> float:
    """The largest difference of any weight."""
    first, second = (models.load_model(folder / "model", device="cpu").state_dict() for folder in (one, other))
    assert set(first) == set(second)
    return max(float((first[name] - second[name]).abs().max()) for name in first)


# ---------------------------------------------------------------- the same result


def test_two_processes_end_where_one_does(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    """Every method, adapters, a frozen copy, checkpointed gradients, tied and untied heads, a last update of one, the
    best look that is kept and taken back."""
    jobs = {name: job(corpus, trained, name) for name in SPLIT if name != "correct"}
    jobs["frozen"] = job(corpus, trained, "graddiff", retain_loss="kl", gradient_checkpointing=True)
    jobs["steered"] = job(corpus, trained, "rmu", layer=1, retain_batch_size=3)
    jobs["adapters"] = job(corpus, trained, "npo", lora_rank=4)
    jobs["narrow"] = job(corpus, trained, "npo", dtype="bfloat16")
    for architecture, tied in (("llama", False), ("gpt2", True), ("gpt_neox", False)):
        still = STILL if architecture == "gpt2" else {}
        shape = {**ARCHITECTURES[architecture], "tie_word_embeddings": tied, **still}
        train(corpus.spec(epochs=1, model=shape), tmp_path / architecture)
        jobs[f"with {architecture}"] = job(corpus, tmp_path / architecture / "model", "npo", steps=3, epochs=30)
    jobs["taken back"] = job(corpus, trained, "ascent", bound=50.0, **LOOKS)
    events: list[dict[str, Any]] = []
    several = together(jobs, tmp_path / "two", events.append)
    for name, own in jobs.items():
        alone = unlearn(dataclasses.replace(own, processes=1), tmp_path / "one" / name)
        one, two = (tmp_path / folder / name for folder in ("one", "two"))
        assert difference(one, Path(own.model).parent) > 1e-3, name
        assert difference(one, two) < APART.get(name, 1e-5), name
        assert several[name]["steps"] == alone["steps"], name
        assert several[name]["loss"] == pytest.approx(alone["loss"], rel=1e-3), name
        assert stored.tensors(two / "model") == stored.tensors(Path(own.model)), name
        assert (several[name]["processes"], several[name]["devices"]) == (2, "cpu") and "processes" not in alone
        assert not (two / CHECKPOINTS).exists()
        if name == "taken back":
            looks = [metrics["frontier"] for metrics in (alone, several[name])]
            assert looks[0]["stopped"] and 0 < looks[0]["kept_step"] < looks[0]["curve"][-1]["step"]
            assert looks[0]["kept_step"] == looks[1]["kept_step"] and looks[1]["stopped"]
    assert {event["event"] for event in events} == {"progress"}
    assert [e["step"] for e in events if e["stage"] == "altpo"] == [1, 2, 3]


def test_the_same_spec_gives_the_same_bits_and_a_killed_run_goes_on_to_them(corpus: Corpus, tmp_path: Path) -> None:
    """With dropout: random numbers come from seed, step and process."""
    train(corpus.spec("gpt2", epochs=1), tmp_path / "source")

    class Killed(Exception):
        pass

    def report(event: dict[str, Any]) -> None:
        assert event["event"] == "progress"
        if event.get("step", 0) >= 25:
            raise Killed

    spec = job(corpus, tmp_path / "source" / "model", "npo", epochs=30, checkpoint_every=10)
    with pytest.raises(Killed):
        unlearn(spec, tmp_path / "cut", report)
    kept = sorted(path.name for path in (tmp_path / "cut" / CHECKPOINTS).glob("step-*"))
    assert kept[0] == "step-00000010" and checkpoints.read(tmp_path / "cut" / CHECKPOINTS / kept[-1])[0]["step"] == 20
    found = together({"cut": spec, "whole": spec}, tmp_path)
    resumed, whole = found["cut"], found["whole"]
    assert (resumed["resumed_from"], resumed["steps"]) == (20, 30)
    assert resumed["weights_digest"] == whole["weights_digest"]
    one, two = (UnlearnSpec(**{**vars(spec), "processes": n}) for n in (1, 2))
    assert {k: v for k, v in to_json(one).items() if to_json(two)[k] != v} == {"processes": 1}


# ---------------------------------------------------------------- what is refused, and what goes wrong


@pytest.mark.parametrize("name", sorted(splitting.ALONE))
def test_a_method_that_runs_in_one_process_says_why(corpus: Corpus, trained: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=f"spec.processes: 2, but {name} runs in one process: "):
        unlearn(dataclasses.replace(spec(corpus, trained, "npo"), method=name, processes=2, config={}), tmp_path)
    assert not list(tmp_path.iterdir())


def test_everything_that_does_not_go_with_processes_is_named_at_once(
    corpus: Corpus, trained: Path, tmp_path: Path
) -> None:
    wrong = job(corpus, trained, "npo", processes=3)
    with pytest.raises(ConfigError) as caught:
        unlearn(dataclasses.replace(wrong, tune=2, request="r.json"), tmp_path)
    assert [message.split(":")[0] for message in caught.value.messages] == [
        "spec.tune",
        "spec.processes",
        "spec.config.accumulate",
    ]
    with pytest.raises(ConfigError, match="spec.processes: 0 is less than 1"):
        parse({**to_json(wrong), "processes": 0})
    with pytest.raises(ConfigError, match="one device and spec.processes are 2"):
        launching.devices("cuda:1", 2)
    if torch.cuda.device_count() < 99:
        with pytest.raises(DeviceError, match="99 need as many CUDA devices"):
            launching.devices("cuda", 99)


def test_an_error_of_one_process_is_told_as_it_is_and_ends_all(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    broken = overflowing(trained, tmp_path / "broken")
    with pytest.raises(DivergenceError, match=r"step 0: the loss is nan .* no checkpoint was made yet"):
        unlearn(job(corpus, broken, "npo", watch_looks=0), tmp_path / "out")
    assert not multiprocessing.active_children()


def children(pid: int) -> list[int]:
    """Processes that a process has started, those that track its semaphores aside."""
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, path.read_text().split()):
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(child)
    return found


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads /proc")
@pytest.mark.parametrize("how", ["one dies", "starter dies", "ctrl-c"])
def test_they_stand_and_fall_together(corpus: Corpus, trained: Path, tmp_path: Path, how: str) -> None:
    (tmp_path / "spec.json").write_text(
        json.dumps(to_json(job(corpus, trained, "npo", epochs=20_000, checkpoint_every=5)))
    )
    command = [sys.executable, "-m", "unlearning_engine", "unlearn", str(tmp_path / "spec.json"), "--out"]
    process = subprocess.Popen(
        [*command, str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        deadline = time.monotonic() + 90
        while not list((tmp_path / "out" / CHECKPOINTS).glob("step-*")) and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.1)
        started = children(process.pid)
        assert len(started) == 2
        os.kill(started[1] if how == "one dies" else process.pid, signal.SIGINT if how == "ctrl-c" else signal.SIGKILL)
        _, told = process.communicate(timeout=60)
        if how == "one dies":
            assert process.returncode == 1 and "was killed (exit code -9" in told and "Traceback" not in told
        elif how == "ctrl-c":
            assert process.returncode == 130 and "last checkpoint" in told and "Traceback" not in told
        deadline = time.monotonic() + 20
        while any(Path(f"/proc/{pid}").exists() for pid in started) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not any(Path(f"/proc/{pid}").exists() for pid in started)
        assert checkpoints.newest(tmp_path / "out" / CHECKPOINTS, print)
    finally:
        if process.poll() is None:
            process.kill()
