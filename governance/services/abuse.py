"""Abuse: one person proposes to find it, with reasons that the claimant will read; another approves or gives it back.

Until two people signed, the request is handled like every other. Afterwards its case is marked, the claimant is told
why and how to object, and where nothing was looked for yet the case ends as refused, which can be appealed.
"""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.utils import timezone

from governance.errors import Conflict, NotAllowed, Unfit
from governance.evidence import ledger
from governance.lifecycle import advance
from governance.models import AbuseFinding, Case, Disposition, Status
from governance.policies import Actor, Permission, demand, demand_impartial, demand_other_than_filer
from governance.services.notification import letter_send
from governance.services.shown import demand_shown

REASON = "Write the reasons in at least one full sentence; the claimant reads them."
#: Where a finding ends the case: nothing was looked for and nothing decided.
EARLY = frozenset({Status.RECEIVED, Status.PROOF, Status.REVIEW, Status.INFORMATION})


def finding_of(case: Case) -> AbuseFinding | None:
    """The finding that stands or waits for its second signature; none once it was given back."""
    rows = AbuseFinding.objects.filter(case=case, returned_at=None).select_related("proposed_by", "approved_by")
    return rows.last()


@transaction.atomic
def abuse_propose(*, case: Case, ground: str, reasons: str, actor: Actor) -> AbuseFinding:
    """First signature.

    Raises:
        NotAllowed: the policy refuses the actor. Unfit: an unknown ground or no reasons.
        Conflict: the case is closed, or a finding stands or waits already.
    """
    demand(actor, Permission.PROPOSE_ABUSE)
    demand_impartial(case, actor)
    if ground not in AbuseFinding.Ground.values:
        raise Unfit(f"Choose one of these grounds: {', '.join(AbuseFinding.Ground.values)}.")
    if len(reasons.strip()) < 20:
        raise Unfit(REASON)
    if not case.is_open:
        raise Conflict(f"Case {case.number} is closed.")
    if finding_of(case) is not None:
        raise Conflict("A finding of abuse stands, or waits for its second signature.")
    if actor.user is None:
        raise NotAllowed("A finding is proposed by a person.")
    row = AbuseFinding(case=case, subject=case.claimant.subject, ground=ground, proposed_by=actor.user)
    row.reasons = reasons.strip()
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise Conflict("Somebody else proposed a finding in the meantime.") from error
    ledger.append(action="abuse.proposed", actor=actor, case=case, body={"finding": row.pk, "ground": ground})
    return row


def _open(case: Case) -> AbuseFinding:
    row = finding_of(case)
    if row is None or row.approved_at is not None:
        raise Conflict("No finding of abuse waits for a second signature.")
    return row


def _waiting(case: Case, actor: Actor, shown: str) -> AbuseFinding:
    demand(actor, Permission.APPROVE_ABUSE)
    demand_impartial(case, actor)
    demand_other_than_filer(case, actor)
    row = _open(case)
    if actor.user is None or row.proposed_by_id == actor.user.pk:
        raise NotAllowed("You proposed it; the second signature is another person's.")
    demand_shown(row.pk, shown)
    return row


@transaction.atomic
def abuse_approve(*, case: Case, actor: Actor, shown: str) -> AbuseFinding:
    """Second signature: the case is marked and the claimant told; an early case ends as refused.

    Raises:
        NotAllowed: the policy refuses the actor, or they proposed it.
        Conflict: nothing waits, or another finding than was shown, by its id.
    """
    row = _waiting(case, actor, shown)
    open_rows = AbuseFinding.objects.filter(pk=row.pk, approved_at=None, returned_at=None)
    if not open_rows.update(approved_by=actor.user, approved_at=timezone.now()):
        raise Conflict("Somebody else answered in the meantime; load the case again.")
    row.refresh_from_db()
    ledger.append(action="abuse.found", actor=actor, case=case, body={"finding": row.pk, "ground": row.ground})
    if case.status in EARLY:
        advance(
            case=case,
            to=Status.NOTIFICATION,
            actor=actor,
            reason="Two people found abuse",
            disposition=Disposition.REFUSED,
        )
        letter_send(case=case, template="refused", text=row.reasons)
    else:
        letter_send(case=case, template="message", text=row.reasons)
    return row


@transaction.atomic
def abuse_return(*, case: Case, actor: Actor, shown: str = "") -> AbuseFinding:
    """The second person does not find it, or whoever proposed takes it back: the request goes on like every other.

    Raises:
        NotAllowed: the policy refuses the actor. Conflict: nothing waits; for the second person as `abuse_approve`.
    """
    row = _open(case)
    own = actor.user is not None and row.proposed_by == actor.user
    if not own:
        _waiting(case, actor, shown)
    open_rows = AbuseFinding.objects.filter(pk=row.pk, approved_at=None, returned_at=None)
    if not open_rows.update(returned_by=actor.user, returned_at=timezone.now()):
        raise Conflict("Somebody else answered in the meantime; load the case again.")
    row.refresh_from_db()
    action = "abuse.taken_back" if own else "abuse.returned"
    ledger.append(action=action, actor=actor, case=case, body={"finding": row.pk})
    return row
