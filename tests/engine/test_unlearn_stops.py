"""A run of unlearning that is stopped, or whose loss is no number, keeps its last checkpoint and says how to go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch

from tests.engine.conftest import Corpus
from tests.engine.test_methods import changed, spec
from unlearning_engine import checkpoints, models
from unlearning_engine.contracts import to_json
from unlearning_engine.recipes import CHECKPOINTS


def overflowing(source: Path, folder: Path) -> Path:
    """The same model with weights, finite ones, so large that its losses are not numbers."""
    loaded = models.load(source, device="cpu")
    with torch.no_grad():
        next(p for p in loaded.model.parameters() if p.dim() == 1).fill_(torch.finfo(torch.float32).max)
    models.save(folder, loaded.model, loaded.tokenizer)
    return folder


def test_ctrl_c_keeps_the_last_checkpoint_and_the_same_command_goes_on(
    corpus: Corpus, trained: Path, tmp_path: Path
) -> None:
    job = spec(corpus, trained, "npo", config=changed("npo", epochs=120, checkpoint_every=20))
    (tmp_path / "spec.json").write_text(json.dumps(to_json(job)))
    arguments = ["unlearn", str(tmp_path / "spec.json"), "--out", str(tmp_path / "out")]
    kept = tmp_path / "out" / CHECKPOINTS
    command = [sys.executable, "-m", "unlearning_engine", *arguments]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    deadline = time.monotonic() + 90
    while not list(kept.glob("step-*")) and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in told
    assert f"the last checkpoint, is kept in {tmp_path / 'out'}; run the same command again to go on" in told
    newest = checkpoints.newest(kept, print)
    assert newest and newest[0]["step"] >= 20
    assert not (tmp_path / "out" / "model").exists() and not (tmp_path / "out" / "result.json").exists()
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["metrics"]["resumed_from"] == newest[0]["step"]


def test_a_loss_that_is_no_number_exits_with_1_and_says_what_is_kept(
    corpus: Corpus, trained: Path, tmp_path: Path
) -> None:
    job = spec(corpus, trained, "npo", config=changed("npo", checkpoint_every=10))
    assert job.model != str(overflowing(trained, tmp_path / "broken"))
    (tmp_path / "spec.json").write_text(json.dumps({**to_json(job), "model": str(tmp_path / "broken")}))
    command = [sys.executable, "-m", "unlearning_engine", "unlearn", str(tmp_path / "spec.json")]
    done = subprocess.run([*command, "--out", str(tmp_path / "out")], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "the loss is nan" in done.stderr and "lower the learning rate" in done.stderr
    error = json.loads((tmp_path / "out" / "error.json").read_text())
    assert error["type"] == "DivergenceError" and not error["retryable"]
    assert not (tmp_path / "out" / "model").exists()
