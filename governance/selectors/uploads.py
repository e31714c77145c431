"""Reads on files that came from outside."""

from __future__ import annotations

from django.db.models import QuerySet

from governance.models import Upload
from governance.policies import Actor, Permission, demand


def uploads(actor: Actor, *, state: str = "") -> QuerySet[Upload]:
    """Files of cases, newest first.

    Raises:
        NotAllowed: the policy refuses the actor.
    """
    demand(actor, Permission.REVEAL_PERSON)
    rows = Upload.objects.filter(case__isnull=False).select_related("case__claimant")
    return rows.filter(state=state) if state in Upload.State.values else rows


def held() -> int:
    """How many wait for a scan."""
    return Upload.objects.filter(state=Upload.State.HELD, case__isnull=False).count()
