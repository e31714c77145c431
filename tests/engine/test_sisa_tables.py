"""Tables are read from three forms, every bad row is named, and what a row teaches has one digest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unlearning_engine.errors import DataError, StorageError
from unlearning_engine.sisa import tables
from unlearning_engine.sisa.tables import Table, concat, read_table, write_table

ROWS: list[dict[str, Any]] = [
    {"id": "a", "features": [0, 1, 2, 255], "label": 0, "subject": "ann", "likelihood": 0.5},
    {"id": "b", "features": [[1, 1], [0, 0]], "label": 2},
    {"id": "c", "features": [0.0, 7.0, 0.0, -0.0], "label": 1, "subject": "ann"},
]


def read(path: Path) -> Table:
    return read_table(path, shape=[2, 2], classes=3)


def jsonl(path: Path, rows: list[Any]) -> Path:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


def npz(path: Path, **changed: Any) -> Path:
    arrays = {"ids": np.array(["a", "b"]), "features": np.zeros((2, 4), np.uint8), "labels": np.array([0, 1])}
    np.savez(path, **{**arrays, **changed})
    return path


def same(one: Table, other: Table) -> bool:
    texts = (one.ids, one.subjects, one.likelihoods) == (other.ids, other.subjects, other.likelihoods)
    numbers = one.features.dtype == other.features.dtype and np.array_equal(one.features, other.features)
    return texts and numbers and np.array_equal(one.labels, other.labels)


def problems(path: Path) -> list[str]:
    with pytest.raises(DataError) as caught:
        read(path)
    return list(caught.value.messages)


def test_json_lines_give_columns_with_small_whole_numbers_as_bytes(tmp_path: Path) -> None:
    table = read(jsonl(tmp_path / "t.jsonl", ROWS))
    assert table.ids == ["a", "b", "c"] and table.subjects == ["ann", "", "ann"] and table.likelihoods == [0.5, 0, 0]
    assert table.features.shape == (3, 2, 2) and table.features.dtype == np.uint8
    assert table.labels.tolist() == [0, 2, 1] and len(table) == 3


def test_numbers_that_bytes_cannot_hold_are_kept_in_32_bits(tmp_path: Path) -> None:
    for value in (-1, 256, 0.5):
        table = read(jsonl(tmp_path / "t.jsonl", [*ROWS, {"id": "d", "features": [value, 0, 0, 0], "label": 0}]))
        assert table.features.dtype == np.float32 and table.features[3, 0, 0] == value


def test_a_written_table_reads_the_same_and_equal_tables_give_equal_files(tmp_path: Path) -> None:
    table = read(jsonl(tmp_path / "t.jsonl", ROWS))
    for name in ("one", "other"):
        write_table(tmp_path / f"{name}.safetensors", table)
    assert same(read(tmp_path / "one.safetensors"), table)
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "other.safetensors").read_bytes()


def test_an_npz_file_reads_the_same_as_its_rows(tmp_path: Path) -> None:
    table = read(jsonl(tmp_path / "t.jsonl", ROWS))
    path = tmp_path / "t.npz"
    texts = {"ids": table.ids, "subjects": table.subjects, "likelihoods": table.likelihoods}
    np.savez(path, features=table.features, labels=table.labels, **{k: np.array(v) for k, v in texts.items()})
    assert same(read(path), table)


def test_taking_and_joining_rows_keeps_every_column(tmp_path: Path) -> None:
    table = read(jsonl(tmp_path / "t.jsonl", ROWS))
    assert same(concat([table.take([0]), table.take([1, 2])]), table)
    assert table.take([2, 0]).ids == ["c", "a"] and table.take([2, 0]).labels.tolist() == [1, 0]
    assert len(table.take([])) == 0


def test_digests_worked_out_before_rows_were_taken_or_joined_are_theirs(tmp_path: Path) -> None:
    table = read(jsonl(tmp_path / "t.jsonl", ROWS))
    a, b, c = table.digests()
    assert table.take([2, 0]).digests() == [c, a]
    assert concat([table.take([2]), table.take([1, 0])]).digests() == [c, b, a]


def test_a_row_has_the_same_digest_whatever_its_name_and_its_neighbours(tmp_path: Path) -> None:
    small = read(jsonl(tmp_path / "s.jsonl", [*ROWS, {"id": "d", "features": [1, 1, 0, 0], "label": 2}]))
    wide = read(jsonl(tmp_path / "w.jsonl", [*ROWS, {"id": "d", "features": [0.5, 0, 0, 0], "label": 0}]))
    assert small.features.dtype != wide.features.dtype
    assert small.digests()[:3] == wide.digests()[:3] and small.digests()[3] == small.digests()[1]
    assert len(set(small.digests())) == 3


def test_the_label_is_part_of_what_a_row_teaches(tmp_path: Path) -> None:
    table = read(jsonl(tmp_path / "t.jsonl", [{"id": str(n), "features": [0] * 4, "label": n} for n in range(2)]))
    assert len(set(table.digests())) == 2


# ---------------------------------------------------------------- refusals


def test_every_bad_row_of_json_lines_is_named_at_once(tmp_path: Path) -> None:
    good = {"features": [0, 0, 0, 0], "label": 0}
    rows = [
        {"id": "a", **good},
        {"id": "a", **good},
        {**good},
        {"id": "d", **good, "features": [1, 2, 3]},
        {"id": "e", **good, "features": [1, 2, 3, None]},
        {"id": "f", **good, "features": [[1, 2], [3]]},
        {"id": "g", **good, "label": 3},
        {"id": "h", **good, "label": True},
        {"id": "i", **good, "subject": 4, "likelihood": 2},
        '{"id": "j", "features": [0, 0, 0, NaN], "label": 0}',
        '{"id": "k", "features": [0, 0, 0, 1e39], "label": 0}',
        "{",
        "[]",
    ]
    found = problems(jsonl(tmp_path / "t.jsonl", rows))
    wanted = {
        2: "id 'a' was used at t.jsonl:1",
        3: "id is missing",
        4: "features have shape [3], not [2, 2] or [4]",
        5: "features must be a list of numbers",
        6: "features must be a list of numbers",
        7: "label 3 is not between 0 and 2",
        8: "label must be a whole number, is True",
        9: "likelihood must be a number from 0 to 1, is 2",
        10: "not a finite number",
        11: "not a finite number",
        12: "is not JSON",
        13: "must be a JSON object",
    }
    for line, words in wanted.items():
        assert any(m.startswith(f"t.jsonl:{line}: ") and words in m for m in found), (line, found)
    assert len(found) == len(wanted) + 1 and any("subject must be text, is 4" in m for m in found)


def test_every_bad_row_of_arrays_is_named_at_once(tmp_path: Path) -> None:
    features = np.zeros((4, 2, 2))
    features[1, 0, 0] = np.inf
    path = npz(tmp_path / "t.npz", ids=np.array(["a", "b", "a", ""]), features=features, labels=np.array([0, 0, 3, -1]))
    found = problems(path)
    for words in (
        "t.npz row 2: a feature is not a finite number",
        "t.npz row 3: id 'a' was used at t.npz row 1",
        "t.npz row 3: label 3",
        "t.npz row 4: id is missing",
        "t.npz row 4: label -1",
    ):
        assert any(m.startswith(words) for m in found), words
    assert len(found) == 5


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"features": np.zeros((2, 5))}, r"features have shape \[2, 5\], not \[rows, 2, 2\]"),
        ({"features": np.array(["x", "y"])}, "features must be numbers"),
        ({"labels": np.zeros(2)}, "labels must be 2 whole numbers, are float64"),
        ({"labels": np.zeros(3, int)}, "labels must be 2 whole numbers"),
        ({"ids": np.array(["a"])}, "ids must be 2 texts"),
        ({"ids": np.array([1, 2])}, "id is missing or not text"),
        ({"likelihoods": np.zeros(1)}, "likelihoods must be 2"),
        ({"ids": np.array(["a", None], dtype=object)}, "is not a readable table"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        read(npz(tmp_path / "t.npz", **changed))


@pytest.mark.parametrize("name", ["t.npz", "t.safetensors"])
def test_a_file_cut_short_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if path.suffix == ".npz":
        npz(path)
    else:
        write_table(path, read(jsonl(tmp_path / "t.jsonl", ROWS)))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="is not a readable table"):
        read(path)


def test_other_files_missing_files_and_empty_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a table; give a file that ends in .jsonl, .npz, .safetensors"):
        read(tmp_path / "t.csv")
    with pytest.raises(DataError, match="is not a readable table"):
        read(tmp_path / "t.jsonl")
    with pytest.raises(DataError, match="holds no rows"):
        read(jsonl(tmp_path / "t.jsonl", []))


def test_a_full_disk_leaves_the_table_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table, path = read(jsonl(tmp_path / "t.jsonl", ROWS)), tmp_path / "t.safetensors"
    write_table(path, table)
    before = path.read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tables.os, "fsync", full)
    with pytest.raises(StorageError, match="No space left on device"):
        write_table(path, table.take([0]))
    assert path.read_bytes() == before and sorted(p.name for p in tmp_path.iterdir()) == ["t.jsonl", "t.safetensors"]
