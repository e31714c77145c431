"""Shards as one language model: aggregation, padding, generation, and the folder that transformers loads."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.engine.conftest import ARCHITECTURES, Corpus
from unlearning_engine import models
from unlearning_engine.attacks.steering import layers
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.probes.hidden import blocks
from unlearning_engine.probes.scorer import greedy
from unlearning_engine.sisa import modeling
from unlearning_engine.sisa.export import export
from unlearning_engine.sisa.modeling import AGGREGATIONS, SisaConfig, SisaForCausalLM
from unlearning_engine.tokens import encode, encode_prompts
from unlearning_engine.training import LoopConfig, Supervised, forward, run

PAD = 0


def ensemble(architecture: str = "llama", aggregation: str = "posterior", **changes: Any) -> Any:
    """Three untrained shards with weights large enough to disagree."""
    shard = {**ARCHITECTURES[architecture], "vocab_size": 40, "initializer_range": 0.3, "pad_token_id": PAD}
    torch.manual_seed(5)
    config = SisaConfig(shard=shard, **{"members": [0, 1, 2], "aggregation": aggregation, **changes})
    return SisaForCausalLM(config).eval()


def tokens(rows: int = 4, length: int = 9, seed: int = 1) -> torch.Tensor:
    return torch.randint(3, 40, (rows, length), generator=torch.Generator().manual_seed(seed))


def each_shard(model: Any, ids: torch.Tensor) -> list[torch.Tensor]:
    return [shard(input_ids=ids).logits.log_softmax(dim=-1) for shard in model.shards.values()]


def log_probabilities(model: Any, ids: torch.Tensor, **inputs: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=ids, **inputs).logits


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_every_aggregation_gives_a_distribution(aggregation: str) -> None:
    total = log_probabilities(ensemble(aggregation=aggregation), tokens()).logsumexp(dim=-1)
    assert torch.allclose(total, torch.zeros_like(total), atol=1e-4)


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_no_prediction_knows_a_later_token(aggregation: str) -> None:
    model, ids = ensemble(aggregation=aggregation), tokens()
    other = ids.clone()
    other[:, 5:] = tokens(seed=2)[:, 5:]
    assert torch.allclose(log_probabilities(model, ids)[:, :5], log_probabilities(model, other)[:, :5], atol=1e-5)


def test_the_posterior_is_the_mixture_that_bayes_rule_gives() -> None:
    model, ids = ensemble(prior=[1.0, 2.0, 3.0]), tokens()
    with torch.no_grad():
        shards = [one.double() for one in each_shard(model, ids)]
    found = log_probabilities(model, ids)
    for row in range(ids.shape[0]):
        weights = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
        for at in range(ids.shape[1]):
            if at:
                weights = weights * torch.stack([one[row, at - 1, ids[row, at]].exp() for one in shards])
            wanted = sum(w * one[row, at].exp() for w, one in zip(weights / weights.sum(), shards, strict=True))
            assert torch.allclose(found[row, at].double().exp(), wanted, atol=1e-6)


def test_means_votes_and_confidence_are_as_defined() -> None:
    ids = tokens()
    with torch.no_grad():
        shards = torch.stack(each_shard(ensemble(), ids)).exp()
    entropy = -(shards * shards.log()).sum(dim=-1, keepdim=True)
    weighted = (-entropy).exp()
    votes = torch.nn.functional.one_hot(shards.argmax(dim=-1), 40).sum(dim=0)
    surest = shards.amax(dim=-1).argmax(dim=0)
    wanted = {
        "mean_probability": shards.mean(dim=0),
        "entropy_weighted": (shards * weighted).sum(dim=0) / weighted.sum(dim=0),
        "vote": (votes + shards.mean(dim=0)) / 4,
        "confidence": shards.gather(0, surest[None, ..., None].expand(1, -1, -1, 40))[0],
    }
    for aggregation, value in wanted.items():
        found = log_probabilities(ensemble(aggregation=aggregation), ids).exp()
        assert torch.allclose(found, value, atol=1e-5), aggregation


@pytest.mark.parametrize("aggregation", ["posterior", "vote"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_padding_on_either_side_changes_nothing(architecture: str, aggregation: str) -> None:
    model, ids = ensemble(architecture, aggregation), tokens(rows=2, length=7)
    alone = log_probabilities(model, ids)
    filler = torch.full((2, 3), PAD)
    for side in ("left", "right"):
        wide = torch.cat([filler, ids] if side == "left" else [ids, filler], dim=1)
        here = slice(3, None) if side == "left" else slice(0, 7)
        mask = torch.zeros_like(wide)
        mask[:, here] = 1
        assert torch.allclose(log_probabilities(model, wide, attention_mask=mask)[:, here], alone, atol=1e-4), side


@pytest.mark.parametrize("keep", [1, 4, torch.tensor([0, 3, 8])])
def test_only_the_logits_asked_for_come_back(keep: int | torch.Tensor) -> None:
    model, ids = ensemble(), tokens()
    everything = log_probabilities(model, ids)
    wanted = everything[:, -keep:] if isinstance(keep, int) else everything[:, keep]
    assert torch.equal(log_probabilities(model, ids, logits_to_keep=keep), wanted)


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_the_loop_can_train_through_an_aggregation(aggregation: str) -> None:
    model, ids = ensemble(aggregation=aggregation), tokens()
    loss = model(input_ids=ids, labels=ids).loss
    loss.backward()
    moved = [p.grad for p in model.parameters() if p.grad is not None]
    assert moved and all(bool(torch.isfinite(gradient).all()) for gradient in moved)


# ---------------------------------------------------------------- generation


def step_by_step(model: Any, ids: torch.Tensor, mask: torch.Tensor, steps: int) -> torch.Tensor:
    for _ in range(steps):
        best = log_probabilities(model, ids, attention_mask=mask)[:, -1].argmax(dim=-1, keepdim=True)
        ids, mask = torch.cat([ids, best], dim=1), torch.cat([mask, torch.ones_like(best)], dim=1)
    return ids


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_generation_with_a_cache_equals_whole_forward_passes(architecture: str, aggregation: str) -> None:
    model, ids = ensemble(architecture, aggregation), tokens()
    ids[0, :4], ids[1, :2] = PAD, PAD
    mask = (ids != PAD).long()
    wanted = step_by_step(model, ids, mask, 8)
    for use_cache in (True, False):
        settings = {"do_sample": False, "max_new_tokens": 8, "eos_token_id": None, "pad_token_id": PAD}
        found = model.generate(input_ids=ids, attention_mask=mask, use_cache=use_cache, **settings)
        assert torch.equal(found, wanted), use_cache


def test_a_cached_step_gives_the_same_numbers() -> None:
    model, ids = ensemble(), tokens()
    whole = log_probabilities(model, ids)
    with torch.no_grad():
        first = model(input_ids=ids[:, :4], use_cache=True)
        second = model(input_ids=ids[:, 4:8], past_key_values=first.past_key_values, use_cache=True)
        third = model(input_ids=ids[:, 8:], past_key_values=second.past_key_values, use_cache=True)
    assert torch.allclose(torch.cat([first.logits, second.logits, third.logits], dim=1), whole, atol=1e-4)


def test_beams_keep_each_their_own_posterior() -> None:
    model, ids = ensemble(), tokens()
    settings = {"num_beams": 3, "do_sample": False, "max_new_tokens": 6, "eos_token_id": None, "pad_token_id": PAD}
    assert torch.equal(
        model.generate(input_ids=ids, use_cache=True, **settings),
        model.generate(input_ids=ids, use_cache=False, **settings),
    )


# ---------------------------------------------------------------- the folder


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory, corpus: Corpus) -> list[Path]:
    """Two shards that learned one half of the tiny corpus each, prompts included, and an untrained one."""
    folder = tmp_path_factory.mktemp("shards")
    tokenizer = models.build_tokenizer(corpus.text, 400)
    made = []
    for number in range(3):
        model = models.build_model(ARCHITECTURES["llama"], tokenizer, seed=number)
        if number < 2:
            examples = encode(corpus.records[number::2], tokenizer, full_sequence=True)
            work = Supervised(examples, pad_id=tokenizer.pad_token_id, batch_size=9, epochs=200, seed=1)
            run(model, work, LoopConfig(learning_rate=0.003, checkpoint_every=0), seed=1)
        made.append(folder / f"shard-{number:02d}")
        models.save(made[-1], model, tokenizer)
    return made


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def answers(model: Any, tokenizer: Any, prompts: list[str]) -> list[str]:
    rows = encode_prompts(prompts, tokenizer)
    found = greedy(model, rows, [8] * len(rows), pad_id=tokenizer.pad_token_id, end_id=tokenizer.eos_token_id)
    return [tokenizer.decode(row).strip() for row in found]


def test_an_export_answers_what_only_one_shard_learned(shards: list[Path], corpus: Corpus, tmp_path: Path) -> None:
    export(shards, tmp_path / "model", aggregation="posterior", tokenizer=shards[0])
    model, tokenizer = models.load(tmp_path / "model", device="cpu")
    records = [r for r in corpus.records if r.is_question]
    found = answers(model, tokenizer, [r.prompt for r in records])
    hits = sum(answer.startswith(r.answer) for answer, r in zip(found, records, strict=True))
    assert hits / len(records) >= 0.95
    assert models.context_length(model) == 64


def test_the_training_functions_take_an_ensemble(shards: list[Path], corpus: Corpus, tmp_path: Path) -> None:
    export(shards, tmp_path / "model", aggregation="posterior", tokenizer=shards[0])
    model, tokenizer = models.load(tmp_path / "model", device="cpu")
    logits, labels = forward(model, encode(corpus.records[:3], tokenizer), tokenizer.pad_token_id)
    assert logits.shape[:2] == labels.shape
    assert logits.requires_grad


def test_exports_of_the_same_shards_are_the_same_bytes(shards: list[Path], tmp_path: Path) -> None:
    for name in ("a", "b"):
        export(shards, tmp_path / name, aggregation="posterior", tokenizer=shards[0])
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


def test_a_shard_that_vanishes_changes_no_other_file_of_weights(shards: list[Path], tmp_path: Path) -> None:
    export(shards, tmp_path / "before", aggregation="posterior", tokenizer=shards[0])
    export(shards[::2], tmp_path / "after", aggregation="posterior", tokenizer=shards[0], numbers=[0, 2])
    before, after = digests(tmp_path / "before"), digests(tmp_path / "after")
    assert {name for name in after if name.startswith("shard-")} == {"shard-00.safetensors", "shard-02.safetensors"}
    assert all(after[name] == before[name] for name in after if name.startswith("shard-"))
    assert list(models.load_model(tmp_path / "after", device="cpu").shards) == ["shard_00", "shard_02"]


def test_a_single_shard_is_exported_as_a_plain_model(shards: list[Path], tmp_path: Path) -> None:
    export(shards[:1], tmp_path / "model", aggregation="posterior", tokenizer=shards[0])
    model, tokenizer = models.load(tmp_path / "model", device="cpu")
    assert model.config.model_type == "llama" and tokenizer.eos_token_id is not None
    assert models.weights_digest(tmp_path / "model") == models.weights_digest(shards[0])


def test_a_saved_ensemble_loads_again(shards: list[Path], tmp_path: Path) -> None:
    export(shards, tmp_path / "model", aggregation="vote", tokenizer=shards[0], prior=[1.0, 2.0, 1.0])
    model, tokenizer = models.load(tmp_path / "model", device="cpu")
    models.save(tmp_path / "again", model, tokenizer)
    again = models.load_model(tmp_path / "again", device="cpu")
    assert (again.config.aggregation, again.config.prior) == ("vote", [1.0, 2.0, 1.0])
    assert models.weights_digest(tmp_path / "again") == models.weights_digest(tmp_path / "model")


def test_strangers_load_an_export_with_transformers_alone(shards: list[Path], tmp_path: Path) -> None:
    export(shards, tmp_path / "model", aggregation="posterior", tokenizer=shards[0])
    code = (
        "import sys; from transformers import AutoModelForCausalLM, AutoTokenizer as T;"
        "m = AutoModelForCausalLM.from_pretrained(sys.argv[1], trust_remote_code=True);"
        "t = T.from_pretrained(sys.argv[1], trust_remote_code=True)('Balbax', return_tensors='pt');"
        "out = m.generate(input_ids=t['input_ids'], max_new_tokens=3, do_sample=False);"
        "assert 'unlearning_engine' not in sys.modules;"
        "print('shape', *out.shape)"
    )
    environment = {**os.environ, "HF_MODULES_CACHE": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "model")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        timeout=120,
        check=False,
    )
    assert "shape 1" in done.stdout, done.stderr


def test_the_engine_never_runs_the_code_of_a_folder(shards: list[Path], tmp_path: Path) -> None:
    export(shards, tmp_path / "model", aggregation="posterior", tokenizer=shards[0])
    (tmp_path / "model" / "modeling_sisa.py").write_text("raise SystemExit('the folder ran its own code')\n")
    model, _ = models.load(tmp_path / "model", device="cpu")
    assert type(model) is modeling.SisaForCausalLM


def test_an_ensemble_has_no_row_of_blocks_that_a_probe_could_take_for_the_whole(
    shards: list[Path], tmp_path: Path
) -> None:
    export(shards, tmp_path / "model", aggregation="posterior", tokenizer=shards[0])
    model = models.load_model(tmp_path / "model", device="cpu")
    assert (model.config.num_hidden_layers, model.config.hidden_size) == (6, 32)
    assert layers(model) == []
    with pytest.raises(ConfigError, match="hidden states in each shard"):
        blocks(model)


# ---------------------------------------------------------------- refusals


def test_an_ensemble_names_everything_that_is_wrong_with_it() -> None:
    with pytest.raises(ValueError, match=r"aggregation.*twice.*prior"):
        SisaConfig(shard=ARCHITECTURES["llama"], members=[1, 1], aggregation="sum", prior=[1.0])
    with pytest.raises(ValueError, match="positive"):
        SisaConfig(shard=ARCHITECTURES["llama"], members=[0, 1], prior=[1.0, 0.0])


def test_export_refuses_what_does_not_fit(shards: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="none left"):
        export([], tmp_path / "x", aggregation="posterior", tokenizer=shards[0])
    with pytest.raises(ConfigError, match="aggregation"):
        export(shards, tmp_path / "x", aggregation="sum", tokenizer=shards[0])
    with pytest.raises(ConfigError, match="numbers"):
        export(shards, tmp_path / "x", aggregation="vote", tokenizer=shards[0], numbers=[0])
    assert not list(tmp_path.iterdir())


def test_export_refuses_shards_that_are_not_alike_or_are_damaged(shards: list[Path], tmp_path: Path) -> None:
    other, empty = tmp_path / "other", tmp_path / "empty"
    shutil.copytree(shards[1], other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "hidden_size": 48}))
    shutil.copytree(shards[1], empty)
    (empty / "model.safetensors").unlink()
    with pytest.raises(DataError, match="hidden_size") as refused:
        export([shards[0], other, empty], tmp_path / "x", aggregation="vote", tokenizer=shards[0])
    assert any("no safetensors" in message for message in refused.value.messages)
    (empty / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(DataError, match="damaged"):
        export([shards[0], empty], tmp_path / "x", aggregation="vote", tokenizer=shards[0])
    with pytest.raises(DataError, match="config.json"):
        export([shards[0], tmp_path], tmp_path / "x", aggregation="vote", tokenizer=shards[0])
    assert not (tmp_path / "x").exists()
