"""Which items a verification asks about, and which mixtures of sets it refuses to judge."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from unlearning_engine.contracts import VerifySpec
from unlearning_engine.data import Record, write_records
from unlearning_engine.errors import DataError
from unlearning_engine.policy import Policy
from unlearning_engine.probes.items import collect, merged, overlaps

WRONG = ("red", "green")


def fact(name: str, subject: str, *, work: str = "", kind: str = "colour", phrasing: int = 1) -> Record:
    return Record(
        id=f"{name}.{phrasing}",
        fact=name,
        subject=subject,
        work=work,
        kind=kind,
        prompt=f"Wording {phrasing} of {name}?",
        answer="blue",
        perturbed=WRONG,
    )


def spec(folder: Path, **sets: list[Record]) -> VerifySpec:
    paths = {}
    for name, records in sets.items():
        write_records(folder / f"{name}.jsonl", records)
        paths[name] = str(folder / f"{name}.jsonl")
    return VerifySpec(candidate="c", original="o", **paths)


FORGET = [fact(f"f{n}", "ann", work=f"work {n // 2}", phrasing=p) for n in range(6) for p in (1, 2)]
RETAIN = [fact(f"r{n}", "bob") for n in range(40)] + [fact(f"p{n}", "cy", kind="street") for n in range(40)]
CONTROLS = [fact(f"c{n}", "dee", work=f"song {n // 2}") for n in range(6)]
GENERAL = [fact(f"g{n}", "general", kind="general") for n in range(5)]


def test_phrasings_share_a_fact_and_facts_share_a_work(tmp_path: Path) -> None:
    found = collect(spec(tmp_path, forget=FORGET, retain=RETAIN, controls=CONTROLS), Policy())
    forget = found.of("forget")
    assert len(forget) == 12
    assert found.facts["forget"] == len({i.fact for i in forget}) == 6
    assert len({i.work for i in forget}) == 3
    assert not found.overlaps


def test_neighbours_are_other_subjects_of_the_forgotten_kind(tmp_path: Path) -> None:
    own = fact("kept", "ann")
    found = collect(spec(tmp_path, forget=FORGET, retain=[own, *RETAIN], controls=CONTROLS), Policy())
    near = {i.record.subject for i in found.of("retain") if i.near}
    far = {i.record.subject for i in found.of("retain") if not i.near}
    assert (near, far) == ({"bob"}, {"ann", "cy"})


def test_a_large_set_is_drawn_by_fact_and_by_seed(tmp_path: Path) -> None:
    policy = Policy(maximum_items=4, minimum_items=2, maximum_utility_items=30)
    given = spec(tmp_path, forget=FORGET, retain=RETAIN, controls=CONTROLS)
    first, again, other = (collect(replace(given, seed=s), policy) for s in (0, 0, 1))
    assert first.facts["forget"] == 4
    assert len(first.of("forget")) == 8
    assert first.facts["retain"] == 30
    assert sum(i.near for i in first.of("retain")) == 15
    assert [i.record.id for i in first.items] == [i.record.id for i in again.items]
    assert [i.record.id for i in first.items] != [i.record.id for i in other.items]


def test_running_text_has_a_set_of_its_own(tmp_path: Path) -> None:
    verse = Record(id="verse", subject="ann", work="work 0", kind="passage", text="the grey sea sings")
    found = collect(spec(tmp_path, forget=[*FORGET, verse], retain=RETAIN, controls=CONTROLS), Policy())
    assert [i.record.id for i in found.of("forget_text")] == ["verse"]
    assert found.facts["forget"] == 6


def test_a_dataset_with_ids_is_divided_and_its_general_records_found(tmp_path: Path) -> None:
    write_records(tmp_path / "dataset.jsonl", [*FORGET, *RETAIN, *GENERAL])
    write_records(tmp_path / "controls.jsonl", CONTROLS)
    (tmp_path / "ids.txt").write_text("\n".join(r.id for r in FORGET), encoding="utf-8")
    given = VerifySpec(
        candidate="c",
        original="o",
        controls=str(tmp_path / "controls.jsonl"),
        dataset=str(tmp_path / "dataset.jsonl"),
        forget_ids=str(tmp_path / "ids.txt"),
    )
    found = collect(given, Policy())
    assert {i.record.id for i in found.of("forget")} == {r.id for r in FORGET}
    assert {i.record.id for i in found.of("general")} == {r.id for r in GENERAL}
    assert not {i.record.id for i in found.of("retain")} & {r.id for r in GENERAL}


@pytest.mark.parametrize(
    ("other", "slipped"),
    [
        ("retain", replace(FORGET[0], fact="own", prompt="Quite another?")),
        ("retain", replace(FORGET[0], id="own", prompt="A third wording?")),
        ("controls", replace(FORGET[0], id="own", fact="own", prompt="wording 1 OF  f0?")),
        ("general", FORGET[3]),
    ],
    ids=["same id", "another phrasing of a forgotten fact", "same text, other case", "same record"],
)
def test_a_forgotten_item_in_another_set_is_found(other: str, slipped: Record) -> None:
    sets = {"forget": FORGET, "retain": RETAIN, "controls": CONTROLS, "general": GENERAL}
    found = overlaps({**sets, other: [*sets[other], slipped]})
    assert found[f"forget/{other}"]["records"] == 1


def test_controls_that_were_trained_on_are_no_controls() -> None:
    sets = {"forget": FORGET, "retain": [*RETAIN, CONTROLS[0]], "controls": CONTROLS, "general": []}
    assert list(overlaps(sets)) == ["controls/retain"]


def test_every_fact_without_wrong_answers_is_named(tmp_path: Path) -> None:
    bare = [replace(r, perturbed=()) for r in FORGET[:2]]
    with pytest.raises(DataError) as error:
        collect(spec(tmp_path, forget=bare, retain=RETAIN, controls=CONTROLS), Policy())
    assert len(error.value.messages) == 2
    assert "f0.2" in error.value.messages[1]


def test_rows_written_twice_are_one_fact_however_they_are_named(tmp_path: Path) -> None:
    twice = [replace(r, id=f"again.{r.id}", fact=f"again.{r.fact}", prompt=f" {r.prompt.upper()}!") for r in FORGET]
    found = collect(spec(tmp_path, forget=[*FORGET, *twice], retain=RETAIN, controls=CONTROLS), Policy())
    assert (len(found.of("forget")), found.facts["forget"]) == (24, 6)


def test_a_row_that_asks_in_the_held_out_wording_of_another_is_the_same_fact() -> None:
    rows = [
        Record(id="a", prompt="Colour of it?", paraphrase=("Which colour has it?",), answer="blue"),
        Record(id="b", prompt="What is its colour?", answer="blue", paraphrase=("Its colour?",)),
        Record(id="c", prompt="Its colour?", answer="blue", paraphrase=("Which colour has it?",)),
        Record(id="d", prompt="Colour of it?", answer="red"),
    ]
    assert [r.cluster for r in merged(rows)] == ["a", "a", "a", "d"]
    assert [r.cluster for r in merged(rows[3:])] == ["d"]


def test_wrong_answers_are_given_to_every_fact_or_to_none(tmp_path: Path) -> None:
    bare = [replace(r, perturbed=()) for r in FORGET]
    plain = [replace(r, perturbed=()) for r in CONTROLS]
    assert collect(spec(tmp_path, forget=bare, retain=RETAIN, controls=plain), Policy()).facts["forget"] == 6
    with pytest.raises(DataError, match=r"forget record 'f0.1': has no wrong answers \(perturbed\), though others"):
        collect(spec(tmp_path, forget=[bare[0], *FORGET[1:]], retain=RETAIN, controls=CONTROLS), Policy())


def test_held_out_wordings_go_with_every_fact_or_with_none(tmp_path: Path) -> None:
    """One phrasing of a fact may have them and another not."""
    reworded = [replace(r, paraphrase=(f"What of {r.id}?",)) if r.id.endswith(".1") else r for r in FORGET]
    others = [replace(r, paraphrase=(f"What of {r.id}?",)) for r in CONTROLS]
    assert collect(spec(tmp_path, forget=reworded, retain=RETAIN, controls=others), Policy()).of("forget")
    with pytest.raises(DataError, match=r"forget record 'f0.1': has no held-out wording \(paraphrase\), though"):
        collect(spec(tmp_path, forget=[*FORGET[:2], *reworded[2:]], retain=RETAIN, controls=others), Policy())
