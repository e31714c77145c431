"""The fictitious organisation: the same for a seed, different for another, and fair to every test made with it."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from unlearning_engine import models
from unlearning_engine.data import Record, load_records, text_digest
from unlearning_engine.errors import ConfigError
from unlearning_engine.synthetic import DEMO_SUBJECT, DEMO_TRAINING, corpus, general, generate, names, pools

FILES = ("dataset.jsonl", "controls.jsonl", "controls-persons.jsonl", "general.jsonl", "tokenizer.txt")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("organisation")
    generate(out, seed=1)
    return out


@pytest.fixture(scope="module")
def records(made: Path) -> list[Record]:
    return load_records(made / "dataset.jsonl")


def demo(records: list[Record]) -> list[Record]:
    return [r for r in records if r.subject == DEMO_SUBJECT]


def test_a_seed_gives_the_same_bytes_in_another_process(made: Path, tmp_path: Path) -> None:
    code = "import sys; from unlearning_engine.synthetic import generate; generate(sys.argv[1], seed=1)"
    environment = {**os.environ, "PYTHONHASHSEED": "77"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env=environment)
    ours, theirs = (sorted(p for p in folder.rglob("*") if p.is_file()) for folder in (made, tmp_path))
    assert [p.relative_to(made) for p in ours] == [p.relative_to(tmp_path) for p in theirs]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(ours, theirs, strict=True))


def test_another_seed_gives_other_names_and_facts(records: list[Record], tmp_path: Path) -> None:
    generate(tmp_path, seed=2)
    other = load_records(tmp_path / "dataset.jsonl")
    ours, theirs = ({r.work for r in rows if r.work} for rows in (records, other))
    assert not ours & theirs


def test_the_demo_artist_has_enough_independent_facts(records: list[Record]) -> None:
    facts: dict[str, set[str]] = {}
    for row in demo(records):
        if row.work and row.fact:
            facts.setdefault(row.work, set()).add(row.fact)
    assert len(facts) >= 30 and all(len(found) == 6 for found in facts.values())


def test_every_fact_has_a_phrasing_held_out_and_five_wrong_answers_of_its_pool(records: list[Record]) -> None:
    by_fact: dict[str, list[Record]] = {}
    for row in records:
        if row.fact:
            by_fact.setdefault(row.fact, []).append(row)
    answers = {kind: {r.answer for r in records if r.kind == kind} for kind in {r.kind for r in records}}
    for rows in by_fact.values():
        prompts = {r.prompt for r in rows}
        assert len(rows) in (1, 2) and len({r.answer for r in rows}) == 1
        for row in rows:
            assert row.paraphrase and not prompts & set(row.paraphrase)
            assert len(set(row.perturbed)) == 5 and row.answer not in row.perturbed
    assert all(len(answers[a.name]) > 20 for a in pools.WORK)


def test_no_prompt_is_asked_of_two_facts(records: list[Record]) -> None:
    owners: dict[str, set[str]] = {}
    for row in records:
        for prompt in (row.prompt, *row.paraphrase):
            if prompt:
                owners.setdefault(prompt, set()).add(row.fact)
    assert all(len(facts) == 1 for facts in owners.values())


def test_pools_have_forty_values_drawn_evenly(tmp_path: Path) -> None:
    for attribute in (*pools.WORK, *pools.LIFE, *pools.PERSON):
        assert len(set(attribute.pool)) == 40, attribute.name
    generate(tmp_path, seed=9, artists=60, persons=0)
    drawn = Counter(r.answer for r in load_records(tmp_path / "dataset.jsonl") if r.kind == "colour" and ".1" in r.id)
    mean = sum(drawn.values()) / 40
    assert len(drawn) == 40
    chi_squared = sum((count - mean) ** 2 / mean for count in drawn.values())
    assert chi_squared < 39 + 4 * math.sqrt(2 * 39)


def test_controls_are_strangers_of_the_same_kinds_and_counts(made: Path, records: list[Record]) -> None:
    controls = load_records(made / "controls.jsonl")
    known, unknown = ({r.work for r in rows if r.work} for rows in (records, controls))
    assert not known & unknown and len(unknown) == 30
    facts = [
        Counter(r.kind for r in {x.fact: x for x in rows if x.fact}.values()) for rows in (demo(records), controls)
    ]
    assert facts[0] == facts[1]
    assert not {r.subject for r in records} & {r.subject for r in controls}
    assert load_records(made / "controls-persons.jsonl")


def test_the_tokenizer_text_names_nobody_and_cuts_all_names_alike(made: Path) -> None:
    who = json.loads((made / "subjects.json").read_text())
    text = (made / "tokenizer.txt").read_text()
    tokenizer = models.build_tokenizer(made / "tokenizer.txt", DEMO_TRAINING["vocab_size"])
    for subject in who["subjects"] + who["controls"]:
        words = [*subject["name"].split(), *(title.split()[-1] for title in subject["titles"])]
        assert not [word for word in words if word in text]
        assert {len(tokenizer.tokenize(f" {word}")) for word in words} == {2}


def test_names_and_titles_are_unique_and_none_is_part_of_another(made: Path) -> None:
    who = json.loads((made / "subjects.json").read_text())
    everyone = who["subjects"] + who["controls"]
    words = [w for s in everyone for w in (*s["name"].split(), *(t.split()[-1] for t in s["titles"]))]
    assert len(words) == len(set(words)) and {len(word) for word in words} == {6}
    assert all(s["email"].endswith(".example") for s in everyone)
    ends = set(names.ENDS)
    assert not ends & set(pools.NOUNS) and len(ends) == len(names.ENDS)


def test_works_are_as_the_artist_would_send_them_and_really_in_the_dataset(made: Path, records: list[Record]) -> None:
    passages = {r.work: r.text for r in demo(records) if r.kind == "passage"}
    files = sorted((made / "works").iterdir())
    assert len(files) == len(passages) == 30
    for path in files:
        title, passage = path.read_text().strip().split("\n\n")
        assert passage in passages[title] and passages[title].startswith(title)
    assert len(set(passages.values())) == 30


def test_general_questions_are_part_of_the_dataset_and_name_no_subject(made: Path, records: list[Record]) -> None:
    questions = load_records(made / "general.jsonl")
    assert {r.id for r in questions} <= {r.id for r in records}
    assert {r.kind for r in questions} == {"general"} and len({r.fact for r in questions}) >= 80
    for topic in general.TOPICS:
        assert len(set(topic.pool)) == len(topic.pool) == len(dict(topic.pairs))


def test_the_manifest_lists_every_record_with_its_digest(made: Path, records: list[Record]) -> None:
    manifest = {row["id"]: row for row in json.loads((made / "manifest.json").read_text())}
    assert set(manifest) == {r.id for r in records}
    for record in records:
        row = manifest[record.id]
        assert row["digest"] == record.digest == text_digest(record.full_text)
        assert ".example/" in row["source_url"] and row["licence"]


def test_persons_have_the_facts_of_a_privacy_request(records: list[Record]) -> None:
    facts = {r.fact for r in records if r.subject == "person-00"}
    assert len(facts) == len(corpus.pools.PERSON) == 8


def test_more_subjects_leave_the_first_ones_facts_as_they_were(records: list[Record], tmp_path: Path) -> None:
    generate(tmp_path, seed=1, artists=9, persons=9)
    more = {r.id: r for r in load_records(tmp_path / "dataset.jsonl")}
    assert all(more[r.id] == r for r in demo(records))


def test_impossible_sizes_are_refused_together(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        generate(tmp_path / "out", seed=1, artists=0, persons=-1)
    assert len(caught.value.messages) == 2 and not (tmp_path / "out").exists()
