"""Conflicts of interest: whoever declares one decides nothing in the case any more, and is taken off it."""

from __future__ import annotations

from django.db import transaction

from governance.errors import Conflict, NotAllowed, Unfit
from governance.evidence import ledger
from governance.models import Case, Interest
from governance.policies import Actor, Permission, demand


@transaction.atomic
def interest_declare(*, case: Case, what: str, actor: Actor) -> Interest:
    """Declare one's own conflict of interest. It cannot be taken back: what was signed after it would be in doubt.

    Raises:
        NotAllowed: the policy refuses the actor.
        Unfit: without a word about what it is.
        Conflict: declared already.
    """
    demand(actor, Permission.DECLARE)
    if actor.user is None:
        raise NotAllowed("Only a person has interests.")
    if not what.strip():
        raise Unfit("Write in a sentence what it is; legal officers and approvers read it.")
    if case.interests.filter(person=actor.user).exists():
        raise Conflict("You declared it already.")
    declared = Interest.objects.create(case=case, person=actor.user, subject=case.claimant.subject, what=what.strip())
    Case.objects.filter(pk=case.pk, officer=actor.user).update(officer=None)
    ledger.append(action="interest.declared", actor=actor, case=case, body={})
    return declared
