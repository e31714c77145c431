"""A finding of abuse: two signatures, told to the claimant, open to appeal; the database holds the rules too."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse

from governance.errors import Conflict, NotAllowed, Unfit
from governance.evidence import signatures
from governance.models import AbuseFinding, Case, LedgerEntry, Letter, Relation, Role, Status
from governance.policies import Actor
from governance.services import abuse, children
from tests.governance.conftest import file_case, run_house_jobs
from tests.governance.staff import sign_in_to_decide

pytestmark = pytest.mark.database

People = dict[Role, Actor]
WHY = "The same request came forty times this week, each answered already."


def propose(case: Case, people: People) -> AbuseFinding:
    return abuse.abuse_propose(case=case, ground="excessive", reasons=WHY, actor=people[Role.LEGAL])


def test_one_signature_changes_nothing_for_the_claimant(case: Case, people: People) -> None:
    letters = Letter.objects.count()
    propose(case, people)
    case.refresh_from_db()
    assert case.status == Status.RECEIVED and Letter.objects.count() == letters


def test_two_signatures_end_an_early_case_tell_the_claimant_and_can_be_appealed(case: Case, people: People) -> None:
    propose(case, people)
    abuse.abuse_approve(case=case, shown=str(case.abuse_findings.last().pk), actor=people[Role.APPROVER])
    run_house_jobs(case)
    case.refresh_from_db()
    assert (case.status, case.disposition) == (Status.NOTIFICATION, "refused")
    letter = Letter.objects.filter(case=case).latest("id")
    assert WHY in letter.body
    actions = list(LedgerEntry.objects.order_by("index").values_list("action", flat=True))
    assert "abuse.proposed" in actions and "abuse.found" in actions
    Case.objects.filter(pk=case.pk).update(status=Status.CLOSED)
    case.refresh_from_db()
    assert Relation.APPEAL in children.follow_ups(case, claimant=True)
    assert not [one for one in signatures.audit().findings if "abuse" in one.lower()]


def test_a_later_case_is_marked_and_goes_on(people: People, walk: Any) -> None:
    case = walk(file_case(), Status.DECISION)
    propose(case, people)
    abuse.abuse_approve(case=case, shown=str(case.abuse_findings.last().pk), actor=people[Role.APPROVER])
    case.refresh_from_db()
    assert case.status == Status.DECISION
    assert WHY in Letter.objects.filter(case=case).latest("id").body


def test_the_second_person_may_find_none_and_another_proposal_is_possible(case: Case, people: People) -> None:
    propose(case, people)
    abuse.abuse_return(case=case, shown=str(case.abuse_findings.last().pk), actor=people[Role.APPROVER])
    case.refresh_from_db()
    assert case.status == Status.RECEIVED and abuse.finding_of(case) is None
    assert propose(case, people).pk


def test_what_is_refused(case: Case, people: People) -> None:
    with pytest.raises(NotAllowed):
        abuse.abuse_propose(case=case, ground="excessive", reasons=WHY, actor=people[Role.ENGINEER])
    with pytest.raises(Unfit):
        abuse.abuse_propose(case=case, ground="dislike", reasons=WHY, actor=people[Role.LEGAL])
    with pytest.raises(Unfit):
        abuse.abuse_propose(case=case, ground="excessive", reasons="No.", actor=people[Role.LEGAL])
    with pytest.raises(Conflict):
        abuse.abuse_approve(case=case, shown="", actor=people[Role.APPROVER])
    propose(case, people)
    with pytest.raises(Conflict):
        propose(case, people)
    with pytest.raises(NotAllowed):
        abuse.abuse_approve(case=case, shown=str(case.abuse_findings.last().pk), actor=people[Role.LEGAL])
    abuse.abuse_approve(case=case, shown=str(case.abuse_findings.last().pk), actor=people[Role.APPROVER])
    with pytest.raises(Conflict):
        abuse.abuse_approve(case=case, shown=str(case.abuse_findings.last().pk), actor=people[Role.APPROVER])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE governance_abusefinding SET approved_by_id = proposed_by_id, approved_at = CURRENT_TIMESTAMP",
        "UPDATE governance_abusefinding SET ground = 'flood'",
        "DELETE FROM governance_abusefinding",
    ],
)
def test_the_database_refuses_by_itself(case: Case, people: People, statement: str) -> None:
    propose(case, people)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_a_signed_finding_is_never_changed(case: Case, people: People) -> None:
    propose(case, people)
    abuse.abuse_approve(case=case, shown=str(case.abuse_findings.last().pk), actor=people[Role.APPROVER])
    with pytest.raises(DatabaseError), transaction.atomic():
        AbuseFinding.objects.update(approved_by=None, approved_at=None)


def test_the_case_page_offers_both_steps_and_shows_the_mark(client: Client, case: Case, people: People) -> None:
    page, legal, approver = reverse("case", args=[case.public_id]), people[Role.LEGAL].user, people[Role.APPROVER].user
    assert legal and approver
    sign_in_to_decide(client, legal)
    assert "Propose to find abuse" in client.get(page).content.decode()
    client.post(reverse("case_abuse", args=[case.public_id]), {"ground": "flood", "reasons": WHY})
    assert "A finding of abuse is proposed" in client.get(page).content.decode()
    sign_in_to_decide(client, approver)
    client.post(
        reverse("case_abuse_second", args=[case.public_id]), {"choice": "find", "shown": case.abuse_findings.get().pk}
    )
    assert "Abuse, found by two people" in client.get(page).content.decode()
