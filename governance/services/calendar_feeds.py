"""Addresses of calendars: made, shown once, revoked. A program that has one learns case numbers, kinds, laws, days."""

from __future__ import annotations

import secrets
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from governance.errors import NotAllowed
from governance.evidence import ledger
from governance.models import CalendarFeed
from governance.policies import Actor, Permission, demand, may
from governance.tokens import token_hash

#: Bytes of the secret part of an address.
SECRET = 24
#: Use is noted once in so long: a calendar program asks every few minutes.
NOTED = timedelta(hours=1)


@transaction.atomic
def feed_make(*, actor: Actor, desk: bool = False) -> str:
    """Make the actor's address, in the place of the one before it; returns its secret part, which is kept nowhere.

    Raises:
        NotAllowed: the actor may not see cases, or is no person.
    """
    demand(actor, Permission.SEE_CASES)
    if actor.user is None:
        raise NotAllowed("Calendars are people's.")
    token = secrets.token_urlsafe(SECRET)
    CalendarFeed.objects.filter(person=actor.user).delete()
    CalendarFeed.objects.create(person=actor.user, token_hash=token_hash(token), desk=desk)
    ledger.append(action="feed.made", actor=actor, body={"desk": desk})
    return token


@transaction.atomic
def feed_revoke(*, actor: Actor) -> bool:
    """End the actor's address at once; whether there was one."""
    gone, _rows = CalendarFeed.objects.filter(person=actor.user).delete() if actor.user else (0, {})
    if gone:
        ledger.append(action="feed.revoked", actor=actor, body={})
    return bool(gone)


def feed_of(actor: Actor) -> CalendarFeed | None:
    """The actor's own address, without its secret."""
    return CalendarFeed.objects.filter(person=actor.user).first() if actor.user else None


def feed_open(token: str) -> CalendarFeed | None:
    """The calendar behind an address; None where there is none, or its owner may see no cases any more."""
    found = CalendarFeed.objects.select_related("person").filter(token_hash=token_hash(token)).first()
    if found is None or not may(Actor.of(found.person), Permission.SEE_CASES):
        return None
    now = timezone.now()
    unseen = Q(asked_at=None) | Q(asked_at__lt=now - NOTED)
    CalendarFeed.objects.filter(unseen, pk=found.pk).update(asked_at=now)
    return found
