"""The life of a case: one table of transitions, one function that moves a case. Nothing else writes a status.

`advance` does four things in one transaction: it asks the policy, makes the conditional update (a second writer
finds no row and gets `Conflict`), appends the ledger entry, and enqueues the next step on commit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from django.db import transaction
from django.utils import timezone

from governance import dispatch
from governance.clocks import local_day, rows
from governance.errors import Conflict, Unfit
from governance.evidence import ledger
from governance.models import Case, Channel, Decision, Disposition, Relation, Release, Status
from governance.policies import Actor, Permission, demand, proof_unlocks_weights
from governance.tokens import link_token, token_hash

S = Status
P = Permission


@dataclass(frozen=True, kw_only=True)
class Transition:
    """Who may make the step, what must hold, and the job that follows."""

    by: tuple[Permission, ...]
    guard: Callable[[Case], str] | None = None
    job: str = ""
    needs_disposition: bool = False


def _has_proof(case: Case) -> str:
    return "" if case.proofs.exists() else "Record a proof first: at least the link in the e-mail."


def _all_approved(case: Case) -> str:
    open_hits = case.matches.filter(decision__approved_at__isnull=True).count()
    return f"{open_hits} hits still wait for a decision by two people." if open_hits else ""


def _to_planning(case: Case) -> str:
    if problem := _all_approved(case):
        return problem
    if not case.matches.filter(decision__choice=Decision.Choice.ERASE).exists():
        return "No hit is to be erased, so there is nothing to plan."
    if not proof_unlocks_weights(case):
        return "A change of weights needs a stronger proof of this claimant; record it first."
    return ""


def _plan_confirmed(case: Case) -> str:
    return "" if case.plans.filter(state="confirmed").exists() else "No plan is confirmed."


def _released(case: Case) -> str:
    signed = Release.objects.filter(case=case, released_at__isnull=False, legal_at__isnull=False)
    return "" if signed.exists() else "Both signatures are needed: the release manager's and legal's."


_MACHINE = (P.RUN_MACHINE,)

#: (from, to) -> what the step takes. A step that is not here does not exist.
TRANSITIONS: Mapping[tuple[Status, Status], Transition] = MappingProxyType(
    {
        (S.RECEIVED, S.PROOF): Transition(by=(P.CONFIRM_EMAIL, P.RECORD_PROOF)),
        (S.PROOF, S.REVIEW): Transition(by=(P.RECORD_PROOF,), guard=_has_proof),
        (S.PROOF, S.INFORMATION): Transition(by=(P.REVIEW,)),
        (S.REVIEW, S.INFORMATION): Transition(by=(P.REVIEW,)),
        (S.INFORMATION, S.PROOF): Transition(by=(P.REVIEW, P.RECORD_PROOF)),
        (S.INFORMATION, S.REVIEW): Transition(by=(P.REVIEW, P.RECORD_PROOF)),
        (S.REVIEW, S.MATCHING): Transition(by=(P.REVIEW,), guard=_has_proof, job="match"),
        (S.REVIEW, S.NOTIFICATION): Transition(by=(P.REVIEW, P.WITHDRAW), job="notify", needs_disposition=True),
        (S.MATCHING, S.DECISION): Transition(by=_MACHINE),
        (S.DECISION, S.PLANNING): Transition(by=(P.APPROVE,), guard=_to_planning, job="plan"),
        (S.DECISION, S.REPORTING): Transition(
            by=(P.APPROVE,), guard=_all_approved, job="report", needs_disposition=True
        ),
        (S.PLANNING, S.UNLEARNING): Transition(by=(P.CONFIRM_PLAN,), guard=_plan_confirmed, job="unlearn"),
        (S.PLANNING, S.REPORTING): Transition(by=_MACHINE, job="report", needs_disposition=True),
        (S.UNLEARNING, S.VERIFICATION): Transition(by=_MACHINE, job="verify"),
        (S.UNLEARNING, S.PLANNING): Transition(by=_MACHINE, job="plan"),
        (S.VERIFICATION, S.PLANNING): Transition(by=_MACHINE, job="plan"),
        (S.VERIFICATION, S.RELEASE): Transition(by=_MACHINE),
        (S.RELEASE, S.REPORTING): Transition(
            by=(P.RELEASE_MODEL, P.RELEASE_LEGAL), guard=_released, job="report", needs_disposition=True
        ),
        (S.REPORTING, S.NOTIFICATION): Transition(by=_MACHINE, job="notify"),
        (S.NOTIFICATION, S.CLOSED): Transition(by=_MACHINE, needs_disposition=True),
        **{
            (status, S.NOTIFICATION): Transition(by=(P.WITHDRAW,), job="notify", needs_disposition=True)
            for status in (S.RECEIVED, S.PROOF, S.INFORMATION, S.MATCHING, S.DECISION, S.PLANNING)
        },
    }
)


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
    if transition.guard and (problem := transition.guard(case)):
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


@transaction.atomic
def reopen(*, parent: Case, actor: Actor, body: dict[str, Any], relation: Relation = Relation.REGRESSION) -> Case:
    """A child case of a closed one, at review, for the same person and with its proofs; its clock starts today.

    Raises:
        NotAllowed: the policy refuses the actor. Conflict: the parent is still open.
        KeyDestroyed: the person was erased; nothing can be opened for them any more.
    """
    demand(actor, Permission.REOPEN)
    if parent.is_open:
        raise Conflict(f"Case {parent.number} is open; what was found belongs into it.")
    claimant = parent.claimant
    child = Case(kind=parent.kind, law=parent.law, channel=Channel.HOUSE, claimant=claimant, parent=parent)
    child.relation = relation
    child.status, child.officer, child.language = S.REVIEW, parent.officer, parent.language
    clock = rows.begin(child, received=timezone.now(), because=f"The law of case {parent.number}, which it follows.")
    child.received_on, child.due_on = local_day(clock.received_at, rows.place_in(clock)), clock.due
    child.status_token = token_hash(link_token(child.public_id, "status"))
    child.confirm_token = token_hash(link_token(child.public_id, "confirm"))
    child.save()
    clock.case = child
    clock.save()
    for item in parent.items.all():
        child.items.create(
            subject=claimant.subject, position=item.position, form=item.form, title=item.title, text=item.text
        )
    for proof in parent.proofs.all():
        child.proofs.create(
            subject=claimant.subject,
            level=proof.level,
            note=proof.note,
            recorded_by=proof.recorded_by,
            recorded_at=proof.recorded_at,
        )
    dates = {"received_on": child.received_on.isoformat(), "due_on": child.due_on.isoformat()}
    ledger.append(action="case.reopened", actor=actor, case=child, body={"follows": parent.number, **dates, **body})
    return child
