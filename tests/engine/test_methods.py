"""Every method goes through one table: it forgets what it must, keeps the rest, and is repeatable."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.engine.conftest import Corpus
from unlearning_engine import catalog, losses, models
from unlearning_engine.contracts import LINEAGE_METHODS, UnlearnSpec
from unlearning_engine.data import Record, load_ids, split
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.methods import METHODS, unlearn
from unlearning_engine.methods.retrain import own_seed
from unlearning_engine.recipes import read_recipe, train
from unlearning_engine.tokens import encode
from unlearning_engine.training import forward

#: What all of them have in common; the watch looks and neither stops nor puts back (test_frontier does).
PAIRS: dict[str, Any] = {"batch_size": 2, "epochs": 30, "learning_rate": 5e-3, "watch_looks": 3}
PAIRS |= {"utility_floor": 0.0, "stop_below": 0.0}
CONFIGS: dict[str, dict[str, Any]] = {
    "graddiff": {**PAIRS, "retain_batch_size": 8, "forget_weight": 1.0},
    "npo": {**PAIRS, "retain_batch_size": 8, "forget_weight": 0.2},
    "simnpo": {**PAIRS, "retain_batch_size": 8},
    "altpo": {**PAIRS, "retain_batch_size": 8, "forget_weight": 0.2},
    "relabel": {**PAIRS, "retain_batch_size": 8, "forget_weight": 1.0},
    "rmu": {
        **PAIRS,
        "retain_batch_size": 8,
        "epochs": 40,
        "learning_rate": 5e-2,
        "layer": 2,
        "factor": 2.2,
        "retain_weight": 2.0,
    },
    "ascent": {**PAIRS, "batch_size": 4, "epochs": 40, "learning_rate": 5e-4, "bound": 2.0},
    "task_vector": {**PAIRS, "epochs": 20, "learning_rate": 2e-3, "scale": 3.0},
    "correct": {**PAIRS, "retain_batch_size": 8, "old_weight": 0.2},
    "undo": {**PAIRS, "noise": 0.9, "batch_size": 4, "epochs": 40, "learning_rate": 1e-2},
    "spunge": {
        "method": "graddiff",
        "by": "subject",
        "parts": 2,
        "density": 0.8,
        "scale": 1.0,  # beyond 1 a merger goes further than any part did, which is no test of merging: see below
        "settings": {**PAIRS, "retain_batch_size": 8, "forget_weight": 1.0},
    },
    "retrain": {},
}
#: Methods of which the catalogue says that nothing holds the rest.
UNHELD = {"ascent", "task_vector"}
TABLE = pytest.mark.parametrize("name", sorted(METHODS))


def spec(corpus: Corpus, model: Path, name: str, **changes: Any) -> UnlearnSpec:
    made = UnlearnSpec(
        seed=5,
        threads=1,
        device="cpu",
        method=name,
        model=str(model),
        dataset=corpus.dataset,
        forget_ids=corpus.forget,
        config=CONFIGS[name],
    )
    return dataclasses.replace(made, **changes)


def changed(name: str, **changes: Any) -> dict[str, Any]:
    """A method's settings with others in their place; those of a composed method are its inner one's."""
    config = CONFIGS[name]
    if "settings" in config:
        return {**config, "settings": {**config["settings"], **changes}}
    return {**config, **changes}


def loss(folder: Path, records: list[Record]) -> float:
    model, tokenizer = models.load(folder, device="cpu")
    with torch.no_grad():
        return float(losses.cross_entropy(*forward(model, encode(records, tokenizer), int(tokenizer.pad_token_id))))


def parts(corpus: Corpus) -> tuple[list[Record], list[Record]]:
    return split(corpus.records, load_ids(corpus.forget))


def test_the_registry_and_the_catalogue_name_the_same_methods() -> None:
    assert set(METHODS) == set(CONFIGS)
    assert set(catalog.METHODS) == {*METHODS, *LINEAGE_METHODS, "newton"}


@TABLE
def test_a_method_forgets_keeps_and_leaves_the_original_alone(
    corpus: Corpus, trained: Path, tmp_path: Path, name: str
) -> None:
    forget, retain = parts(corpus)
    before = models.weights_digest(trained)
    assert loss(trained, forget) < 0.2
    metrics = unlearn(spec(corpus, trained, name), tmp_path)
    assert loss(tmp_path / "model", forget) > 1.0
    assert loss(tmp_path / "model", retain) < (0.2 if name not in UNHELD else loss(tmp_path / "model", forget))
    assert models.weights_digest(trained) == before != metrics["weights_digest"]
    assert (metrics["forgotten_records"], metrics["retained_records"]) == (4, 13)


def test_parts_are_merged_as_far_as_scale_says(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    before, found = load_file(trained / "model.safetensors"), {}
    for scale in (1.0, 0.5):
        config = {**changed("spunge", epochs=2), "scale": scale}
        unlearn(spec(corpus, trained, "spunge", config=config), tmp_path / str(scale))
        found[scale] = load_file(tmp_path / str(scale) / "model" / "model.safetensors")
    whole, half = ({name: found[scale][name] - value for name, value in before.items()} for scale in (1.0, 0.5))
    assert max(float(change.abs().max()) for change in whole.values()) > 1e-3
    for name, change in whole.items():
        torch.testing.assert_close(half[name], change / 2, atol=1e-6, rtol=1e-3)


@TABLE
def test_the_same_spec_gives_the_same_weights_and_another_seed_others(
    corpus: Corpus, trained: Path, tmp_path: Path, name: str
) -> None:
    job = spec(corpus, trained, name, config=changed(name, epochs=5) if CONFIGS[name] else {})
    first, second = (unlearn(job, tmp_path / n)["weights_digest"] for n in ("a", "b"))
    other = unlearn(dataclasses.replace(job, seed=6), tmp_path / "c")["weights_digest"]
    assert first == second != other


@TABLE
def test_a_killed_method_goes_on_to_the_same_weights(corpus: Corpus, trained: Path, tmp_path: Path, name: str) -> None:
    class Killed(Exception):
        pass

    def report(event: dict[str, Any]) -> None:
        if event.get("step", 0) >= 25:
            raise Killed

    job = spec(corpus, trained, name, config=changed(name, checkpoint_every=10))
    with pytest.raises(Killed):
        unlearn(job, tmp_path / "cut", report)
    moved = tmp_path / "moved"
    shutil.copytree(trained, moved)
    resumed = unlearn(dataclasses.replace(job, model=str(moved)), tmp_path / "cut")
    assert resumed["resumed_from"] == (20 if name != "spunge" else 0)  # of which each part is resumed by itself
    assert resumed["weights_digest"] == unlearn(job, tmp_path / "whole")["weights_digest"]


@TABLE
def test_wrong_settings_are_refused_with_all_their_faults(
    corpus: Corpus, trained: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        unlearn(spec(corpus, trained, name, config={"epochs": -1, "checkpoint_every": "x", "typo": 1}), tmp_path)
    assert len(caught.value.messages) == 3


@TABLE
def test_nothing_to_forget_and_unknown_records_are_refused(
    corpus: Corpus, trained: Path, tmp_path: Path, name: str
) -> None:
    ids = tmp_path / "ids.txt"
    for text, message in (("", "nothing to forget"), ("nobody\nnoone", "'nobody'.*\n.*'noone'")):
        ids.write_text(text)
        with pytest.raises(DataError, match=message):
            unlearn(spec(corpus, trained, name, forget_ids=str(ids)), tmp_path)


@TABLE
def test_a_damaged_model_is_refused(corpus: Corpus, trained: Path, tmp_path: Path, name: str) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(trained, damaged)
    (damaged / "model.safetensors").write_bytes(b"\0" * 64)
    with pytest.raises(DataError, match="damaged"):
        unlearn(spec(corpus, damaged, name), tmp_path / "out")


@pytest.fixture(scope="module", params=["gpt2", "gpt_neox"])
def other(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A model of another architecture that knows the corpus."""
    out = tmp_path_factory.mktemp(request.param)
    train(corpus.spec(request.param, epochs=40), out)
    return out / "model"


