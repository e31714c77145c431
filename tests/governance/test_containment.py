"""Matched records leave training from proof level P2 on, come back where a claim fails, and are never exported."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from governance import dispatch
from governance.errors import NotAllowed, Unfit
from governance.models import (
    Case,
    Decision,
    Disposition,
    FilterList,
    Kind,
    LedgerOpening,
    Proof,
    Quarantine,
    Record,
    Role,
    Status,
    WorkFingerprint,
)
from governance.policies import Actor
from governance.services import containment, decision, fingerprints, intake, planning, proof, review
from tests.governance.conftest import POEM, file_case, run_house_jobs
from tests.governance.staff import sign_in_to_decide

pytestmark = pytest.mark.database

Walk = Callable[..., Case]
People = dict[Role, Actor]


def held() -> set[str]:
    return set(Record.objects.filter(quarantined_at__isnull=False).values_list("record_id", flat=True))


@pytest.fixture
def weak(walk: Walk, people: People, case: Case) -> Case:
    """A case whose hits wait, and that was shown no more than the link in the e-mail."""
    walk(case, Status.PROOF)
    proof.proof_accept(case=case, actor=people[Role.LEGAL])
    return walk(case, Status.DECISION)


def decide(case: Case, people: People, *choices: Decision.Choice) -> None:
    proposals = {
        match.pk: decision.Proposal(
            choice=choice,
            ground="Company policy",
            reason="It is a quotation of two lines.",
            exception="not_the_work" if choice == Decision.Choice.REFUSE else "",
        )
        for match, choice in zip(case.matches.all(), choices, strict=True)
    }
    decision.decision_propose(case=case, proposals=proposals, actor=people[Role.LEGAL])
    decision.decision_approve(case=case, shown=decision.mark(case), actor=people[Role.APPROVER])


def test_a_match_below_p2_holds_nothing(weak: Case) -> None:
    assert held() == set()
    assert not WorkFingerprint.objects.exists()


def test_a_stronger_proof_that_comes_later_holds_the_matches_at_once(weak: Case, people: People) -> None:
    proof.proof_record(case=weak, level=2, note="The code stands on the profile.", actor=people[Role.LEGAL])
    assert held() == {"r1", "r2"}
    assert set(Quarantine.objects.values_list("cause", flat=True)) == {"matched"}
    body = LedgerOpening.objects.get(case=weak, entry__action="records.quarantined").body
    assert body == {"records": 2, "cause": "matched"}


def test_a_match_at_p2_or_more_holds_at_once(walk: Walk, case: Case) -> None:
    walk(case, Status.DECISION)
    assert held() == {"r1", "r2"}


def test_what_is_refused_goes_back_and_what_is_left_out_stays(walk: Walk, case: Case, people: People) -> None:
    walk(case, Status.DECISION)
    decide(case, people, Decision.Choice.EXCLUDE, Decision.Choice.REFUSE)
    assert held() == {"r1"}
    assert Quarantine.objects.get(ended_at=None).cause == "decided"
    assert LedgerOpening.objects.get(entry__action="records.released").body == {"records": 1, "why": "refused"}
    assert WorkFingerprint.objects.get().upheld_at is not None


def test_what_a_search_found_is_held_by_the_decision_once_there_is_one(walk: Walk, case: Case, people: People) -> None:
    walk(case, Status.DECISION)
    Proof.objects.update(level=1)
    assert containment.reconsider(case) == 2
    containment.returned(case, Record.objects.filter(record_id="r1"))
    decide(case, people, Decision.Choice.EXCLUDE, Decision.Choice.REFUSE)
    row = Quarantine.objects.get(ended_at=None)
    assert (row.record.record_id, row.cause) == ("r1", "decided")


def test_a_work_that_is_refused_as_a_whole_leaves_no_fingerprint(walk: Walk, case: Case, people: People) -> None:
    walk(case, Status.DECISION)
    decide(case, people, Decision.Choice.REFUSE, Decision.Choice.REFUSE)
    assert held() == set()
    assert not WorkFingerprint.objects.exists()


def test_exclusion_from_future_training_needs_no_more_than_the_link(weak: Case, people: People) -> None:
    decide(weak, people, Decision.Choice.EXCLUDE, Decision.Choice.EXCLUDE)
    assert held() == {"r1", "r2"}
    with pytest.raises(Unfit, match="P2"):
        fingerprints.filter_list_make(actor=people[Role.LEGAL])


def test_a_case_that_is_withdrawn_lets_everything_go(walk: Walk, case: Case, people: People) -> None:
    walk(case, Status.DECISION)
    intake.case_withdraw(case=case, actor=people[Role.LEGAL])
    assert held() == set() and not WorkFingerprint.objects.exists()


def test_the_sweeper_lets_go_what_a_failed_case_still_holds(walk: Walk, case: Case) -> None:
    walk(case, Status.DECISION)
    Case.objects.filter(pk=case.pk).update(disposition=Disposition.WITHDRAWN, status=Status.NOTIFICATION)
    assert containment.sweep() == 1 and containment.sweep() == 0
    assert held() == set()


def test_a_record_that_two_cases_hold_stays_until_both_let_go(walk: Walk, people: People) -> None:
    first, second = walk(file_case(), Status.DECISION), walk(file_case(), Status.DECISION)
    decide(first, people, Decision.Choice.REFUSE, Decision.Choice.REFUSE)
    assert held() == {"r1", "r2"}
    intake.case_withdraw(case=second, actor=people[Role.LEGAL])
    assert held() == set()


def test_one_case_holds_a_record_once_even_by_sql(walk: Walk, case: Case) -> None:
    walk(case, Status.DECISION)
    row = Quarantine.objects.first()
    assert row
    with pytest.raises(IntegrityError), transaction.atomic():
        Quarantine.objects.create(case=case, record=row.record, cause="matched")


def test_a_run_of_another_case_is_made_without_records_that_are_held(walk: Walk, people: People) -> None:
    walk(file_case(), Status.DECISION)
    other = walk(file_case(kind=Kind.PRIVACY), Status.DECISION)
    hit = other.matches.get(record__record_id="r1")
    assert planning.records_set_aside(hit.record.dataset_id, [hit.record]) == ["r2"]


def test_the_export_leaves_out_what_is_held_and_stands_in_the_ledger(
    walk: Walk, case: Case, people: People, catalogue: dict[str, Any]
) -> None:
    walk(case, Status.DECISION)
    text, digest = containment.records_export(dataset=catalogue["data"], actor=people[Role.ENGINEER])
    assert text == "r3\n" and dispatch.read_lines(digest) == ["r3"]
    body = LedgerOpening.objects.get(entry__action="dataset.exported").body
    assert body == {"dataset": catalogue["data"].artifact, "list": digest, "records": 1, "held": False}
    other, _digest = containment.records_export(dataset=catalogue["data"], actor=people[Role.ENGINEER], held=True)
    assert other == "r1\nr2\n"


def test_controls_are_not_exported_for_training(people: People, catalogue: dict[str, Any]) -> None:
    with pytest.raises(Unfit, match="never trained on"):
        containment.records_export(dataset=catalogue["controls"], actor=people[Role.ENGINEER])


def test_only_those_who_train_or_serve_export(people: People, catalogue: dict[str, Any]) -> None:
    for role in (Role.AUDITOR, Role.EXECUTIVE, Role.ADMINISTRATOR, Role.APPROVER):
        with pytest.raises(NotAllowed):
            containment.records_export(dataset=catalogue["data"], actor=people[role])
        with pytest.raises(NotAllowed):
            fingerprints.filter_list_make(actor=people[role])


def test_a_filter_list_holds_hashes_and_no_word_number_or_name(walk: Walk, case: Case, people: People) -> None:
    walk(case, Status.DECISION)
    made = fingerprints.filter_list_make(actor=people[Role.RELEASE])
    data = dispatch.read_bytes(made.artifact)
    found = json.loads(data)
    assert (found["kind"], found["list_version"], len(found["works"])) == ("lethe-fingerprints", 1, 1)
    assert dispatch.bytes_digest(data) == made.artifact and "key" not in found
    for word in ("salt", "orchard", "Marun", case.number):
        assert word.encode() not in data.replace(b'"note"', b"").split(b"scheme")[-1]
    assert fingerprints.key().hex() not in data.decode()
    assert fingerprints.filter_list_make(actor=people[Role.RELEASE]).version == 2


def test_the_commands_write_list_key_and_records(walk: Walk, case: Case, catalogue: dict[str, Any]) -> None:
    walk(case, Status.DECISION)
    out, err = StringIO(), StringIO()
    call_command("filter_list", stdout=out, stderr=err)
    assert json.loads(out.getvalue())["key_id"] == dispatch.key_id(fingerprints.key()) and "1 works" in err.getvalue()
    out = StringIO()
    call_command("filter_list", key=True, stdout=out)
    assert out.getvalue().strip() == fingerprints.key().hex()
    out = StringIO()
    call_command("trainable", "Works", stdout=out, stderr=err)
    assert out.getvalue() == "r3\n"
    with pytest.raises(CommandError, match="No dataset"):
        call_command("trainable", "Nothing")


def test_the_page_tells_what_is_held_and_offers_the_exports(
    client: Client, walk: Walk, case: Case, people: People
) -> None:
    walk(case, Status.DECISION)
    sign_in_to_decide(client, people[Role.ENGINEER].user)  # type: ignore[arg-type]
    page = client.get(reverse("duties")).content.decode()
    assert "2 records are held out of training" in page and case.number in page
    assert client.post(reverse("filter_list_make")).status_code == 302
    answer = client.get(reverse("filter_list", args=[FilterList.objects.get().version]))
    assert answer["Content-Type"] == "application/json" and "salt" not in answer.content.decode()
    dataset = case.matches.all()[0].record.dataset
    answer = client.post(reverse("dataset_records", args=[dataset.public_id]))
    assert answer.content == b"r3\n"
    assert client.post(reverse("dataset_records", args=[dataset.public_id]), {"held": "1"}).content == b"r1\nr2\n"


def test_nothing_is_held_when_nothing_matched(
    people: People, catalogue: dict[str, Any], walk: Walk, case: Case
) -> None:
    walk(case, Status.REVIEW)
    review.case_admit(case=case, actor=people[Role.LEGAL])
    run_house_jobs(case)
    assert containment.contain(case) == 0 and POEM
