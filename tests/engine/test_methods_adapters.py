"""Adapters in place of full weights: every method runs over them, and what is not named stays as it was."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.engine.conftest import Corpus
from tests.engine.test_methods import CONFIGS, UNHELD, loss, parts, spec
from unlearning_engine import models
from unlearning_engine.errors import ConfigError
from unlearning_engine.methods import METHODS, unlearn
from unlearning_engine.methods.base import ForgetConfig

LORA: dict[str, Any] = {"lora_rank": 8, "lora_alpha": 32}
NAMES = sorted(n for n, m in METHODS.items() if issubclass(m.Config, ForgetConfig) and n != "undo")  # which refuses


@pytest.mark.parametrize("name", NAMES)
def test_a_method_forgets_by_adapters_alone_and_leaves_a_plain_model(
    corpus: Corpus, trained: Path, tmp_path: Path, name: str
) -> None:
    before = models.load_model(trained, device="cpu").state_dict()
    forget, retain = parts(corpus)
    unlearn(spec(corpus, trained, name, config={**CONFIGS[name], **LORA}), tmp_path)
    after = AutoModelForCausalLM.from_pretrained(tmp_path / "model").state_dict()
    assert set(after) == set(before)
    touched = {key for key in before if not torch.equal(before[key], after[key])}
    assert touched and all("proj" in key for key in touched)
    assert loss(tmp_path / "model", forget) > loss(trained, forget) + 0.2
    assert loss(tmp_path / "model", retain) < (0.7 if name not in UNHELD else 4.0)


def test_only_the_named_layers_get_adapters(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    before = models.load_model(trained, device="cpu").state_dict()
    config = {**CONFIGS["npo"], **LORA, "lora_targets": ["q_proj", "mlp.up_proj"], "epochs": 2}
    unlearn(spec(corpus, trained, "npo", config=config), tmp_path)
    after = models.load_model(tmp_path / "model", device="cpu").state_dict()
    touched = {key.split(".", 3)[3] for key in before if not torch.equal(before[key], after[key])}
    assert touched == {"self_attn.q_proj.weight", "mlp.up_proj.weight"}


def test_a_layer_that_does_not_exist_is_answered_with_those_that_do(
    corpus: Corpus, trained: Path, tmp_path: Path
) -> None:
    config = {**CONFIGS["npo"], **LORA, "lora_targets": ["qproj", "proj"]}
    with pytest.raises(ConfigError) as caught:
        unlearn(spec(corpus, trained, "npo", config=config), tmp_path / "a")
    assert len(caught.value.messages) == 2 and "self_attn.q_proj" in caught.value.messages[0]
    with pytest.raises(ConfigError, match="no linear layer 'down'; it has self_attn.q_proj"):
        unlearn(spec(corpus, trained, "rmu", config={**CONFIGS["rmu"], "matrices": ["down"]}), tmp_path / "b")


def test_a_killed_run_over_adapters_goes_on_to_the_same_weights(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def report(event: dict[str, Any]) -> None:
        if event.get("step", 0) >= 25:
            raise Killed

    job = spec(corpus, trained, "npo", config={**CONFIGS["npo"], **LORA, "checkpoint_every": 10})
    with pytest.raises(Killed):
        unlearn(job, tmp_path / "cut", report)
    assert unlearn(job, tmp_path / "cut")["resumed_from"] == 20
    whole = unlearn(dataclasses.replace(job), tmp_path / "whole")
    one, other = (models.weights_digest(tmp_path / name / "model") for name in ("cut", "whole"))
    assert one == other == whole["weights_digest"]
