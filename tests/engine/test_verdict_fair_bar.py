"""Reference, controls and attacks must fit what is judged: kinship, balance, pooled utility, ensembles."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.engine.score_tables import World
from unlearning_engine.attacks.base import linear_weights
from unlearning_engine.attacks.standard import not_applicable
from unlearning_engine.contracts import Outcome
from unlearning_engine.kinship import kinship
from unlearning_engine.policy import Policy
from unlearning_engine.probes.balance import NEUTRAL, contrasts, kinds_apart
from unlearning_engine.probes.table import Row, ScoreTable
from unlearning_engine.sisa.modeling import SisaConfig, SisaForCausalLM
from unlearning_engine.verdict import judge

POLICY = Policy(resamples=200)
SISA = {"architecture": "lethe_sisa", "tokenizer": "t"}


def codes(table: ScoreTable, policy: Policy = POLICY) -> set[str]:
    return {finding.code for finding in judge(table, policy).findings}


def with_texts(longer: int, *, rarer: float = 0.0) -> ScoreTable:
    """Forget items `longer` tokens longer, `rarer` nats rarer than the controls."""
    table, rng = World(seed=1).table(), np.random.default_rng(0)
    rows = []
    for row in table.rows:
        if row.model == "original" and row.set in ("forget", "controls") and not row.attack:
            more = (longer, rarer) if row.set == "forget" else (0, 0.0)
            tokens, loss = int(rng.integers(8, 14)) + more[0], float(rng.normal(6, 1)) + more[1]
            place = {"set": row.set, "id": row.id, "fact": row.fact, "work": row.work}
            rows.append(Row(model=NEUTRAL, tokens=tokens, loss=loss, **place))
    return ScoreTable(header=table.header, rows=(*table.rows, *rows))


# ---------------------------------------------------------------- utility


def test_utility_is_held_to_a_higher_floor_over_all_items_together() -> None:
    verdict = judge(World(seed=1, utility={"candidate": 0.93, "reference": 0.99}).table(), POLICY)
    found = {p.name: p for p in verdict.probes}
    assert found["utility_pooled"].candidate.n == 250
    assert found["utility_pooled"].limit == 0.95
    assert found["utility_pooled"].outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE)
    assert verdict.outcome != Outcome.PASS


def test_pooled_utility_that_was_not_measured_is_no_pass() -> None:
    table = World(seed=1).table()
    rows = tuple(r for r in table.rows if r.set not in ("retain", "general") or r.attack)
    missing = {f.data.get("probe") for f in judge(ScoreTable(header=table.header, rows=rows), POLICY).findings}
    assert "utility_pooled" in missing


# ---------------------------------------------------------------- controls


def test_controls_like_the_forget_set_are_a_bar() -> None:
    assert "controls_unbalanced" not in codes(with_texts(0))


@pytest.mark.parametrize("changes", [{"longer": 5}, {"longer": -5}, {"longer": 0, "rarer": 2.0}])
def test_controls_of_another_length_or_rarity_are_refused(changes: dict[str, Any]) -> None:
    table = with_texts(**changes)
    assert "controls_unbalanced" in codes(table)
    assert judge(table, POLICY).outcome == Outcome.BAD_INPUT


def test_few_items_show_no_imbalance() -> None:
    settings = POLICY.settings(0)
    assert list(contrasts(with_texts(5), settings, least=30))
    assert not list(contrasts(with_texts(5), settings, least=181))


def test_controls_of_other_kinds_are_refused() -> None:
    alike = {"kinds": {"forget": {"year": 90, "place": 90}, "controls": {"year": 80, "place": 100}}}
    other = {"kinds": {"forget": {"year": 90, "place": 90}, "controls": {"hobby": 180}}}
    assert "controls_unbalanced" not in codes(World(seed=1, header=alike).table())
    assert "controls_unbalanced" in codes(World(seed=1, header=other).table())
    assert kinds_apart(World(seed=1).table()) is None


def test_controls_that_the_original_knows_are_refused() -> None:
    table = World(seed=1, knows_controls=("original",)).table()
    assert "controls_seen" in codes(table)
    assert "controls_seen" not in codes(World(seed=1).table())


# ---------------------------------------------------------------- references


def test_a_reference_that_began_where_another_model_began_is_refused() -> None:
    assert "reference_related" in codes(World(seed=1, header={"kinship": {"original": 0.7}}).table())
    assert "reference_related" not in codes(World(seed=1, header={"kinship": {"original": 0.01}}).table())


def test_weights_tell_a_model_that_was_trained_on_from_one_of_its_own(tmp_path: Path) -> None:
    def saved(name: str, seed: int, moved: float, width: int = 40) -> Path:
        first, noise = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(99)
        folder = tmp_path / name
        folder.mkdir()
        tensors = {}
        for n in range(3):
            start = torch.randn(30, width, generator=first)
            tensors[f"layer{n}"] = start + moved * torch.randn(30, width, generator=noise)
        save_file({**tensors, "norm": torch.ones(width)}, str(folder / "model.safetensors"))
        return folder

    original = saved("original", 1, 0.0)
    own, derived = kinship(saved("own", 2, 0.0), original), kinship(saved("derived", 1, 0.3), original)
    assert own is not None and abs(own) < POLICY.kinship_limit
    assert derived == pytest.approx(1 / np.sqrt(1 + 0.3**2), abs=0.03)
    assert kinship(saved("other shape", 1, 0.0, width=41), original) is None


# ---------------------------------------------------------------- ensembles


def test_steering_is_left_out_where_all_models_are_ensembles_and_nowhere_else() -> None:
    every = {name: {**SISA, "weights": name} for name in ("candidate", "original", "reference")}
    table = World(seed=1, header={"models": every}).table()
    rows = tuple(row for row in table.rows if row.attack != "steering")
    assert judge(ScoreTable(header=table.header, rows=rows), POLICY).outcome == Outcome.PASS
    one = {**every, "original": {**every["original"], "architecture": "llama"}}
    mixed = ScoreTable(header={**table.header, "models": one}, rows=rows)
    assert judge(mixed, POLICY).outcome == Outcome.INCONCLUSIVE
    assert not not_applicable(POLICY.attacks, one)
    assert list(not_applicable(POLICY.attacks, every)) == ["steering"]


def test_the_policy_less_an_attack_asks_for_no_probe_of_it() -> None:
    left = POLICY.without(["steering"])
    assert set(POLICY.margins) - set(left.margins) == {"steering_value", "steering_choice"}
    assert dataclasses.replace(left, attacks=POLICY.attacks, margins=POLICY.margins) == POLICY


def test_no_shards_head_counts_as_a_linear_layer() -> None:
    shard = {
        "model_type": "llama",
        "vocab_size": 40,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "tie_word_embeddings": True,
    }
    model = SisaForCausalLM(SisaConfig(shard=shard, members=[0, 1]))
    names = [name for name, _ in linear_weights(model)]
    assert len(names) == 2 * 7
    assert not any("head" in name for name in names)
