"""Seals are replaced and revoked; what was sealed before stays genuine, as far as its time is proved."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from governance import dispatch
from governance.evidence import identity
from governance.evidence.errors import SealError
from governance.models import Case, EarlierReport, Job, LedgerEntry, Report, Seal
from governance.services import bundles, renewals, reporting, seal_ends, seals
from lethe_verify import Outcome, judge
from lethe_verify.trust import Trust, read
from tests.verifier.authorities import authority

LATER = timedelta(hours=1)


def write(case: Case) -> Report:
    return reporting.report_write(job=Job.objects.filter(case=case, kind="report").latest("created_at"))


def published(client: Client) -> Trust:
    return read(client.get("/.well-known/lethe-trust.json").content.decode())


def asked(client: Client, data: bytes) -> str:
    return client.post("/verify/", {"file": SimpleUploadedFile("r.pdf", data)}).content.decode()


def test_a_rotated_seal_leaves_old_reports_genuine_and_seals_the_next(
    decided: Callable[[], Case], house: Path, client: Client
) -> None:
    first = dispatch.read_bytes(write(decided()).pdf)
    old = identity.certificate_fingerprint(house / identity.CERTIFICATE_FILE)
    private = (house / identity.KEY_FILE).read_bytes()
    call_command("keys", "rotate")
    new = identity.fingerprint(seals.seal_open().certificate)
    assert new != old and (house / identity.KEY_FILE).read_bytes() != private
    assert not any(private in file.read_bytes() for file in house.rglob("*") if file.is_file()), "the old key is gone"
    trust = published(client)
    assert trust.seals == {old, new} and trust.ended[old].reason == "retired"
    assert judge(first, trust).outcome is Outcome.GENUINE
    assert "This report is genuine." in asked(client, first)
    assert {"seal.made", "seal.rotated"} <= set(LedgerEntry.objects.values_list("action", flat=True))
    assert [row.fingerprint for row in seal_ends.known()] == [old, new]


def test_a_rotation_that_was_cut_off_is_finished_by_the_next(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", lambda *_args: (_ for _ in ()).throw(OSError("power")))
        with pytest.raises(OSError, match="power"):
            seal_ends.seal_rotate()
    with pytest.raises(SealError, match="rotate"):
        seal_ends.check_current()
    assert identity.fingerprint(seal_ends.current()) == Seal.objects.exclude(ended_at=None).get().fingerprint
    new = seal_ends.seal_rotate()
    assert identity.fingerprint(seals.seal_open().certificate) == new.fingerprint
    assert Seal.objects.filter(ended_at=None).count() == 1
    seal_ends.check_current()


def test_a_compromised_seal_is_believed_only_where_a_time_stamp_shows_that_it_is_older(
    decided: Callable[[], Case], house: Path, settings: Any, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = dispatch.read_bytes(write(decided()).pdf)
    one = authority("An outside authority")
    (house / "roots.pem").write_bytes(one.pem)
    settings.TSA_URL, settings.TSA_ROOTS = one.url, str(house / "roots.pem")
    stamped = dispatch.read_bytes(write(decided()).pdf)
    mark = identity.certificate_fingerprint(settings.SEAL_CERTIFICATE)
    call_command("keys", "revoke", mark)
    # An authority on the issuer's own machine proves nothing: whoever took the seal's key may have set its clock.
    assert judge(stamped, published(client)).outcome is Outcome.UNDECIDED
    assert "The seal of this report was withdrawn." in asked(client, stamped)
    monkeypatch.setattr(seal_ends, "_OWN_HOSTS", ())
    trust = published(client)
    assert judge(stamped, trust).outcome is Outcome.GENUINE
    assert judge(bare, trust).outcome is Outcome.UNDECIDED
    assert "This report is genuine." in asked(client, stamped)
    assert "The seal of this report was withdrawn." in asked(client, bare)
    with pytest.raises(SealError, match="compromised"):
        write(decided())
    call_command("keys", "revoke", mark, "--since", (timezone.now() - LATER).isoformat())
    assert judge(stamped, published(client)).outcome is Outcome.REFUSED
    assert "not as it was sealed" in asked(client, stamped)
    for wrong in (["revoke", "0" * 64], ["revoke", mark, "--since", "2099-01-01"], ["revoke", mark, "--since", "soon"]):
        with pytest.raises(CommandError):
            call_command("keys", *wrong)


def test_a_time_stamp_near_its_end_is_renewed_and_both_files_stay_genuine(
    decided: Callable[[], Case], house: Path, settings: Any, client: Client
) -> None:
    short, long = authority("Short-lived", days=200), authority("An outside authority")
    (house / "roots.pem").write_bytes(short.pem + long.pem)
    settings.TSA_URL, settings.TSA_ROOTS = short.url, str(house / "roots.pem")
    report = write(decided())
    before = dispatch.read_bytes(report.pdf)
    assert report.renew_at and report.renew_at < timezone.now()
    settings.TSA_URL = "http://127.0.0.1:9/"
    assert renewals.stamps_renew() == 0 and not EarlierReport.objects.exists(), "the authority is down: tomorrow again"
    settings.TSA_URL = long.url
    assert renewals.stamps_renew() == 1 and renewals.stamps_renew() == 0
    report.refresh_from_db()
    after = dispatch.read_bytes(report.pdf)
    assert after.startswith(before) and after != before
    trust, late = published(client), timezone.now() + timedelta(days=2000)
    for data in (before, after, bundles.public_bundle(report)):
        verdict = judge(data, trust)
        assert verdict.outcome is Outcome.GENUINE, verdict.findings
    assert judge(before, trust, at=late).outcome is Outcome.UNDECIDED
    assert judge(after, trust, at=late).outcome is Outcome.GENUINE
    for data in (before, after):
        assert "This report is genuine." in asked(client, data)
    assert json.loads(client.get("/.well-known/lethe-trust.json").content)["format"] == "lethe-trust/2"
