"""The engine as a person or a worker starts it: a process, its lines, its exit code."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from unlearning_engine.trees import name_of

ENGINE = [sys.executable, "-m", "unlearning_engine"]


def engine(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "LETHE_ARTIFACTS"}
    root = str(Path(__file__).resolve().parents[2])
    return subprocess.run(
        [*ENGINE, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**environment, "PYTHONPATH": root},
        timeout=120,
    )


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_spec_file_and_flags_make_the_same_run(tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text(json.dumps({"verb": "generate", "seed": 2, "artists": 1, "persons": 0}))
    by_file = engine("generate", "spec.json", "--out", "a", cwd=tmp_path)
    by_flags = engine("generate", "--seed", 2, "--artists", 1, "--persons", 0, "--out", "b", cwd=tmp_path)
    assert (by_file.returncode, by_flags.returncode) == (0, 0)
    assert lines(by_file)[0] == lines(by_flags)[0]
    assert name_of(tmp_path / "a" / "dataset.jsonl") == name_of(tmp_path / "b" / "dataset.jsonl")


def test_flags_match_works_against_a_dataset(tmp_path: Path) -> None:
    assert engine("generate", "--seed", 2, "--artists", 2, "--out", tmp_path / "org").returncode == 0
    done = engine(
        "match", "--works", tmp_path / "org/works", "--data", tmp_path / "org/dataset.jsonl", "--out", tmp_path / "m"
    )
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "m" / "result.json").read_bytes())["metrics"]
    assert metrics["works_found"] == metrics["works"]


def test_all_problems_of_the_flags_come_together_with_the_names_that_were_typed(tmp_path: Path) -> None:
    done = engine(
        "unlearn", "--method", "wishing", "--data", "nowhere.jsonl", "--set", "oops", "--config", "none.json",
        "--seed", -3, "--out", tmp_path / "out", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2
    event = lines(done)[-1]
    assert (event["event"], event["type"], event["retryable"]) == ("error", "ConfigError", False)
    for part in ("--method: 'wishing'", "--data: ", "--set: 'oops'", "--config: ", "--seed: -3", "--model: missing"):
        assert any(m.startswith(part) for m in event["messages"]), part
    assert "7 problems:" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "no readable JSON"),
        ("[]", "must be a JSON object"),
        ('{"verb": "train"}', "is a spec for 'train', not for 'generate'"),
        ('{"seed": 1, "schema": 9}', "schema"),
    ],
)
def test_a_wrong_spec_file_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "spec.json").write_text(content)
    done = engine("generate", tmp_path / "spec.json", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert message in lines(done)[-1]["messages"][0]


def test_a_spec_file_and_flags_together_are_refused(tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text("{}")
    done = engine("generate", tmp_path / "spec.json", "--seed", 1, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "--seed" in lines(done)[-1]["messages"][0]


def test_bad_data_exits_with_2_and_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "works.jsonl").write_text('{"id": "a", "text": "words here"}\n')
    (tmp_path / "data.jsonl").write_text('{"id": "a", "text": "fine"}\nnot json\n')
    done = engine("match", "--works", "works.jsonl", "--data", "data.jsonl", "--out", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert "data.jsonl:2" in lines(done)[-1]["messages"][0]
    assert json.loads((tmp_path / "out" / "error.json").read_bytes())["type"] == "DataError"


@pytest.mark.parametrize("arguments", [["--help"], ["methods"], ["methods", "--json"], ["verify", "--help"]])
def test_help_and_methods_import_no_torch_and_no_django(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom unlearning_engine.__main__ import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit:\n    pass\n"
        "sys.exit(any(m in sys.modules for m in ('torch', 'transformers', 'django', 'celery')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "graddiff" in done.stdout or "usage:" in done.stdout


def test_a_wrong_spec_is_refused_before_torch_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom unlearning_engine.__main__ import main\n"
        f"code = main(['train', '--out', {str(tmp_path / 'out')!r}])\n"
        "sys.exit(0 if code == 2 and 'torch' not in sys.modules else 1)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def slow_verb(tmp_path: Path, body: str) -> list[str]:
    """A command line whose verb `match` is the given code; everything around it is the engine's own."""
    (tmp_path / "slow.py").write_text(
        "import sys, time, os, subprocess\nfrom pathlib import Path\n"
        f"def go(spec, out, report):\n{body}\n"
        "from unlearning_engine import runner\nfrom unlearning_engine.__main__ import entry\n"
        "runner.VERBS = {**runner.VERBS, 'match': ('slow', 'go')}\n"
        "if __name__ == '__main__':\n    entry()\n"
    )
    (tmp_path / "works.jsonl").write_text("{}\n")
    inputs = ["--works", str(tmp_path / "works.jsonl"), "--data", str(tmp_path / "works.jsonl")]
    return [sys.executable, str(tmp_path / "slow.py"), "match", *inputs, "--out", str(tmp_path / "out")]


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_says_what_is_kept_and_exits_130(tmp_path: Path, sent: signal.Signals) -> None:
    command = slow_verb(tmp_path, "    report({'event': 'progress', 'step': 1})\n    time.sleep(60)")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    while "progress" not in process.stdout.readline():
        pass
    process.send_signal(sent)
    _, error = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "last checkpoint" in error
    assert "Traceback" not in error


