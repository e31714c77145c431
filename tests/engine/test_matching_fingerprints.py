"""Fingerprints find what the works themselves would find, and hold no word of them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from unlearning_engine.contracts import MatchSpec, parse
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.matching import match, print_search, prints

KEY = b"k" * 32
POEM = (
    "The copper river bends beneath the sleeping hill,\nand seven lanterns answer from the mill;\n"
    "no ferryman would name the price he paid\nfor every crossing that the moonlight made."
)


def document(*texts: str, key: bytes | None = KEY) -> dict[str, Any]:
    made = [prints.fingerprint(f"w{number}", text, KEY) for number, text in enumerate(texts, 1)]
    return prints.document([one for one in made if one], key=key, named=prints.key_id(KEY))


def found(tmp_path: Path, rows: list[dict[str, Any]], works: Any) -> list[dict[str, Any]]:
    data, out = tmp_path / "data.jsonl", tmp_path / "out"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out.mkdir(exist_ok=True)
    place = tmp_path / "works.json"
    place.write_text(works if isinstance(works, str) else json.dumps(works))
    spec = (
        MatchSpec(works=str(place), dataset=str(data))
        if isinstance(works, str)
        else MatchSpec(fingerprints=str(place), dataset=str(data))
    )
    match(spec, out, lambda event: None)
    return [json.loads(line) for line in (out / "matches.jsonl").read_text().splitlines()]


def test_they_find_what_the_works_find_with_the_same_method_and_score(tmp_path: Path) -> None:
    rng = random.Random(7)
    vocabulary = [f"word{n}" for n in range(900)]
    works = [" ".join(rng.choices(vocabulary, k=rng.randint(1, 120))) for _ in range(40)]
    rows = []
    for number in range(600):
        source = rng.choice(works).split()
        start = rng.randint(0, len(source) - 1)
        piece = source[start : start + rng.randint(1, 130)] if rng.random() < 0.7 else source
        around = rng.choices(vocabulary, k=rng.randint(0, 30))
        rows.append({"id": f"r{number}", "text": " ".join([*around, *piece, *around])})
    rows_of_works = "".join(
        json.dumps({"id": f"w{number}", "title": "", "text": text}) + "\n" for number, text in enumerate(works, 1)
    )
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    plain = found(tmp_path / "a", rows, rows_of_works)
    printed = found(tmp_path / "b", rows, document(*works))

    def told(hits: list[dict[str, Any]]) -> set[tuple[str, ...]]:
        return {(h["item"], h["record"], h["method"], str(h["score"]), h["excerpt"]) for h in hits}

    assert len(plain) > 300
    assert told(plain) == told(printed)


def test_a_name_is_found_as_a_whole_and_only_in_one_run(tmp_path: Path) -> None:
    rows = [{"id": "a", "text": "Yesterday VEL Marún sang."}, {"id": "b", "text": "Vel and then Marun sang."}]
    assert [hit["record"] for hit in found(tmp_path, rows, document("Vel Marun"))] == ["a"]


def test_records_that_the_dataset_labels_with_the_same_work_are_hits_of_their_own(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "subject": "s", "work": "s/w", "text": POEM},
        {"id": "b", "subject": "s", "work": "s/w", "prompt": "Who crossed?", "answer": "nobody"},
    ]
    hits = found(tmp_path, rows, document(POEM))
    assert [(hit["record"], hit["method"]) for hit in hits] == [("a", "exact"), ("b", "same_work")]


def test_the_document_holds_no_word_of_the_work_and_not_its_order() -> None:
    made = document(POEM, key=None)
    text = json.dumps(made)
    assert "river" not in text and "copper" not in text and "key" not in made
    assert made["works"][0]["shingles"] == sorted(made["works"][0]["shingles"])
    assert (
        document(POEM)["works"]
        != prints.document([p for p in [prints.fingerprint("w1", POEM, b"x" * 32)] if p], key=b"x" * 32)["works"]
    )


def test_a_work_without_a_word_has_no_fingerprint() -> None:
    assert prints.fingerprint("w", " ... ", KEY) is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kind": "list"}, "is no document of fingerprints"),
        ({"scheme": "words/0"}, "made by 'words/0'"),
        ({"key": ""}, "key is missing"),
        ({"key": "zz"}, "key is missing"),
        ({"key": "11" * 32}, "made with another key"),
        ({"works": []}, "holds no works"),
        ({"works": [{"id": "w"}, {"id": "x", "words": 9, "whole": "0" * 16, "shingles": []}]}, "work 1 is malformed"),
    ],
)
def test_a_document_that_cannot_be_used_is_refused_with_the_reason(change: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError) as refused:
        print_search.read({**document(POEM), **change})
    assert told in str(refused.value)


def test_a_key_that_was_delivered_apart_opens_the_list() -> None:
    assert print_search.read(document(POEM, key=None), key=KEY).names == ["w1"]


def test_a_search_takes_works_or_fingerprints_never_both_nor_neither() -> None:
    for given in ({}, {"works": "a", "fingerprints": "b"}):
        with pytest.raises(ConfigError, match="works or fingerprints"):
            parse({"verb": "match", "dataset": "d", **given})
