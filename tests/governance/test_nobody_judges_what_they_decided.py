"""Who took part in what an appeal or a complaint contests does not decide it: read from what nobody can move."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from governance.errors import NotAllowed
from governance.models import AbuseFinding, Case, Relation, Role, Status
from governance.policies import Actor, partial
from governance.selectors.signable import impartial
from governance.services import abuse, assignment, children, decision, intake, proof, release, review
from governance.tokens import link_token
from tests.governance.conftest import file_case
from tests.governance.staff import member

pytestmark = pytest.mark.database
People = dict[Role, Actor]
Walk = Callable[..., Case]
WHY = "You did not read what I wrote to you, not one word of it."
NO = "We stay with what we found, and say so once more."
TOOK_PART = "took part in the decision"


def other(role: Role, name: str = "other") -> Actor:
    return Actor.of(member(f"{name}.{role}@house.example", role=role))


def closed(case: Case) -> Case:
    Case.objects.filter(pk=case.pk).update(
        status=Status.CLOSED, disposition=case.disposition or "refused", closed_at=timezone.now()
    )
    case.refresh_from_db()
    return case


def follow(case: Case, relation: Relation = Relation.APPEAL) -> Case:
    return children.case_follow(case=case, relation=relation, reason=WHY)


def barred(case: Case, actor: Actor) -> bool:
    """Whether this person decides nothing in the case: by the policy, and by the lists, which say the same."""
    assert actor.user is not None
    listed = Case.objects.filter(impartial(actor), pk=case.pk).exists()
    assert listed is not bool(partial(case, actor)), "the lists say what the policy says"
    return not listed


def found_abusive(case: Case, people: People) -> Case:
    abuse.abuse_propose(case=case, ground="excessive", reasons=NO, actor=people[Role.LEGAL])
    abuse.abuse_approve(case=case, actor=people[Role.APPROVER], shown=str(case.abuse_findings.last().pk))  # type: ignore[union-attr]
    return closed(case)


class TestAfterAFindingOfAbuse:
    def test_neither_of_the_two_decides_the_appeal(self, case: Case, people: People) -> None:
        child = follow(found_abusive(case, people))
        assert barred(child, people[Role.LEGAL]) and barred(child, people[Role.APPROVER])
        assert not barred(child, other(Role.LEGAL)) and not barred(child, people[Role.ENGINEER])
        with pytest.raises(NotAllowed, match=TOOK_PART):
            review.case_refuse(case=child, actor=people[Role.LEGAL], reason=NO)

    def test_nor_finds_abuse_in_it(self, case: Case, people: People) -> None:
        child = follow(found_abusive(case, people))
        with pytest.raises(NotAllowed, match=TOOK_PART):
            abuse.abuse_propose(case=child, ground="excessive", reasons=NO, actor=people[Role.LEGAL])
        fields = {"case": child, "subject": child.claimant.subject, "ground": "flood", "reasons": NO}
        with pytest.raises(DatabaseError, match="does not decide again"), transaction.atomic():
            AbuseFinding.objects.create(**fields, proposed_by=people[Role.LEGAL].user)
        row = AbuseFinding.objects.create(**fields, proposed_by=other(Role.LEGAL).user)
        signed = {"approved_by": people[Role.APPROVER].user, "approved_at": timezone.now()}
        with pytest.raises(DatabaseError, match="does not decide again"), transaction.atomic():
            AbuseFinding.objects.filter(pk=row.pk).update(**signed)

    def test_nor_an_appeal_against_what_others_said_to_the_appeal(self, case: Case, people: People) -> None:
        child, second = follow(found_abusive(case, people)), other(Role.LEGAL)
        review.case_refuse(case=child, actor=second, reason=NO)
        grandchild = follow(closed(child))
        assert barred(grandchild, people[Role.LEGAL]) and barred(grandchild, second)
        assert not barred(grandchild, other(Role.LEGAL, "third"))


def test_whoever_refused_and_gave_the_case_away_does_not_decide_the_appeal(case: Case, people: People) -> None:
    legal, second = people[Role.LEGAL], other(Role.LEGAL)
    intake.email_confirm(token=link_token(case.public_id, "confirm"))
    case.refresh_from_db()
    proof.proof_record(case=case, level=3, note="Nonce seen.", actor=second)
    proof.proof_accept(case=case, actor=second)
    review.case_refuse(case=case, actor=legal, reason=NO)
    assignment.case_assign(case=case, officer=None, actor=legal)
    child = follow(closed(case))
    assert barred(child, legal)
    # A proof that was accepted, and nothing else, is no part in the refusal.
    assert not barred(child, second)


def test_whoever_had_an_open_case_does_not_judge_the_complaint_about_them(case: Case, people: People) -> None:
    legal = people[Role.LEGAL]
    assignment.case_assign(case=case, officer=legal.user, actor=legal)
    child = follow(case, Relation.COMPLAINT)
    assert barred(child, legal)
    assignment.case_assign(case=case, officer=None, actor=legal)
    assert barred(Case.objects.get(pk=child.pk), legal)
    with pytest.raises(NotAllowed, match=TOOK_PART):
        review.case_refuse(case=Case.objects.get(pk=child.pk), actor=legal, reason=NO)


def test_a_proposal_that_was_returned_was_a_part_in_it(walk: Walk, people: People) -> None:
    case, second = walk(file_case(), Status.DECISION), other(Role.LEGAL)
    leave = decision.Proposal(choice=decision.Decision.Choice.EXCLUDE, ground="policy", reason=NO)
    decision.decision_propose(case=case, proposals={m.pk: leave for m in case.matches.all()}, actor=second)
    decision.decision_take_back(case=case, actor=second)
    assert barred(follow(closed(case)), second)


def test_who_carries_out_carries_out_again_and_who_signed_for_legal_does_not(walk: Walk, people: People) -> None:
    case, second = walk(file_case(), Status.RELEASE), other(Role.APPROVER)
    for actor in (people[Role.RELEASE], second):
        release.release_sign(case=Case.objects.get(pk=case.pk), actor=actor)
    child = follow(closed(case))
    assert barred(child, second)
    assert not barred(child, people[Role.ENGINEER]) and not barred(child, people[Role.RELEASE])
    assert barred(child, people[Role.LEGAL]) and barred(child, people[Role.APPROVER])


def test_what_contests_nothing_is_open_to_all_who_decided(walk: Walk, people: People) -> None:
    parent = walk(file_case(), Status.PLANNING)
    Case.objects.filter(pk=parent.pk).update(disposition="excluded")
    back = follow(closed(Case.objects.get(pk=parent.pk)), Relation.RETURN)
    assert not barred(back, people[Role.LEGAL]) and not barred(back, people[Role.APPROVER])
