"""What may be said of a deletion: everything, a part, bit for bit or not, and never more."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.engine.lineages import Pair, forget, pair
from unlearning_engine.data import Record
from unlearning_engine.methods import unlearn
from unlearning_engine.sisa import claims
from unlearning_engine.sisa.classifier import Shuffled
from unlearning_engine.sisa.language import shared_records
from unlearning_engine.sisa.lineage import Lineage, Meta, ShardManifest
from unlearning_engine.sisa.source import read_index
from unlearning_engine.training import Step


@pytest.fixture(scope="module")
def classifiers(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return pair(tmp_path_factory.mktemp("classifiers"))


def read(folder: Path) -> tuple[Meta, dict[int, ShardManifest]]:
    lineage = Lineage(folder)
    return lineage.meta, {shard: lineage.manifest(shard) for shard in lineage.shards}


def seen(name: str, saw: bool | None, note: str = "") -> dict[str, Any]:
    return {"name": name, "digest": "sha256:" + "0" * 64, "saw_records": saw, "note": note, "detail": {}}


def test_a_deletion_where_nothing_else_learned_is_exact_bit_for_bit(classifiers: Pair) -> None:
    claim = classifiers.metrics["claim"]
    assert claim == claims.claim(*read(classifiers.after))
    assert claim["code"] == "exact" and claim["facts"]["bit_identical"] and not claim["facts"]["reasons"]
    digest = classifiers.metrics["lineage_digest"]
    assert claim["sentence"].startswith(f"Exact, bit for bit, by lineage {digest}: the weights are those that")
    assert "without the 2 records" in claim["sentence"]


def test_a_training_claims_no_deletion(classifiers: Pair) -> None:
    claim = claims.claim(*read(classifiers.before))
    assert claim["code"] == "no_deletion" and "none was deleted from it" in claim["sentence"]


@pytest.mark.parametrize(
    ("kind", "components", "code", "words"),
    [
        ("adapters", [("base", None)], "exact_for_adapters", "for the adapters only"),
        ("adapters", [("base", True), ("tokenizer", True)], "exact_for_adapters", "The frozen base contains or saw"),
        ("adapters", [("base", False), ("tokenizer", False)], "exact", "Exact, bit for bit"),
        ("language", [("tokenizer", True)], "exact_for_weights", "The tokenizer's text contains or saw records"),
        ("language", [("tokenizer", None)], "exact_for_weights", "may contain or have seen the records"),
        ("classifier", [("scaler", None)], "exact_but_components", "The scaler may contain or have seen the records"),
    ],
)
def test_what_saw_the_records_shrinks_the_claim(
    classifiers: Pair, kind: str, components: list[tuple[str, bool | None]], code: str, words: str
) -> None:
    meta, shards = read(classifiers.after)
    parts = [seen(name, saw, "a note") for name, saw in components]
    claim = claims.claim(dataclasses.replace(meta, kind=kind, components=parts), shards)
    assert claim["code"] == code and words in claim["sentence"]
    assert [c["name"] for c in claim["facts"]["components"]] == [n for n, saw in components if saw is not False]


def test_stages_of_different_machines_are_exact_and_not_bit_identical(classifiers: Pair) -> None:
    meta, shards = read(classifiers.after)
    shard = min(shards)
    first = shards[shard].slices[0]
    other = dataclasses.replace(first, fingerprint={**first.fingerprint, "processor": "another", "torch": "0"})
    shards[shard] = dataclasses.replace(shards[shard], slices=[other, *shards[shard].slices[1:]])
    claim = claims.claim(meta, shards)
    assert claim["code"] == "exact" and not claim["facts"]["bit_identical"]
    assert "not bit-identical, because its stages were made with different processor, torch" in claim["sentence"]
    assert "bit for bit" not in claim["sentence"]


def test_bits_are_not_claimed_of_a_machine_that_was_not_checked(classifiers: Pair) -> None:
    meta, shards = read(classifiers.after)
    entry = {**meta.history[-1], "determinism": {"checked": False, "reason": "none"}}
    claim = claims.claim(dataclasses.replace(meta, history=[entry]), shards)
    assert not claim["facts"]["bit_identical"] and "was not checked to repeat itself" in claim["sentence"]
    checked = {**meta.history[-1]["determinism"], "fingerprint": "sha256:another"}
    claim = claims.claim(dataclasses.replace(meta, history=[{**entry, "determinism": checked}]), shards)
    assert not claim["facts"]["bit_identical"]


def test_a_machine_that_does_not_repeat_itself_is_found_out_before_bits_are_claimed(
    classifiers: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = torch.Generator()
    real = Shuffled.step

    def step(self: Shuffled, model: torch.nn.Module, number: int) -> Step:
        found = real(self, model, number)
        return Step(found.loss * (1 + 1e-3 * torch.rand((), generator=noise)))

    monkeypatch.setattr(Shuffled, "step", step)
    own = classifiers.copy(tmp_path)
    metrics = unlearn(forget(own.before, ["r07"]), tmp_path / "noisy")
    assert metrics["determinism"]["checked"] and not metrics["determinism"]["identical"]
    assert metrics["claim"]["code"] == "exact" and not metrics["claim"]["facts"]["bit_identical"]
    assert "the same steps, taken twice, gave different bits" in metrics["claim"]["sentence"]


def test_the_check_of_the_machine_takes_few_steps(
    tmp_path: Path, classifiers: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 0
    real = Shuffled.step

    def step(self: Shuffled, model: torch.nn.Module, number: int) -> Step:
        nonlocal steps
        steps += 1
        return real(self, model, number)

    own = classifiers.copy(tmp_path)
    monkeypatch.setattr(Shuffled, "step", step)
    metrics = unlearn(forget(own.before, ["r07"]), tmp_path / "counted")
    lineage = Lineage(tmp_path / "counted")
    stages = [lineage.manifest(int(shard)).slices[first - 1 :] for shard, first in metrics["retrained"].items()]
    trained = sum(stage.steps for part in stages for stage in part)
    check = metrics["determinism"]
    assert steps - trained == check["steps"] * (1 if check["whole_stage"] else 2) <= 4
    assert check["share"] == pytest.approx((steps - trained) / trained)
    assert not any((own.before.parent / "counted" / "checkpoints").glob("*")), "the check leaves nothing behind"


def test_an_emptied_shard_needs_no_check(tmp_path: Path, classifiers: Pair) -> None:
    own = classifiers.copy(tmp_path)
    index = read_index(own.before / "lineage")
    ids = sorted(name for name, place in index.items() if place.shard == 0)
    metrics = unlearn(forget(own.before, ids), tmp_path / "less")
    assert metrics["determinism"] == {"checked": False, "reason": "no stage was trained"}
    assert metrics["claim"]["code"] == "exact" and metrics["claim"]["facts"]["bit_identical"]


def test_what_rests_on_the_word_of_an_operator_is_said(classifiers: Pair) -> None:
    meta, manifests = read(classifiers.after)
    word = seen("base", False, "declared by the operator: base_saw_records is 'no'")
    claim = claims.claim(dataclasses.replace(meta, components=[word]), manifests)
    assert claim["code"] == "exact_but_components"
    assert claim["sentence"].endswith(
        f" The frozen base is said not to have seen them, which nothing shows ({word['note']})."
    )
    claim = claims.claim(dataclasses.replace(meta, kind="adapters", components=[word]), manifests)
    assert claim["code"] == "exact_for_adapters" and "for the adapters only" in claim["sentence"]


def test_what_a_history_says_of_a_component_does_not_widen_the_claim(classifiers: Pair) -> None:
    meta, manifests = read(classifiers.after)
    entry = {**meta.history[-1], "saw": {"scaler": False}}
    talked = dataclasses.replace(meta, components=[seen("scaler", None)], history=[entry])
    assert claims.claim(talked, manifests)["code"] == "exact_but_components"


def test_a_record_that_is_set_otherwise_in_the_tokenizers_text_was_seen_all_the_same(tmp_path: Path) -> None:
    record = Record(id="r1", prompt="Where was Ada Byron born?", answer="In London, on a Sunday.")
    essay = Record(id="r2", text="Short. The harbour sleeps under seven grey bridges.\nAnd then?")
    for text, shared in (
        ("Nothing of it: where was anybody born?", 0),
        ("WHERE WAS ADA\nBYRON BORN - in London; on a Sunday!", 1),
        ("They say 'the harbour sleeps under seven grey bridges' there.", 1),
        ("In London, on a Sunday, the harbour sleeps under seven grey bridges.", 2),
    ):
        (tmp_path / "text.txt").write_text(text)
        assert shared_records(tmp_path / "text.txt", [record, essay]) == shared
