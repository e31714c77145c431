"""The page that says whether a report is genuine: every outcome in plain words, bounded, and nothing kept."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from governance import dispatch
from governance.evidence import pdf, schema, seal
from governance.evidence.checkpoint import verifier_key
from governance.evidence.identity import CERTIFICATE_FILE, create_seal_identity, load_seal
from governance.models import Case, Report
from tests.governance.evidence_example import VERIFIER, example


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Path]:
    """A sealed report and the folder of its seal."""
    folder = tmp_path_factory.mktemp("seal")
    create_seal_identity(folder, "House of Lumen")
    return seal.seal(pdf.render(schema.build(example())), key=load_seal(folder)), folder


def ask(client: Client, data: bytes) -> str:
    answer = client.post("/verify/", {"file": SimpleUploadedFile("r.pdf", data, content_type="application/pdf")})
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.fixture
def report(sealed: tuple[bytes, Path], settings: Any) -> bytes:
    """The report, at the installation that sealed it."""
    settings.LEDGER_VERIFIER = sealed[1] / "ledger.vkey"
    settings.LEDGER_VERIFIER.write_text(VERIFIER)
    settings.SEAL_CERTIFICATE = sealed[1] / CERTIFICATE_FILE
    return sealed[0]


def test_a_sealed_report_that_the_ledger_knows_is_genuine(client: Client, case: Case, report: bytes) -> None:
    digest = dispatch.put_bytes(report)
    Report.objects.create(case=case, number="LR-1", headline="x", pdf=digest, evidence=digest)
    text = ask(client, report)
    assert "This report is genuine." in text
    assert "Our register knows this very file." in text
    assert hashlib.sha256(report).hexdigest() in text
    assert "is-fail" not in text
    assert "The seal covers every byte; level \u2068" in text


def test_findings_are_in_the_language_of_the_reader(client: Client, report: bytes) -> None:
    client.cookies["django_language"] = "de"
    assert "Das Siegel deckt jedes Byte; Stufe \u2068" in ask(client, report)
    broken = ask(client, report[:-9] + b"\n% more\n")
    assert 'Im Einzelnen: <bdi lang="en">' in broken or "Das PDF lässt sich nicht lesen." in broken


def test_a_good_seal_on_a_file_that_nobody_registered_is_not_called_genuine(client: Client, report: bytes) -> None:
    text = ask(client, report)
    assert "Our seal holds, but we do not know this file." in text
    assert "This report is genuine" not in text


@pytest.mark.parametrize("place", [0.2, 0.5, 0.8])
def test_one_changed_byte_is_noticed(client: Client, report: bytes, place: float) -> None:
    at = int(len(report) * place)
    changed = report[:at] + bytes([report[at] ^ 1]) + report[at + 1 :]
    assert "This file is not as it was sealed." in ask(client, changed)


def test_something_added_at_the_end_is_noticed(client: Client, report: bytes) -> None:
    assert "This file is not as it was sealed." in ask(client, report + b"\n% and more")


def test_a_report_of_another_house_is_told_apart(client: Client, report: bytes, settings: Any, tmp_path: Path) -> None:
    create_seal_identity(tmp_path, "Another house")
    settings.SEAL_CERTIFICATE = tmp_path / CERTIFICATE_FILE
    assert "sealed by somebody else" in ask(client, report)


@pytest.mark.parametrize("data", [b"plain words", b"%PDF-1.7\n", b"%PDF-" + b"\x00" * 5000])
def test_other_files_are_called_what_they_are(client: Client, report: bytes, data: bytes) -> None:
    text = ask(client, data)
    assert "This is no report of ours." in text or "not as it was sealed" in text
    assert "genuine." not in text


def test_a_file_that_takes_too_long_ends_without_an_answer(
    client: Client, report: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("governance.web.verify.SECONDS", 0.05)
    assert "This file could not be checked." in ask(client, report)


def test_a_report_from_another_ledger_under_our_seal_is_refused(
    client: Client, report: bytes, settings: Any, tmp_path: Path
) -> None:
    settings.LEDGER_VERIFIER = tmp_path / "ledger.vkey"
    settings.LEDGER_VERIFIER.write_text(verifier_key("ledger.other.example", Ed25519PrivateKey.generate().public_key()))
    assert "This file is not as it was sealed." in ask(client, report)


def test_without_a_certificate_nothing_is_claimed(client: Client, report: bytes, settings: Any, tmp_path: Path) -> None:
    settings.SEAL_CERTIFICATE = tmp_path / "missing.pem"
    assert "Nothing can be checked here yet." in ask(client, report)


def test_no_file_and_an_empty_file_are_explained(client: Client) -> None:
    assert "Choose the PDF file of the report." in client.post("/verify/", {}).content.decode()
    empty = client.post("/verify/", {"file": SimpleUploadedFile("r.pdf", b"")})
    assert "The file is empty." in empty.content.decode()


def test_a_sheet_is_looked_up_by_number_and_code(client: Client, case: Case) -> None:
    Report.objects.create(case=case, number="LR-ABC", headline="x", pdf="sha256:1", evidence="sha256:" + "7b7d29f3" * 8)
    for number, code in (
        (" lr-abc", "SHA256 7b7d 29f3 7b7d 29f3"),
        (case.number, "7b7d29f3" * 8),
        ("LR-ABC", "sha256 7b7d 29f3 … 7b7d 29f3"),
    ):
        text = client.post("/verify/", {"number": number, "code": code}).content.decode()
        assert "Our register knows this number and this code." in text and "was not compared" in text
    for number, code in (("LR-ABC", "0" * 16), ("LR-ABD", "7b7d29f3" * 2)):
        text = client.post("/verify/", {"number": number, "code": code}).content.decode()
        assert "Our register does not know this number with this code." in text
    short = client.post("/verify/", {"number": "LR-ABC", "code": "7b7d 29f3"})
    assert short.status_code == 422 and "The code has at least 16 signs" in short.content.decode()
    assert "Type the number" in client.post("/verify/", {"number": "", "code": ""}).content.decode()


def test_the_process_that_reads_the_file_knows_no_secret(report: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    from governance.web import verify

    seen: dict[str, Any] = {}

    def run(command: list[str], **options: Any) -> Any:
        seen.update(options)
        raise verify.subprocess.TimeoutExpired(command, 1)

    monkeypatch.setattr(verify.subprocess, "run", run)
    assert verify._child(report, "00") is None
    assert set(seen["env"]) == {"PATH"}
