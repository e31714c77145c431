"""`verify --replay`: an auditor's second computation agrees to the last number, or says where it does not."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.small_verifications import POLICY, Small, small
from unlearning_engine import __main__ as command
from unlearning_engine.__main__ import main
from unlearning_engine.catalog import POLICIES
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.flags import given_fields
from unlearning_engine.policy import Policy
from unlearning_engine.replaying import replay, rescore
from unlearning_engine.verification import SCORES, VERIFICATION


@pytest.fixture(scope="module", autouse=True)
def standard_output() -> Iterator[None]:
    """The command keeps standard output for itself by moving descriptors, which a test run must not have moved."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "_own_stdout", lambda: sys.stdout)
        yield


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """Three models and a finished verification in `out`, run from the command line."""
    made = small(tmp_path_factory.mktemp("replay"))
    (made.folder / "policy.json").write_text(json.dumps(POLICY), encoding="utf-8")
    assert main(["verify", *flags(made), "--out", str(made.folder / "out"), "--json"]) == 2
    return made


def flags(made: Small) -> list[str]:
    paths = {"--model": "candidate", "--original": "original", "--reference": "reference", "--policy": "policy.json"}
    paths |= {f"--{name}": f"{name}.jsonl" for name in ("forget", "retain", "general", "controls")}
    found = [part for flag, name in paths.items() for part in (flag, str(made.folder / name))]
    return [*found, "--seed", "1", "--threads", "1", "--device", "cpu"]


def copied(made: Small, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made.folder / "out", tmp_path / "bundle"))


def edited(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    found = json.loads(path.read_text(encoding="utf-8"))
    change(found)
    path.write_text(json.dumps(found), encoding="utf-8")


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    return line


def test_a_finished_verification_comes_out_as_recorded(given: Small, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay(given.folder / "out").differences == ()
    assert replay(given.folder / "out" / VERIFICATION).differences == ()
    assert main(["verify", "--replay", str(given.folder / "out"), "--json"]) == 2  # its verdict: bad input
    assert told(capsys) == {
        "verdict": "bad_input",
        "rescored": False,
        "same": True,
        "differences": [],
    }


def test_a_verdict_that_was_changed_is_told(given: Small, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = copied(given, tmp_path)
    edited(bundle / VERIFICATION, lambda found: found.update(verdict="pass"))
    assert main(["verify", "--replay", str(bundle), "--json"]) == 2
    assert told(capsys)["differences"] == ['verdict: recorded "pass", computed "bad_input"']


def test_the_exit_code_is_the_recorded_verdicts(given: Small, tmp_path: Path) -> None:
    bundle = copied(given, tmp_path)
    path = bundle / SCORES
    lines = path.read_text(encoding="utf-8").splitlines()
    broken = [json.dumps({**json.loads(x), "finite": 0}) if '"model": "candidate"' in x else x for x in lines]
    path.write_text("\n".join(broken) + "\n", encoding="utf-8")
    assert replay(bundle).differences[0].startswith("scores.digest: ")
    assert any(
        text.startswith('verdict: recorded "bad_input", computed "damaged"') for text in replay(bundle).differences
    )


def test_a_number_that_was_changed_is_named(given: Small, tmp_path: Path) -> None:
    bundle = copied(given, tmp_path)
    edited(bundle / VERIFICATION, lambda found: found["probes"][0]["candidate"].update(value=0.5))
    (difference,) = replay(bundle).differences
    assert difference.startswith("probes.exact_value.candidate.value: recorded 0.5")


def test_a_policy_that_was_changed_no_longer_has_its_digest(given: Small, tmp_path: Path) -> None:
    bundle = copied(given, tmp_path)
    edited(bundle / VERIFICATION, lambda found: found["policy"].update(utility_floor=0.7))
    assert any(text.startswith("policy_digest") for text in replay(bundle).differences)


def test_a_folder_that_holds_no_verification_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"verification\.json and no scores\.jsonl"):
        replay(tmp_path)
    assert main(["verify", "--replay", str(tmp_path)]) == 2


def test_with_the_models_at_hand_the_scores_are_measured_again(
    given: Small, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "--replay", str(given.folder / "out"), "--rescore", "--json"]) == 2
    found = told(capsys)
    assert found["rescored"]
    assert found["differences"] == []


def test_another_model_under_the_same_name_is_told(given: Small, tmp_path: Path) -> None:
    other = {"candidate": str(given.folder / "reference"), "reference": str(given.folder / "candidate")}
    found = rescore(given.folder / "out", other, tmp_path / "again", lambda event: None)
    assert any(text.startswith("models.candidate.weights") for text in found.differences)
    assert any("rows moved" in text for text in found.differences)


def test_a_model_that_is_not_at_hand_is_asked_for(given: Small, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="candidate: .*give it with its flag"):
        rescore(given.folder / "out", {"candidate": "sha256:" + 64 * "0"}, tmp_path / "again", lambda event: None)


def test_flags_that_a_replay_would_ignore_are_refused(given: Small, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--replay", str(given.folder / "out"), "--seed", "2"]) == 2
    assert "--rescore" in capsys.readouterr().err
    assert main(["verify", *flags(given)]) == 2
    assert "--out DIR" in capsys.readouterr().err


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_is_given_by_name(name: str) -> None:
    from unlearning_engine.__main__ import parser

    fields = given_fields(parser().parse_args(["verify", "--policy", name, "--out", "x"]))
    policy = Policy.from_json(fields["policy"])
    assert policy.name == name
    assert policy.to_json() == json.loads(json.dumps(dict(POLICIES[name])))


def test_an_unknown_policy_names_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--policy", "lethe-lenient", "--out", "x"]) == 2
    assert "neither a policy (lethe-default, lethe-thorough) nor a JSON file" in capsys.readouterr().err
