"""Perturbing and learning again: how much is fresh, what is read, what the watch compares with."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from tests.engine.conftest import Corpus
from tests.engine.test_methods import CONFIGS, loss, parts, spec
from unlearning_engine import models
from unlearning_engine.data import write_records
from unlearning_engine.errors import ConfigError
from unlearning_engine.methods import unlearn
from unlearning_engine.methods.undo import perturb


def test_noise_is_the_share_of_each_matrix_that_is_fresh(trained: Path) -> None:
    before = models.load_model(trained, device="cpu").state_dict()
    half, whole = (models.load_model(trained, device="cpu") for _ in range(2))
    perturb(half, 0.5, 7)
    perturb(whole, 1.0, 7)
    for name, value in half.named_parameters():
        fresh = whole.state_dict()[name]
        expected = (before[name] + fresh) / 2 if value.dim() > 1 else before[name]
        assert torch.allclose(value, expected, atol=1e-6), name
    again = models.load_model(trained, device="cpu")
    perturb(again, 0.0, 7)
    assert all(torch.equal(value, before[name]) for name, value in again.state_dict().items())


def test_the_forget_set_is_not_read(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    forget, retain = parts(corpus)
    write_records(tmp_path / "retain.jsonl", retain)
    digests = set()
    for number, rows in enumerate((forget, forget[:1])):
        write_records(tmp_path / f"forget-{number}.jsonl", rows)
        job = dataclasses.replace(
            spec(corpus, trained, "undo", dataset="", forget_ids=""),
            forget=str(tmp_path / f"forget-{number}.jsonl"),
            retain=str(tmp_path / "retain.jsonl"),
        )
        unlearn(job, tmp_path / str(number))
        digests.add(models.weights_digest(tmp_path / str(number) / "model"))
    assert len(digests) == 1


def test_the_watch_compares_with_the_original_and_not_with_the_perturbed(
    corpus: Corpus, trained: Path, tmp_path: Path
) -> None:
    curve = unlearn(spec(corpus, trained, "undo"), tmp_path)["frontier"]["curve"]
    assert curve[0]["forget"] > 0.8 and curve[1]["lowest"] < 0.95 and curve[-1]["lowest"] > 0.8


def test_a_teacher_helps_what_stays(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    config = {**CONFIGS["undo"], "epochs": 24}
    unlearn(spec(corpus, trained, "undo", config=config), tmp_path / "alone")
    unlearn(spec(corpus, trained, "undo", config={**config, "teacher_weight": 1.0}), tmp_path / "taught")
    one, other = (models.weights_digest(tmp_path / name / "model") for name in ("alone", "taught"))
    assert one != other and loss(tmp_path / "taught" / "model", parts(corpus)[1]) < 1.0


def test_adapters_are_refused(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="trains every weight"):
        unlearn(spec(corpus, trained, "undo", config={"lora_rank": 4}), tmp_path)
