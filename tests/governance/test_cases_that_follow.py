"""Appeals, complaints, works given free again, and linked cases: a new reviewer, a clock of its own, two people."""

from __future__ import annotations

import html
from typing import Any

import pytest
from django.core import mail
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance.errors import Conflict, NotAllowed, Unfit
from governance.models import Case, CaseLink, Channel, Decision, Disposition, Quarantine, Relation, Role, Status, User
from governance.policies import CLAIMANT, Actor
from governance.services import children, decision, review
from governance.tokens import link_token
from tests.governance.conftest import file_case
from tests.governance.staff import grant, member, sign_in_to_decide

pytestmark = pytest.mark.database
WHY = "You left out the poem that I named first."
R = Relation


@pytest.fixture
def refused(walk: Any, people: dict[Role, Actor]) -> Case:
    """A closed case whose hits were excluded from training, by two people."""
    case: Case = walk(file_case(), Status.DECISION)
    leave = decision.Proposal(choice=Decision.Choice.EXCLUDE, ground="policy", reason="Models stay as they are.")
    decision.decision_propose(case=case, proposals={m.pk: leave for m in case.matches.all()}, actor=people[Role.LEGAL])
    decision.decision_approve(case=case, shown=decision.mark(case), actor=people[Role.APPROVER])
    Case.objects.filter(pk=case.pk).update(
        status=Status.CLOSED, disposition=Disposition.EXCLUDED, closed_at=timezone.now()
    )
    case.refresh_from_db()
    return case


def second(role: Role) -> Actor:
    """Somebody of the role who had no part in anything."""
    return Actor.of(member(f"other.{role}@house.example", role=role))


def test_an_appeal_is_a_case_of_its_own_with_a_new_reviewer_and_clock(refused: Case) -> None:
    child = children.case_follow(case=refused, relation=R.APPEAL, reason=WHY)
    assert (child.parent, child.relation, child.status, child.officer) == (refused, "appeal", Status.REVIEW, None)
    assert child.received_on == timezone.localdate() and child.clocks.count() == 1
    assert child.items.filter(form="context").get().text == WHY
    assert child.proofs.count() == refused.proofs.count()
    assert any("appeal or complaint" in letter.body for letter in mail.outbox) or child.letters.exists()


def test_nobody_who_decided_decides_the_appeal(refused: Case, people: dict[Role, Actor], walk_with: Any) -> None:
    child = children.case_follow(case=refused, relation=R.APPEAL, reason=WHY)
    for role in (Role.LEGAL,):
        with pytest.raises(NotAllowed, match="took part in the decision"):
            review.case_admit(case=child, actor=people[role])
        with pytest.raises(NotAllowed, match="took part in the decision"):
            review.case_refuse(case=child, actor=people[role], reason="There is nothing new in what you write to us.")
    others = {**people, Role.LEGAL: second(Role.LEGAL)}
    review.case_admit(case=child, actor=others[Role.LEGAL])
    child = walk_with(others, Case.objects.get(pk=child.pk), Status.DECISION)
    erase = decision.Proposal(choice=Decision.Choice.ERASE, ground="policy")
    proposals = {match.pk: erase for match in child.matches.all()}
    decision.decision_propose(case=child, proposals=proposals, actor=others[Role.LEGAL])
    with pytest.raises(NotAllowed, match="took part in the decision"):
        decision.decision_approve(case=child, shown=decision.mark(child), actor=people[Role.APPROVER])
    with pytest.raises(DatabaseError, match="does not decide again"), transaction.atomic():
        Decision.objects.filter(match__case=child).update(
            approved_by=people[Role.APPROVER].user, approved_at=timezone.now()
        )
    legal = people[Role.LEGAL].user
    assert isinstance(legal, User)
    grant(legal, Role.APPROVER)
    with pytest.raises(NotAllowed, match="took part"):
        decision.decision_approve(case=child, shown=decision.mark(child), actor=Actor.of(legal))
    decision.decision_approve(case=child, shown=decision.mark(child), actor=second(Role.APPROVER))


@pytest.mark.parametrize(
    ("relation", "reason", "said"),
    [
        (R.APPEAL, "too short", "at least one full sentence"),
        (R.REGRESSION, WHY, "not followed by"),
        (R.RETURN, "x" * 30_000, "at most 20,000"),
    ],
)
def test_what_cannot_follow_is_refused(refused: Case, relation: Relation, reason: str, said: str) -> None:
    with pytest.raises(Unfit, match=said):
        children.case_follow(case=refused, relation=relation, reason=reason)
    assert not refused.children.exists()


def test_an_open_case_is_complained_about_but_not_appealed(case: Case) -> None:
    assert children.follow_ups(case, claimant=True) == [R.COMPLAINT]
    with pytest.raises(Unfit, match="not possible"):
        children.case_follow(case=case, relation=R.APPEAL, reason=WHY)
    assert children.case_follow(case=case, relation=R.COMPLAINT, reason=WHY).parent == case


def test_one_appeal_at_a_time(refused: Case) -> None:
    children.case_follow(case=refused, relation=R.APPEAL, reason=WHY)
    with pytest.raises(Conflict, match="open already"):
        children.case_follow(case=refused, relation=R.APPEAL, reason=WHY)


