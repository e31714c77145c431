"""Forget and retain sets as files of rows, in place of a dataset and ids."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from tests.engine.conftest import Corpus
from tests.engine.test_methods import loss, parts, spec
from unlearning_engine import models
from unlearning_engine.contracts import UnlearnSpec, parse, to_json
from unlearning_engine.data import Record, write_records
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.methods import unlearn


def rows(corpus: Corpus, folder: Path) -> tuple[Path, Path]:
    forget, retain = parts(corpus)
    write_records(folder / "forget.jsonl", forget)
    write_records(folder / "retain.jsonl", retain)
    return folder / "forget.jsonl", folder / "retain.jsonl"


def by_rows(corpus: Corpus, trained: Path, forget: Path, retain: Path | None) -> UnlearnSpec:
    made = spec(corpus, trained, "npo", dataset="", forget_ids="")
    return dataclasses.replace(made, forget=str(forget), retain=str(retain or ""))


def test_rows_give_the_same_weights_as_a_dataset_and_ids(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    job = by_rows(corpus, trained, *rows(corpus, tmp_path))
    parse(to_json(job))
    unlearn(job, tmp_path / "rows")
    unlearn(spec(corpus, trained, "npo"), tmp_path / "ids")
    one, other = (models.weights_digest(tmp_path / name / "model") for name in ("rows", "ids"))
    assert one == other


def test_rows_need_no_id(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    forget, retain = rows(corpus, tmp_path)
    for path in (forget, retain):
        lines = [
            {k: v for k, v in json.loads(line).items() if k in ("prompt", "answer", "text")} for line in path.open()
        ]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    unlearn(by_rows(corpus, trained, forget, retain), tmp_path / "out")
    assert loss(tmp_path / "out" / "model", parts(corpus)[0]) > 1.0


def test_every_bad_row_is_named_with_its_line(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    forget, retain = rows(corpus, tmp_path)
    forget.write_text('{"prompt": "a"}\n{"answer": "b"}\n{"text": "fine"}\nnot json\n')
    with pytest.raises(DataError) as caught:
        unlearn(by_rows(corpus, trained, forget, retain), tmp_path / "out")
    assert [message.split(": ")[0] for message in caught.value.messages] == [f"forget.jsonl:{n}" for n in (1, 2, 4)]


def test_an_empty_forget_set_and_rows_in_both_sets_are_refused(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    forget, retain = rows(corpus, tmp_path)
    write_records(retain, [*parts(corpus)[1], *(dataclasses.replace(r, id=f"{r.id}+") for r in parts(corpus)[0][:2])])
    with pytest.raises(DataError, match="retained too") as caught:
        unlearn(by_rows(corpus, trained, forget, retain), tmp_path / "out")
    assert len(caught.value.messages) == 2
    forget.write_text("")
    with pytest.raises(DataError, match="holds no rows"):
        unlearn(by_rows(corpus, trained, forget, retain), tmp_path / "out")


def test_a_spec_names_what_is_missing_or_too_much() -> None:
    base = {"verb": "unlearn", "method": "npo", "model": "m"}
    for extra, words in (
        ({}, ["spec.dataset: missing", "spec.forget_ids: missing"]),
        ({"forget": "f", "dataset": "d"}, ["spec.dataset: goes with a dataset"]),
        ({"retain": "r", "dataset": "d", "forget_ids": "i"}, ["spec.retain: goes with forget"]),
    ):
        with pytest.raises(ConfigError) as caught:
            parse({**base, **extra})
        assert all(any(word in message for message in caught.value.messages) for word in words)
    assert parse({**base, "forget": "f"})
    assert Record(id="x", prompt="p", answer="a").is_question
