"""An attack that rewords says how many facts it fitted around, and how many were asked plainly all the same."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from tests.engine.small_verifications import POLICY, Small, small
from unlearning_engine.attacks.base import fact_counts
from unlearning_engine.data import Record, load_records, write_records
from unlearning_engine.models import load_tokenizer
from unlearning_engine.probes.items import Item


def item(id_: str, fact: int, name: str = "forget") -> Item:
    return Item(record=Record(id=id_, prompt=f"{id_}?", answer="red"), set=name, fact=fact, work=0)


def test_a_fact_counts_as_plain_where_none_of_its_questions_was_reworded() -> None:
    one, other, alone, control = item("a", 0), item("b", 0), item("c", 1), item("a", 2, "controls")
    assert fact_counts([one, other, alone, control], [other, alone]) == {"forget_facts": 2, "plain_facts": 1}
    assert fact_counts([one, one, control], [control]) == {"forget_facts": 1, "plain_facts": 0}
    assert fact_counts([one, other], [one, other]) == {"forget_facts": 1, "plain_facts": 1}


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """Of twelve facts two are asked in so many words that nothing fits beside them."""
    made = small(tmp_path_factory.mktemp("reworded"))
    place = made.folder / "forget.jsonl"
    rows = load_records(place)
    assert len(rows) == 12
    tokenizer = load_tokenizer(made.folder / "original")
    write_records(place, [*(_longest(row, tokenizer) for row in rows[:2]), *rows[2:]])
    return made


def _longest(row: Record, tokenizer: Any) -> Record:
    """The row with its question said as often as the model's context of 128 tokens takes with an answer."""
    said = (dataclasses.replace(row, prompt=" ".join([row.prompt] * n), digest="") for n in range(40, 0, -1))
    return next(one for one in said if len(tokenizer(one.full_text)["input_ids"]) + 9 <= 128)


def test_the_verification_counts_them_for_each_attack_that_rewords(given: Small) -> None:
    attacks = ["prompts", "few_shot", "pruning"]
    found = given.verify("out", policy={**POLICY, "attacks": attacks})
    runs = {(one["attack"], one["model"]): one for one in found["attacks"]}
    for model in ("candidate", "original", "reference"):
        for attack in ("prompts", "few_shot"):
            assert runs[attack, model]["forget_facts"] == 12
            assert runs[attack, model]["plain_facts"] == 2
        assert "plain_facts" not in runs["pruning", model]


def test_without_a_retained_question_no_example_stands_in_front(given: Small, tmp_path: Path) -> None:
    texts = tmp_path / "retain.jsonl"
    write_records(texts, [Record(id=f"t{n}", text="the grey sea " * (n + 3)) for n in range(6)])
    found = given.verify("alone", policy={**POLICY, "attacks": ["few_shot"]}, retain=str(texts))
    (run,) = [one for one in found["attacks"] if one["model"] == "candidate"]
    assert (run["forget_facts"], run["plain_facts"]) == (12, 12)
