"""Every command that a stamped paper or its bundle prints succeeds as it stands there, with what is published."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from governance import dispatch
from governance.evidence import identity
from governance.models import Job, Paper, Seal
from governance.services import bundles, notification, papers, reporting, seal_ends
from governance.web import verify
from scripts import verifier
from tests.governance.test_evidence_pdf import text_of
from tests.verifier.authorities import authority

ROOT = Path(__file__).parents[2]
COMMAND = re.compile(
    r"python3? ((?:lethe-verify\.pyz|-m [\w.]+) (?:FILE\.pdf|THIS_FILE\.zip) --trust \S+(?: --rerender)?)"
)


@pytest.fixture
def made(decided: Any, house: Path, settings: Any) -> dict[str, bytes]:
    """The stamped report of a case, its certificate and its bundle, under the names that the commands have for them."""
    one = authority("An outside authority")
    (house / "roots.pem").write_bytes(one.pem)
    settings.TSA_URL, settings.TSA_ROOTS = one.url, str(house / "roots.pem")
    case = decided()
    report = reporting.report_write(job=Job.objects.filter(case=case, kind="report").latest("created_at"))
    notification.case_close(job=Job.objects.filter(case=case, kind="notify").latest("created_at"))
    for job in Job.objects.filter(kind="paper"):
        papers.paper_write(job=job)
    certificate = Paper.objects.get(kind="certificate")
    return {"report": dispatch.read_bytes(report.pdf), "certificate": dispatch.read_bytes(certificate.pdf),
            "bundle": bundles.public_bundle(report)}  # fmt: skip


def words(name: str, data: bytes, folder: Path) -> str:
    """What the paper, or the bundle's own README, tells."""
    if name != "bundle":
        return text_of(data, folder)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read("README.txt").decode()


def ran(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *command.split()], cwd=folder, env=environment,  # noqa: S603
                          capture_output=True, text=True, check=False)  # fmt: skip


def test_what_is_printed_is_what_succeeds(
    client: Client, made: dict[str, bytes], settings: Any, tmp_path: Path
) -> None:
    settings.VERIFIER = verifier.build(tmp_path / "packed")
    trust = client.get("/.well-known/lethe-trust.json").content
    for name, count in (("report", 2), ("certificate", 1), ("bundle", 1)):
        folder = tmp_path / name
        folder.mkdir()
        told = words(name, made[name], folder)
        assert "lethe-trust.json" in told and "FINGERPRINT" not in told
        (folder / "lethe-trust.json").write_bytes(trust)
        (folder / "lethe-verify.pyz").write_bytes(client.get("/.well-known/lethe-verify.pyz").content)
        (folder / ("THIS_FILE.zip" if name == "bundle" else "FILE.pdf")).write_bytes(made[name])
        commands = COMMAND.findall(told)
        assert len(commands) == count, told
        for command in commands:
            done = ran(command, folder)
            assert done.returncode == 0, (command, done.stdout, done.stderr)


def test_the_houses_own_program_reads_all_of_the_trust_file(
    client: Client, made: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "FILE.pdf").write_bytes(made["report"])
    command = "-m governance.evidence.check FILE.pdf --trust lethe-trust.json"

    def checked() -> subprocess.CompletedProcess[str]:
        (tmp_path / "lethe-trust.json").write_bytes(client.get("/.well-known/lethe-trust.json").content)
        return ran(command, tmp_path)

    seal_ends.seal_register(seal_ends.current())
    seal = Seal.objects.get(fingerprint=identity.fingerprint(seal_ends.current()))
    seal_ends.seal_revoke(fingerprint=seal.fingerprint, at=seal.began_at)
    assert checked().returncode == 1 and "after the seal had ended" in checked().stdout
    Seal.objects.update(ended_at=None, reason="")
    (tmp_path / "lethe-trust.json").write_text('{"format": "lethe-trust/2"}')
    wrong = ran(command, tmp_path)
    assert wrong.returncode == 2 and "no trust file" in wrong.stderr


def test_an_authority_that_is_believed_no_more_alters_nothing(
    client: Client, made: dict[str, bytes], house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(data: bytes) -> str:
        return client.post("/verify/", {"file": SimpleUploadedFile("r.zip", data)}).content.decode()

    assert "the issuer’s own time stamp authority, which proves nothing" in asked(made["bundle"])
    monkeypatch.setattr(seal_ends, "_OWN_HOSTS", ())
    assert "A time stamp authority that is believed says that the ledger had" in asked(made["bundle"])
    (house / "roots.pem").write_bytes(authority("Somebody else").pem)
    for data in (made["report"], made["bundle"]):
        told = asked(data)
        assert "can no longer be believed" in told and "not as it was sealed" not in told


def test_what_is_open_in_a_bundle_is_neither_good_nor_refuted() -> None:
    found = [{"good": good, "open": left} for good, left in ((True, False), (False, True), (False, False))]
    assert [verify._state(one) for one in found] == ["pass", "inconclusive", "fail"]
