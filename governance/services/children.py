"""Cases that follow another: an appeal or a complaint against it, and works that their claimant gives free again."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from governance.errors import Conflict, NotAllowed, Unfit
from governance.evidence import ledger
from governance.lifecycle import advance, child_open
from governance.models import Case, CaseLink, Channel, ClaimedItem, Disposition, Relation, Status, WorksReturn
from governance.policies import (
    CLAIMANT,
    Actor,
    Permission,
    demand,
    demand_impartial,
    demand_mandate,
    demand_other_than_filer,
    findings_told,
)
from governance.services import answers, containment
from governance.services.notification import letter_send

#: What each is called in its letter and on its page; the person's reasons are kept as what the claimant adds.
REASONS = {
    Relation.APPEAL: "Why the claimant appeals",
    Relation.COMPLAINT: "What the claimant complains about",
    Relation.RETURN: "What the claimant gives free again",
}
#: Outcomes that leave something to appeal against.
_APPEALABLE = frozenset(Disposition) - {Disposition.FULFILLED, Disposition.WITHDRAWN}
#: Outcomes after which something of the claimant's is held out of training.
_HELD = frozenset({Disposition.FULFILLED, Disposition.PARTLY, Disposition.EXCLUDED, Disposition.NOT_FULFILLED})
MIN_REASON, MAX_REASON = 20, 20_000


def follow_ups(case: Case, *, claimant: bool) -> list[Relation]:
    """What may follow this case now. A complaint may be about a case that is still open, too.

    To the `claimant`, before identity is proven, what may follow must not tell how the case ended.
    """
    waiting = set(case.children.exclude(status=Status.CLOSED).values_list("relation", flat=True))
    possible = [Relation.COMPLAINT]
    if not case.is_open:
        told = not claimant or findings_told(case)
        if case.disposition in (_APPEALABLE if told else frozenset(Disposition) - {Disposition.WITHDRAWN}):
            possible.insert(0, Relation.APPEAL)
        if told and case.disposition in _HELD and case.quarantines.filter(ended_at=None).exists():
            possible.append(Relation.RETURN)
    return [relation for relation in possible if relation.value not in waiting]


@transaction.atomic
def case_follow(
    *, case: Case, relation: Relation, reason: str, actor: Actor = CLAIMANT, channel: Channel = Channel.FORM
) -> Case:
    """Open an appeal, a complaint or a taking back as a case of its own, with a new reviewer and clock.

    Raises:
        NotAllowed: the policy refuses the actor, or an agent gives back works after its mandate was revoked.
        Unfit: reasons that are missing or too long, or what cannot follow this case.
        Conflict: one of the kind is open already, or the case is.
    """
    demand(actor, Permission.FOLLOW_UP)
    if relation == Relation.RETURN:
        demand_mandate(case, actor)
    if relation not in REASONS:
        raise Unfit(f"A case is not followed by “{relation.label.lower()}” at somebody's word.")
    text = reason.strip()
    if not MIN_REASON <= len(text) <= MAX_REASON:
        raise Unfit(f"Write your reasons in at least one full sentence, and in at most {MAX_REASON:,} characters.")
    if relation not in follow_ups(case, claimant=actor is CLAIMANT):
        if case.children.filter(relation=relation).exclude(status=Status.CLOSED).exists():
            raise Conflict(f"One of the kind is open already for case {case.number}; add to it instead.")
        raise Unfit(f"{relation.label} is not possible for case {case.number} as it stands.")
    child = child_open(parent=case, relation=relation, actor=actor, body={}, channel=channel)
    last = child.items.order_by("-position").values_list("position", flat=True).first() or 0
    child.items.create(
        subject=child.claimant.subject,
        position=last + 1,
        form=ClaimedItem.Form.CONTEXT,
        title=REASONS[relation],
        text=text,
    )
    letter_send(case=child, template="received" if relation == Relation.RETURN else "complaint")
    return child


@transaction.atomic
def return_propose(*, case: Case, actor: Actor) -> Case:
    """First signature: the works go back into what may be trained on.

    Raises:
        Conflict: the case gives nothing back, is not at review, or is signed already.
    """
    demand(actor, Permission.PROPOSE)
    demand_impartial(case, actor)
    _at_review(case)
    unsigned = Case.objects.filter(pk=case.pk, status=Status.REVIEW, proposed_by=None)
    waits = WorksReturn.objects.filter(case=case, returned_at=None).exists()
    if actor.user is None or waits or not unsigned.update(proposed_by=actor.user, officer=actor.user):
        raise Conflict("This is signed already; a second person now answers.")
    WorksReturn.objects.create(case=case, proposed_by=actor.user)
    case.refresh_from_db()
    ledger.append(action="return.proposed", actor=actor, case=case, body={"follows": _parent(case).number})
    return case


@transaction.atomic
def return_approve(*, case: Case, actor: Actor) -> Case:
    """Second signature: nothing of the parent is held any more. Models that were changed stay as they are.

    Raises:
        NotAllowed: whoever proposed, or entered the request. Conflict: nothing is proposed.
    """
    demand(actor, Permission.APPROVE)
    demand_impartial(case, actor)
    demand_other_than_filer(case, actor)
    _at_review(case)
    if case.proposed_by_id is None:
        raise Conflict("Nobody has proposed to give these works back yet.")
    if actor.user is None or actor.user.pk == case.proposed_by_id:
        raise NotAllowed("You proposed this; a second person must approve it.")
    signed = WorksReturn.objects.filter(case=case, approved_by=None, returned_at=None)
    if not signed.update(approved_by=actor.user, approved_at=timezone.now()):
        raise Conflict("Somebody else signed this in the meantime.")
    released = containment.give_back(_parent(case), actor)
    ledger.append(action="return.approved", actor=actor, case=case, body={"records": released})
    return advance(
        case=case,
        to=Status.NOTIFICATION,
        actor=actor,
        reason="Given back at the claimant's word",
        disposition=Disposition.WITHDRAWN,
    )


@transaction.atomic
def return_end(*, case: Case, actor: Actor, reason: str = "") -> None:
    """The proposal is void: an approver refuses it, or whoever proposed takes it back. It may be proposed anew.

    Raises:
        NotAllowed: neither of them. Unfit: refused without a reason. Conflict: nothing is proposed.
    """
    _at_review(case)
    row = WorksReturn.objects.filter(case=case, approved_at=None, returned_at=None).first()
    if row is None:
        raise Conflict("Nobody has proposed to give these works back yet.")
    own = answers.taken_back(row.proposed_by_id, actor, Permission.APPROVE, reason=reason)
    if not own:
        demand_impartial(case, actor)
    waiting = WorksReturn.objects.filter(pk=row.pk, approved_at=None, returned_at=None)
    if not waiting.update(returned_by=actor.user, returned_at=timezone.now()):
        raise Conflict("Somebody else answered this in the meantime.")
    Case.objects.filter(pk=case.pk).update(proposed_by=None)
    action = f"return.{'taken_back' if own else 'refused'}"
    ledger.append(action=action, actor=actor, case=case, body=answers.why(own, reason))


def _at_review(case: Case) -> None:
    if case.relation != Relation.RETURN or case.status != Status.REVIEW:
        raise Conflict(f"Case {case.number} is not about giving works back, or is not at review.")


def _parent(case: Case) -> Case:
    if case.parent is None:
        raise Conflict(f"Case {case.number} follows no other.")
    return case.parent


@transaction.atomic
def cases_link(*, case: Case, number: str, why: CaseLink.Why, actor: Actor) -> CaseLink:
    """Two cases belong together; neither is held up by it.

    Raises:
        Unfit: no other case has the number. Conflict: they are linked so already.
    """
    demand(actor, Permission.REVIEW)
    other = Case.objects.filter(number=number.strip().upper()).exclude(pk=case.pk).first()
    if other is None:
        raise Unfit(f"No other case has the number “{number.strip()[:20]}”.")
    first, second = sorted((case, other), key=lambda one: one.pk)
    link, made = CaseLink.objects.get_or_create(case=first, other=second, why=why, defaults={"linked_by": actor.user})
    if not made:
        raise Conflict(f"Cases {case.number} and {other.number} are linked so already.")
    ledger.append(action="case.linked", actor=actor, case=case, body={"other": other.number, "why": why.value})
    return link
