"""Works are found among records exactly, nearly, and by the dataset's own labels, each told apart."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from unlearning_engine.contracts import MatchSpec
from unlearning_engine.data import text_digest
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.matching import match
from unlearning_engine.matching.words import words

POEM = (
    "The copper river bends beneath the sleeping hill,\nand seven lanterns answer from the mill;\n"
    "no ferryman would name the price he paid\nfor every crossing that the moonlight made."
)
OTHER = "A quite different text about the tariff of railway freight in the northern districts during the winter."


def found(
    tmp_path: Path, works: list[dict[str, str]], records: list[dict[str, Any]], threshold: float = 0.5
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    out = tmp_path / "out"
    out.mkdir(exist_ok=True)
    write(tmp_path / "works.jsonl", works)
    write(tmp_path / "data.jsonl", records)
    spec = MatchSpec(
        works=str(tmp_path / "works.jsonl"), dataset=str(tmp_path / "data.jsonl"), near_threshold=threshold
    )
    metrics = match(spec, out, lambda event: None)
    return [json.loads(line) for line in (out / "matches.jsonl").read_text().splitlines()], metrics


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def work(text: str = POEM, name: str = "w1") -> dict[str, str]:
    return {"id": name, "title": "Crossing", "text": text}


def test_a_copy_is_exact_whatever_case_punctuation_accents_and_invisible_characters(tmp_path: Path) -> None:
    disguised = POEM.upper().replace(" ", " \u200b ").replace("RIVER", "RI\u00adV\u0301E\u200dR").replace(";", " --")
    hits, metrics = found(tmp_path, [work()], [{"id": "a", "text": disguised}, {"id": "b", "text": OTHER}])
    assert [(h["record"], h["method"], h["score"]) for h in hits] == [("a", "exact", 1.0)]
    assert hits[0]["record_digest"] == text_digest(disguised)
    assert metrics["hits"] == {"exact": 1, "near_duplicate": 0, "same_work": 0}
    assert metrics["scheme"]


def test_a_record_that_holds_the_whole_work_is_exact(tmp_path: Path) -> None:
    hits, _ = found(tmp_path, [work()], [{"id": "a", "text": f"{OTHER} {POEM} {OTHER}"}])
    assert (hits[0]["method"], hits[0]["score"]) == ("exact", 1.0)
    assert hits[0]["excerpt"].startswith("The copper river")


def test_a_passage_in_a_question_is_a_near_duplicate_scored_by_hand(tmp_path: Path) -> None:
    # Nine words of the poem make five shingles; the prompt's three words add three that the poem lacks.
    record = {"id": "q", "prompt": "Who wrote this:", "answer": "The copper river bends beneath the sleeping hill, and"}
    hits, _ = found(tmp_path, [work()], [record])
    assert (hits[0]["method"], hits[0]["shared"], hits[0]["of"]) == ("near_duplicate", 5, 8)
    assert hits[0]["score"] == pytest.approx(0.625)
    assert hits[0]["excerpt"] == "The copper river bends beneath the sleeping hill, and"


def test_an_edited_copy_is_near_and_the_threshold_decides(tmp_path: Path) -> None:
    edited = POEM.replace("seven", "eleven").replace("moonlight", "starlight")
    hits, _ = found(tmp_path, [work()], [{"id": "a", "text": edited}])
    assert hits[0]["method"] == "near_duplicate"
    assert 0.5 < hits[0]["score"] < 1
    assert found(tmp_path, [work()], [{"id": "a", "text": edited}], threshold=0.95)[0] == []


def test_a_common_phrase_is_no_hit(tmp_path: Path) -> None:
    assert found(tmp_path, [work()], [{"id": "a", "text": "bends beneath the sleeping hill and"}])[0] == []


def test_a_short_work_such_as_a_name_is_found_as_a_whole(tmp_path: Path) -> None:
    records = [
        {"id": "a", "prompt": "Where does Ada Quill live?", "answer": "in Westmere"},
        {"id": "b", "prompt": "Where does Ada Quillon live?", "answer": "in Westmere"},
    ]
    hits, _ = found(tmp_path, [work("Ada Quill", "name")], records)
    assert [(h["record"], h["method"]) for h in hits] == [("a", "exact")]


def test_questions_about_a_found_work_are_hits_of_their_own_by_label(tmp_path: Path) -> None:
    records = [
        {"id": "text", "subject": "ann", "work": "crossing", "text": POEM},
        {"id": "question", "subject": "ann", "work": "crossing", "prompt": "Year of Crossing?", "answer": "1961"},
        {"id": "other-work", "subject": "ann", "work": "harbour", "prompt": "Year of Harbour?", "answer": "1975"},
        {"id": "other-artist", "subject": "bob", "work": "crossing", "prompt": "Year of it?", "answer": "1900"},
        {"id": "life", "subject": "ann", "prompt": "Where was Ann born?", "answer": "Westmere"},
    ]
    hits, metrics = found(tmp_path, [work()], records)
    assert [(h["record"], h["method"], h["score"]) for h in hits] == [
        ("text", "exact", 1.0),
        ("question", "same_work", None),
    ]
    assert hits[1]["subject"] == "ann"
    assert metrics["records_hit"] == 2


def test_scripts_without_spaces_are_compared_character_by_character(tmp_path: Path) -> None:
    text = "古池や蛙飛び込む水の音静けさや岩にしみ入る蝉の声"
    hits, _ = found(tmp_path, [work(text)], [{"id": "a", "text": f"引用「{text}」という句。"}])
    assert hits[0]["method"] == "exact"
    assert [w.text for w in words("ＡＢＣ ﬁne Straße")] == ["abc", "fine", "strasse"]


def test_every_bad_work_is_reported_at_once(tmp_path: Path) -> None:
    rows = [work("..., !!!", "silent"), work(name="twice"), work(name="twice"), {"id": "x"}, {"id": "", "text": "a"}]
    with pytest.raises(DataError) as caught:
        found(tmp_path, rows, [{"id": "a", "text": OTHER}])  # type: ignore[arg-type]
    assert len(caught.value.messages) == 4
    assert "'silent' has no words" in caught.value.messages[0]


def test_no_works_bad_json_and_a_wrong_threshold_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no works"):
        found(tmp_path, [], [{"id": "a", "text": OTHER}])
    with pytest.raises(ConfigError, match="near_threshold"):
        found(tmp_path, [work()], [{"id": "a", "text": OTHER}], threshold=0.0)
    (tmp_path / "bad.jsonl").write_text("{\n")
    with pytest.raises(DataError, match="bad.jsonl:1: is not JSON"):
        match(MatchSpec(works=str(tmp_path / "bad.jsonl"), dataset="x"), tmp_path, lambda event: None)


def test_a_folder_of_text_files_is_a_list_of_works(tmp_path: Path) -> None:
    folder = tmp_path / "works"
    folder.mkdir()
    (folder / "01.txt").write_text(f"Crossing\n\n{POEM}\n")
    write(tmp_path / "data.jsonl", [{"id": "a", "text": POEM}])
    metrics = match(MatchSpec(works=str(folder), dataset=str(tmp_path / "data.jsonl")), tmp_path, lambda event: None)
    assert metrics["hits"]["exact"] == 1


def test_ten_thousand_records_take_seconds_and_every_planted_passage_is_found(tmp_path: Path) -> None:
    rng = random.Random(5)  # noqa: S311 - a test corpus
    vocabulary = [f"word{n}" for n in range(3000)]
    texts = [" ".join(rng.choices(vocabulary, k=60)) for _ in range(10_000)]
    works = [work(" ".join(rng.choices(vocabulary, k=400)), f"w{n}") for n in range(20)]
    planted = {rng.randrange(10_000): rng.choice(works) for _ in range(200)}
    for place, source in planted.items():
        start = rng.randrange(360)
        texts[place] = " ".join(source["text"].split()[start : start + 40]) + " " + " ".join(texts[place].split()[:15])
    started = time.process_time()
    hits, _ = found(tmp_path, works, [{"id": str(n), "text": text} for n, text in enumerate(texts)])
    assert {(int(h["record"]), h["item"]) for h in hits} == {(n, w["id"]) for n, w in planted.items()}
    assert time.process_time() - started < 15


def test_matching_imports_no_torch() -> None:
    code = "import sys, unlearning_engine.matching; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
