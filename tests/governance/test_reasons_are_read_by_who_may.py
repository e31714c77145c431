"""What staff wrote in their own words is read before it is signed, and only by those who may know whom it is about."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from governance.models import Case, Decision, Kind, Role, Status
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
