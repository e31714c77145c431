"""The table of scores is what an auditor gets: it reads back as written and refuses what is no table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from unlearning_engine.errors import DataError
from unlearning_engine.probes.table import Row, mean_of, read_scores, write_scores

HEADER = {"seed": 3, "reference_kind": "controls", "facts": {}, "overlaps": {}, "models": {}, "attacks": []}
ROWS = [
    Row(model="candidate", set="forget", id="a", fact=0, work=0, exact=1.0, choice=1.0),
    Row(model="candidate", set="forget", id="b", fact=0, work=0, exact=0.0, choice=0.0, choice_paraphrase=1.0),
    Row(model="candidate", set="forget", id="c", fact=1, work=0, exact=0.0),
    Row(model="candidate", set="forget", id="d", fact=2, work=1, attack="relearning", exact=1.0),
]


def test_a_table_reads_back_as_it_was_written(tmp_path: Path) -> None:
    write_scores(tmp_path / "scores.jsonl", HEADER, ROWS)
    table = read_scores(tmp_path / "scores.jsonl")
    assert list(table.rows) == ROWS
    assert table.header["seed"] == 3
    assert not table.has_reference


def test_a_sample_averages_phrasings_and_keeps_attacks_apart(tmp_path: Path) -> None:
    write_scores(tmp_path / "scores.jsonl", HEADER, ROWS)
    table = read_scores(tmp_path / "scores.jsonl")
    exact = table.sample("candidate", "forget", "exact")
    assert exact is not None
    assert exact.values.tolist() == [0.5, 0.0]
    choice = table.sample("candidate", "forget", mean_of("choice", "choice_paraphrase"))
    assert choice is not None
    assert choice.values.tolist() == [0.75]
    assert table.sample("candidate", "forget", "truth") is None
    assert table.sample("reference", "forget", "exact") is None


def test_no_text_of_an_item_is_in_a_row() -> None:
    texts = {"model", "attack", "set", "id"}
    assert {name for name, kind in Row.__annotations__.items() if "str" in str(kind)} == texts


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["not json"],
        [json.dumps({"kind": "something else", "schema": 1})],
        [json.dumps({"kind": "lethe-scores", "schema": 99})],
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, lines: list[str]) -> None:
    (tmp_path / "scores.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(DataError):
        read_scores(tmp_path / "scores.jsonl")


def test_every_bad_row_is_named_by_its_line(tmp_path: Path) -> None:
    write_scores(tmp_path / "scores.jsonl", HEADER, ROWS)
    with (tmp_path / "scores.jsonl").open("a", encoding="utf-8") as out:
        out.write('{"model": "candidate"}\n[]\n')
    with pytest.raises(DataError) as error:
        read_scores(tmp_path / "scores.jsonl")
    assert [message.split(": ")[0].rsplit(":", 1)[1] for message in error.value.messages] == ["6", "7"]
