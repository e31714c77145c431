"""A published patch is taken back: proposed by one, approved by another. The feed then says so, and why, by a code."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from governance.errors import Conflict, NotAllowed, Unfit
from governance.evidence import ledger
from governance.models import PatchPublication, PatchWithdrawal
from governance.policies import Actor, Permission, demand
from governance.services import feed_pages
from governance.services.shown import demand_shown


def withdrawal_propose(*, publication: PatchPublication, reason: str, actor: Actor) -> PatchWithdrawal:
    """Propose that nobody gets it any more.

    Raises:
        NotAllowed: the policy refuses the actor. Unfit: it is not published, or for no reason of ours.
        Conflict: that is proposed or done already.
    """
    demand(actor, Permission.MAKE_PATCH)
    if actor.user is None:
        raise NotAllowed("A person proposes this.")
    problems = [] if publication.approved_at else ["This patch is not published, so that nothing can be taken back."]
    if reason not in PatchWithdrawal.Reason.values:
        problems.append(f"Say why, by one of: {', '.join(PatchWithdrawal.Reason.values)}.")
    if problems:
        raise Unfit(problems)
    try:
        with transaction.atomic():
            row = PatchWithdrawal.objects.create(publication=publication, reason=reason, proposed_by=actor.user)
            _record(row, "patch.withdrawal_proposed", actor)
    except IntegrityError as error:
        raise Conflict("Its withdrawal is proposed or done already.") from error
    return row


@transaction.atomic
def withdrawal_approve(*, withdrawal: PatchWithdrawal, actor: Actor, shown: str) -> PatchWithdrawal:
    """Approve the one that was shown, by its id, as another person.

    Raises:
        NotAllowed: the policy, or whoever proposed. Conflict: it was answered already, or another one waits by now.
    """
    demand(actor, Permission.RELEASE_LEGAL)
    if actor.user is None or actor.user == withdrawal.proposed_by:
        raise NotAllowed("You proposed this; the approval is another person's.")
    demand_shown(withdrawal.pk, shown)
    _answer(withdrawal, approved_by=actor.user, approved_at=timezone.now())
    _record(withdrawal, "patch.withdrawn", actor)
    feed_pages.patches_changed(pk=withdrawal.publication_id)
    return withdrawal


@transaction.atomic
def withdrawal_return(*, withdrawal: PatchWithdrawal, actor: Actor) -> PatchWithdrawal:
    """Say no, or take one's own proposal back.

    Raises:
        NotAllowed: the policy, or another's proposal. Conflict: it was answered already.
    """
    if actor.user != withdrawal.proposed_by:
        demand(actor, Permission.RELEASE_LEGAL)
    _answer(withdrawal, returned_by=actor.user, returned_at=timezone.now())
    _record(withdrawal, "patch.withdrawal_returned", actor)
    return withdrawal


def _answer(withdrawal: PatchWithdrawal, **columns: Any) -> None:
    rows = PatchWithdrawal.objects.filter(pk=withdrawal.pk, approved_at=None, returned_at=None)
    if not rows.update(**columns):
        raise Conflict("Somebody else answered this in the meantime.")
    withdrawal.refresh_from_db()


def _record(row: PatchWithdrawal, action: str, actor: Actor) -> None:
    published = row.publication
    body = {"patch": published.patch.digest, "base": published.base, "result": published.result,
            "publication": str(published.public_id), "reason": row.reason}  # fmt: skip
    ledger.append(action=action, actor=actor, body=body)
