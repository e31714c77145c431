"""The seal's key in a file, a token or a key service: one interface, clear refusals, and reports that wait."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from moto.server import ThreadedMotoServer

from governance import dispatch
from governance.evidence import identity, seal, token_key
from governance.evidence.errors import SealError, SealUnavailable
from governance.models import Case, Job, LedgerEntry, Report, Status
from governance.services import jobs, seals
from governance.tasks import HOUSE
from lethe_verify import Outcome, judge
from lethe_verify.trust import Trust, read
from tests.governance import tokens
from tests.governance.evidence_sealed import sealed
from tests.verifier.authorities import authority

NEEDS_TOKEN = pytest.mark.skipif(bool(tokens.missing()), reason=tokens.missing() or "there")


@pytest.fixture
def token_house(settings: Any, tmp_path: Path) -> Path:
    token = tokens.token()
    settings.SEAL_KIND, settings.SEAL_FOLDER = "pkcs11", str(tmp_path / "seal")
    settings.PKCS11_MODULE, settings.PKCS11_TOKEN = str(token.module), token.label
    settings.PKCS11_PIN_FILE = str(tmp_path / "pin")
    (tmp_path / "pin").write_text(tokens.PIN)
    token_key.Token.refused.clear()
    return tmp_path


@pytest.fixture
def service_house(settings: Any, tmp_path: Path) -> Iterator[Path]:
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    settings.SEAL_KIND, settings.SEAL_FOLDER = "kms", str(tmp_path / "seal")
    settings.KMS_REGION, settings.KMS_ENDPOINT = "eu-central-1", f"http://{host}:{port}"
    settings.KMS_CREDENTIALS_FILE = str(tmp_path / "credentials")
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id = test\naws_secret_access_key = test\n")
    yield tmp_path
    server.stop()


def genuine(data: bytes, key: identity.SealSigner) -> bool:
    trust = Trust(frozenset({identity.fingerprint(key.certificate)}))
    return judge(data, trust).outcome is Outcome.GENUINE


@NEEDS_TOKEN
def test_a_token_seals_and_its_key_never_leaves_it(token_house: Path) -> None:
    seals.seal_make(token_house / "seal")
    key = seals.seal_open()
    assert not key.development and genuine(seal.seal(sealed().base, key=key), key)
    assert not any("PRIVATE" in file.read_text() for file in (token_house / "seal").iterdir())
    with pytest.raises(SealError, match="rotate"):
        seals.seal_make(token_house / "seal")


@NEEDS_TOKEN
def test_wrong_pin_missing_token_and_missing_library_are_named(token_house: Path, settings: Any) -> None:
    seals.seal_make(token_house / "seal")
    (token_house / "pin").write_text("0000")
    with pytest.raises(SealUnavailable, match="refused the PIN"):
        seals.seal_open()
    with pytest.raises(SealUnavailable, match="not tried again"):
        seals.seal_open()
    (token_house / "pin").write_text(tokens.PIN)
    assert seals.seal_open().certificate
    elsewhere = (("PKCS11_TOKEN", "elsewhere", "no token 'elsewhere'"), ("PKCS11_MODULE", "/no.so", "library"))
    for name, value, words in elsewhere:
        before = getattr(settings, name)
        setattr(settings, name, value)
        with pytest.raises(SealUnavailable, match=words):
            seals.seal_open()
        setattr(settings, name, before)
    other = identity.self_issued(sealed().key.key.public_key(), sealed().key.sign, "Other")
    (token_house / "seal" / identity.CERTIFICATE_FILE).write_bytes(other.public_bytes(Encoding.PEM))
    with pytest.raises(SealError, match="does not belong"):
        seals.seal_open()


def test_a_key_service_seals_and_what_it_refuses_is_named(service_house: Path, settings: Any) -> None:
    seals.seal_make(service_house / "seal")
    key = seals.seal_open()
    assert not key.development and genuine(seal.seal(sealed().base, key=key), key)
    (service_house / "seal" / seals.NAME_FILE).write_text("nothing-of-that-name")
    with pytest.raises(SealError, match="NotFoundException"):
        seals.seal_open()
    settings.KMS_ENDPOINT = "http://127.0.0.1:9"
    with pytest.raises(SealUnavailable, match="cannot be used now"):
        seals.seal_open()


def test_nothing_is_sealed_with_a_certificate_that_ended_or_has_not_begun() -> None:
    key = sealed().key
    for shift, words in ((timedelta(days=-4000), "ended"), (timedelta(days=2), "later than now")):
        certificate = identity.self_issued(key.key.public_key(), key.sign, "Demo", now=datetime.now(UTC) + shift)
        with pytest.raises(SealError, match=words):
            seal.seal(sealed().base, key=dataclasses.replace(key, certificate=certificate))
    with pytest.raises(SealError, match="P-256"):
        identity.checked_pair(ec.generate_private_key(ec.SECP384R1()).public_key(), None, "here")


def test_a_report_waits_for_its_time_and_is_never_sealed_without(
    decided: Callable[[], Case], house: Path, settings: Any
) -> None:
    one = authority("House of Lumen's time")
    (house / "roots.pem").write_bytes(one.pem)
    settings.TSA_URL, settings.TSA_ROOTS = "http://127.0.0.1:9/", str(house / "roots.pem")
    case = decided()
    job, entries = Job.objects.filter(case=case, kind="report").latest("created_at"), LedgerEntry.objects.count()
    for _ in range(2):
        jobs.job_run(job_id=str(job.pk), attempt=job.attempt, handlers=HOUSE)
        job.refresh_from_db()
        assert job.state == Job.State.QUEUED and job.error["waits"] and "time stamp authority" in str(job.error)
    assert not Report.objects.exists() and LedgerEntry.objects.count() == entries, "waiting leaves nothing behind"
    settings.TSA_URL = one.url
    jobs.job_run(job_id=str(job.pk), attempt=job.attempt, handlers=HOUSE)
    case.refresh_from_db()
    assert case.status == Status.NOTIFICATION
    data = dispatch.read_bytes(Report.objects.get(case=case).pdf)
    trust = Trust(frozenset({identity.certificate_fingerprint(settings.SEAL_CERTIFICATE)})) | read(one.pem.decode())
    assert judge(data, trust).outcome is Outcome.GENUINE and judge(data, trust).level == "PAdES-B-LTA"


def test_who_looks_at_a_waiting_report_reads_why(decided: Callable[[], Case], house: Path, settings: Any) -> None:
    from governance.web.job_words import progress_of

    settings.TSA_URL, settings.TSA_ROOTS = "http://127.0.0.1:9/", ""
    case = decided()
    job = Job.objects.filter(case=case, kind="report").latest("created_at")
    jobs.job_run(job_id=str(job.pk), attempt=job.attempt, handlers=HOUSE)
    job.refresh_from_db()
    assert job.state == Job.State.FAILED, "an authority without roots is a fault of the installation"
    (house / "roots.pem").write_bytes(authority().pem)
    settings.TSA_ROOTS = str(house / "roots.pem")
    Job.objects.filter(pk=job.pk).update(state=Job.State.QUEUED, finished_at=None)
    jobs.job_run(job_id=str(job.pk), attempt=job.attempt, handlers=HOUSE)
    job.refresh_from_db()
    assert "every minute" in progress_of(job, linked=False)["text"]
