"""The texts that a claimant sent: deleted at their word once the case is closed. Fingerprints stay."""

from __future__ import annotations

from django.db import transaction

from governance.errors import Conflict
from governance.evidence import ledger
from governance.models import Case, Status
from governance.policies import Actor, Permission, demand


def deletable(case: Case) -> bool:
    """Whether there are texts, and nothing needs them any more: closed, no legal hold, nothing open that follows."""
    if case.is_open or case.held_at is not None or case.children.exclude(status=Status.CLOSED).exists():
        return False
    return any(item.text for item in case.items.all())


@transaction.atomic
def texts_delete(*, case: Case, actor: Actor) -> int:
    """Empty every text of the case; returns how many. What was found, decided and fingerprinted stays.

    Raises:
        NotAllowed: the policy refuses the actor.
        Conflict: the case is open or held, something open follows it, or no text is left.
    """
    demand(actor, Permission.DELETE_TEXTS)
    locked = Case.objects.select_for_update(of=("self",), no_key=True).select_related("claimant").get(pk=case.pk)
    if not deletable(locked):
        raise Conflict(f"Case {case.number} has no text that can be deleted now.")
    rows = [item for item in locked.items.all() if item.text]
    for item in rows:
        item.text = ""
        item.save(update_fields=["text"])
    ledger.append(action="texts.deleted", actor=actor, case=locked, body={"texts": len(rows)})
    return len(rows)
