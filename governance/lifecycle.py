"""The life of a case: one function that moves a case by the table of `transitions`. Nothing else writes a status.

`advance` does these things in one transaction: it asks the policy, makes the conditional update (a second writer
finds no row and gets `Conflict`), notes how long the stage was, appends the ledger entry, and enqueues the next step
on commit.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from governance import dispatch
from governance.clocks import local_day, rows
from governance.errors import Conflict, Unfit
from governance.evidence import ledger
from governance.models import Case, CaseLink, Channel, Disposition, Relation, StageStay, Status
from governance.policies import CONTESTED, Actor, Permission, demand
from governance.tokens import link_token, token_hash
from governance.transitions import TRANSITIONS

S = Status


@transaction.atomic
def advance(
    *,
    case: Case,
    to: Status,
    actor: Actor,
    reason: str,
    disposition: Disposition | None = None,
    body: dict[str, Any] | None = None,
    **changes: Any,
) -> Case:
    """Move a case one step.

    `reason` is shown in the case's history and must hold no personal data; `changes` are further columns of the
    case that change with the step.

    Raises:
        NotAllowed: the policy refuses the actor.
        Conflict: the step does not exist from here, or somebody else moved the case first.
        Unfit: what the step demands does not hold.
    """
    old = Status(case.status)
    transition = TRANSITIONS.get((old, to))
    if transition is None:
        raise Conflict(f"Case {case.number} is at {old.label}; no step leads from there to {to.label}.")
    demand(actor, *transition.by)
    if transition.guard and (problem := transition.guard.check(case)):
        raise Unfit(problem)
    final = disposition.value if disposition else case.disposition
    if transition.needs_disposition and not final:
        raise Unfit("The outcome of the case must be named.")
    now = timezone.now()
    columns = {"status": to, "disposition": final, "changed_at": now, **changes}
    if to == S.CLOSED:
        columns["closed_at"] = now
    if not Case.objects.filter(pk=case.pk, status=old).update(**columns):
        raise Conflict(f"Somebody else moved case {case.number} in the meantime; load it again.")
    _stayed(case, old, now)
    for name, value in columns.items():
        setattr(case, name, value)
    entry = ledger.append(
        action="case.advanced",
        actor=actor,
        case=case,
        body={"from": old.value, "to": to.value, "reason": reason, "disposition": final, **(body or {})},
    )
    if transition.job:
        dispatch.enqueue(kind=transition.job, case=case, key=f"{transition.job}:{case.pk}:{entry.index}")
    return case


def _stayed(case: Case, stage: Status, now: datetime) -> None:
    """How long a case was at the stage that it leaves."""
    since = min(case.changed_at, now)
    hours = int((now - since).total_seconds() // 3600)
    StageStay.objects.create(case=case, stage=stage, entered_at=since, left_on=timezone.localdate(now), hours=hours)


@transaction.atomic
def child_open(
    *, parent: Case, relation: Relation, actor: Actor, body: dict[str, Any], channel: Channel = Channel.HOUSE
) -> Case:
    """A case that follows another, at review, for the same person and with its proofs; its clock starts now.

    Where somebody contests what was decided, nobody has the new case yet: another person than before takes it.

    Raises:
        NotAllowed: the policy refuses the actor.
        Conflict: the parent is still open; only a complaint may be about an open case.
        KeyDestroyed: the person was erased; nothing can be opened for them any more.
    """
    demand(actor, Permission.REOPEN, Permission.FOLLOW_UP)
    if parent.is_open and relation != Relation.COMPLAINT:
        raise Conflict(f"Case {parent.number} is open; this belongs into it.")
    child = Case(parent=parent, relation=relation, channel=channel, entered_by=actor.user)
    child.officer = None if relation in CONTESTED else parent.officer
    dates = _begin(child, parent, f"The law of case {parent.number}, which it follows.")
    _copy_works(parent, child)
    facts = {"follows": parent.number, "relation": relation.value, **dates, **body}
    ledger.append(action="case.reopened", actor=actor, case=child, body=facts)
    return child


@transaction.atomic
def beside_open(*, case: Case, actor: Actor) -> Case:
    """A case without works yet beside one whose decision is signed: same person, same law, a clock of its own.

    What was shown is not asked for again, so it begins at review with the proofs of the first; the two are linked.

    Raises:
        NotAllowed: the policy refuses the actor.
    """
    demand(actor, Permission.ADD_WORKS, Permission.RUN_MACHINE)
    made = Case(channel=Channel.FORM, officer=case.officer)
    dates = _begin(made, case, f"The law of case {case.number}, beside which it was filed.")
    CaseLink.objects.create(case=case, other=made, why=CaseLink.Why.SAME_CLAIMANT)
    facts = {"kind": str(made.kind), "law": made.law, "channel": str(made.channel), "beside": case.number, **dates}
    ledger.append(action="case.received", actor=actor, case=made, body=facts)
    return made


def _begin(made: Case, other: Case, because: str) -> dict[str, str]:
    """Keep a new case of the same person at review, with its clock, links and proofs; returns its dates."""
    made.kind, made.law, made.claimant, made.capacity = other.kind, other.law, other.claimant, other.capacity
    made.status, made.language = S.REVIEW, other.language
    clock = rows.begin(made, received=timezone.now(), because=because)
    made.received_on, made.due_on = local_day(clock.received_at, rows.place_in(clock)), clock.due
    made.status_token = token_hash(link_token(made.public_id, "status"))
    made.confirm_token = token_hash(link_token(made.public_id, "confirm"))
    made.save()
    clock.case = made
    clock.save()
    _copy_proofs(other, made)
    return {"received_on": made.received_on.isoformat(), "due_on": made.due_on.isoformat()}


def _copy_works(parent: Case, child: Case) -> None:
    for item in parent.items.all():
        child.items.create(
            subject=child.claimant.subject,
            position=item.position,
            form=item.form,
            title=item.title,
            text=item.text,
            replacement=item.replacement,
        )


def _copy_proofs(parent: Case, child: Case) -> None:
    for proof in parent.proofs.counting():
        child.proofs.create(
            subject=child.claimant.subject,
            level=proof.level,
            note=proof.note,
            recorded_by=proof.recorded_by,
            recorded_at=proof.recorded_at,
        )
