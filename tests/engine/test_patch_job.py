"""`patch-make` as a job gives the very patch that `patch make` gives, and applies bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.engine.patching import read, same, write
from unlearning_engine.errors import DataError
from unlearning_engine.patches.applying import apply
from unlearning_engine.runner import run

BASE = {"a": torch.arange(12, dtype=torch.float32).reshape(3, 4), "b": torch.ones(5)}


def test_the_job_leaves_a_patch_that_leads_from_base_to_model(tmp_path: Path) -> None:
    after = {**BASE, "a": BASE["a"] + torch.eye(3, 4)}
    before, model = write(tmp_path / "base", BASE), write(tmp_path / "model", after)
    spec = {"verb": "patch-make", "base": str(before), "model": str(model)}
    result = run(spec, tmp_path / "out", store=None, report=lambda event: None)
    assert "patch" in result.outputs and result.metrics["confidential"] is True
    apply(before, [tmp_path / "out" / "patch"], tmp_path / "again")
    assert same(read(tmp_path / "again"), after)


def test_a_model_that_did_not_change_has_no_patch(tmp_path: Path) -> None:
    before, model = write(tmp_path / "base", BASE), write(tmp_path / "model", BASE)
    with pytest.raises(DataError, match="nothing to ship"):
        run(
            {"verb": "patch-make", "base": str(before), "model": str(model)},
            tmp_path / "out",
            store=None,
            report=lambda event: None,
        )
