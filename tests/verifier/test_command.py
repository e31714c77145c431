"""The command that a stranger runs: alone, offline, and with success only where trust came from outside."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from governance.evidence import bundle
from lethe_verify import Outcome, judge
from lethe_verify import bundle as theirs
from lethe_verify.__main__ import main, words
from lethe_verify.judge import Known
from lethe_verify.trust import Trust, TrustError, load, read
from lethe_verify.verdict import Verdict
from scripts import verifier
from tests.governance.evidence_sealed import sealed
from tests.verifier.corpus import forked
from tests.verifier.example import forged, genuine

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    one = genuine()
    told = {"format": bundle.TRUST, "seals": [one.fingerprint], "ledgers": [one.ledger_key]}
    wanted = {"report.pdf": one.pdf, "bundle.zip": one.bundle, "forged.zip": forged().bundle,
              "seal.pem": sealed().key.certificate.public_bytes(Encoding.PEM),
              "trust.json": bundle.trust_file(told), "sample.json": b'{"format":"lethe-sample/2"}'}  # fmt: skip
    (tmp_path / "folder").mkdir()
    for name, data in wanted.items():
        (tmp_path / name).write_bytes(data)
    return {name: str(tmp_path / name) for name in (*wanted, "folder")}


def test_success_needs_a_fingerprint_from_outside(files: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("report.pdf", "bundle.zip"):
        assert main([files[name]]) == 3
        told = capsys.readouterr().out
        assert "SIGNER UNKNOWN" in told and "GENUINE" not in told
        for trust in (genuine().fingerprint, f"sha256:{genuine().fingerprint}", genuine().fingerprint.upper(),
                      files["seal.pem"], files["trust.json"]):  # fmt: skip
            assert main([files[name], "--trust", trust]) == 0
            assert "GENUINE" in capsys.readouterr().out
    assert main([files["forged.zip"], "--trust", files["trust.json"]]) == 1
    assert "REFUSED" in capsys.readouterr().out


def test_it_says_what_was_not_proved(files: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    main([files["bundle.zip"], "--trust", genuine().fingerprint])
    told = capsys.readouterr().out
    assert "NOT proved" in told
    for expected in (
        "issuer's own clock",
        "anybody can be a witness",
        "measurements are the issuer's own",
        "No earlier checkpoint",
    ):
        assert expected in told


def test_nothing_that_a_file_says_is_obeyed_by_the_terminal() -> None:
    verdict = Verdict(report={"issuer": "\x1b]0;owned\x07"})
    verdict.proved("stated", "Sample \x1b[2J\x9b2K\r was stated.")
    assert "Sample ?[2J?2K? was stated." in words(verdict) and "\x1b" not in words(verdict)


def test_programs_get_the_same_as_json(files: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([files["bundle.zip"], "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert told["outcome"] == "unknown_signer" and told["report"]["number"] == "LR-2026-0381"
    assert {one["state"] for one in told["findings"]} == {"proved", "not_proved"}


@pytest.mark.parametrize(
    "arguments",
    [["nowhere.pdf"], ["{report.pdf}", "--trust", "abc"], ["{report.pdf}", "--trust", "{bundle.zip}"],
     ["{report.pdf}", "--consistency", "{trust.json}"], ["{report.pdf}", "--checkpoint", "{bundle.zip}"], [],
     ["{report.pdf}", "--model", "nowhere"], ["{bundle.zip}", "--weights", "nowhere"],
     ["{folder}", "--checkpoint", "{trust.json}"], ["{folder}", "--at", "2036-01-31"],
     ["{sample.json}", "--at", "2036-01-31"], ["{sample.json}", "--checkpoint", "nowhere"]],
)  # fmt: skip
def test_wrong_use_is_told_apart(arguments: list[str], files: dict[str, str]) -> None:
    filled = [files[one[1:-1]] if one.startswith("{") else one for one in arguments]
    try:
        assert main(filled) == 2
    except SystemExit as ended:
        assert ended.code == 2


def test_a_trust_file_that_says_nothing_is_refused() -> None:
    for text in ("not a file", "00" * 31):
        with pytest.raises(TrustError):
            load(text)


def test_no_file_stands_in_for_a_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever sends a forged report may send a file along, named like the genuine fingerprint."""
    monkeypatch.chdir(tmp_path)
    mark = genuine().fingerprint
    for given in (mark, mark.upper(), f"sha256:{mark}", ":".join(re.findall("..", mark))):
        (tmp_path / given).write_text(forged().fingerprint)
        assert load(given) == load(mark)
    (tmp_path / "report.pdf").write_bytes(forged().pdf)
    assert main(["report.pdf", "--trust", mark]) == 1
    (tmp_path / "fingerprint.txt").write_text(forged().fingerprint)
    assert load("fingerprint.txt").seals == {forged().fingerprint}
    assert "REFUSED" in capsys.readouterr().out


