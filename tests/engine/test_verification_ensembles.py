"""An ensemble of shards is verified like any model; what needs one row of hidden states is called not applicable."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.engine.conftest import LLAMA
from tests.engine.small_verifications import POLICY, Small, small
from unlearning_engine import models
from unlearning_engine.contracts import ProbeSpec
from unlearning_engine.probes.table import read_scores
from unlearning_engine.probing import probe
from unlearning_engine.progress import silent
from unlearning_engine.sisa.modeling import SisaConfig, SisaForCausalLM
from unlearning_engine.verification import SCORES

STEERING = {**POLICY, "attacks": ["pruning", "steering"]}


def ensemble(made: Small, name: str, seed: int) -> str:
    """Two untrained shards in place of the model of that name."""
    tokenizer = models.load_tokenizer(made.folder / "original")
    shard = {**LLAMA, "max_position_embeddings": 128, "vocab_size": len(tokenizer), "pad_token_id": 0}
    torch.manual_seed(seed)
    folder = made.folder / f"{name}-ensemble"
    models.save(folder, SisaForCausalLM(SisaConfig(shard=shard, members=[0, 1])), tokenizer)
    return str(folder)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> tuple[Small, dict[str, str]]:
    made = small(tmp_path_factory.mktemp("ensembles"))
    names = ("candidate", "original", "reference")
    return made, {name: ensemble(made, name, seed) for seed, name in enumerate(names)}


def unmeasured(found: dict) -> set[str]:  # type: ignore[type-arg]
    return {f["data"]["probe"] for f in found["findings"] if f["code"] == "not_measured"}


def test_steering_is_not_applicable_where_all_models_are_ensembles(given: tuple[Small, dict[str, str]]) -> None:
    made, refs = given
    found = made.verify("all", policy=STEERING, **refs)
    assert found["attacks_not_applicable"] == {
        "steering": "all models are ensembles of shards, which have no hidden state of their own"
    }
    assert {run["attack"] for run in found["attacks"]} == {"pruning"}
    assert not {name for name in unmeasured(found) if name.startswith("steering")}
    assert all(row.finite for row in read_scores(made.folder / "all" / SCORES).rows)
    assert "steering" in found["policy"]["attacks"]


def test_a_candidate_that_alone_is_an_ensemble_does_not_dodge_steering(given: tuple[Small, dict[str, str]]) -> None:
    made, refs = given
    found = made.verify("one", policy=STEERING, candidate=refs["candidate"])
    assert found["attacks_not_applicable"] == {}
    assert {"steering_value", "steering_choice"} <= unmeasured(found)


def test_probes_of_hidden_states_say_that_they_do_not_apply(
    given: tuple[Small, dict[str, str]], tmp_path: Path
) -> None:
    made, refs = given
    items = str(made.folder / "forget.jsonl")
    found = probe(ProbeSpec(name="representation", model=refs["candidate"], items=items), tmp_path, silent)
    assert found["outcome"] == "inconclusive"
    assert "not applicable: an ensemble" in json.dumps(found["measures"])