def test_works_are_given_back_by_two_people_and_models_stay_changed(refused: Case, people: dict[Role, Actor]) -> None:
    held = Quarantine.objects.filter(case=refused, ended_at=None)
    assert held.count() == 2
    child = children.case_follow(case=refused, relation=R.RETURN, reason="I changed my mind; use them again, please.")
    with pytest.raises(Unfit, match="give the works back"):
        review.case_admit(case=child, actor=people[Role.LEGAL])
    with pytest.raises(Conflict, match="Nobody has proposed"):
        children.return_approve(case=child, actor=people[Role.APPROVER])
    children.return_propose(case=child, actor=people[Role.LEGAL])
    legal = people[Role.LEGAL].user
    assert isinstance(legal, User)
    grant(legal, Role.APPROVER)
    with pytest.raises(NotAllowed, match="You proposed this"):
        children.return_approve(case=child, actor=Actor.of(legal))
    children.return_approve(case=child, actor=people[Role.APPROVER])
    child.refresh_from_db()
    assert not held.exists() and child.disposition == Disposition.WITHDRAWN


def test_what_is_proposed_at_review_is_no_decision_to_be_sent_back(
    client: Client, refused: Case, people: dict[Role, Actor]
) -> None:
    legal, approver = people[Role.LEGAL], people[Role.APPROVER]
    child = children.case_follow(case=refused, relation=R.RETURN, reason="I changed my mind; use them again, please.")
    children.return_propose(case=child, actor=legal)
    assert isinstance(approver.user, User)
    sign_in_to_decide(client, approver.user)
    sent = {"choice": "return", "reason": "Ask the claimant first."}
    told = client.post(reverse("case_approve", args=[child.public_id]), sent, follow=True)
    assert "is not waiting for a decision" in html.unescape(told.content.decode())
    child.refresh_from_db()
    assert child.proposed_by == legal.user
    children.return_approve(case=child, actor=approver)


def test_a_giving_back_that_waits_for_its_answer_is_not_proposed_again(
    refused: Case, people: dict[Role, Actor]
) -> None:
    child = children.case_follow(case=refused, relation=R.RETURN, reason="I changed my mind; use them again, please.")
    children.return_propose(case=child, actor=people[Role.LEGAL])
    Case.objects.filter(pk=child.pk).update(proposed_by=None)
    with pytest.raises(Conflict, match="signed already"):
        children.return_propose(case=child, actor=people[Role.LEGAL])


def test_cases_are_linked_and_neither_is_blocked(case: Case, people: dict[Role, Actor]) -> None:
    other, legal = file_case(), people[Role.LEGAL]
    link = children.cases_link(case=other, number=case.number.lower(), why=CaseLink.Why.SAME_WORK, actor=legal)
    assert (link.case, link.other) == (case, other)
    with pytest.raises(Conflict):
        children.cases_link(case=case, number=other.number, why=CaseLink.Why.SAME_WORK, actor=legal)
    for wrong in ("LT-NONE0-000", case.number):
        with pytest.raises(Unfit, match="No other case"):
            children.cases_link(case=case, number=wrong, why=CaseLink.Why.DUPLICATE, actor=legal)


def test_the_claimant_appeals_on_the_private_page(client: Client, refused: Case) -> None:
    token = link_token(refused.public_id, "status")
    page = client.get(reverse("status", args=[token])).content.decode()
    assert "Appeal against the outcome" in page and "Let the works be used again" in page
    address = reverse("follow", args=[token, "appeal"])
    assert client.get(address).status_code == 200
    assert client.post(address, {"reason": "no"}).status_code == 422
    answer = client.post(address, {"reason": WHY})
    child = refused.children.get()
    assert answer["Location"] == reverse("status", args=[link_token(child.public_id, "status")])
    assert client.get(answer["Location"]).status_code == 200
    assert client.get(address)["Location"] == reverse("status", args=[token])
    assert client.get(reverse("follow", args=[token, "regression"])).status_code == 302


def test_staff_enter_an_appeal_by_post_and_see_both_cases(
    client: Client, refused: Case, people: dict[Role, Actor]
) -> None:
    legal = people[Role.LEGAL].user
    assert isinstance(legal, User)
    sign_in_to_decide(client, legal)
    page = client.get(reverse("case", args=[refused.public_id])).content.decode()
    assert "Appeal, complaint or giving back" in page
    data = {"relation": "appeal", "channel": Channel.POST.value, "reason": WHY}
    assert client.post(reverse("case_follow", args=[refused.public_id]), data).status_code == 302
    child = refused.children.get()
    assert (child.channel, child.entered_by) == ("post", legal)
    assert child.number in client.get(reverse("case", args=[refused.public_id])).content.decode()
    text = client.get(reverse("case", args=[child.public_id])).content.decode()
    assert refused.number in text and "Steps that lead on from here" in text


def test_only_legal_and_the_claimant_open_what_follows(refused: Case, people: dict[Role, Actor]) -> None:
    for role in (Role.ENGINEER, Role.AUDITOR, Role.ADMINISTRATOR, Role.NONE):
        with pytest.raises(NotAllowed):
            children.case_follow(case=refused, relation=R.APPEAL, reason=WHY, actor=people[role])
    assert children.case_follow(case=refused, relation=R.APPEAL, reason=WHY, actor=CLAIMANT)
