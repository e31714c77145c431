"""Adapters over a frozen base: only they train, their bytes follow from the seed, and they merge into plain models."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.engine.conftest import ARCHITECTURES, Corpus
from unlearning_engine import checkpoints, models
from unlearning_engine.contracts import TrainSpec, UnlearnSpec
from unlearning_engine.data import dataset_digest, write_records
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.progress import silent
from unlearning_engine.recipes import RECIPE, write_recipe
from unlearning_engine.sisa import building, deleting
from unlearning_engine.sisa.adapters import Adapters, merge
from unlearning_engine.sisa.config import SisaConfig, read_config
from unlearning_engine.sisa.workload import Inputs
from unlearning_engine.training import Supervised, run

SETTINGS = {"kind": "adapters", "rank": 4, "alpha": 8, "learning_rate": 0.01, "batch_size": 4, "checkpoint_every": 0}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, corpus: Corpus) -> Path:
    """An untrained model that stands for a frozen base."""
    folder = tmp_path_factory.mktemp("base") / "model"
    tokenizer = models.build_tokenizer(corpus.text, 400)
    models.save(folder, models.build_model(ARCHITECTURES["llama"], tokenizer, seed=9), tokenizer)
    return folder


def adapters(base: Path | str, **changes: Any) -> Adapters:
    made = read_config({**SETTINGS, **changes}, Inputs(base=str(base), device="cpu"))
    assert isinstance(made[1], Adapters) and isinstance(made[0], SisaConfig)
    return made[1]


def trained(workload: Adapters, corpus: Corpus, folder: Path, *, seed: int = 3, epochs: int = 2) -> Any:
    rows = workload.load(corpus.dataset)
    model = workload.build(seed, rows)
    work = workload.objective(rows, epochs=epochs, seed=seed)
    assert isinstance(work, Supervised)
    run(model, work, workload.loop, seed=seed)
    folder.mkdir(parents=True)
    workload.save(folder, model)
    return model


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def test_a_fresh_adapter_changes_nothing_and_follows_from_the_seed(base: Path) -> None:
    workload = adapters(base)
    ids = torch.arange(5, 15)[None]
    with torch.no_grad():
        torch.manual_seed(1)
        first = workload.build(7, None)
        torch.manual_seed(2)
        again, other = workload.build(7, None), workload.build(8, None)
        assert torch.allclose(first(input_ids=ids).logits, models.load_model(base, device="cpu")(ids).logits)

    def weights(model: Any) -> list[torch.Tensor]:
        return [p for p in model.parameters() if p.requires_grad]

    assert all(torch.equal(a, b) for a, b in zip(weights(first), weights(again), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(weights(first), weights(other), strict=True))


def test_only_the_adapters_learn_and_are_checkpointed(base: Path, corpus: Corpus, tmp_path: Path) -> None:
    workload = adapters(base)
    model = trained(workload, corpus, tmp_path / "shard")
    frozen = {n: p for n, p in model.named_parameters() if not p.requires_grad}
    assert frozen and all("lora_" not in name for name in frozen)
    clean = models.load_model(base, device="cpu").state_dict()
    kept = model.get_base_model().state_dict()
    assert all(torch.equal(value, kept[n]) for n, value in clean.items() if n in kept)
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])
    folder = checkpoints.write(tmp_path / "state", 1, model, optimiser, {})
    _, tensors = checkpoints.read(folder)
    weights = [name for name in tensors if name.startswith("weight.")]
    assert weights and all("lora_" in name for name in weights)


def test_the_same_seed_gives_the_same_folder_and_no_path_is_in_it(base: Path, corpus: Corpus, tmp_path: Path) -> None:
    elsewhere = tmp_path / "moved"
    shutil.copytree(base, elsewhere)
    trained(adapters(base), corpus, tmp_path / "a")
    trained(adapters(elsewhere), corpus, tmp_path / "b")
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert set(digests(tmp_path / "a")) == {
        "adapter_model.safetensors",
        "adapter_config.json",
        "base.json",
    }
    text = (tmp_path / "a" / "adapter_config.json").read_text()
    assert json.loads(text)["base_model_name_or_path"] == "base" and str(tmp_path) not in text


def test_a_merged_adapter_is_a_plain_model_that_answers_alike(
    base: Path, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr("peft.utils.save_and_load.check_file_exists_on_hf_hub", lambda *a, **k: asked.append(a))
    model = trained(adapters(base), corpus, tmp_path / "shard", epochs=8)
    folder = merge(tmp_path / "shard", base, tmp_path / "merged")
    plain, _ = models.load(folder, device="cpu")
    ids = torch.arange(5, 25)[None]
    with torch.no_grad():
        assert torch.allclose(plain(ids).logits, model(input_ids=ids).logits, atol=1e-3)
        assert not torch.allclose(plain(ids).logits, models.load_model(base, device="cpu")(ids).logits, atol=1e-2)
    assert all(p.requires_grad for p in plain.parameters())
    assert not asked, "a hub is never asked for the base"


def test_shards_of_adapters_are_exported_as_one_ensemble(base: Path, corpus: Corpus, tmp_path: Path) -> None:
    workload = adapters(base)
    for shard in (0, 2):
        trained(workload, corpus, tmp_path / "shards" / f"shard-{shard:02d}" / "model", seed=shard)
    workload.export(tmp_path, [0, 2], tmp_path / "model")
    model, tokenizer = models.load(tmp_path / "model", device="cpu")
    assert list(model.shards) == ["shard_00", "shard_02"] and tokenizer.eos_token_id is not None
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_deleting_gives_the_adapters_of_a_training_that_never_saw_the_records(
    base: Path, corpus: Corpus, tmp_path: Path
) -> None:
    config = {**SETTINGS, "shards": 2, "slices": 2, "epochs": 2}
    inputs = {"seed": 4, "threads": 1, "device": "cpu", "base": str(base)}
    train = TrainSpec(method="sisa", dataset=corpus.dataset, config=config, **inputs)
    whole = building.train(train, tmp_path / "all", silent)
    unlearn = UnlearnSpec(method="sisa", lineage=str(tmp_path / "all"), forget_ids=corpus.forget, **inputs)
    after = deleting.unlearn(unlearn, tmp_path / "after", silent)
    never = building.train(replace(train, exclude_ids=corpus.forget), tmp_path / "never", silent)
    assert after["shards"].items() <= never["shards"].items()
    assert all(whole["shards"][shard] != weights for shard, weights in after["shards"].items())
    assert digests(tmp_path / "after" / "model") == digests(tmp_path / "never" / "model")


def test_a_deletion_over_another_base_is_refused(base: Path, corpus: Corpus, tmp_path: Path) -> None:
    config = {**SETTINGS, "shards": 2, "slices": 1, "epochs": 1}
    train = TrainSpec(
        method="sisa", dataset=corpus.dataset, config=config, seed=4, threads=1, device="cpu", base=str(base)
    )
    building.train(train, tmp_path / "all", silent)
    model, tokenizer = models.load(base, device="cpu")
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(1.01)
    models.save(tmp_path / "other", model, tokenizer)
    spec = UnlearnSpec(
        method="sisa",
        lineage=str(tmp_path / "all"),
        forget_ids=corpus.forget,
        base=str(tmp_path / "other"),
        device="cpu",
    )
    with pytest.raises(DataError, match="base differ from what the lineage was trained with"):
        deleting.unlearn(spec, tmp_path / "after", silent)


# ---------------------------------------------------------------- the claim


def test_facts_name_the_base_by_what_it_is_not_by_where_it_lies(base: Path, corpus: Corpus, tmp_path: Path) -> None:
    shutil.copytree(base, tmp_path / "moved")
    assert adapters(base).facts() == adapters(tmp_path / "moved").facts()
    tokenizer = models.load_tokenizer(base)
    models.save(tmp_path / "other", models.build_model(ARCHITECTURES["llama"], tokenizer, seed=8), tokenizer)
    assert adapters(base).facts()["base"] != adapters(tmp_path / "other").facts()["base"]


def test_an_unknown_base_bounds_the_claim(base: Path, corpus: Corpus) -> None:
    workload = adapters(base)
    found = {c.name: c for c in workload.components(workload.load(corpus.dataset))}
    assert found["base"].saw_records is None and "adapters only" in found["base"].note
    assert found["base"].digest == models.weights_digest(base)
    assert found["tokenizer"].saw_records is None


def test_what_the_operator_declares_is_recorded_as_declared(base: Path, corpus: Corpus) -> None:
    workload = adapters(base, base_saw_records="no")
    component = workload.components(workload.load(corpus.dataset))[0]
    assert component.saw_records is False and "declared" in component.note
    assert workload.facts() == adapters(base).facts()


def test_a_recipe_that_names_the_records_overrules_a_declaration(base: Path, corpus: Corpus, tmp_path: Path) -> None:
    shutil.copytree(base, tmp_path / "base")
    write_recipe(tmp_path / "base", {"config": {}, "dataset_digest": dataset_digest(corpus.records)})
    assert (tmp_path / "base" / RECIPE).is_file()
    workload = adapters(tmp_path / "base", base_saw_records="no")
    assert workload.components(workload.load(corpus.dataset))[0].saw_records is True
    write_records(tmp_path / "part.jsonl", corpus.records[:3])
    assert workload.components(workload.load(tmp_path / "part.jsonl"))[0].saw_records is False


# ---------------------------------------------------------------- refusals


def test_bad_configurations_are_refused(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="spec.base: is empty"):
        adapters("")
    with pytest.raises(ConfigError, match="not a folder"):
        adapters(tmp_path / "nothing")
    with pytest.raises(ConfigError, match="rank"):
        adapters(base, rank=0)
    with pytest.raises(ConfigError) as refused:
        adapters(base, base_saw_records="perhaps", targets=[""])
    assert len(refused.value.messages) == 2


def test_targets_that_no_layer_has_are_refused(base: Path) -> None:
    with pytest.raises(ConfigError, match="nothing_like_it"):
        adapters(base, targets=["nothing_like_it"]).build(1, None)


def test_a_layer_that_shares_its_weights_is_refused(base: Path) -> None:
    with pytest.raises(ConfigError, match="shares its weights"):
        adapters(base, targets=["q_proj", "lm_head"]).build(1, None)


def test_a_damaged_or_foreign_adapter_is_refused(base: Path, corpus: Corpus, tmp_path: Path) -> None:
    trained(adapters(base), corpus, tmp_path / "shard")
    tokenizer = models.load_tokenizer(base)
    models.save(tmp_path / "other", models.build_model(ARCHITECTURES["llama"], tokenizer, seed=8), tokenizer)
    with pytest.raises(DataError, match="was trained over the base"):
        merge(tmp_path / "shard", tmp_path / "other", tmp_path / "x")
    tensors = load_file(tmp_path / "shard" / "adapter_model.safetensors")
    del tensors[sorted(tensors)[0]]
    save_file(tensors, tmp_path / "shard" / "adapter_model.safetensors")
    with pytest.raises(DataError, match="does not fit"):
        merge(tmp_path / "shard", base, tmp_path / "x")
    (tmp_path / "shard" / "adapter_model.safetensors").write_bytes(b"broken")
    with pytest.raises(DataError, match="does not fit"):
        merge(tmp_path / "shard", base, tmp_path / "x")
    (tmp_path / "shard" / "adapter_model.safetensors").unlink()
    with pytest.raises(DataError, match="has no adapter_model"):
        merge(tmp_path / "shard", base, tmp_path / "x")
