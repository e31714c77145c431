"""Reads on reservations: each address with its last reading; what the feed tells."""

from __future__ import annotations

from django.db.models import Count, OuterRef, QuerySet, Subquery

from governance.models import ReservationCheck, ReservedAddress
from governance.policies import Actor, Permission, demand


def _latest(field: str) -> Subquery:
    return Subquery(ReservationCheck.objects.filter(address=OuterRef("pk")).values(field)[:1])


def addresses(actor: Actor) -> QuerySet[ReservedAddress]:
    """Every address, the last read first, with stance, since and time of its last reading.

    Raises:
        NotAllowed: the policy refuses the actor.
    """
    demand(actor, Permission.SEE_DUTIES)
    rows = ReservedAddress.objects.annotate(stance=_latest("stance"), since=_latest("since"), read_at=_latest("at"))
    return rows.annotate(readings=Count("checks")).order_by("-read_at", "-id")


def published() -> QuerySet[ReservedAddress]:
    """Addresses that may be told to others and are reserved now, each with the id of its last reading, by their ids."""
    rows = ReservedAddress.objects.filter(published=True).annotate(stance=_latest("stance"), check_id=_latest("pk"))
    return rows.filter(stance=ReservationCheck.Stance.RESERVED).order_by("id")
