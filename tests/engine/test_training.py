"""The loop is deterministic, survives kills bit for bit, and stops rather than writing nonsense."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.engine.conftest import Corpus
from unlearning_engine import checkpoints
from unlearning_engine.configs import build
from unlearning_engine.contracts import TrainSpec, to_json
from unlearning_engine.errors import ConfigError, DataError, DivergenceError, StorageError
from unlearning_engine.recipes import CHECKPOINTS, TrainConfig, train
from unlearning_engine.training import LoopConfig, Step, learning_rate, run


class Killed(Exception):
    """Stands for a kill in tests that stay in one process."""


def killed_at(step: int) -> Any:
    def report(event: dict[str, Any]) -> None:
        if event.get("step", 0) >= step:
            raise Killed

    return report


def interrupted(spec: TrainSpec, out: Path, step: int = 45) -> None:
    with pytest.raises(Killed):
        train(spec, out, killed_at(step))


# ---------------------------------------------------------------- the schedule


def test_the_learning_rate_rises_stays_and_falls_to_nothing() -> None:
    config = LoopConfig(learning_rate=1.0, warmup=0.1, decay=0.5)
    rates = [learning_rate(config, step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == 1.0 and rates[49] == 1.0
    assert rates[75] == pytest.approx(0.5) and rates[99] == pytest.approx(0.02)
    assert all(0 < rate <= 1 for rate in rates)


def test_a_wrong_configuration_is_refused_with_all_its_faults() -> None:
    wrong = {"learning_rate": -1, "epochs": 1.5, "batch_size": 0, "decay": float("nan"), "nonsense": 1, "clip": "x"}
    with pytest.raises(ConfigError) as caught:
        build(TrainConfig, wrong, "spec.config")
    text = str(caught.value)
    assert all(f"spec.config.{name}:" in text for name in wrong)
    with pytest.raises(ConfigError, match="warmup"):
        LoopConfig(warmup=0.6, decay=0.6)


# ---------------------------------------------------------------- determinism and resuming


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_a_resumed_run_ends_in_the_very_same_weights(corpus: Corpus, tmp_path: Path, architecture: str) -> None:
    spec = corpus.spec(architecture, checkpoint_every=20)
    whole = train(spec, tmp_path / "whole")
    interrupted(spec, tmp_path / "cut")
    resumed = train(spec, tmp_path / "cut")
    assert resumed["resumed_from"] == 40 and resumed["steps"] == whole["steps"] == 100
    assert resumed["weights_digest"] == whole["weights_digest"]


def test_a_killed_process_is_resumed_bit_for_bit(corpus: Corpus, tmp_path: Path) -> None:
    spec = corpus.spec("gpt2", checkpoint_every=20)
    code = (
        "import sys, json, os, signal\n"
        "from unlearning_engine.contracts import parse\nfrom unlearning_engine.recipes import train\n"
        "def report(e):\n    if e.get('step', 0) >= 70: os.kill(os.getpid(), signal.SIGKILL)\n"
        "train(parse(json.loads(sys.argv[1])), sys.argv[2], report)"
    )
    import json

    program = [sys.executable, "-c", code, json.dumps(to_json(spec)), str(tmp_path / "cut")]
    ended = subprocess.run(program, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert not (tmp_path / "cut" / "model").exists()
    resumed = train(spec, tmp_path / "cut")
    assert resumed["resumed_from"] == 60
    assert resumed["weights_digest"] == train(spec, tmp_path / "whole")["weights_digest"]


def test_a_damaged_checkpoint_is_passed_over_and_said_so(corpus: Corpus, tmp_path: Path) -> None:
    spec = corpus.spec(checkpoint_every=20)
    interrupted(spec, tmp_path)
    newest = sorted((tmp_path / CHECKPOINTS).glob("step-*"))[-1] / "state.safetensors"
    newest.write_bytes(newest.read_bytes()[:-7] + b"garbage")
    events: list[dict[str, Any]] = []
    resumed = train(spec, tmp_path, events.append)
    assert resumed["resumed_from"] == 20
    assert [e for e in events if e["event"] == "warning" and "step-00000040" in e["message"]]
    assert resumed["weights_digest"] == train(spec, tmp_path / "whole")["weights_digest"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}"])
def test_a_checkpoint_cut_short_is_named(corpus: Corpus, tmp_path: Path, content: bytes) -> None:
    interrupted(corpus.spec(checkpoint_every=20), tmp_path)
    folder = checkpoints.place(tmp_path / CHECKPOINTS, 40)
    (folder / "state.json").write_bytes(content)
    with pytest.raises(DataError, match="step-00000040"):
        checkpoints.read(folder)


def test_checkpoints_of_another_job_are_refused(corpus: Corpus, tmp_path: Path) -> None:
    interrupted(corpus.spec(checkpoint_every=20), tmp_path)
    with pytest.raises(DataError, match="another job"):
        train(corpus.spec(checkpoint_every=20, learning_rate=0.02), tmp_path)


def test_a_finished_run_leaves_no_checkpoints(corpus: Corpus, tmp_path: Path) -> None:
    train(corpus.spec(checkpoint_every=20), tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model"]


def test_a_refusing_disk_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("a file where the folder should be")
    model = torch.nn.Linear(2, 2)
    with pytest.raises(StorageError, match="free space"):
        checkpoints.write(tmp_path / "checkpoints", 1, model, torch.optim.AdamW(model.parameters()), {})


# ---------------------------------------------------------------- divergence and stop rules


class Faulty:
    """Loss that falls, then is not a number."""

    total = 10

    def __init__(self, value: float, at: int = 7) -> None:
        self._value, self._at = value, at

    def step(self, model: Any, number: int) -> Step:
        loss = (model.weight**2).sum()
        return Step(loss * self._value if number == self._at else loss, {"seen": float(number)})

    def enough(self, numbers: Mapping[str, float]) -> bool:
        return False


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_divergence_keeps_the_last_good_checkpoint(tmp_path: Path, value: float) -> None:
    model: Any = torch.nn.Linear(2, 2)
    config = LoopConfig(checkpoint_every=3)
    with pytest.raises(DivergenceError, match="step-00000006"):
        run(model, Faulty(value), config, seed=0, folder=tmp_path, identity="x")
    assert checkpoints.read(checkpoints.place(tmp_path, 6))[0]["step"] == 6
    assert torch.isfinite(model.weight).all()


def test_a_gradient_that_is_not_finite_is_divergence_too() -> None:
    class Root(Faulty):
        def step(self, model: Any, number: int) -> Step:
            return Step((model.weight - model.weight.detach()).abs().sum().sqrt())

    with pytest.raises(DivergenceError, match="gradient"):
        run(torch.nn.Linear(2, 2), Root(1.0), LoopConfig(), seed=0)  # type: ignore[arg-type]


def test_weights_that_were_broken_before_the_first_step_are_named() -> None:
    model: Any = torch.nn.Linear(2, 2)
    with torch.no_grad():
        model.bias[1] = math.nan
    with pytest.raises(DivergenceError, match=r"not finite numbers \(bias\); restore the model"):
        run(model, Faulty(math.nan, at=0), LoopConfig(), seed=0)


def test_a_stop_rule_ends_the_run_and_the_last_step_is_reported() -> None:
    class Enough(Faulty):
        def enough(self, numbers: Mapping[str, float]) -> bool:
            return numbers["seen"] >= 4

    events: list[dict[str, Any]] = []
    outcome = run(torch.nn.Linear(2, 2), Enough(1.0), LoopConfig(), seed=0, report=events.append)  # type: ignore[arg-type]
    assert outcome.stopped_early and outcome.steps == 5
    assert events[-1]["step"] == 5 and events[-1]["total"] == 10


def test_training_on_nothing_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    everything = tmp_path / "all.txt"
    everything.write_text("\n".join(r.id for r in corpus.records))
    spec = corpus.spec()
    with pytest.raises(DataError, match="nothing to train on"):
        train(TrainSpec(**{**spec.__dict__, "exclude_ids": str(everything)}), tmp_path)


def test_gradients_are_gathered_and_no_step_beyond_the_objectives_is_taken() -> None:
    class Counting:
        total = 7

        def __init__(self) -> None:
            self.asked: list[int] = []

        def step(self, model: Any, number: int) -> Step:
            self.asked.append(number)
            return Step(model(torch.full((1, 1), float(number))).sum(), {"number": float(number)})

        def enough(self, numbers: Mapping[str, float]) -> bool:
            return False

    def weights(size: int, clip: float = 1e6) -> tuple[list[int], torch.Tensor, list[dict[str, Any]]]:
        torch.manual_seed(1)
        model, objective, events = torch.nn.Linear(1, 1), Counting(), []
        config = LoopConfig(accumulate=size, warmup=0.0, decay=0.0, clip=clip, checkpoint_every=0)
        outcome = run(model, objective, config, seed=1, report=events.append)
        assert outcome.steps == -(-7 // size)
        return objective.asked, model.weight.detach(), events

    asked, gathered, events = weights(3)
    assert asked == list(range(7))
    # The mean of steps 0 to 2 has the gradient of step 1; the last update has step 6 alone.
    assert [e["number"] for e in events] == [1.0, 4.0, 6.0]
    assert not torch.equal(gathered, weights(1)[1])
