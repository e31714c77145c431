"""A key of the ledger, of statements about models or of the feeds may be in other hands: marked, told, replaced."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command
from django.db import Error, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance import dispatch
from governance.evidence import checkpoint, ledger
from governance.evidence.errors import SealError, SealUnavailable
from governance.models import (
    AttestationSet,
    Case,
    EarlierReport,
    LedgerOpening,
    ModelVersion,
    Report,
    Role,
    Seal,
    SigningKey,
    Unclaimed,
    triggers,
)
from governance.services import (
    bundles,
    checkpoints,
    feed_signing,
    handovers,
    key_rotation,
    known_keys,
    lost_keys,
    papers,
    renewals,
    reporting,
    seal_ends,
    unclaimed,
)
from lethe_verify import Outcome, judge, statements
from tests.governance.staff import sign_in_to_decide
from tests.governance.test_keys_are_replaced import (  # noqa: F401 - fixtures
    FEED,
    LEDGER,
    MODELS,
    rotate,
    whole,
    whole_bundle,
)
from tests.governance.test_seals_end import asked, published, write
from tests.governance.test_signed_statements import sign_all, stored_model, unpacked
from tests.verifier.authorities import authority
from unlearning_engine.errors import ConfigError
from unlearning_engine.patches.feed import trusted_keys

pytestmark = pytest.mark.database


def revoke(key: str, *more: str) -> str:
    out = StringIO()
    call_command("keys", "revoke", key, *more, stdout=out)
    return out.getvalue()


@pytest.mark.usefixtures("whole")
def test_after_the_ledgers_key_was_lost_the_next_key_makes_the_bundles_anew(
    decided: Callable[[], Case], client: Client, people: Any
) -> None:
    report, old = write(decided()), known_keys.current(LEDGER)
    before = whole_bundle(report)
    said = revoke(old, "--since", (timezone.now() - timedelta(hours=1)).isoformat())
    assert "witnesses" in said and "keys renew" in said
    trust = published(client)
    assert set(trust.lost) == {old} and trust.ledgers == {old}
    assert judge(before, trust).outcome is Outcome.UNDECIDED
    assert "The key of our ledger was withdrawn." in asked(client, before)
    auditor = Client()
    sign_in_to_decide(auditor, people[Role.AUDITOR].user)
    told = auditor.get(reverse("report_proof", args=[report.number]), {"check": "now"})
    assert told.status_code == 200 and "cannot be shown now" in told.content.decode()
    page = client.get(reverse("verify")).content.decode()
    assert old in page and "Key of our ledger that may be in other hands since" in page and "+00:00" not in page
    with pytest.raises(SealUnavailable, match="rotate --key ledger"):
        checkpoints.checkpoint_make()
    with pytest.raises(SealUnavailable):
        write(decided())
    with pytest.raises(SealUnavailable):
        lost_keys.renew()
    rotate("ledger")
    out = StringIO()
    call_command("keys", "renew", stdout=out)
    assert out.getvalue().startswith("1 bundles and sets of statements were made anew; 0 could not be.")
    assert lost_keys.renew() == (0, [])
    report.refresh_from_db()
    after, trust = bundles.public_bundle(report), published(client)
    assert set(trust.lost) == {old} and len(trust.ledgers) == 2
    assert judge(after, trust).outcome is Outcome.GENUINE and judge(before, trust).outcome is Outcome.UNDECIDED
    assert "This report is genuine." in asked(client, after)
    assert judge(dispatch.read_bytes(report.pdf), trust).outcome is Outcome.UNDECIDED
    assert judge(whole_bundle(write(decided())), trust).outcome is Outcome.GENUINE
    out = StringIO()
    call_command("ledger", "check", stdout=out)
    assert " 0 findings" in out.getvalue()


@pytest.mark.usefixtures("whole")
def test_a_file_that_is_missing_or_damaged_stops_nothing_else_from_being_made_anew(
    decided: Callable[[], Case],
) -> None:
    broken, gone, whole_one = write(decided()), write(decided()), write(decided())
    revoke(known_keys.current(LEDGER))
    rotate("ledger")
    dispatch.discard(gone.proofs)
    name = broken.proofs.removeprefix("sha256:")
    (Path(dispatch.store()._root) / "sha256" / name[:2] / name[2:]).write_bytes(b"not what was stored")
    before = whole_one.proofs
    for made in (1, 0):
        done, problems = lost_keys.renew()
        assert done == made and len(problems) == 2
        assert problems[0].startswith(str(broken)) and problems[1].startswith(str(gone)) and gone.proofs in problems[1]
    whole_one.refresh_from_db()
    assert whole_one.proofs != before and not dispatch.exists(before) and not Unclaimed.objects.exists()


@pytest.mark.usefixtures("whole")
def test_a_report_that_was_stamped_anew_meanwhile_keeps_both_its_bundles(
    decided: Callable[[], Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`renewals.report_renew` of another process, between the proofs and the row."""
    report = write(decided())
    revoke(known_keys.current(LEDGER))
    rotate("ledger")
    made, before = reporting.bundle_proofs, report.proofs

    def slow(one: Report) -> bytes:
        data = made(one)
        EarlierReport.objects.create(report=one, pdf=one.pdf, proofs=one.proofs)
        Report.objects.filter(pk=one.pk).update(proofs=dispatch.put_bytes(b"those of the new stamp"))
        return data

    with monkeypatch.context() as patched:
        patched.setattr(reporting, "bundle_proofs", slow)
        assert lost_keys.renew() == (0, [])
    report.refresh_from_db()
    assert dispatch.read_bytes(report.proofs) == b"those of the new stamp"
    assert dispatch.exists(before) and EarlierReport.objects.get().proofs == before
    left = Unclaimed.objects.get().ref
    Unclaimed.objects.update(at=timezone.now() - 2 * unclaimed.GRACE)
    assert unclaimed.sweep() == 1 and not dispatch.exists(left), "the loser goes with its note"


