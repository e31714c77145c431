"""`put`: what is stored is checked first, told in words or JSON, and found by its digest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from unlearning_engine.__main__ import main
from unlearning_engine.artifacts import Store


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("LETHE_ARTIFACTS", str(tmp_path / "store"))
    return Store.from_environment()


def model(folder: Path, *, without: str = "") -> Path:
    files = {
        "config.json": json.dumps({"architectures": ["LlamaForCausalLM"]}),
        "model.safetensors": "weights",
        "tokenizer.json": "{}",
    }
    folder.mkdir()
    for name, text in files.items():
        if name != without:
            (folder / name).write_text(text)
    return folder


def test_a_models_folder_is_stored_and_told(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["put", str(model(tmp_path / "m")), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["kind"], told["architecture"], told["files"]) == ("model", "LlamaForCausalLM", 3)
    assert set(store.list_tree(told["digest"]) or {}) == {"config.json", "model.safetensors", "tokenizer.json"}


@pytest.mark.parametrize(("without", "says"), [("model.safetensors", "no weights"), ("tokenizer.json", "no tokenizer")])
def test_a_folder_that_is_not_whole_is_refused(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str], without: str, says: str
) -> None:
    assert main(["put", str(model(tmp_path / "m", without=without))]) == 2
    assert says in capsys.readouterr().err and not (tmp_path / "store" / "roots").exists()


def test_a_dataset_gets_ids_and_our_columns(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = tmp_path / "own.jsonl"
    rows.write_text('{"body": "the sea remains"}\n{"body": "the salt orchard"}\n')
    assert main(["put", str(rows), "--columns", "text=body"]) == 0
    said, digest = capsys.readouterr().out.splitlines()
    assert said == "Stored the dataset (records 2)."
    kept = [json.loads(line) for line in store.read(digest).splitlines()]
    assert [row["text"] for row in kept] == ["the sea remains", "the salt orchard"] and all(row["id"] for row in kept)


@pytest.mark.parametrize(
    ("text", "columns", "says"),
    [
        ('{"text": "a"}\nnot json\n', [], "own.jsonl:2"),
        ('{"prompt": "a"}\n', [], "neither text nor both prompt and answer"),
        ('{"text": "a"}\n', ["text"], "OURS=THEIRS"),
        ('{"body": "a"}\n{"body": "b", "by": "c"}\n', [], "the columns are body, by: say which is which"),
        ("", [], "holds no rows"),
    ],
)
def test_bad_rows_are_told_by_line(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, columns: list[str], says: str
) -> None:
    rows = tmp_path / "own.jsonl"
    rows.write_text(text)
    assert main(["put", str(rows), *(["--columns", *columns] if columns else [])]) == 2
    assert says in capsys.readouterr().err


def test_what_is_not_there_is_said(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["put", "nowhere"]) == 2
    assert "no such file or folder" in capsys.readouterr().err


@pytest.mark.parametrize("made", ["model", "dataset.jsonl", ""])
def test_the_folder_of_a_run_is_refused_in_one_sentence_that_names_what_it_made(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str], made: str
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for name in ("run.json", "progress.jsonl", made or "result.json"):
        (run / name).write_text("{}\n")
    assert main(["put", str(run)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "the folder of a run" in said
    assert (str(run / made) if made else "not the folder") in said