@TABLE
def test_methods_work_on_other_architectures(corpus: Corpus, other: Path, tmp_path: Path, name: str) -> None:
    forget, retain = parts(corpus)
    unlearn(spec(corpus, other, name), tmp_path / "out")
    assert loss(tmp_path / "out" / "model", forget) > loss(other, forget) + 0.25
    assert loss(tmp_path / "out" / "model", retain) < (0.7 if name not in UNHELD else 3.0)


def test_a_model_of_any_origin_can_be_unlearned_approximately(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    shutil.copytree(trained, foreign)
    (foreign / "recipe.json").unlink()
    unlearn(spec(corpus, foreign, "graddiff"), tmp_path / "out")
    assert loss(tmp_path / "out" / "model", parts(corpus)[0]) > 1.0
    with pytest.raises(DataError, match="only a model trained here"):
        unlearn(spec(corpus, foreign, "retrain"), tmp_path / "out")


def test_retraining_uses_a_seed_of_its_own_and_none_of_the_old_weights(
    corpus: Corpus, trained: Path, tmp_path: Path
) -> None:
    blank = tmp_path / "blank"
    shutil.copytree(trained, blank)
    tokenizer = models.load_tokenizer(blank)
    models.save(blank, models.build_model(read_recipe(blank)["config"]["model"], tokenizer, 1), tokenizer)
    job = spec(corpus, trained, "retrain")
    ours = unlearn(job, tmp_path / "a")
    assert (
        ours["weights_digest"] == unlearn(dataclasses.replace(job, model=str(blank)), tmp_path / "b")["weights_digest"]
    )
    (tmp_path / "ids.txt").write_text(Path(corpus.forget).read_text())
    reference = dataclasses.replace(corpus.spec(), exclude_ids=str(tmp_path / "ids.txt"), seed=job.seed)
    assert ours["weights_digest"] != train(reference, tmp_path / "c")["weights_digest"]
    assert own_seed(5) != 5 and own_seed(5) != own_seed(6)


def test_retraining_refuses_an_exchanged_tokenizer(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(trained, changed)
    path = changed / "tokenizer.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "extra": 1}))
    with pytest.raises(DataError, match="tokenizer is not the one"):
        unlearn(spec(corpus, changed, "retrain"), tmp_path / "out")


def test_an_unlearned_model_can_be_unlearned_again(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    unlearn(spec(corpus, trained, "graddiff"), tmp_path / "one")
    again = unlearn(spec(corpus, tmp_path / "one" / "model", "retrain"), tmp_path / "two")
    assert again["weights_digest"] == unlearn(spec(corpus, trained, "retrain"), tmp_path / "direct")["weights_digest"]
    assert read_recipe(tmp_path / "two" / "model")["made_by"] == "retrain"


def test_an_unknown_method_is_refused(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="one of altpo, ascent, correct, graddiff, npo"):
        unlearn(dataclasses.replace(spec(corpus, trained, "retrain"), method="hope"), tmp_path)


def test_rmu_trains_one_matrix_a_layer_and_leaves_the_layers_above_alone(
    corpus: Corpus, trained: Path, tmp_path: Path
) -> None:
    before = models.load_model(trained, device="cpu").state_dict()
    unlearn(spec(corpus, trained, "rmu", config={**CONFIGS["rmu"], "layer": 1, "epochs": 2}), tmp_path)
    after = models.load_model(tmp_path / "model", device="cpu").state_dict()
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    assert changed == ["model.layers.0.mlp.down_proj.weight"]


def test_rmu_refuses_a_layer_that_the_model_has_not(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="2 layers and no layer 3"):
        unlearn(spec(corpus, trained, "rmu", config={"layer": 3}), tmp_path)


@pytest.mark.parametrize("name", ["graddiff", "npo", "simnpo", "altpo", "relabel", "rmu"])
def test_a_method_that_must_hold_something_refuses_to_run_without_it(
    corpus: Corpus, trained: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "all.txt").write_text("\n".join(r.id for r in corpus.records))
    with pytest.raises(DataError, match="nothing to retain"):
        unlearn(spec(corpus, trained, name, forget_ids=str(tmp_path / "all.txt")), tmp_path)