def test_all_that_a_pem_holds_is_believed_and_nothing_else_in_it_passed_over(files: dict[str, str]) -> None:
    seal, key = Path(files["seal.pem"]).read_text(), sealed().key.certificate.public_key()
    public = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    both = read(public + seal)
    assert both.seals == read(seal).seals and both.models == read(public).models and both.seals and both.models
    for more in ("-----BEGIN TRUSTED CERTIFICATE-----\nAA==\n-----END TRUSTED CERTIFICATE-----\n", "-----BEGIN"):
        with pytest.raises(TrustError, match="neither a certificate nor a public key"):
            read(seal + more)


def test_a_file_alone_is_not_shown_to_be_in_the_ledger() -> None:
    trust = Trust(frozenset({genuine().fingerprint}))
    for data, state in ((genuine().pdf, "not_proved"), (genuine().bundle, "proved")):
        assert [one.state for one in judge(data, trust).findings if one.code == "registered"] == [state]


def test_a_huge_file_is_refused_without_being_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    huge = tmp_path / "huge.pdf"
    with huge.open("wb") as file:
        file.write(b"%PDF-1.7\n")
        file.truncate(2**30)
    assert main([str(huge), "--trust", "00" * 32]) == 1
    assert "larger" in capsys.readouterr().out


def test_the_houses_bundle_is_byte_for_byte_the_only_one(files: dict[str, str]) -> None:
    assert theirs.write(theirs.read(genuine().bundle)) == genuine().bundle


def test_a_kept_checkpoint_shows_a_ledger_that_was_rewritten() -> None:
    one, trust = genuine(), Trust(frozenset({genuine().fingerprint}))
    kept = Known(one.note(12))
    missing = judge(one.bundle, trust, known=kept)
    assert missing.outcome is Outcome.REFUSED and "--consistency" in missing.findings[-1].text
    proof = bundle.consistency_file(old=12, new=15, proof=one.tree.consistency_proof(12))
    assert judge(one.bundle, trust, known=Known(kept.checkpoint, proof)).outcome is Outcome.GENUINE
    assert judge(one.bundle, trust, known=Known(one.note(15))).outcome is Outcome.GENUINE
    wrong = bundle.consistency_file(old=12, new=15, proof=one.tree.consistency_proof(11))
    assert judge(one.bundle, trust, known=Known(kept.checkpoint, wrong)).outcome is Outcome.REFUSED
    rewritten = json.loads(forked(one))["checkpoint"]
    assert judge(one.bundle, trust, known=Known(rewritten)).findings[-1].code == "fork"
    assert judge(one.bundle, trust, known=Known(json.loads(forged().ledger)["checkpoint"])).outcome is Outcome.REFUSED


def test_one_file_built_anywhere_runs_where_nothing_is_installed(tmp_path: Path, files: dict[str, str]) -> None:
    made = verifier.build(tmp_path / "one")
    assert made.read_bytes() == verifier.build(tmp_path / "two").read_bytes()
    command = [sys.executable, "-I", "-S", str(made), files["bundle.zip"], "--trust", genuine().fingerprint]
    done = subprocess.run(command, cwd=tmp_path, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_needs_nothing_but_the_standard_library() -> None:
    from tests.architecture.tree import imported

    for path in (ROOT / "lethe_verify").glob("*.py"):
        assert imported(path.relative_to(ROOT)) <= set(sys.stdlib_module_names) | {"lethe_verify"}, path
