"""The auditor's bundle: closed by a passphrase shown once, logged, expiring, and enough to see what a replay needs."""

from __future__ import annotations

import io
import json
import re
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance import dispatch
from governance.errors import Conflict, NotAllowed
from governance.evidence import age, merkle
from governance.evidence.leaf import parse_leaf
from governance.models import AuditorBundle, LedgerEntry, Report, Role, Status, User
from governance.policies import Actor
from governance.services import auditor_bundles
from tests.governance.age_open import opened
from tests.governance.conftest import file_case
from tests.governance.staff import member, sign_in_to_decide


@pytest.fixture
def report(walk: Any) -> Report:
    """A report about a case that was worked to its release; its files are stand-ins."""
    case = walk(file_case(), Status.RELEASE)
    ref = dispatch.put_bytes(b"{}")
    return Report.objects.create(
        case=case, number="LR-REPLAY", headline="x", pdf=ref, evidence=ref, readme=ref, proofs=ref
    )


@pytest.fixture
def auditor() -> User:
    return member("replay@house.example", role=Role.AUDITOR)


def test_the_format_is_ages_and_one_changed_byte_is_noticed() -> None:
    for size in (0, 1, 65535, 65536, 65537, 200_000):
        data, words = bytes(range(256)) * (size // 256) + bytes(size % 256), age.new_passphrase()
        closed = age.encrypt(data, words)
        assert closed.startswith(b"age-encryption.org/v1\n-> scrypt ")
        assert opened(closed, words) == data
        with pytest.raises(InvalidTag):
            opened(closed, age.new_passphrase())
        for place in (30, 100, len(closed) - 1):
            with pytest.raises((InvalidTag, ValueError)):
                opened(closed[:place] + bytes([closed[place] ^ 1]) + closed[place + 1 :], words)
    assert len({age.new_passphrase() for _ in range(50)}) == 50


def test_it_holds_what_a_replay_needs_and_nothing_of_the_person(report: Report, auditor: User) -> None:
    made, words = auditor_bundles.bundle_make(report=report, actor=Actor.of(auditor))
    with zipfile.ZipFile(io.BytesIO(opened(dispatch.read_bytes(made.archive), words))) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    plans = list(report.case.plans.all())
    assert {"README.txt", "public.zip", "ledger.json", "artefacts.json"} <= set(files)
    for plan in plans:
        told = json.loads(files[f"attempts/{plan.attempt}.json"])
        assert (told["method"], told["seed"], told["base"]) == (plan.method, plan.seed, plan.base.artifact)
        policy = files[f"policy/{plan.policy_digest.removeprefix('sha256:')}.json"]
        assert dispatch.bytes_digest(policy) == plan.policy_digest
    specs = [data for name, data in files.items() if name.endswith("/spec.json")]
    assert {dispatch.bytes_digest(data) for data in specs} == set(
        report.case.jobs.exclude(spec="").values_list("spec", flat=True)
    )
    needed = {one["digest"] for one in json.loads(files["artefacts.json"])}
    assert {plans[0].base.artifact, plans[0].dataset.artifact, plans[0].forget_ids} <= needed
    whole = b"".join(files.values()).decode("latin-1")
    assert report.case.claimant.email not in whole and report.case.claimant.name not in whole
    ledger = json.loads(files["ledger.json"])
    for entry in ledger["entries"]:
        leaf = parse_leaf(entry["leaf"])
        proof = [bytes.fromhex(node) for node in entry["proof"]]
        merkle.verify_inclusion(leaf=merkle.leaf_hash(leaf.to_bytes()), index=leaf.index, size=ledger["size"],
                                proof=proof, root=bytes.fromhex(ledger["root"]))  # fmt: skip


def test_making_and_taking_stand_in_the_ledger_and_the_passphrase_nowhere(report: Report, auditor: User) -> None:
    made, words = auditor_bundles.bundle_make(report=report, actor=Actor.of(auditor))
    auditor_bundles.bundle_fetch(bundle=made, actor=Actor.of(auditor))
    actions = list(LedgerEntry.objects.filter(action__startswith="bundle.").values_list("action", flat=True))
    assert actions == ["bundle.made", "bundle.taken"]
    entry = LedgerEntry.objects.get(action="bundle.made")
    assert entry.opening.body["archive"] == made.archive and words not in json.dumps(entry.opening.body)
    assert words not in str(vars(made))


def test_its_days_end_and_the_file_goes(report: Report, auditor: User) -> None:
    made, _words = auditor_bundles.bundle_make(report=report, actor=Actor.of(auditor))
    assert auditor_bundles.bundles_discard() == 0
    AuditorBundle.objects.filter(pk=made.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    made.refresh_from_db()
    with pytest.raises(Conflict):
        auditor_bundles.bundle_fetch(bundle=made, actor=Actor.of(auditor))
    assert (auditor_bundles.bundles_discard(), auditor_bundles.bundles_discard()) == (1, 0)
    assert not dispatch.exists(made.archive)


def test_only_auditors_take_one(report: Report, people: dict[Role, Actor]) -> None:
    for role in (Role.LEGAL, Role.ENGINEER, Role.EXECUTIVE, Role.ADMINISTRATOR):
        with pytest.raises(NotAllowed):
            auditor_bundles.bundle_make(report=report, actor=people[role])


def test_the_page_shows_the_passphrase_once(client: Client, report: Report, auditor: User) -> None:
    sign_in_to_decide(client, auditor)
    page = reverse("replay", args=[report.number])
    assert page in client.get(reverse("reports")).content.decode()
    answer = client.post(reverse("replay_make", args=[report.number]))
    assert answer.status_code == 200 and "no-store" in answer["Cache-Control"]
    words = re.search(r"[a-z2-9]{5}(?:-[a-z2-9]{5}){4}", answer.content.decode())
    assert words
    assert words[0] not in client.get(page).content.decode()
    closed = client.get(reverse("replay_fetch", args=[AuditorBundle.objects.get().public_id]))
    assert closed["Content-Disposition"] == 'attachment; filename="LR-REPLAY.zip.age"'
    with zipfile.ZipFile(io.BytesIO(opened(closed.content, words[0]))) as archive:
        assert archive.testzip() is None
