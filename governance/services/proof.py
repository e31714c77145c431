"""Proof: an officer records what was shown, at the level that the effect demands, never more."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Q

from governance.errors import Unfit
from governance.evidence import ledger
from governance.lifecycle import advance
from governance.models import Case, Proof, Status
from governance.policies import Actor, Permission, demand, demand_impartial
from governance.services import containment, news
from governance.services.notification import letter_send

#: Where a case waits for proof.
_WAITS = Q(status__in=(Status.RECEIVED, Status.PROOF)) | Q(status=Status.INFORMATION, return_to=Status.PROOF)


@transaction.atomic
def proof_record(*, case: Case, level: int, note: str, actor: Actor) -> Proof:
    """Record a proof of ownership or identity; the note is sealed under the claimant's key.

    Raises:
        NotAllowed: the policy refuses the actor, or they are party to the case.
        Unfit: an unknown level, a closed case, or no note on what was seen.
    """
    demand(actor, Permission.RECORD_PROOF)
    demand_impartial(case, actor)
    problems = []
    if level not in Proof.Level.values:
        problems.append(f"Level {level} is unknown; choose P1 to P5.")
    if not note.strip():
        problems.append("Write what was shown and how it was checked.")
    if not case.is_open:
        problems.append(f"Case {case.number} is closed.")
    if problems:
        raise Unfit(problems)
    proof = case.proofs.create(subject=case.claimant.subject, level=level, note=note, recorded_by=actor.user)
    ledger.append(action="proof.recorded", actor=actor, case=case, body={"level": level})
    proof_beside(proof, actor)
    containment.contain(case)
    if case.status == Status.RECEIVED:
        # A request by post has no link to follow; the recorded proof takes its place.
        advance(case=case, to=Status.PROOF, actor=actor, reason="Proof recorded by staff")
    return proof


def proof_beside(proof: Proof, actor: Actor) -> None:
    """The same proof in the person's cases beside this one, while it and they wait for proof: nobody shows
    anything twice. To be called before the case moves on."""
    found = Case.objects.filter(_WAITS, claimant__cases=proof.case_id).select_related("claimant")
    waiting = {case.pk: case for case in found}
    if waiting.pop(proof.case_id, None) is None:
        return
    for other in waiting.values():
        other.proofs.create(
            subject=proof.subject,
            level=proof.level,
            note=proof.note,
            recorded_by=proof.recorded_by,
            recorded_at=proof.recorded_at,
        )
        body = {"level": proof.level, "beside": proof.case.number}
        ledger.append(action="proof.recorded", actor=actor, case=other, body=body)
        if actor.user is None:
            news.news_note(other)


@transaction.atomic
def proof_accept(*, case: Case, actor: Actor) -> Case:
    """Proof is sufficient for the next step: the case goes to review, and the claimant is told once.

    Raises:
        NotAllowed: the policy refuses the actor, or they are party to the case.
    """
    demand_impartial(case, actor)
    moved = advance(case=case, to=Status.REVIEW, actor=actor, reason="Proof accepted")
    if not moved.letters.filter(template="proven").exists():
        letter_send(case=moved, template="proven")
    return moved
