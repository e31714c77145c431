"""The public bundle: written by the signing worker, the same for everybody, and what a stranger needs to check it."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from governance import dispatch
from governance.evidence.identity import CERTIFICATE_FILE, certificate_fingerprint
from governance.models import Case, Job, LedgerEntry, Report, Role, Status
from governance.services import bundles, reporting
from governance.tokens import link_token
from lethe_verify import Outcome, judge, trust
from lethe_verify.judge import Known
from tests.governance.staff import member
from tests.verifier.corpus import archives
from tests.verifier.example import genuine


def write(case: Case) -> Report:
    """What the signing worker does."""
    return reporting.report_write(job=Job.objects.filter(case=case, kind="report").latest("created_at"))


def test_a_stranger_checks_it_with_what_the_site_publishes(client: Client, decided: Any, house: Path) -> None:
    report = write(decided())
    token = link_token(report.case.public_id, "status")
    assert reverse("status_bundle", args=[token]) in client.get(reverse("status", args=[token])).content.decode()
    answer = client.get(reverse("status_bundle", args=[token]))
    assert answer["Content-Type"] == "application/zip" and answer["X-Robots-Tag"] == "noindex"
    published = trust.read(client.get("/.well-known/lethe-trust.json").content.decode())
    assert published.seals == {certificate_fingerprint(house / CERTIFICATE_FILE)}
    verdict = judge(answer.content, published)
    assert verdict.outcome is Outcome.GENUINE, verdict.findings
    assert {"registered", "consistency", "ledger_key"} <= {one.code for one in verdict.findings}
    assert judge(answer.content).outcome is Outcome.UNKNOWN_SIGNER


def test_the_bundle_is_the_same_for_claimant_and_auditor_and_names_nobody(
    client: Client, decided: Any, house: Path
) -> None:
    report = write(decided())
    token = link_token(report.case.public_id, "status")
    mine = client.get(reverse("status_bundle", args=[token])).content
    client.force_login(member("stranger.auditor@house.example", role=Role.AUDITOR))
    assert client.get(reverse("report_bundle", args=[report.number])).content == mine
    assert reverse("report_bundle", args=[report.number]) in client.get(reverse("reports")).content.decode()
    with zipfile.ZipFile(io.BytesIO(mine)) as archive:
        text = b"".join(archive.read(name) for name in archive.namelist() if name != "report.pdf").decode()
    assert report.case.claimant.email not in text and report.case.claimant.name not in text


def test_a_worker_that_died_after_sealing_goes_on_with_the_same_report(decided: Any, house: Path) -> None:
    case = decided()
    sealed = reporting._sealed(case)
    assert not sealed.proofs
    written = write(case)
    case.refresh_from_db()
    assert (written.pk, written.pdf, case.status) == (sealed.pk, sealed.pdf, Status.NOTIFICATION)
    assert LedgerEntry.objects.filter(action="report.sealed").count() == 1
    assert judge(bundles.public_bundle(written)).outcome is Outcome.UNKNOWN_SIGNER


def test_a_report_from_before_bundles_offers_none(client: Client, case: Case) -> None:
    ref = dispatch.put_bytes(b"x")
    Report.objects.create(case=case, number="LR-OLD", headline="x", pdf=ref, evidence=ref)
    token = link_token(case.public_id, "status")
    assert client.get(reverse("status_bundle", args=[token])).status_code == 404
    client.force_login(member("stranger.auditor@house.example", role=Role.AUDITOR))
    assert client.get(reverse("report_bundle", args=["LR-OLD"])).status_code == 422


def test_a_kept_checkpoint_is_compared_by_what_the_site_serves(client: Client, decided: Any, house: Path) -> None:
    assert client.get("/ledger/checkpoint").status_code == 404
    first = write(decided())
    kept = client.get("/ledger/checkpoint").content.decode()
    assert kept == json.loads(dispatch.read_bytes(first.proofs))["checkpoint"]
    second = write(decided())
    data = bundles.public_bundle(second)
    old, new = (int(note.split("\n")[1]) for note in (kept, client.get("/ledger/checkpoint").content.decode()))
    proof = client.get("/ledger/consistency.json", {"old": old, "new": new})
    assert proof.status_code == 200
    trusted = trust.Trust(frozenset({certificate_fingerprint(house / CERTIFICATE_FILE)}))
    assert judge(data, trusted, known=Known(kept, proof.content)).outcome is Outcome.GENUINE
    for query in (
        {},
        {"old": "0", "new": "1"},
        {"old": "2", "new": "1"},
        {"old": "1", "new": str(10**9)},
        {"old": "x"},
    ):
        assert client.get("/ledger/consistency.json", query).status_code == 404


def ask(client: Client, data: bytes) -> str:
    answer = client.post("/verify/", {"file": SimpleUploadedFile("r.zip", data, content_type="application/zip")})
    return answer.content.decode()


def test_the_public_page_takes_a_bundle(client: Client, decided: Any, house: Path) -> None:
    data = bundles.public_bundle(write(decided()))
    text = ask(client, data)
    assert "This report is genuine." in text and "digests of all files of the bundle" in text
    assert "sealed by somebody else" in ask(client, genuine().bundle)
    for name, changed in archives(data):
        assert "This report is genuine." not in ask(client, changed), name


def test_a_bomb_is_refused_without_being_unpacked(client: Client, house: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("README.txt", "report.pdf", "evidence.json", "ledger.json"):
            archive.writestr(name, b"\x00" * 40_000_000)
    assert len(out.getvalue()) < 200_000
    assert "no bundle of ours" in ask(client, out.getvalue())


def test_the_digest_of_every_file_is_in_the_ledger(decided: Any, house: Path) -> None:
    report = write(decided())
    body = LedgerEntry.objects.get(action="report.sealed").opening.body
    assert body == {"pdf": report.pdf, "evidence": report.evidence, "readme": report.readme}
    assert report.readme == "sha256:" + hashlib.sha256(dispatch.read_bytes(report.readme)).hexdigest()
