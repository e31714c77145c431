"""Decision: one officer proposes per hit, a second person approves all; the database refuses one person as both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from governance.errors import Conflict, NotAllowed, Unfit
from governance.evidence import ledger
from governance.lifecycle import advance
from governance.models import Case, Decision, Disposition, Status
from governance.policies import (
    Actor,
    Permission,
    demand,
    demand_impartial,
    demand_other_than_filer,
    proof_unlocks_weights,
)
from governance.services import containment
from governance.services.codes import exception_problem


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What to do with one hit; a refusal or mere exclusion says why, by a code of the law and in words."""

    choice: Decision.Choice
    ground: str
    reason: str = ""
    exception: str = ""


@transaction.atomic
def decision_propose(*, case: Case, proposals: Mapping[int, Proposal], actor: Actor) -> int:
    """First signature: a proposal for every named hit (by match id), replacing earlier unapproved ones.

    Raises:
        Unfit: a hit of another case, an approved hit, or a refusal without reasons; all at once.
    """
    demand(actor, Permission.PROPOSE)
    demand_impartial(case, actor)
    if case.status != Status.DECISION or actor.user is None:
        raise Conflict(f"Case {case.number} is not waiting for a decision.")
    matches = {match.pk: match for match in case.matches.select_related("record")}
    approved = set(
        Decision.objects.filter(match__case=case, approved_at__isnull=False).values_list("match_id", flat=True)
    )
    problems = [f"Hit {pk} belongs to another case." for pk in proposals if pk not in matches]
    problems += [f"Hit {pk} is decided already." for pk in proposals if pk in approved]
    problems += [
        f"Hit {matches[pk].record.record_id}: say why it is not erased."
        for pk, proposal in proposals.items()
        if pk in matches and proposal.choice != Decision.Choice.ERASE and not proposal.reason.strip()
    ]
    problems += [
        f"Hit {matches[pk].record.record_id}: {problem}"
        for pk, proposal in proposals.items()
        if pk in matches and (problem := exception_problem(case, proposal.choice, proposal.exception))
    ]
    if any(p.choice == Decision.Choice.ERASE for p in proposals.values()) and not proof_unlocks_weights(case):
        problems.append("Erasing from the models needs a stronger proof of this claimant; record it first.")
    if problems:
        raise Unfit(problems)
    for pk, proposal in proposals.items():
        Decision.objects.update_or_create(
            match_id=pk,
            defaults={
                "choice": proposal.choice,
                "ground": proposal.ground,
                "exception": proposal.exception,
                "reason": proposal.reason,
                "proposed_by": actor.user,
                "proposed_at": timezone.now(),
            },
        )
    complete = not case.matches.filter(decision=None).exists()
    here = Case.objects.filter(pk=case.pk, status=Status.DECISION)
    if not here.update(proposed_by=actor.user if complete else None):
        raise Conflict(f"Case {case.number} went on in the meantime; load it again.")
    ledger.append(action="decision.proposed", actor=actor, case=case, body=_counts(case))
    return len(proposals)


@transaction.atomic
def decision_approve(*, case: Case, actor: Actor) -> Case:
    """Second signature under every proposal; records to be erased leave the training catalogue at once.

    Raises:
        NotAllowed: whoever proposed cannot approve.
        Unfit: a hit without a proposal.
    """
    demand(actor, Permission.APPROVE)
    demand_impartial(case, actor)
    demand_other_than_filer(case, actor)
    decisions = Decision.objects.filter(match__case=case, approved_at__isnull=True)
    if case.status != Status.DECISION or actor.user is None:
        raise Conflict(f"Case {case.number} is not waiting for a decision.")
    if decisions.filter(proposed_by=actor.user).exists():
        raise NotAllowed("You proposed this decision; a second person must approve it.")
    if undecided := case.matches.filter(decision__isnull=True).count():
        raise Unfit(f"{undecided} hits have no proposal yet.")
    now = timezone.now()
    decisions.update(approved_by=actor.user, approved_at=now)
    ledger.append(action="decision.approved", actor=actor, case=case, body=_counts(case))
    containment.settle(case, actor)
    choices = set(Decision.objects.filter(match__case=case).values_list("choice", flat=True))
    if Decision.Choice.ERASE in choices:
        return advance(case=case, to=Status.PLANNING, actor=actor, reason="Decision approved by a second person")
    if not choices:
        outcome = Disposition.NO_DATA
    else:
        outcome = Disposition.EXCLUDED if Decision.Choice.EXCLUDE in choices else Disposition.REFUSED
    return advance(
        case=case, to=Status.REPORTING, actor=actor, reason="Decision approved by a second person", disposition=outcome
    )


@transaction.atomic
def decision_return(*, case: Case, actor: Actor, reason: str) -> None:
    """The second person sends the proposal back; it is removed, and the history keeps why.

    Raises:
        Conflict: the case is not waiting for a decision.
    """
    demand(actor, Permission.APPROVE)
    demand_impartial(case, actor)
    # Other stages have proposals of their own, which are answered elsewhere.
    if not Case.objects.select_for_update(no_key=True).filter(pk=case.pk, status=Status.DECISION).exists():
        raise Conflict(f"Case {case.number} is not waiting for a decision.")
    if not reason.strip():
        raise Unfit("Write why the proposal goes back.")
    ledger.append(action="decision.returned", actor=actor, case=case, body={**_counts(case), "why": reason})
    Decision.objects.filter(match__case=case, approved_at__isnull=True).delete()
    Case.objects.filter(pk=case.pk).update(proposed_by=None)


@transaction.atomic
def decision_take_back(*, case: Case, actor: Actor) -> None:
    """Whoever proposed takes back what they proposed, while nobody has approved it.

    Raises:
        Conflict: the case is not waiting for a decision, or nothing of theirs waits.
    """
    if not Case.objects.select_for_update(no_key=True).filter(pk=case.pk, status=Status.DECISION).exists():
        raise Conflict(f"Case {case.number} is not waiting for a decision.")
    before = _counts(case)
    own = Decision.objects.filter(match__case=case, approved_at__isnull=True, proposed_by=actor.user)
    if actor.user is None or not own.delete()[0]:
        raise Conflict("Nothing that you proposed waits here.")
    Case.objects.filter(pk=case.pk).update(proposed_by=None)
    ledger.append(action="decision.taken_back", actor=actor, case=case, body=before)


def _counts(case: Case) -> dict[str, int]:
    return {
        choice: Decision.objects.filter(match__case=case, choice=choice).count() for choice in Decision.Choice.values
    }
