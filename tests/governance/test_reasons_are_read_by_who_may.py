"""What staff wrote in their own words is read before it is signed, and only by those who may know whom it is about."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.urls import reverse

from governance.errors import KeyDestroyed
from governance.models import Case, Decision, Kind, Role, Status, triggers
from governance.models.vault import subject_destroy
from governance.policies import Actor
from governance.services import abuse, decision
from tests.governance.conftest import file_case
from tests.governance.staff import sign_in_to_decide

pytestmark = pytest.mark.database
People = dict[Role, Actor]
Walk = Callable[..., Case]
WHY = "Forty letters this week, and Vel Marun was answered each time."


def read(client: Client, people: People, role: Role, case: Case, *, tab: str = "") -> str:
    """The page of the case as this role sees it."""
    user = people[role].user
    assert user is not None
    sign_in_to_decide(client, user)
    return str(client.get(reverse("case", args=[case.public_id]), {"tab": tab}).content.decode())


def paper(client: Client, case: Case) -> str:
    return str(client.get(reverse("case_print", args=[case.public_id])).content.decode())


def test_the_reasons_of_a_finding_of_abuse_stand_beside_its_second_signature_and_in_the_file(
    case: Case, people: People, client: Client
) -> None:
    abuse.abuse_propose(case=case, ground="flood", reasons=WHY, actor=people[Role.LEGAL])
    page = read(client, people, Role.APPROVER, case)
    assert page.count(WHY) == 2 and page.index("Answer the proposal") < page.rindex(WHY) < page.index("I find it too")
    assert WHY in paper(client, case)
    abuse.abuse_approve(case=case, actor=people[Role.APPROVER], shown=str(case.abuse_findings.get().pk))
    assert WHY in read(client, people, Role.LEGAL, case)


def test_of_a_private_person_they_are_masked_and_hidden_from_who_may_not_know(people: People, client: Client) -> None:
    case = file_case(kind=Kind.PRIVACY)
    abuse.abuse_propose(case=case, ground="flood", reasons=WHY, actor=people[Role.LEGAL])
    page = read(client, people, Role.APPROVER, case)
    assert "Forty letters this week" in page and "Marun" not in page
    for role in (Role.ENGINEER, Role.RELEASE, Role.AUDITOR):
        assert "Forty letters" not in read(client, people, role, case)
        assert "Forty letters" not in paper(client, case)


def test_the_reasons_of_a_decision_too(walk: Walk, people: People, client: Client) -> None:
    case = walk(file_case(kind=Kind.PRIVACY), Status.DECISION)
    refuse = decision.Proposal(choice=Decision.Choice.REFUSE, ground="GDPR Art. 17", reason=WHY, exception="17_3_e")
    decision.decision_propose(case=case, proposals={m.pk: refuse for m in case.matches.all()}, actor=people[Role.LEGAL])
    for role, reads in ((Role.LEGAL, True), (Role.APPROVER, True), (Role.ENGINEER, False), (Role.AUDITOR, False)):
        page = read(client, people, role, case, tab="matches") + paper(client, case)
        assert ("Forty letters" in page) is reads and "Marun" not in page, role
    works = walk(file_case(email="other@house.example"), Status.DECISION)
    refuse = decision.Proposal(choice=Decision.Choice.EXCLUDE, ground="policy", reason=WHY)
    decision.decision_propose(
        case=works, proposals={m.pk: refuse for m in works.matches.all()}, actor=people[Role.LEGAL]
    )
    assert "Forty letters" in read(client, people, Role.ENGINEER, works, tab="matches")


def test_who_sends_back_is_told_where_the_reason_stands(walk: Walk, people: People, client: Client) -> None:
    case = walk(file_case(), Status.DECISION)
    leave = decision.Proposal(choice=Decision.Choice.EXCLUDE, ground="policy", reason="Left out of what comes.")
    decision.decision_propose(case=case, proposals={m.pk: leave for m in case.matches.all()}, actor=people[Role.LEGAL])
    assert "Stands in the ledger: name nobody." in read(client, people, Role.APPROVER, case)


def test_the_reason_of_a_decision_is_sealed_and_goes_with_the_persons_key(walk: Walk, people: People) -> None:
    case = walk(file_case(kind=Kind.PRIVACY), Status.DECISION)
    leave = decision.Proposal(choice=Decision.Choice.EXCLUDE, ground="GDPR Art. 21", reason=WHY)
    decision.decision_propose(case=case, proposals={m.pk: leave for m in case.matches.all()}, actor=people[Role.LEGAL])
    with connection.cursor() as cursor:
        cursor.execute("SELECT reason FROM governance_decision")
        assert all(len(bytes(kept)) > len(WHY) and b"letters" not in bytes(kept) for (kept,) in cursor.fetchall())
    assert {one.reason for one in Decision.objects.worded()} == {WHY}
    subject_destroy(case.claimant.subject)
    with pytest.raises(KeyDestroyed):
        assert Decision.objects.earliest("pk").reason


def test_reasons_that_stood_in_the_clear_are_sealed_when_the_database_is_brought_up(
    walk: Walk, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step of migration 0073, at rows as they were before: here the old column is the ground."""
    case, gone = walk(file_case(), Status.PLANNING), walk(file_case(email="other@x.example"), Status.PLANNING)
    triggers.drop(connection)
    Decision.objects.filter(match__case__in=(case, gone)).update(ground=WHY)
    triggers.install(connection)
    subject_destroy(gone.claimant.subject)
    step = importlib.import_module("governance.migrations.0073_sealed_reasons")
    monkeypatch.setattr(step, "IN_THE_CLEAR", "ground")
    step.seal(apps, connection.schema_editor())
    triggers.install(connection)
    assert {one.reason for one in Decision.objects.filter(match__case=case).worded()} == {WHY}
    assert not any(bytes(row) for row in Decision.objects.filter(match__case=gone).values_list("reason", flat=True))