def test_a_fault_exits_with_70_and_its_traceback(tmp_path: Path) -> None:
    done = subprocess.run(slow_verb(tmp_path, "    1 / 0"), capture_output=True, text=True, check=False)
    assert done.returncode == 70
    assert "ZeroDivisionError" in done.stderr
    assert "fault of the engine" in done.stderr


def test_what_libraries_print_never_reaches_the_lines(tmp_path: Path) -> None:
    body = "    print('noise')\n    subprocess.run(['echo', 'more noise'])\n    return {}"
    done = subprocess.run(slow_verb(tmp_path, body), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [e["event"] for e in lines(done)] == ["start", "end"]
    assert "more noise" in done.stderr


def test_a_watched_run_ends_with_its_starter_and_takes_its_children_along(tmp_path: Path) -> None:
    body = (
        "    child = subprocess.Popen(['sleep', '600'])\n"
        "    report({'event': 'progress', 'step': child.pid})\n    time.sleep(60)"
    )
    command = [*slow_verb(tmp_path, body), "--watch-stdin"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    while "progress" not in (line := process.stdout.readline()):
        pass
    child = json.loads(line)["step"]
    process.stdin.close()
    assert process.wait(timeout=10) == -signal.SIGKILL
    process.stdout.close()
    deadline = time.monotonic() + 5
    while _alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(child)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.parametrize(("verdict", "code"), [("pass", 0), ("fail", 1), ("inconclusive", 3), ("damaged", 4)])
def test_the_exit_code_of_verify_is_the_verdict(verdict: str, code: int) -> None:
    from unlearning_engine.__main__ import _exit_code
    from unlearning_engine.contracts import Result

    assert _exit_code(Result(verb="verify", spec_digest="", metrics={"verdict": verdict})) == code
    assert _exit_code(Result(verb="train", spec_digest="", metrics={"verdict": verdict})) == 0


def test_on_a_terminal_a_person_sees_sentences_and_not_json(tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [*ENGINE, "generate", "--artists", "1", "--out", str(tmp_path / "out")],
        stdout=follower,
        stderr=subprocess.PIPE,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(follower)
    shown = b""
    while select.select([leader], [], [], 20)[0]:
        try:
            part = os.read(leader, 4096)
        except OSError:
            break
        if not part:
            break
        shown += part
    process.communicate(timeout=20)
    os.close(leader)
    assert process.returncode == 0
    assert b"generate: done" in shown
    assert b'{"event"' not in shown
