"""`verify` asks in the user's format: a joining text or the chat template, and reports a format nobody knows."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.engine.conftest import LLAMA
from tests.engine.small_verifications import Small, small
from unlearning_engine.attacks.base import question, reworded
from unlearning_engine.contracts import Outcome
from unlearning_engine.data import Record, load_records, write_records
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.models import build_model, load_tokenizer
from unlearning_engine.probes.formats import Format, Framed, encode_pairs, framed
from unlearning_engine.probes.items import Item
from unlearning_engine.recipes import save_model
from unlearning_engine.tokens import IGNORE, encode

ROW = Record(id="a", prompt="Colour of Balbax?", answer="red", paraphrase=("Which colour?",), perturbed=("blue",))


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return small(tmp_path_factory.mktemp("formats"), chat=True)


def test_the_default_format_leaves_a_row_as_it_is(given: Small) -> None:
    tokenizer = load_tokenizer(given.folder / "original")
    assert framed(ROW, Format(), tokenizer) is ROW
    text = Record(id="t", text="the grey sea")
    assert framed(text, Format(chat=True), tokenizer) is text


@pytest.mark.parametrize("layout", [Format(join=" -> "), Format(join=":"), Format(chat=True)])
def test_verify_scores_the_very_tokens_that_probe_scores(given: Small, layout: Format) -> None:
    tokenizer = load_tokenizer(given.folder / "original")
    (probed,) = encode_pairs([(ROW.prompt, ROW.answer)], tokenizer, layout)
    (verified,) = encode([framed(ROW, layout, tokenizer)], tokenizer)
    start = [tokenizer.bos_token_id] if layout.chat else []
    assert list(verified.tokens) == [*start, *probed[0].tokens, tokenizer.eos_token_id]
    assert [t for t in verified.labels if t not in (IGNORE, tokenizer.eos_token_id)] == [
        t for t in probed[0].labels if t != IGNORE
    ]


def test_an_attack_words_the_question_inside_the_template(given: Small) -> None:
    record = framed(ROW, Format(chat=True), load_tokenizer(given.folder / "original"))
    assert isinstance(record, Framed)
    item = Item(record=record, set="forget", fact=0, work=0)
    assert question(item) == ROW.prompt
    assert reworded(item, f"Say: {ROW.prompt}").record.prompt == f"<user>Say: {ROW.prompt}</user><bot>"
    assert record.full_text == f"<user>{ROW.prompt}</user><bot>red"
    assert record.paraphrase == ("<user>Which colour?</user><bot>",)


@pytest.mark.parametrize("changes", [{"join": "\nA: "}, {"chat": True}])
def test_a_format_that_the_original_does_not_know_is_reported_and_not_judged(given: Small, changes: dict) -> None:  # type: ignore[type-arg]
    found = given.verify(f"out-{next(iter(changes))}", **changes)
    assert found["verdict"] == Outcome.BAD_INPUT
    assert "original_does_not_know" in {f["code"] for f in found["findings"]}
    assert found["format"] == {"join": changes.get("join"), "chat": changes.get("chat", False)}


def test_join_and_chat_together_are_refused(given: Small, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not both"):
        given.verify("both", join=": ", chat=True)


def test_a_tokenizer_without_a_template_refuses_chat(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="chat template"):
        small(tmp_path / "plain").verify("out", chat=True)


def test_a_template_that_drops_the_prompt_is_refused(given: Small) -> None:
    tokenizer = load_tokenizer(given.folder / "original")
    tokenizer.chat_template = "<bot>"
    with pytest.raises(ConfigError, match="leaves the prompt out"):
        framed(dataclasses.replace(ROW), Format(chat=True), tokenizer)


def test_rows_without_anything_optional_are_measured_and_never_pass(given: Small, tmp_path: Path) -> None:
    bare = {}
    for name in ("forget", "controls", "retain", "general"):
        rows = load_records(given.folder / f"{name}.jsonl")
        bare[name] = str(tmp_path / f"{name}.jsonl")
        write_records(bare[name], [Record(id=r.id, subject=r.subject, prompt=r.prompt, answer=r.answer) for r in rows])
    found = given.verify("bare", **bare)
    unmeasured = {f["data"]["probe"] for f in found["findings"] if f["code"] == "not_measured"}
    assert {"multiple_choice", "forget_quality", "relearning_rank", "steering_choice"} <= unmeasured
    assert not {"exact_value", "answer_probability", "surviving_facts", "surviving_works"} & unmeasured
    assert found["verdict"] != Outcome.PASS
    assert {p["name"] for p in found["probes"]} >= {"exact_value", "relearning_value", "membership_loss"}


def test_a_model_without_rows_for_the_tokenizers_ids_is_refused(given: Small) -> None:
    tokenizer = load_tokenizer(given.folder / "original")
    small_head = build_model({**LLAMA, "max_position_embeddings": 128}, tokenizer, 0)
    small_head.resize_token_embeddings(len(tokenizer) - 40)
    folder = save_model(given.folder / "cut.job", small_head, tokenizer, {})
    with pytest.raises(DataError, match=rf"candidate: the tokenizer makes {len(tokenizer)} ids, the model has"):
        given.verify("cut", candidate=str(folder))
