"""Decision: one officer proposes per hit, a second person approves all; the database refuses one person as both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from governance.errors import Conflict, NotAllowed, Unfit
from governance.evidence import ledger
from governance.lifecycle import advance
from governance.models import Case, Decision, Disposition, Match, Status, User
from governance.models.vault import keys_held
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
from governance.services.shown import demand_shown, sealed_mark


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What to do with one hit; a refusal or mere exclusion says why, by a code of the law and in words."""

    choice: Decision.Choice
    ground: str
    reason: str = ""
    exception: str = ""


def mark(case: Case, decisions: Iterable[Decision] | None = None) -> str:
    """What stands for these proposals, or for all of the case; empty where nothing is proposed."""
    with keys_held():
        return _mark(case, Decision.objects.filter(match__case=case).worded() if decisions is None else decisions)


def _mark(case: Case, rows: Iterable[Decision]) -> str:
    facts = sorted(
        [
            one.match_id,
            one.choice,
            one.ground,
            one.exception,
            one.reason,
            one.proposed_by_id,
            one.proposed_at.isoformat(),
        ]
        for one in rows
    )
    return sealed_mark(case.claimant.subject, *facts) if facts else ""


def _waiting(case: Case) -> None:
    """Lock the case, so that nothing is proposed, answered or taken back until this step ends.

    Raises:
        Conflict: it does not wait for a decision; other stages have proposals of their own.
    """
    if not Case.objects.select_for_update(no_key=True).filter(pk=case.pk, status=Status.DECISION).exists():
        raise Conflict(f"Case {case.number} is not waiting for a decision.")


@transaction.atomic
def decision_propose(*, case: Case, proposals: Mapping[int, Proposal], actor: Actor, shown: str = "") -> int:
    """First signature: a proposal for every named hit (by match id). `shown` is the `mark` of those that it replaces.

    Raises:
        Unfit: a hit of another case, an approved hit, or a refusal without reasons; all at once.
        Conflict: the case waits for no decision, or something else is proposed for these hits than what was shown.
    """
    demand(actor, Permission.PROPOSE)
    demand_impartial(case, actor)
    if actor.user is None:
        raise Conflict(f"Case {case.number} is not waiting for a decision.")
    _waiting(case)
    demand_shown(mark(case, Decision.objects.filter(match__case=case, match__in=proposals).worded()), shown)
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
    with keys_held():
        for pk, proposal in proposals.items():
            _keep(matches[pk], proposal, actor.user)
    complete = not case.matches.filter(decision=None).exists()
    Case.objects.filter(pk=case.pk).update(proposed_by=actor.user if complete else None)
    ledger.append(action="decision.proposed", actor=actor, case=case, body=_body(case))
    return len(proposals)


def _keep(match: Match, proposal: Proposal, by: User) -> None:
    fields = {
        "choice": proposal.choice,
        "ground": proposal.ground,
        "exception": proposal.exception,
        "reason": proposal.reason,
        "proposed_by": by,
        "proposed_at": timezone.now(),
    }
    Decision.objects.select_related("match").update_or_create(match=match, defaults=fields)


@transaction.atomic
def decision_approve(*, case: Case, actor: Actor, shown: str) -> Case:
    """Second signature under every proposal; records to be erased leave the training catalogue at once.

    Raises:
        NotAllowed: whoever proposed cannot approve.
        Unfit: a hit without a proposal.
        Conflict: the case waits for no decision, or other proposals stand than those that were shown (`mark`).
    """
    demand(actor, Permission.APPROVE)
    demand_impartial(case, actor)
    demand_other_than_filer(case, actor)
    if actor.user is None:
        raise NotAllowed("A person approves a decision.")
    _waiting(case)
    decisions = Decision.objects.filter(match__case=case, approved_at__isnull=True)
    if decisions.filter(proposed_by=actor.user).exists():
        raise NotAllowed("You proposed this decision; a second person must approve it.")
    if undecided := case.matches.filter(decision__isnull=True).count():
        raise Unfit(f"{undecided} hits have no proposal yet.")
    demand_shown(mark(case), shown)
    decisions.update(approved_by=actor.user, approved_at=timezone.now())
    ledger.append(action="decision.approved", actor=actor, case=case, body=_body(case))
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
def decision_return(*, case: Case, actor: Actor, reason: str, shown: str) -> None:
    """The second person sends the proposal back; it is removed, and the history keeps why.

    Raises:
        Unfit: no reason. Conflict: as `decision_approve`.
    """
    demand(actor, Permission.APPROVE)
    demand_impartial(case, actor)
    _waiting(case)
    if not reason.strip():
        raise Unfit("Write why the proposal goes back.")
    demand_shown(mark(case), shown)
    ledger.append(action="decision.returned", actor=actor, case=case, body={**_body(case), "why": reason})
    Decision.objects.filter(match__case=case, approved_at__isnull=True).delete()
    Case.objects.filter(pk=case.pk).update(proposed_by=None)


@transaction.atomic
def decision_take_back(*, case: Case, actor: Actor) -> None:
    """Whoever proposed takes back what they proposed, while nobody has approved it.

    Raises:
        Conflict: the case is not waiting for a decision, or nothing of theirs waits.
    """
    _waiting(case)
    before = _body(case)
    own = Decision.objects.filter(match__case=case, approved_at__isnull=True, proposed_by=actor.user)
    if actor.user is None or not own.delete()[0]:
        raise Conflict("Nothing that you proposed waits here.")
    Case.objects.filter(pk=case.pk).update(proposed_by=None)
    ledger.append(action="decision.taken_back", actor=actor, case=case, body=before)


def _body(case: Case) -> dict[str, object]:
    """How many hits get what, and the mark of who proposed what for which: a change of either changes the entry."""
    rows = list(Decision.objects.filter(match__case=case).worded())
    counts = Counter(one.choice for one in rows)
    return {choice: counts[choice] for choice in Decision.Choice.values} | {"decisions": mark(case, rows)}
