"""The life of a case: one way to move a case by the table of `transitions`. Nothing else writes a status.

`advance` (`advance_all` for many that stand alike) does these things in one transaction: it asks the policy, makes the
conditional update (a second writer finds no row and gets `Conflict`), notes how long the stage was, appends the ledger
entry, and enqueues the next step on commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from governance import dispatch
from governance.clocks import local_day, rows
from governance.errors import Conflict, Unfit
from governance.evidence import ledger
from governance.models import Answer, Case, CaseLink, Channel, Disposition, Relation, StageStay, Status
from governance.policies import CONTESTED, Actor, Permission, demand
from governance.tokens import link_token, token_hash
from governance.transitions import TRANSITIONS

S = Status
#: Where a claimant's answer waits for a person.
ANSWERED = (S.PROOF, S.REVIEW)


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
    return _move([case], to, actor, reason, disposition, body or {}, changes)[0]


@transaction.atomic
def advance_all(*, cases: Sequence[Case], to: Status, actor: Actor, reason: str) -> list[Case]:
    """Move cases that stand alike, at one stage and with one outcome, one step in as many statements as for one: all of
    them or none.

    Raises:
        NotAllowed, Conflict, Unfit: as `advance` does.
    """
    if len({(case.status, case.disposition) for case in cases}) > 1:
        raise Conflict("These cases do not stand alike; move them one by one.")
    return _move(cases, to, actor, reason, None, {}, {})


def _move(
    cases: Sequence[Case],
    to: Status,
    actor: Actor,
    reason: str,
    disposition: Disposition | None,
    body: dict[str, Any],
    changes: dict[str, Any],
) -> list[Case]:
    first = cases[0]
    old, final = Status(first.status), disposition.value if disposition else first.disposition
    transition = TRANSITIONS.get((old, to))
    if transition is None:
        raise Conflict(f"Case {first.number} is at {old.label}; no step leads from there to {to.label}.")
    demand(actor, *transition.by)
    for case in cases:
        if transition.guard and (problem := transition.guard.check(case)):
            raise Unfit(problem)
    if transition.needs_disposition and not final:
        raise Unfit("The outcome of the case must be named.")
    now = timezone.now()
    columns = {"status": to, "disposition": final, "changed_at": now, **changes}
    if to == S.CLOSED:
        columns["closed_at"] = now
    if Case.objects.filter(pk__in=[case.pk for case in cases], status=old).update(**columns) != len(cases):
        raise Conflict(f"Somebody else moved case {first.number} in the meantime; load it again.")
    StageStay.objects.bulk_create(_stayed(case, old, now) for case in cases)
    if old in ANSWERED and actor.user is not None:  # the machine and the claimant read no answer
        Answer.objects.filter(case__in=cases, taken_up_at=None).update(taken_up_at=now)
    for case in cases:
        for name, value in columns.items():
            setattr(case, name, value)
    facts = {"from": old.value, "to": to.value, "reason": reason, "disposition": final, **body}
    entry = partial(ledger.Entry, action="case.advanced", actor=actor, body=facts)
    for case, row in zip(cases, ledger.append_all([entry(case=case) for case in cases]), strict=True):
        if transition.job:
            dispatch.enqueue(kind=transition.job, case=case, key=f"{transition.job}:{case.pk}:{row.index}")
    return list(cases)


def _stayed(case: Case, stage: Status, now: datetime) -> StageStay:
    """How long a case was at the stage that it leaves."""
    since = min(case.changed_at, now)
    hours = int((now - since).total_seconds() // 3600)
    return StageStay(case=case, stage=stage, entered_at=since, left_on=timezone.localdate(now), hours=hours)


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
def beside_open(*, case: Case, actor: Actor, channel: Channel = Channel.FORM, came_on: date | None = None) -> Case:
    """A case without works yet beside one whose decision is signed, or that began later than the day `came_on` that
    staff enter: same person, same law, a clock of its own, from that day or from now.

    What was shown is not asked for again, so it begins at review with the proofs of the first, at proof where those
    are not accepted yet; what is shown in either while both wait there counts in both (`proof.proof_beside`). The two
    are linked.

    Raises:
        NotAllowed: the policy refuses the actor.
    """
    demand(actor, Permission.ADD_WORKS, Permission.ENTER_CASE, Permission.RUN_MACHINE)
    made = Case(channel=channel, officer=case.officer, entered_by=actor.user)
    dates = _begin(made, case, f"The law of case {case.number}, beside which it was filed.", came_on, beside=True)
    CaseLink.objects.create(case=case, other=made, why=CaseLink.Why.SAME_CLAIMANT)
    facts = {"kind": str(made.kind), "law": made.law, "channel": str(made.channel), "beside": case.number, **dates}
    ledger.append(action="case.received", actor=actor, case=made, body=facts)
    return made


def _begin(
    made: Case, other: Case, because: str, came_on: date | None = None, *, beside: bool = False
) -> dict[str, str]:
    """Keep a new case of the same person at review (`beside` an unproven one: at proof), with its clock, links and
    proofs; returns its dates."""
    made.kind, made.law, made.claimant, made.capacity = other.kind, other.law, other.claimant, other.capacity
    unproven = other.status in (S.RECEIVED, S.PROOF) or other.return_to == S.PROOF
    made.status, made.language = S.PROOF if beside and unproven else S.REVIEW, other.language
    clock = rows.begin(made, received=came_on or timezone.now(), because=because)
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
            entered_by=item.entered_by,
            channel=item.channel,
            came_on=item.came_on,
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
