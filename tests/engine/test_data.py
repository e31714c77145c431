"""Records are read from every common form, and every bad row is named at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from unlearning_engine.data import (
    Record,
    dataset_digest,
    join,
    load_ids,
    load_records,
    split,
    text_digest,
    write_records,
)
from unlearning_engine.errors import DataError

ROWS = [
    Record(id="a", subject="s", prompt="Who?", answer="me", paraphrase=("Which one?",), perturbed=("you", "they")),
    Record(id="b", subject="s", text="Running text, é."),
]


def written(path: Path, *lines: object) -> Path:
    path.write_text("\n".join(x if isinstance(x, str) else json.dumps(x) for x in lines), encoding="utf-8")
    return path


def messages(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        load_records(path)
    return str(caught.value)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write_records(tmp_path / "rows.jsonl", ROWS)
    assert load_records(tmp_path / "rows.jsonl") == ROWS


def test_parquet_and_dataset_folders_read_like_jsonl(tmp_path: Path) -> None:
    import datasets

    made = datasets.Dataset.from_list([{"paraphrase": None, "text": None, **row.to_json()} for row in ROWS])
    made.to_parquet(tmp_path / "rows.parquet")
    made.save_to_disk(tmp_path / "saved")
    datasets.DatasetDict({"train": made}).save_to_disk(tmp_path / "splits")
    for name in ("rows.parquet", "saved", "splits"):
        assert load_records(tmp_path / name) == ROWS, name


def test_a_single_paraphrase_may_be_a_text_and_answers_may_be_reworded(tmp_path: Path) -> None:
    row = {"id": "a", "prompt": "Who?", "answer": "me", "paraphrase": "Which one?", "paraphrased_answer": ["I do"]}
    (record,) = load_records(written(tmp_path / "rows.jsonl", row))
    assert (record.paraphrase, record.paraphrased_answer, record.perturbed) == (("Which one?",), ("I do",), ())


def test_a_folder_is_read_by_its_dataset_file_alone(tmp_path: Path) -> None:
    write_records(tmp_path / "dataset.jsonl", ROWS)
    write_records(tmp_path / "controls.jsonl", [Record(id="never", text="seen")])
    assert load_records(tmp_path) == ROWS


def test_a_folder_of_mixed_files_is_refused(tmp_path: Path) -> None:
    write_records(tmp_path / "one.jsonl", ROWS)
    (tmp_path / "two.parquet").write_bytes(b"PAR1")
    assert "several kinds" in messages(tmp_path)


def test_all_bad_rows_are_named_with_their_lines(tmp_path: Path) -> None:
    path = written(
        tmp_path / "rows.jsonl",
        {"id": "a", "text": "fine"},
        "{not json",
        {"id": "c", "prompt": "no answer"},
        {"id": "a", "text": "again"},
        {"id": "e", "text": "x", "answer": "y"},
        {"id": "f", "prompt": "p", "answer": "right", "perturbed": ["right"]},
        {"id": 7, "text": "x"},
        ["a list"],
        {"text": "without id"},
        {"id": "j", "text": "changed", "digest": text_digest("original")},
    )
    found = messages(path)
    for line in range(2, 11):
        assert f"rows.jsonl:{line}:" in found
    assert "rows.jsonl:1:" not in found.replace("used at rows.jsonl:1", "")


def test_text_that_is_not_unicode_is_a_bad_row_and_not_a_crash(tmp_path: Path) -> None:
    path = written(tmp_path / "rows.jsonl", '{"id": "a", "text": "\\ud800"}')
    with path.open("ab") as out:
        out.write(b'\n{"id": "b", "text": "\xff"}')
    found = messages(path)
    assert "rows.jsonl:1" in found and "rows.jsonl:2" in found


@pytest.mark.parametrize("content", [b"", b"PAR1 but not parquet"])
def test_a_damaged_parquet_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "rows.parquet").write_bytes(content)
    assert "rows.parquet" in messages(tmp_path / "rows.parquet")


def test_missing_and_empty_datasets_are_refused(tmp_path: Path) -> None:
    assert "does not exist" in messages(tmp_path / "nothing.jsonl")
    assert "no rows" in messages(written(tmp_path / "empty.jsonl"))
    (tmp_path / "folder").mkdir()
    assert "no data" in messages(tmp_path / "folder")


def test_rows_without_ids_get_ids_that_outlive_the_removal_of_others(tmp_path: Path) -> None:
    rows = [{"question": "Who?", "reply": str(n)} for n in (1, 2, 2)]
    columns = {"prompt": "question", "answer": "reply"}
    ids = [r.id for r in load_records(written(tmp_path / "all.jsonl", *rows), columns=columns)]
    fewer = [r.id for r in load_records(written(tmp_path / "few.jsonl", *rows[1:]), columns=columns)]
    assert len(set(ids)) == 3 and ids[1:] == fewer


def test_prompt_and_answer_are_joined_by_one_space_unless_there_is_one() -> None:
    assert join("Who?", "me") == "Who? me"
    assert join("Who? ", "me") == "Who? me"
    assert join("Who?", "\nme") == "Who?\nme"


def test_the_digest_depends_on_content_and_not_on_order() -> None:
    assert dataset_digest(ROWS) == dataset_digest(ROWS[::-1])
    assert dataset_digest(ROWS) != dataset_digest(ROWS[:1])
    assert dataset_digest(ROWS) != dataset_digest([Record(id="a", text="other"), ROWS[1]])


def test_splitting_by_id_names_every_unknown_id(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("b\n\nb\n", encoding="utf-8")
    assert load_ids(tmp_path / "ids.txt") == ["b"]
    assert split(ROWS, ["b"]) == ([ROWS[1]], [ROWS[0]])
    with pytest.raises(DataError, match="'x' is not in the dataset\nrecord id 'y'"):
        split(ROWS, ["x", "a", "y"])
    with pytest.raises(DataError, match="nothing.txt"):
        load_ids(tmp_path / "nothing.txt")


def test_reading_records_imports_neither_torch_nor_datasets() -> None:
    code = "import sys, unlearning_engine.data; print({'torch', 'datasets', 'pyarrow'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"
