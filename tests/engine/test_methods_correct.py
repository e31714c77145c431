"""Corrections: the old answer goes, the new one is given, and only the trained wording is ever trained on."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import Corpus
from tests.engine.test_methods import CONFIGS, loss, parts, spec
from unlearning_engine.contracts import UnlearnSpec
from unlearning_engine.data import Record, load_records, write_records
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.methods import unlearn
from unlearning_engine.methods.correct import corrected


def by_rows(corpus: Corpus, trained: Path, folder: Path, forget: list[Record], **changes: Any) -> UnlearnSpec:
    folder.mkdir(exist_ok=True)
    write_records(folder / "forget.jsonl", forget)
    write_records(folder / "retain.jsonl", parts(corpus)[1])
    rows = {"forget": str(folder / "forget.jsonl"), "retain": str(folder / "retain.jsonl")}
    return dataclasses.replace(spec(corpus, trained, "correct", dataset="", forget_ids=""), **{**rows, **changes})


def test_the_old_answer_goes_and_the_new_one_comes(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    forget, retain = parts(corpus)
    new = corrected(forget)
    assert loss(trained, forget) < 0.2 < 2.0 < loss(trained, new)
    metrics = unlearn(by_rows(corpus, trained, tmp_path / "in", forget), tmp_path / "out")
    assert loss(tmp_path / "out" / "model", new) < 0.2
    assert loss(tmp_path / "out" / "model", forget) > 3.0
    assert loss(tmp_path / "out" / "model", retain) < 0.2
    curve = metrics["frontier"]["curve"]
    assert curve[0]["forget"] > 0.8 > 0.1 > curve[-1]["forget"] and curve[-1]["lowest"] > 0.8


def test_held_out_wordings_are_never_trained_on(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    forget, _ = parts(corpus)
    reworded = [dataclasses.replace(r, paraphrase=(f"Say the {r.prompt}",)) for r in forget]
    digests = [
        unlearn(by_rows(corpus, trained, tmp_path / f"{n}", rows), tmp_path / f"{n}" / "out")["weights_digest"]
        for n, rows in enumerate((forget, reworded))
    ]
    assert digests[0] == digests[1]


def test_other_corrections_never_go_on_from_a_killed_run(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def report(event: dict[str, Any]) -> None:
        if event.get("step", 0) >= 25:
            raise Killed

    forget, _ = parts(corpus)
    config = {**CONFIGS["correct"], "checkpoint_every": 10}
    with pytest.raises(Killed):
        unlearn(by_rows(corpus, trained, tmp_path / "a", forget, config=config), tmp_path / "out", report)
    others = [dataclasses.replace(r, correction="violet") for r in forget]
    with pytest.raises(DataError, match="checkpoints of another job"):
        unlearn(by_rows(corpus, trained, tmp_path / "b", others, config=config), tmp_path / "out")


def test_rows_without_a_correction_are_refused_by_name(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    forget, _ = parts(corpus)
    bare = [*forget[:1], *(dataclasses.replace(r, correction="") for r in forget[1:3])]
    with pytest.raises(DataError) as caught:
        unlearn(by_rows(corpus, trained, tmp_path / "in", bare), tmp_path / "out")
    assert [message.split(": ")[1] for message in caught.value.messages] == [r.id for r in bare[1:]]


def test_nothing_to_retain_full_sequences_and_a_search_are_refused(
    corpus: Corpus, trained: Path, tmp_path: Path
) -> None:
    forget, _ = parts(corpus)
    job = by_rows(corpus, trained, tmp_path / "in", forget)
    with pytest.raises(ConfigError, match="one prompt"):
        unlearn(dataclasses.replace(job, config={"full_sequence": True}), tmp_path / "a")
    with pytest.raises(ConfigError, match="no corrections that settings could be tried on"):
        unlearn(dataclasses.replace(job, tune=2), tmp_path / "b")
    (tmp_path / "ids.txt").write_text("\n".join(r.id for r in forget))
    write_records(tmp_path / "few.jsonl", forget)
    alone = spec(corpus, trained, "correct", dataset=str(tmp_path / "few.jsonl"), forget_ids=str(tmp_path / "ids.txt"))
    with pytest.raises(DataError, match="nothing to retain"):
        unlearn(alone, tmp_path / "c")


@pytest.mark.parametrize(
    "row", [{"prompt": "a", "answer": "b", "correction": "b "}, {"text": "a", "correction": "b"}, {"correction": 1}]
)
def test_a_correction_that_corrects_nothing_is_a_bad_row(tmp_path: Path, row: dict[str, Any]) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps({"prompt": "a", "answer": "c"}) + "\n" + json.dumps(row))
    with pytest.raises(DataError, match="rows.jsonl:2: correction"):
        load_records(tmp_path / "rows.jsonl")
