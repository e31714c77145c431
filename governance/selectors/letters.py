"""Reads on letters and messages: who has read which text, what is on its way."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Count, QuerySet

from governance.models import Case, LetterReview, Message, Subscription
from governance.policies import Actor, Permission, demand


def reviews(digests: Iterable[str]) -> dict[str, list[LetterReview]]:
    """The marks on these very texts, by digest."""
    found: dict[str, list[LetterReview]] = {}
    for row in LetterReview.objects.filter(digest__in=list(digests)).select_related("by"):
        found.setdefault(row.digest, []).append(row)
    return found


def readers(digest: str) -> set[str]:
    """In what capacities this very text was read."""
    return set(LetterReview.objects.filter(digest=digest).values_list("reader", flat=True))


def outbox(actor: Actor, *, state: str = "", channel: str = "") -> QuerySet[Message]:
    """Messages, newest first.

    Raises:
        NotAllowed: the policy refuses the actor.
    """
    demand(actor, Permission.SEE_OUTBOX)
    rows = Message.objects.select_related("case", "letter", "subscription")
    if state in Message.State.values:
        rows = rows.filter(state=state)
    return rows.filter(channel=channel) if channel in Message.Channel.values else rows


def outbox_counts() -> dict[str, int]:
    """How many messages stand in each state."""
    rows = Message.objects.order_by().values_list("state").annotate(n=Count("pk"))
    return {str(state): int(n) for state, n in rows}


def subscriptions(actor: Actor) -> QuerySet[Subscription]:
    """Subscriptions that were not removed.

    Raises:
        NotAllowed: the policy refuses the actor.
    """
    demand(actor, Permission.MANAGE_WEBHOOKS)
    return Subscription.objects.filter(removed_at=None).select_related("created_by")


def letters_of(case: Case) -> QuerySet[Message]:
    """The case's letters as messages, with their tries."""
    return Message.objects.filter(case=case, letter__isnull=False).select_related("letter").prefetch_related("tries")
