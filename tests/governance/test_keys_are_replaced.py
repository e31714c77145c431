"""The keys of ledger, model statements and feeds are replaced; what was signed before and what is after both hold."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance import dispatch
from governance.evidence import bundle, dsse, ledger, schema
from governance.evidence.cosignature import request
from governance.evidence.errors import DocumentError
from governance.management.demo.console import Stages
from governance.management.demo.stranger import examine
from governance.models import AttestationSet, Case, LedgerOpening, ModelVersion, Report, SigningKey, triggers
from governance.services import (
    bundles,
    checkpoints,
    feed_signing,
    key_rotation,
    known_keys,
    own_keys,
    reporting,
)
from lethe_verify import Outcome, evidence, judge, statements
from lethe_verify.judge import Known
from lethe_verify.trust import Trust
from lethe_witness.__main__ import State, Witness
from tests.governance import evidence_example as make
from tests.governance.test_evidence_downstream import part, word
from tests.governance.test_seals_end import asked, published, write
from tests.governance.test_signed_statements import sign_all, stored_model, unpacked
from unlearning_engine.patches.feed import trusted_keys

pytestmark = pytest.mark.database

LEDGER, MODELS, FEED = SigningKey.Purpose.LEDGER, SigningKey.Purpose.MODELS, SigningKey.Purpose.FEED
SAYS_GENUINE = "This report is genuine."


@pytest.fixture
def whole(house: Path, settings: Any) -> Path:
    """A house whose key of statements about models lies beside the others."""
    settings.MODEL_VERIFIER = house / "models.pub.pem"
    settings.MODEL_VERIFIER.write_bytes(dsse.public_pem(own_keys.models_open(house).public_key))
    return house


def rotate(purpose: str, *more: str) -> str:
    out = StringIO()
    call_command("keys", "rotate", "--key", purpose, *more, stdout=out)
    return out.getvalue()


def whole_bundle(report: Report) -> bytes:
    files = {name: dispatch.read_bytes(getattr(report, name)) for name in ("readme", "pdf", "evidence")}
    return bundle.pack(**files, ledger=dispatch.read_bytes(report.proofs))


def test_reports_from_before_and_after_a_new_key_of_the_ledger_are_genuine(
    decided: Callable[[], Case], whole: Path, client: Client
) -> None:
    before, old = write(decided()), known_keys.current(LEDGER)
    kept = checkpoints.last_signed()
    private = (whole / own_keys.LEDGER_KEY).read_bytes()
    new = known_keys.current(LEDGER) if old not in rotate("ledger") else ""
    after = write(decided())
    assert new and new != old and not any(private in one.read_bytes() for one in whole.rglob("*") if one.is_file())
    trust = published(client)
    assert trust.ledgers == {old, new}
    for report in (before, after):
        for data in (dispatch.read_bytes(report.pdf), whole_bundle(report)):
            verdict = judge(data, trust)
            assert verdict.outcome is Outcome.GENUINE, verdict.findings
            assert SAYS_GENUINE in asked(client, data)
    assert judge(dispatch.read_bytes(after.pdf), Trust(trust.seals, frozenset({old}))).outcome is Outcome.REFUSED
    assert kept is not None
    size = int(json.loads(dispatch.read_bytes(after.proofs))["checkpoint"].split("\n")[1])
    known = Known(kept.note, bundles.consistency(old=kept.size, new=size) or b"")
    assert judge(whole_bundle(after), trust, known=known).outcome is Outcome.GENUINE
    out = StringIO()
    call_command("ledger", "check", stdout=out)
    assert " 0 findings" in out.getvalue()
    body = LedgerOpening.objects.get(entry__action="key.rotated").body
    assert body == {"purpose": "ledger", "old": old, "new": new}


def test_a_bundle_made_after_the_new_key_of_a_report_from_before_needs_both(
    decided: Callable[[], Case], whole: Path, client: Client
) -> None:
    """As when its time stamp is renewed."""
    report, old = write(decided()), known_keys.current(LEDGER)
    rotate("ledger")
    report.proofs = dispatch.put_bytes(reporting.bundle_proofs(report))
    report.save()
    trust, data = published(client), whole_bundle(report)
    assert judge(data, trust).outcome is Outcome.GENUINE and SAYS_GENUINE in asked(client, data)
    assert judge(data, Trust(trust.seals)).outcome is Outcome.UNDECIDED
    assert judge(data, Trust(trust.seals, frozenset({old}))).outcome is Outcome.REFUSED


def test_the_demo_checks_a_report_from_before_a_new_key(decided: Callable[[], Case], whole: Path) -> None:
    report = write(decided())
    rotate("ledger")
    report.proofs = dispatch.put_bytes(reporting.bundle_proofs(report))
    report.save()
    assert examine(report.case, Stages()).lines["report"].endswith(f"{report.number}.pdf")


def test_a_checkpoint_signed_before_names_the_key_that_signed_it(whole: Path) -> None:
    ledger.append(action="case.filed", actor=reporting.SYSTEM, body={})
    note, old = checkpoints.checkpoint_make().note, known_keys.current(LEDGER)
    rotate("ledger")
    assert known_keys.signer_of(note) == old != known_keys.signer_of(checkpoints.checkpoint_make().note)


def test_a_witness_goes_on_with_both_keys(whole: Path, tmp_path: Path) -> None:
    ledger.append(action="case.filed", actor=reporting.SYSTEM, body={})
    old, coming = known_keys.current(LEDGER), rotate("ledger", "--prepare").split()[3]
    assert known_keys.current(LEDGER) == old and not SigningKey.objects.exists(), "only made"
    witness = Witness(name="w.example/1", key=Ed25519PrivateKey.generate(), logs=[old, coming],
                      state=State(tmp_path / "seen.sqlite3"), clock=time.time)  # fmt: skip
    first = checkpoints.checkpoint_make()
    assert witness.add_checkpoint(request(old=0, proof=[], note=first.note))
    rotate("ledger")
    assert known_keys.current(LEDGER) == coming
    second = checkpoints.checkpoint_make()
    proof = ledger.tree(second.size).consistency_proof(first.size)
    assert second.size > first.size and witness.add_checkpoint(request(old=first.size, proof=proof, note=second.note))


def test_statements_from_before_and_after_a_new_key_are_believed(
    whole: Path, catalogue: dict[str, Any], tmp_path: Path, client: Client
) -> None:
    found = []
    for revision in (71, 72):
        artifact, folder = stored_model(tmp_path, f"{revision}")
        version = ModelVersion.objects.create(
            model=catalogue["released"].model, revision=revision, artifact=artifact, state=catalogue["released"].state
        )
        sign_all()
        found.append((unpacked(AttestationSet.objects.get(version=version), tmp_path / f"set-{revision}"), folder))
        if revision == 71:
            rotate("models")
    trust = published(client)
    assert len(trust.models) == 2
    for place, folder in found:
        assert statements.judge(place, trust, model=folder).outcome is Outcome.GENUINE
    assert len({(place / "signer.pub.pem").read_bytes() for place, _folder in found}) == 2
    stated = {statements.judge(place, trust).fingerprint for place, _folder in found}
    assert stated == trust.models and known_keys.current(MODELS) in stated


def test_the_feeds_key_is_replaced_and_its_readers_know_both(whole: Path, client: Client, tmp_path: Path) -> None:
    old, secret = known_keys.current(FEED), (whole / own_keys.FEED_KEY).read_bytes()
    feed_signing.feeds_sign()
    assert client.get(reverse("opt_out_feed")).json()["_lethe"]["public_key"] == old
    rotate("feed")
    new = known_keys.current(FEED)
    assert new != old and not any(secret in one.read_bytes() for one in whole.rglob("*") if one.is_file())
    assert published(client).feeds == {old, new}
    assert client.get(reverse("opt_out_feed")).json()["_lethe"]["public_key"] == old, "a retired key's page is served"
    feed_signing.feeds_sign()
    page = client.get(reverse("opt_out_feed")).json()
    assert page["_lethe"]["public_key"] == new
    file = tmp_path / "lethe-trust.json"
    file.write_bytes(client.get(reverse("trust")).content)
    assert trusted_keys(str(file)) == {old, new}


def test_a_report_tells_statements_for_the_feeds_key_before_and_after() -> None:
    first, _second = part()["subscribers"]
    quay = {**first, "name": "Quay", **word(b"the own key of quay, 32 bytes!!!", feed="food")}
    both = {"downstream": {**part(), "feeds": ["feed", "food"], "subscribers": [first, quay]}}
    schema.validate({**make.bare(), **both})
    assert evidence.acknowledged(both) == (2, 2, 0)
    assert evidence.acknowledged(both, {"feed", "food"}) == (2, 2, 0)
    assert evidence.acknowledged(both, {"food"}) == (2, 1, 0), "what comes from outside counts more"
    other = {"downstream": {**both["downstream"], "feeds": ["feed", "fool"]}}
    with pytest.raises(DocumentError, match=r"subscribers.1.statement: for another publisher"):
        schema.validate({**make.bare(), **other})
    assert evidence.acknowledged(other) == (2, 1, 0)


@pytest.mark.parametrize("purpose", [LEDGER, MODELS, FEED])
def test_a_replacement_that_was_cut_off_is_finished_by_the_next(
    purpose: str, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, real = known_keys.current(purpose), Path.replace
    for cut in range(3):
        left = iter(range(cut))

        def dies(path: Path, target: Path, left: Any = left) -> Path:
            if next(left, None) is None:
                raise OSError("power")
            return real(path, target)

        with monkeypatch.context() as patched:
            patched.setattr(Path, "replace", dies)
            try:
                key_rotation.key_rotate(purpose)
            except OSError:
                assert known_keys.known(purpose)[-1] == known_keys.current(purpose)
        ledger.append(action="case.filed", actor=reporting.SYSTEM, body={})
        known_keys.signer_of(checkpoints.checkpoint_make().note)
    key_rotation.key_rotate(purpose)
    keys = known_keys.known(purpose)
    # Two of three runs are cut off. The last run is one more.
    assert keys[0] == old and len(keys) == len(set(keys)) == 3
    assert SigningKey.objects.filter(purpose=purpose, ended_at=None).get().public == keys[-1]
    assert LedgerOpening.objects.filter(entry__action="key.rotated").count() == len(keys) - 1
    assert not list(whole.glob("next-*"))


@pytest.mark.parametrize("purpose", [LEDGER, MODELS, FEED])
def test_a_key_is_believed_by_the_signature_of_the_next(purpose: str, whole: Path) -> None:
    keys = [known_keys.current(purpose), *(key_rotation.key_rotate(purpose) for _turn in range(2))]
    assert known_keys.known(purpose) == keys and not known_keys.strangers(purpose)
    triggers.drop(connection)
    SigningKey.objects.filter(public=keys[1]).update(ended_at=timezone.now())
    assert known_keys.known(purpose) == [keys[2]] and known_keys.strangers(purpose) == keys[:2], "another time"


@pytest.mark.parametrize("again", ["rotate", "prepare"])
@pytest.mark.parametrize("purpose", [LEDGER, MODELS, FEED])
def test_a_replacement_cut_off_at_its_very_end_is_not_made_twice(
    purpose: str, again: str, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = known_keys.current(purpose)

    def dies(path: Path) -> None:
        raise OSError("power")

    with monkeypatch.context() as patched, pytest.raises(OSError, match="power"):
        patched.setattr(Path, "rmdir", dies)
        key_rotation.key_rotate(purpose)
    new = known_keys.current(purpose)
    if again == "rotate":
        assert key_rotation.key_rotate(purpose) == new
        assert LedgerOpening.objects.filter(entry__action="key.rotated").count() == 1
        assert known_keys.known(purpose) == [old, new] and not list(whole.glob("next-*"))
    else:
        assert key_rotation.key_prepare(purpose) not in {old, new}, "a next one may be told"
        assert known_keys.current(purpose) == new


def test_a_page_of_a_feed_names_the_key_that_signs_it(
    whole: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the key is replaced while the page is made."""
    monkeypatch.setattr(own_keys, "feed_open", lambda _folder: Ed25519PrivateKey.generate())
    feed_signing.feeds_sign()
    for name in ("opt_out_feed", "patch_feed"):
        page = client.get(reverse(name)).json()
        told = page["_lethe"]
        signature = base64.b64decode(told.pop("signature"))
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(told["public_key"]))
        public.verify(signature, dispatch.canonical_text(page).encode())


def test_the_list_leaves_out_a_purpose_without_a_key(house: Path, settings: Any) -> None:
    settings.MODEL_VERIFIER = house / "models.pub.pem"
    out = StringIO()
    call_command("keys", "list", stdout=out)
    assert [line.split()[1] for line in out.getvalue().splitlines()[1:]] == ["ledger", "feed"]


def test_the_list_shows_all(whole: Path) -> None:
    rotate("ledger")
    out = StringIO()
    call_command("keys", "list", stdout=out)
    lines = [line.split()[1:] for line in out.getvalue().splitlines()[1:]]
    assert lines == [["ledger", "retired"], ["ledger", "in", "use"], ["models", "in", "use"], ["feed", "in", "use"]]
