"""What one person may sign as the second: one rule for the queue, its counts and Today, which says what the services
would (`policies.partial`, `policies.entered`, and that nobody answers what they proposed).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from operator import or_
from types import MappingProxyType
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact, GreaterThan

from governance.models import Claimant, ClaimedItem, Interest, Match, Plan, Release, Status
from governance.models.contest import took_part
from governance.policies import CONTESTED, Actor
from governance.tokens import email_mark

S = Status


def has(rows: QuerySet[Any]) -> Q:
    """Whether a case has such a row, asked case by case: an EXISTS may be turned into one pass over the whole table,
    which is lost where a list ends after a page."""
    return Q(GreaterThan(_one(rows.filter(case=OuterRef("pk"))), 0))


def lacks(rows: QuerySet[Any]) -> Q:
    """Whether a case has no such row. As an inequality it is reckoned to hold for nearly every case, so that the
    database walks the list in its order instead of sorting all of it."""
    return _none(rows.filter(case=OuterRef("pk")))


def _none(rows: QuerySet[Any]) -> Q:
    return ~Q(Exact(_one(rows), 1))


def _one(rows: QuerySet[Any]) -> Coalesce:
    return Coalesce(Subquery(rows.order_by().annotate(one=Value(1)).values("one")[:1]), 0)


def impartial(actor: Actor) -> Q:
    """Where this person may decide: they declared no interest, do not ask themselves, decided nothing contested."""
    if actor.user is None:
        return Q()
    asks = Claimant.objects.filter(pk=OuterRef("claimant"), email_mark=email_mark(actor.user.email))
    fresh = ~Q(relation__in=CONTESTED) | ~took_part(actor.user.pk)
    return lacks(Interest.objects.filter(person=actor.user)) & _none(asks) & fresh


def second(actor: Actor, *names: str) -> Q:
    """What of these `PARTS` waits for the second signature and was not entered by this person; `impartial` is to hold
    besides."""
    wanted = reduce(or_, (PARTS[name](actor) for name in names))
    return wanted & ~Q(entered_by=actor.user) & lacks(ClaimedItem.objects.filter(entered_by=actor.user))


def complete() -> Q:
    """A proposal for every hit is there, or there is nothing to propose."""
    return Q(status=S.DECISION) & (Q(proposed_by__isnull=False) | lacks(Match.objects.all()))


def _decisions(actor: Actor) -> Q:
    """Decisions of which this person proposed no part."""
    own = Match.objects.filter(decision__proposed_by=actor.user, decision__approved_by=None)
    return complete() & ~Q(proposed_by=actor.user) & lacks(own)


def _returns(actor: Actor) -> Q:
    """Works that another person proposed to give back."""
    return Q(status=S.REVIEW, proposed_by__isnull=False) & ~Q(proposed_by=actor.user)


def _plans(actor: Actor) -> Q:
    """Plans that another person chose."""
    chosen = Plan.objects.filter(state=Plan.State.PROPOSED, chosen_by__isnull=False).exclude(chosen_by=actor.user)
    return Q(status=S.PLANNING) & has(chosen)


def _releases(actor: Actor) -> Q:
    """Releases that lack the signature for legal, and bear none of this person's."""
    signed = Release.objects.filter(Q(legal_at__isnull=False) | Q(released_by=actor.user))
    return Q(status=S.RELEASE) & lacks(signed)


#: What is signed twice in a case -> where this person's signature would be the second, as far as its own rows say.
PARTS: Mapping[str, Callable[[Actor], Q]] = MappingProxyType(
    {"decision": _decisions, "return": _returns, "plan": _plans, "release": _releases}
)
