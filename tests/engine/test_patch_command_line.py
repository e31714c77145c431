"""`python -m unlearning_engine patch`: what it prints, its exit codes, and a model unlearned by the engine itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import Corpus
from tests.engine.patching import changed, nudge, read, same
from unlearning_engine import models
from unlearning_engine.__main__ import main

Capture = pytest.CaptureFixture[str]


def patch(capsys: Capture, *arguments: object) -> tuple[int, str]:
    code = main(["patch", *map(str, arguments)])
    return code, capsys.readouterr().out


def document(capsys: Capture, *arguments: object) -> tuple[int, Any]:
    code, text = patch(capsys, *arguments, "--json")
    return code, json.loads(text)


@pytest.fixture(scope="module")
def run(trained: Path, corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run of the engine that unlearned the tiny corpus's records."""
    out = tmp_path_factory.mktemp("run") / "out"
    arguments = ["--model", trained, "--data", corpus.dataset, "--forget-ids", corpus.forget, "--out", out]
    assert main(["unlearn", "--method", "graddiff", *map(str, arguments), "--device", "cpu", "--threads", "1"]) == 0
    return out


def test_an_unlearning_is_shipped_applied_taken_off_and_verified(
    trained: Path, run: Path, tmp_path: Path, capsys: Capture
) -> None:
    at = tmp_path / "patch"
    given = ("--base", trained, "--model", run / "model")
    code, made = document(capsys, "make", *given, "--result", run / "result.json", "--out", at)
    result = json.loads((run / "result.json").read_text())
    assert code == 0 and made["confidential"] is True
    assert made["run"] == {"method": "graddiff", "guarantee": "approximate", "spec": result["spec_digest"]}
    assert made["result"]["weights"] == result["metrics"]["weights_digest"]
    code, found = document(capsys, "verify", at, "--base", trained, "--result", run / "model")
    assert code == 0 and len(found["checked"]) == 4 and not found["findings"]
    assert document(capsys, "apply", "--base", trained, "--patch", at, "--out", tmp_path / "applied")[0] == 0
    assert document(capsys, "rollback", "--model", tmp_path / "applied", "--patch", at, "--out", tmp_path / "b")[0] == 0
    assert same(read(tmp_path / "applied"), read(run / "model")) and same(read(tmp_path / "b"), read(trained))
    assert models.load(tmp_path / "applied", device="cpu").tokenizer.eos_token_id is not None


def test_a_manifest_names_no_record_person_or_place(
    trained: Path, run: Path, corpus: Corpus, tmp_path: Path, capsys: Capture
) -> None:
    given = ("--base", trained, "--model", run / "model", "--result", run / "result.json")
    document(capsys, "make", *given, "--out", tmp_path / "patch")
    text = (tmp_path / "patch" / "manifest.json").read_text()
    secrets = [*(row.id for row in corpus.records), *(row.subject for row in corpus.records), str(tmp_path), "/"]
    assert not [word for word in secrets if word in text]


def test_the_result_must_be_of_this_model_and_of_an_unlearning(
    trained: Path, run: Path, tmp_path: Path, capsys: Capture
) -> None:
    other = changed(run / "model", tmp_path / "other", nudge("layers.0"))
    given = ("make", "--base", trained, "--out", tmp_path / "p")
    assert document(capsys, *given, "--model", other, "--result", run / "result.json")[0] == 2
    code, found = document(capsys, *given, "--model", run / "model", "--result", tmp_path / "none.json")
    assert code == 2 and "no readable result" in found["error"]["messages"][0]
    assert not (tmp_path / "p").exists()


def test_public_must_be_said_and_help_says_why(trained: Path, tmp_path: Path, capsys: Capture) -> None:
    model = changed(trained, tmp_path / "m", nudge("layers.0"))
    code, text = patch(capsys, "make", "--base", trained, "--model", model, "--out", tmp_path / "a")
    assert code == 0 and "tells what was removed" in text and "confidential" in text
    code, text = patch(capsys, "make", "--base", trained, "--model", model, "--out", tmp_path / "b", "--public")
    assert code == 0 and "Marked as public." in text
    for help_of in (["patch"], ["patch", "make"]):
        with pytest.raises(SystemExit):
            main([*help_of, "--help"])
        assert "Never publish the patch of a privacy" in " ".join(capsys.readouterr().out.split())


def test_verify_ends_with_0_1_and_2(trained: Path, tmp_path: Path, capsys: Capture) -> None:
    model = changed(trained, tmp_path / "m", nudge("layers.0"))
    at = tmp_path / "patch"
    made = document(capsys, "make", "--base", trained, "--model", model, "--out", at)[1]
    code, text = patch(capsys, "verify", at, "--digest", made["digest"])
    assert code == 0 and "Nothing is false." in text and made["digest"] in text
    code, text = patch(capsys, "verify", at, "--base", model)
    assert code == 1 and "applied already" in text
    code, text = patch(capsys, "verify", at, "--digest", "sha256:" + "0" * 64)
    assert code == 1 and "The patch is false" in text
    assert patch(capsys, "verify", at, "--digest", "abc")[0] == 2
    assert patch(capsys, "verify", tmp_path / "none")[0] == 2
    code, found = document(capsys, "verify", trained)
    assert code == 2 and found["error"]["type"] == "DataError"


def test_another_tokenizer_beside_the_same_weights_is_noted(trained: Path, tmp_path: Path, capsys: Capture) -> None:
    model = changed(trained, tmp_path / "m", nudge("layers.0"))
    document(capsys, "make", "--base", trained, "--model", model, "--out", tmp_path / "patch")
    other = changed(trained, tmp_path / "other", lambda _, value: value)
    (other / "tokenizer.json").write_text((other / "tokenizer.json").read_text() + "\n")
    code, text = patch(capsys, "apply", "--base", other, "--patch", tmp_path / "patch", "--out", tmp_path / "out")
    assert code == 0 and "its tokenizer is not the one" in text
