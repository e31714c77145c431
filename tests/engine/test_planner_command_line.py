"""`plan` for an engineer without the app: a table, JSON, every problem at once, and 3 where nothing is left."""

from __future__ import annotations

import json

import pytest

from unlearning_engine.__main__ import main

FLAGS = [
    "--parameters", "657024", "--epochs", "12", "--forget-records", "245", "--forget-tokens", "3185",
    "--retain-records", "629", "--retain-tokens", "8177",
]  # fmt: skip


def test_it_prints_the_ranking_with_its_reasons(capsys):
    assert main(["plan", *FLAGS, "--watts", "65", "--rate", "0.2", "--currency", "EUR", "--deadline", "14d"]) == 0
    told = capsys.readouterr().out
    assert "graddiff" in told and "Wh" in told and "EUR" in told and "yes" in told
    assert "brought it back in 4 of 4" in " ".join(told.split()) and "sisa cannot run." in told


def test_flags_and_spec_say_the_same(tmp_path, capsys):
    assert main(["plan", *FLAGS, "--tried", "graddiff=fail:52", "--json"]) == 0
    by_flags = json.loads(capsys.readouterr().out)
    spec = {
        "sizes": {"parameters": 657024, "epochs": 12, "forget_records": 245, "forget_tokens": 3185,
                  "retain_records": 629, "retain_tokens": 8177},
        "tried": [{"method": "graddiff", "verdict": "fail", "seconds": 52}],
    }  # fmt: skip
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(spec))
    assert main(["plan", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == by_flags
    assert by_flags["candidates"][0]["method"] == "retrain" and by_flags["candidates"][0]["why"][0]["text"]


def test_all_problems_of_a_spec_are_told_at_once(tmp_path, capsys):
    path = tmp_path / "spec.json"
    path.write_text(json.dumps({"sizes": {"parameters": "many", "mass": 1}, "tried": [{}], "zip": 1, "serves": "x"}))
    assert main(["plan", str(path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 5


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (["--deadline", "soon"], "--deadline"),
        (["--order", "alphabet"], "order"),
        (["--tried", "npo=fail:long"], "--tried"),
        (["--model", "/nowhere"], "--model"),
        (["--device", "abacus"], "device"),
        (["--lineage", "/nowhere"], "--forget-ids"),
        (["/nowhere.json"], "no readable JSON"),
    ],
)
def test_bad_input_is_named(flags, problem, capsys):
    assert main(["plan", *flags]) == 2
    assert problem in capsys.readouterr().err


def test_a_spec_beside_flags_is_refused(tmp_path, capsys):
    path = tmp_path / "spec.json"
    path.write_text("{}")
    assert main(["plan", str(path), "--attempts", "3"]) == 2
    assert "not both" in capsys.readouterr().err


def test_where_nothing_is_left_it_says_why_and_proposes_the_withdrawal(capsys):
    assert main(["plan", "--tried", "retrain=fail"]) == 3
    told = " ".join(capsys.readouterr().out.split())
    assert "second look" in told and "withdrawal" in told


def test_sizes_come_from_the_files(tmp_path, capsys):
    rows = [{"id": f"r{n}", "prompt": "Who wrote it?", "answer": "Vel Marun"} for n in range(20)]
    data, ids = tmp_path / "d.jsonl", tmp_path / "ids.txt"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    ids.write_text("r1\nr2\n")
    files = ["--data", str(data), "--forget-ids", str(ids)]
    assert main(["plan", *files, "--parameters", "1000", "--epochs", "2", "--json"]) == 0
    by_method = {one["method"]: one for one in json.loads(capsys.readouterr().out)["candidates"]}
    assert by_method["retrain"]["cost"]["flops"] == pytest.approx(6 * 1000 * 2 * 18 * 22 / 4, rel=0.01)
