"""Whoever is party to a case decides nothing in it: declared, the claimant, and as second signature the filer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from governance.errors import Conflict, NotAllowed, Unfit
from governance.models import Case, Challenge, Decision, Interest, Kind, LedgerOpening, Role, Status
from governance.policies import CLAIMANT, Actor, partial
from governance.selectors import queue as select
from governance.services import clocks, decision, doubts, holds, intake, planning, proof, proofs, release, review
from governance.services.assignment import case_assign
from governance.services.interests import interest_declare
from tests.governance.conftest import file_case, run_house_jobs
from tests.governance.staff import grant, member, sign_in_to_decide

pytestmark = pytest.mark.database

WHAT = "The claimant is my sister."
WHY = "A court asked for it this morning, in writing."
#: Steps of the desk beside the decision, and where a case must stand for each.
STEPS: dict[str, tuple[Callable[[Case, Actor], Any], Status | None]] = {
    "record a proof": (lambda c, who: proof.proof_record(case=c, level=2, note="Seen.", actor=who), Status.PROOF),
    "accept a proof": (lambda c, who: proof.proof_accept(case=c, actor=who), Status.PROOF),
    "ask": (
        lambda c, who: review.information_ask(case=c, actor=who, question="Which?", pauses_clock=False),
        Status.REVIEW,
    ),
    "hold": (lambda c, who: holds.hold_set(case=c, reason=WHY, actor=who), None),
    "add a law": (lambda c, who: clocks.clock_add(case=c, actor=who, law="gpai", because=WHY), None),
    "withdraw": (lambda c, who: intake.case_withdraw(case=c, actor=who), Status.REVIEW),
}


def proposals(case: Case) -> dict[int, decision.Proposal]:
    erase = decision.Proposal(choice=Decision.Choice.ERASE, ground="Company policy on opt-outs")
    return {match.pk: erase for match in case.matches.all()}


def test_who_declared_one_neither_admits_refuses_nor_proposes(walk: Any, people: dict[Role, Actor]) -> None:
    legal = people[Role.LEGAL]
    waiting, hit = walk(file_case(), Status.REVIEW), walk(file_case(), Status.DECISION)
    for case in (waiting, hit):
        interest_declare(case=case, what=WHAT, actor=legal)
    with pytest.raises(NotAllowed, match="conflict of interest"):
        review.case_admit(case=waiting, actor=legal)
    with pytest.raises(NotAllowed, match="conflict of interest"):
        review.case_refuse(case=waiting, actor=legal, reason="The letter names no work to look for.")
    with pytest.raises(NotAllowed, match="conflict of interest"):
        decision.decision_propose(case=hit, proposals=proposals(hit), actor=legal)
    assert not Decision.objects.exists()


def test_who_declared_one_neither_approves_returns_plans_nor_releases(walk: Any, people: dict[Role, Actor]) -> None:
    approver, engineer = people[Role.APPROVER], people[Role.ENGINEER]
    case = walk(file_case(), Status.DECISION)
    decision.decision_propose(case=case, proposals=proposals(case), actor=people[Role.LEGAL])
    interest_declare(case=case, what=WHAT, actor=approver)
    with pytest.raises(NotAllowed):
        decision.decision_approve(case=case, shown=decision.mark(case), actor=approver)
    with pytest.raises(NotAllowed):
        decision.decision_return(case=case, shown=decision.mark(case), actor=approver, reason="Look again.")
    planned = walk(file_case(), Status.PLANNING)
    run_house_jobs(planned)
    interest_declare(case=planned, what=WHAT, actor=engineer)
    with pytest.raises(NotAllowed):
        planning.plan_confirm(case=planned, shown=planning.mark(planned.plans.last()), actor=engineer)


def test_who_declared_one_signs_no_release(walk: Any, people: dict[Role, Actor]) -> None:
    case = walk(file_case(), Status.RELEASE)
    interest_declare(case=case, what=WHAT, actor=people[Role.RELEASE])
    with pytest.raises(NotAllowed):
        release.release_sign(case=case, actor=people[Role.RELEASE])


@pytest.mark.parametrize("step", sorted(STEPS))
def test_who_declared_one_takes_no_other_step_either(
    step: str, walk: Any, people: dict[Role, Actor], case: Case
) -> None:
    legal = people[Role.LEGAL]
    do, status = STEPS[step]
    if status:
        walk(case, status)
    interest_declare(case=case, what=WHAT, actor=legal)
    before = LedgerOpening.objects.count()
    with pytest.raises(NotAllowed, match="conflict of interest"):
        do(Case.objects.get(pk=case.pk), legal)
    assert LedgerOpening.objects.count() == before
    do(Case.objects.get(pk=case.pk), Actor.of(member("other@house.example", role=Role.LEGAL)))


def test_who_declared_one_judges_no_proof_and_sends_back_no_plan(walk: Any, people: dict[Role, Actor]) -> None:
    legal, approver = people[Role.LEGAL], people[Role.APPROVER]
    case = walk(file_case(), Status.PLANNING)
    run_house_jobs(case)
    plan = planning.plan_choose(case=case, actor=people[Role.ENGINEER])
    for actor in (legal, approver, people[Role.ENGINEER]):
        interest_declare(case=case, what=WHAT, actor=actor)
    with pytest.raises(NotAllowed):
        planning.plan_return(case=case, actor=approver, reason="Another way is better.", shown=planning.mark(plan))
    with pytest.raises(NotAllowed):
        proofs.proof_refuse(proof=case.proofs.latest("pk"), reason="It is not theirs.", actor=legal)
    shown = Challenge.objects.create(case=case, subject=case.claimant.subject, method="channel", level=5)
    with pytest.raises(NotAllowed):
        proofs.challenge_judge(challenge=shown, accept=False, reason="It is not theirs.", actor=legal)
    # What is one's own is taken back all the same.
    planning.plan_take_back(case=case, actor=people[Role.ENGINEER])


def test_who_declared_one_answers_no_hold_and_takes_back_their_own_word(people: dict[Role, Actor], case: Case) -> None:
    legal, approver = people[Role.LEGAL], people[Role.APPROVER]
    holds.hold_set(case=case, reason=WHY, actor=legal)
    holds.hold_lift_ask(case=case, reason=WHY, actor=legal)
    shown = holds.lift_mark(holds.hold_of(case))
    for actor in (legal, approver):
        interest_declare(case=case, what=WHAT, actor=actor)
    with pytest.raises(NotAllowed):
        holds.hold_lift(case=case, actor=approver, shown=shown)
    with pytest.raises(NotAllowed):
        holds.hold_lift_end(case=case, actor=approver, shown=shown, reason=WHY)
    holds.hold_lift_end(case=case, actor=legal, shown=shown)
    assert holds.lift_mark(holds.hold_of(case)) == ""


def test_a_member_of_staff_who_is_the_claimant_records_no_proof_for_themselves(people: dict[Role, Actor]) -> None:
    legal = people[Role.LEGAL]
    assert legal.user
    own = file_case(kind=Kind.PRIVACY, email=legal.user.email)
    with pytest.raises(NotAllowed, match="You are the claimant"):
        proof.proof_record(case=own, level=5, note="I know me.", actor=legal)
    # By the private page they withdraw as everybody does.
    intake.case_withdraw(case=own, actor=CLAIMANT)


def test_a_member_of_staff_who_is_the_claimant_decides_nothing(walk: Any, people: dict[Role, Actor]) -> None:
    legal = people[Role.LEGAL]
    assert legal.user
    case = file_case(email=legal.user.email.upper())
    assert "You are the claimant" in partial(case, legal)
    case = walk(file_case(), Status.REVIEW)
    own = file_case(email=legal.user.email)
    Case.objects.filter(pk=case.pk).update(claimant=own.claimant)
    case.refresh_from_db()
    with pytest.raises(NotAllowed, match="You are the claimant"):
        review.case_admit(case=case, actor=legal)


def test_whoever_is_party_shows_proofs_asks_holds_and_withdraws_nothing(walk: Any, people: dict[Role, Actor]) -> None:
    """A declared conflict, and an officer who is the claimant: neither does what moves the case or its dates."""
    legal = people[Role.LEGAL]
    declared = walk(file_case(Kind.PRIVACY), Status.PROOF)
    interest_declare(case=declared, what=WHAT, actor=legal)
    own = walk(file_case(Kind.PRIVACY, email=legal.user.email), Status.PROOF)  # type: ignore[union-attr]
    why = "It may matter to a court."
    for case in (declared, own):
        acts: list[Callable[[], object]] = [
            lambda case=case: proof.proof_record(case=case, level=5, note="Seen.", actor=legal),
            lambda case=case: proof.proof_accept(case=case, actor=legal),
            lambda case=case: proofs.proof_refuse(proof=case.proofs.get(), reason="No.", actor=legal),
            lambda case=case: doubts.doubt_record(
                case=case, reason="The name is not the one.", pauses_clock=False, actor=legal
            ),
            lambda case=case: doubts.doubt_settle(case=case, dispelled=True, note="Seen.", actor=legal),
            lambda case=case: review.information_ask(case=case, actor=legal, question="Who?", pauses_clock=False),
            lambda case=case: holds.hold_set(case=case, reason=why, actor=legal),
            lambda case=case: clocks.clock_extend(case=case, actor=legal, reasons=why),
            lambda case=case: clocks.clock_add(case=case, actor=legal, law="uk_gdpr", because=why),
            lambda case=case: intake.case_withdraw(case=case, actor=legal),
        ]
        for act in acts:
            with pytest.raises(NotAllowed, match="somebody else decides"):
                act()
        case.refresh_from_db()
        assert case.status == Status.PROOF and case.held_at is None
    intake.case_withdraw(case=own, actor=CLAIMANT)


def test_who_entered_the_request_gives_no_second_signature(walk: Any, people: dict[Role, Actor]) -> None:
    filer = member("filer@house.example", role=Role.LEGAL)
    case = walk(file_case(actor=Actor.of(filer)), Status.DECISION)
    decision.decision_propose(case=case, proposals=proposals(case), actor=people[Role.LEGAL])
    grant(filer, Role.APPROVER)
    filer.refresh_from_db()
    with pytest.raises(NotAllowed, match="You entered this request"):
        decision.decision_approve(case=case, shown=decision.mark(case), actor=Actor.of(filer))


def test_a_declaration_takes_the_case_off_the_desk_and_out_of_what_waits(walk: Any, people: dict[Role, Actor]) -> None:
    legal = people[Role.LEGAL]
    case = walk(file_case(), Status.REVIEW)
    case_assign(case=case, officer=legal.user, actor=legal)
    assert case in select.cases(legal, "waiting")
    interest_declare(case=case, what=WHAT, actor=legal)
    case.refresh_from_db()
    assert case.officer is None and case not in select.cases(legal, "waiting")
    with pytest.raises(Unfit, match="may not decide"):
        case_assign(case=case, officer=legal.user, actor=people[Role.APPROVER])


def test_it_is_said_once_with_a_word_and_stays(people: dict[Role, Actor], case: Case) -> None:
    legal = people[Role.LEGAL]
    with pytest.raises(Unfit):
        interest_declare(case=case, what="  ", actor=legal)
    with pytest.raises(NotAllowed):
        interest_declare(case=case, what=WHAT, actor=people[Role.AUDITOR])
    interest_declare(case=case, what=WHAT, actor=legal)
    with pytest.raises(Conflict):
        interest_declare(case=case, what=WHAT, actor=legal)
    opening = LedgerOpening.objects.get(entry__action="interest.declared")
    assert (opening.actor, opening.body) == (legal.user, {})
    for sql in ("DELETE FROM governance_interest", "UPDATE governance_interest SET declared_at = NULL"):
        with pytest.raises(IntegrityError, match="stays"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
    assert Interest.objects.count() == 1


def test_what_it_is_is_sealed(people: dict[Role, Actor], case: Case) -> None:
    interest_declare(case=case, what=WHAT, actor=people[Role.LEGAL])
    with connection.cursor() as cursor:
        cursor.execute("SELECT what FROM governance_interest")
        assert b"sister" not in bytes(cursor.fetchone()[0])


def test_the_page_says_why_there_is_no_button(client: Client, walk: Any, people: dict[Role, Actor]) -> None:
    case = walk(file_case(), Status.DECISION)
    legal = people[Role.LEGAL].user
    assert legal
    sign_in_to_decide(client, legal)
    address = reverse("case", args=[case.public_id])
    assert "Sign as first reviewer" in client.get(address).content.decode()
    answer = client.post(reverse("case_declare", args=[case.public_id]), {"what": WHAT})
    assert answer.status_code == 302
    text = client.get(address).content.decode()
    assert "Sign as first reviewer" not in text and "You decide nothing in this case" in text
    assert "Declare a conflict of interest" not in text
    assert WHAT in client.get(address, {"tab": "notes"}).content.decode()
    engineer = people[Role.ENGINEER].user
    assert engineer
    client.force_login(engineer)
    assert WHAT not in client.get(address, {"tab": "notes"}).content.decode()
