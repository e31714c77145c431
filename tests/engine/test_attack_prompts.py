"""Prefixes, roles and retained examples put before a question; the luckiest wording counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.conftest import Corpus
from unlearning_engine.attacks.base import Given, best
from unlearning_engine.attacks.few_shot import EXAMPLES, FEW_SHOT, behind, shown
from unlearning_engine.attacks.prompts import PROMPTS, TEMPLATES
from unlearning_engine.data import Record
from unlearning_engine.models import load
from unlearning_engine.probes.items import Item
from unlearning_engine.probes.table import Row


def item(id_: str, kind: str = "colour", name: str = "forget", fact: int = 0, **fields: str) -> Item:
    record = Record(id=id_, kind=kind, prompt=fields.get("prompt", f"{kind} of {id_}?"), answer="red", fact=id_)
    return Item(record=record, set=name, fact=fact, work=fact)


def given(folder: Path, items: list[Item], **more: list[Item]) -> Given:
    model, tokenizer = load(folder, device="cpu")
    return Given(model=model, tokenizer=tokenizer, items=items, **more)  # type: ignore[arg-type]


def test_every_template_holds_the_question_once_and_none_comes_twice() -> None:
    assert all(template.count("{prompt}") == 1 for template in TEMPLATES)
    assert len(set(TEMPLATES)) == len(TEMPLATES)


def test_a_question_with_braces_and_percents_is_put_as_it_stands(trained: Path) -> None:
    (asked,) = PROMPTS.prepare(given(trained, [item("x", prompt="{0} %s?")]))  # type: ignore[misc]
    assert all("{0} %s?" in one.record.prompt for one in asked.items)


def test_templates_that_do_not_fit_are_left_out_and_no_item_is_lost(trained: Path) -> None:
    long = item("long", prompt="colour of " * 18)
    (asked,) = PROMPTS.prepare(given(trained, [item("x"), long]))  # type: ignore[misc]
    wordings = {one: [i for i in asked.items if i.record.id == one] for one in ("x", "long")}
    assert len(wordings["x"]) > 1
    assert [i.record.prompt for i in wordings["long"]] == [long.record.prompt]
    assert {(i.fact, i.work, i.set) for i in asked.items} == {(0, 0, "forget")}


def test_examples_are_retained_items_of_the_kind_and_never_the_asked_fact() -> None:
    retained = [item(f"r{n}", kind="colour" if n % 2 else "place", name="retain", fact=n) for n in range(12)]
    found = shown(item("x"), retained, seed=3)
    assert len(found) == EXAMPLES
    assert {one.record.kind for one in found} == {"colour"}
    assert found == shown(item("y"), retained, seed=3)
    assert retained[1] not in shown(retained[1], retained[:4], seed=3)
    assert {one.record.kind for one in shown(item("x", kind="year"), retained, seed=3)} <= {"colour", "place"}


def test_two_wordings_of_one_fact_are_one_example() -> None:
    twice = [item("r", name="retain", fact=1), item("r", name="retain", fact=1)]
    assert len(shown(item("x"), twice, seed=0)) == 1


def test_examples_stand_in_front_a_line_each() -> None:
    assert behind(item("x"), [item("r"), item("s")]).record.prompt == (
        "colour of r? red\ncolour of s? red\ncolour of x?"
    )


def test_no_forgotten_item_is_ever_shown(trained: Path, corpus: Corpus) -> None:
    rows = [r for r in corpus.records if r.is_question]
    items = [Item(record=r, set="forget", fact=n, work=n) for n, r in enumerate(rows[:4])]
    kept = [Item(record=r, set="retain", fact=n, work=n) for n, r in enumerate(rows[4:], start=4)]
    (asked,) = FEW_SHOT.prepare(given(trained, items, shown=kept))  # type: ignore[misc]
    assert len(asked.items) == 4
    for one, own in zip(sorted(asked.items, key=lambda i: i.fact), items, strict=True):
        front = one.record.prompt.removesuffix(own.record.prompt)
        assert not any(other.record.prompt in front for other in items)
        assert any(other.record.full_text in front for other in kept)


def test_without_room_fewer_examples_are_shown(trained: Path) -> None:
    kept = [item(f"r{n}", name="retain", fact=n) for n in range(5)]
    (asked,) = FEW_SHOT.prepare(given(trained, [item("x", prompt="colour of " * 14)], shown=kept))  # type: ignore[misc]
    assert asked.items[0].record.prompt.count("\n") < EXAMPLES


@pytest.mark.parametrize("exact", [(0.0, 1.0, 0.0), (1.0, 0.0, 0.0)])
def test_the_luckiest_wording_counts(exact: tuple[float, ...]) -> None:
    rows = [
        Row(model="candidate", set="forget", id="a", fact=0, work=0, exact=hit, loss=2.0 - n, prob=0.1 * n)
        for n, hit in enumerate(exact)
    ]
    other = Row(model="candidate", set="forget", id="b", fact=1, work=0, exact=0.0, loss=1.0)
    first, second = best([*rows, other])
    assert (first.exact, first.loss, first.prob) == (1.0, 0.0, pytest.approx(0.2))
    assert second == other


def test_a_wording_without_numbers_leaves_the_item_without_numbers() -> None:
    rows = [Row(model="m", set="forget", id="a", fact=0, work=0, exact=1.0, loss=1.0), None]
    rows[1] = Row(model="m", set="forget", id="a", fact=0, work=0, finite=0)
    assert best([row for row in rows if row])[0].finite == 0