@pytest.mark.usefixtures("whole")
def test_a_report_with_outside_time_from_before_stays_genuine(
    decided: Callable[[], Case], house: Path, settings: Any, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = authority("An outside authority")
    (house / "roots.pem").write_bytes(one.pem)
    settings.TSA_URL, settings.TSA_ROOTS = one.url, str(house / "roots.pem")
    monkeypatch.setattr(seal_ends, "_OWN_HOSTS", ())
    report, old = write(decided()), known_keys.current(LEDGER)
    revoke(old)
    for data in (dispatch.read_bytes(report.pdf), whole_bundle(report)):
        assert judge(data, published(client)).outcome is Outcome.GENUINE
        assert "This report is genuine." in asked(client, data)
    revoke(old, "--since", (timezone.now() - timedelta(hours=1)).isoformat())
    for data in (dispatch.read_bytes(report.pdf), whole_bundle(report)):
        assert judge(data, published(client)).outcome is Outcome.REFUSED
        page = asked(client, data)
        assert "rests on a key that may have been in other hands" in page and "new bundle" in page


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_bundle_of_an_earlier_stamp_is_told_as_by_a_lost_key_and_given_to_nobody(
    decided: Callable[[], Case],
    whole: Path,  # noqa: F811 - a fixture
    settings: Any,
    client: Client,
    people: Any,
    when: str,
) -> None:
    """The report was stamped anew before the loss, or between the loss and the next key."""
    short, long = authority("Short-lived", days=200), authority("Our own")
    (whole / "roots.pem").write_bytes(short.pem + long.pem)
    settings.TSA_URL, settings.TSA_ROOTS = short.url, str(whole / "roots.pem")
    report, old = write(decided()), known_keys.current(LEDGER)
    settings.TSA_URL, held = long.url, whole_bundle(report)
    if when == "before":
        assert renewals.stamps_renew() == 1
    revoke(old)
    if when == "after":
        assert renewals.stamps_renew() == 0 and not Report.objects.get().proofs, "its bundle waits for the next key"
    rotate("ledger")
    assert lost_keys.renew() == (int(when == "before"), []) and renewals.stamps_renew() == 0
    report.refresh_from_db()
    earlier, trust, given = EarlierReport.objects.get(), published(client), bundles.public_bundle(report)
    assert dispatch.read_json(earlier.proofs)["verifier_key"] == old, "kept as it is in people's hands"
    assert judge(held, trust).outcome is judge(dispatch.read_bytes(earlier.pdf), trust).outcome is Outcome.UNDECIDED
    said = asked(client, held)
    assert "The key of our ledger was withdrawn." in said and "new bundle" in said
    assert judge(given, trust).outcome is Outcome.GENUINE and "This report is genuine." in asked(client, given)
    auditor = Client()
    sign_in_to_decide(auditor, people[Role.AUDITOR].user)
    page = auditor.get(reverse("report_proof", args=[report.number])).content.decode()
    assert earlier.pdf.removeprefix("sha256:") in page and earlier.proofs.removeprefix("sha256:") not in page
    assert auditor.get(reverse("report_bundle", args=[report.number])).content == given


@pytest.mark.usefixtures("whole")
def test_a_thief_hands_over_to_a_key_of_his_own_and_nobody_is_told_of_it(client: Client) -> None:
    """He has the old private key, and may even write into the tables."""
    old = known_keys.current(LEDGER)
    ledger.append(action="case.filed", actor=reporting.SYSTEM, body={})
    revoke(old)
    rotate("ledger")
    new, now = known_keys.current(LEDGER), timezone.now()
    own = Ed25519PrivateKey.generate()
    his = checkpoint.verifier_key(old.split("+")[0], own.public_key())
    said = handovers.statement(purpose=LEDGER, old=old, new=his, at=now)
    triggers.drop(connection)
    SigningKey.objects.filter(public=old).update(
        ended_at=now, successor=his, handover=base64.b64encode(own.sign(said)).decode(), lost_at=None
    )
    SigningKey.objects.create(purpose=LEDGER, public=his)
    told = json.loads(client.get("/.well-known/lethe-trust.json").content)
    assert told["ledgers"] == [new]
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("ledger", "check", stdout=out)
    assert his in out.getvalue() and "the tables do not say so any more" in out.getvalue()


@pytest.mark.usefixtures("whole")
def test_a_mark_that_the_ledger_does_not_bear_out_is_told_to_nobody_but_the_auditor(client: Client) -> None:
    """Who writes in the tables needs no key, and would have every report of the house refused."""
    key, genuine = known_keys.current(LEDGER), known_keys.current(MODELS)
    moment = timezone.now() - timedelta(hours=1)
    lost_keys.key_lose(key=genuine, at=moment)
    SigningKey.objects.get_or_create(purpose=LEDGER, public=key)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE governance_signingkey SET lost_at = '2000-01-01 00:00:00+00:00'")
    told = json.loads(client.get("/.well-known/lethe-trust.json").content)
    assert [(one["key"], one["at"]) for one in told["lost_keys"]] == [(genuine, moment.isoformat())]
    known_keys.check_current(LEDGER)
    seal_ends.seal_register(seal_ends.current())
    with connection.cursor() as cursor:
        cursor.execute("UPDATE governance_seal SET ended_at = '2000-01-01 00:00:00+00:00', reason = 'compromised'")
    found = lost_keys.unsaid()
    assert len(found) == 3 and all("the ledger does not say so" in one for one in found)


@pytest.mark.usefixtures("whole")
def test_the_database_takes_no_mark_away() -> None:
    key = known_keys.current(LEDGER)
    moment = timezone.now() - timedelta(days=1)
    lost_keys.key_lose(key=key, at=moment)
    lost_keys.key_lose(key=key, at=moment + timedelta(hours=1))
    assert SigningKey.objects.get(public=key).lost_at == moment, "the earlier of two"
    for change in ("lost_at = NULL", "lost_at = '2099-01-01 00:00:00+00:00'"):
        with pytest.raises(Error, match="stays so"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE governance_signingkey SET {change} WHERE public = %s", [key])
    rotate("ledger")
    lost_keys.key_lose(key=key, at=moment - timedelta(days=1))
    with pytest.raises(Error, match="ends once"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE governance_signingkey SET successor = 'other' WHERE public = %s", [key])
    assert [one["at"] for one in known_keys.lost()] == [(moment - timedelta(days=1)).isoformat()]
    assert LedgerOpening.objects.filter(entry__action="key.lost").count() == 3


@pytest.mark.usefixtures("whole")
def test_a_mark_on_a_key_that_is_none_of_ours_is_told_to_nobody() -> None:
    SigningKey.objects.create(purpose=MODELS, public="no fingerprint", lost_at=timezone.now())
    assert known_keys.lost() == [] and known_keys.lost_told() == {}


def test_statements_by_a_lost_key_cannot_be_judged_and_are_signed_anew(
    whole: Path,  # noqa: F811 - a fixture
    catalogue: dict[str, Any],
    tmp_path: Path,
    client: Client,
) -> None:
    artifact, folder = stored_model(tmp_path, "one")
    released = catalogue["released"]
    version = ModelVersion.objects.create(model=released.model, revision=71, artifact=artifact, state=released.state)
    sign_all()
    before = unpacked(AttestationSet.objects.get(version=version), tmp_path / "before")
    old = known_keys.current(MODELS)
    revoke(f"sha256:{old}")
    assert statements.judge(before, published(client), model=folder).outcome is Outcome.UNDECIDED
    with pytest.raises(SealUnavailable, match="rotate --key models"):
        lost_keys.renew()
    rotate("models")
    done, problems = lost_keys.renew()
    assert problems == [] and done == AttestationSet.objects.exclude(artifact="").count()
    after = unpacked(AttestationSet.objects.get(version=version), tmp_path / "after")
    assert statements.judge(after, published(client), model=folder).outcome is Outcome.GENUINE
    assert statements.judge(before, published(client), model=folder).outcome is Outcome.UNDECIDED


@pytest.mark.usefixtures("whole")
def test_feeds_stand_still_until_the_next_key(client: Client, tmp_path: Path) -> None:
    old = known_keys.current(FEED)
    assert feed_signing.feeds_sign() == 3
    revoke(old)
    assert feed_signing.feeds_sign() == 0
    for name in ("opt_out_feed", "patch_feed"):
        assert client.get(reverse(name)).status_code == 503
    file = tmp_path / "lethe-trust.json"
    file.write_bytes(client.get(reverse("trust")).content)
    with pytest.raises(ConfigError):
        trusted_keys(str(file))
    rotate("feed")
    assert client.get(reverse("patch_feed")).status_code == 503, "signed by a key in other hands"
    assert feed_signing.feeds_sign() == 3
    for name in ("opt_out_feed", "patch_feed"):
        told = client.get(reverse(name)).json()["_lethe"]
        assert told["public_key"] == known_keys.current(FEED) and told["lost_keys"][0]["key"] == old
    file.write_bytes(client.get(reverse("trust")).content)
    assert trusted_keys(str(file)) == {known_keys.current(FEED)}
    kept = {**json.loads(file.read_text()), "feeds": [old, known_keys.current(FEED)]}
    file.write_text(json.dumps(kept))
    assert trusted_keys(str(file)) == {known_keys.current(FEED)}, "named as lost, though still listed"


@pytest.mark.usefixtures("whole")
def test_a_paper_that_has_no_bundle_is_not_told_to_ask_for_one(people: Any, client: Client) -> None:
    order = papers.paper_order(kind="register", size="A4", language="en", actor=people[Role.EXECUTIVE])
    data = dispatch.read_bytes(papers.paper_write(job=order).pdf)
    revoke(known_keys.current(LEDGER))
    page = asked(client, data)
    assert "The key of our ledger was withdrawn." in page and "Ask us whether it is ours." in page
    verdict = judge(data, published(client))
    assert verdict.outcome is Outcome.UNDECIDED and "There is no bundle of a file of this kind" in str(verdict.findings)
    for language, day in (("en", "November"), ("de", "November"), ("ar", "نوفمبر")):
        SigningKey.objects.filter(public=known_keys.current(LEDGER)).update(lost_at=datetime(2026, 11, 3, tzinfo=UTC))
        page = client.get(reverse("verify"), headers={"Accept-Language": language}).content.decode()
        assert day in page and "2026-11-03" not in page


@pytest.mark.usefixtures("whole")
def test_what_is_refused_says_what_to_do() -> None:
    key = known_keys.current(LEDGER)
    for wrong in ([key, "--since", "2099-01-01"], [key, "--reason", "retired"], ["lethe+00+AA"]):
        with pytest.raises(CommandError):
            revoke(*wrong)
    assert not SigningKey.objects.exclude(lost_at=None).exists()
    revoke(key)
    out = StringIO()
    call_command("keys", "list", stdout=out)
    assert "may be in other hands since" in out.getvalue()


def test_no_paper_is_sealed_by_a_seal_that_ended(house: Path, people: Any) -> None:
    key_rotation.key_prepare(LEDGER)
    seal_ends.seal_revoke(fingerprint=seal_ends.known()[0].fingerprint, at=timezone.now())
    assert Seal.objects.get().reason == "compromised"
    job = papers.paper_order(kind="register", size="A4", language="en", actor=people[Role.EXECUTIVE])
    with pytest.raises(SealError, match="compromised"):
        papers.paper_write(job=job)
