"""Webhooks: who is told what happens to cases, signed, without personal data, to addresses that cannot lead inside.

What subscribers are told is read from the ledger: whatever changes a case leaves an entry there, so no step can
forget to tell.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from governance import outbound
from governance.errors import Conflict, Unfit
from governance.evidence import ledger
from governance.models import Feed, LedgerEntry, LedgerOpening, Message, Role, Status, Subscription, User
from governance.models.vault import subject_create, subject_destroy
from governance.notifications import mail, signature
from governance.notifications.errors import SendFailed
from governance.policies import Actor, Permission, demand
from governance.services import feed_pages

SYSTEM = Actor.system("webhooks")
#: How long the old secret signs beside the new one.
OVERLAP = timedelta(hours=24)
BATCH = 500
#: What the feed is to tell first waits for its page to be signed, but no longer than this: the rest waits behind it.
HELD = timedelta(minutes=10)
PING = "ping"

#: Event -> what it tells, for people.
EVENTS: Mapping[str, Any] = MappingProxyType(
    {
        "case.received": _("A request was filed"),
        "case.moved": _("A case reached its next stage"),
        "case.closed": _("A case was closed"),
        "case.reopened": _("A case was opened again"),
        "case.extended": _("A deadline was extended"),
        "case.due_soon": _("A deadline comes near"),
        "case.overdue": _("A deadline was missed"),
        "letter.undeliverable": _("A letter did not arrive"),
        "report.signed": _("A report was signed"),
        "version.released": _("A new version of a model replaced the old one"),
        "patch.published": _("A patch was published"),
        "patch.withdrawn": _("A published patch was withdrawn"),
    }
)
_ACTIONS: Mapping[str, str] = MappingProxyType(
    {
        "case.received": "case.received",
        "case.advanced": "case.moved",
        "case.reopened": "case.reopened",
        "clock.extended": "case.extended",
        "deadline.near": "case.due_soon",
        "deadline.missed": "case.overdue",
        "letter.bounced": "letter.undeliverable",
        "letter.failed": "letter.undeliverable",
        "report.sealed": "report.signed",
        "version.released": "version.released",
        "patch.published": "patch.published",
        "patch.withdrawn": "patch.withdrawn",
    }
)
#: Events of no case, with the members of their entry that subscribers are told.
_PUBLIC: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "patch.published": ("publication", "patch", "base", "result"),
        "patch.withdrawn": ("publication", "patch", "base", "result", "reason"),
    }
)


@dataclass(frozen=True)
class Made:
    """A subscription with its secret, which is shown this once."""

    subscription: Subscription
    secret: str = field(repr=False)


def _problems(name: str, url: str, events: Sequence[str]) -> list[str]:
    problems = [] if name.strip() else ["Give the subscription a name."]
    if not events or set(events) - set(EVENTS):
        problems.append(f"Choose at least one of these events: {', '.join(EVENTS)}.")
    try:
        outbound.check(url, networks=settings.WEBHOOK_NETWORKS)
    except SendFailed as error:
        problems.append(error.why)
    return problems


def subscription_create(*, name: str, url: str, events: Sequence[str], actor: Actor) -> Made:
    """Tell an address from now on what happens to cases.

    Raises:
        NotAllowed: the policy refuses the actor. Unfit: every problem at once, among them an address that leads inside.
    """
    demand(actor, Permission.MANAGE_WEBHOOKS)
    if problems := _problems(name, url, events):
        raise Unfit(problems)
    subject, secret = subject_create(), signature.new_secret()
    with transaction.atomic():
        last = LedgerEntry.objects.order_by("-index").values_list("index", flat=True).first()
        row = Subscription(subject=subject, name=name.strip(), url=url, seen=-1 if last is None else last)
        row.events, row.created_by, row.secret = sorted(set(events)), actor.user, secret
        row.save()
        _record("webhook.subscribed", row, actor, events=row.events)
    return Made(row, secret)


@transaction.atomic
def secret_rotate(*, subscription: Subscription, actor: Actor) -> Made:
    """A new secret; the old one signs beside it for a day, then no more.

    Raises:
        NotAllowed: the policy refuses the actor.
    """
    demand(actor, Permission.MANAGE_WEBHOOKS)
    secret = signature.new_secret()
    subscription.old_secret, subscription.old_until = str(subscription.secret), timezone.now() + OVERLAP
    subscription.secret = secret
    subscription.save(update_fields=["secret", "old_secret", "old_until"])
    _record("webhook.rotated", subscription, actor)
    return Made(subscription, secret)


@transaction.atomic
def subscription_stop(*, subscription: Subscription, actor: Actor) -> None:
    """Nothing goes there until somebody lets it go on; what happens meanwhile is told then."""
    demand(actor, Permission.MANAGE_WEBHOOKS)
    _stop(subscription, actor, "Stopped by hand.")


@transaction.atomic
def subscription_resume(*, subscription: Subscription, actor: Actor) -> None:
    """Let it go on: what waited is tried at once.

    Raises:
        NotAllowed: the policy refuses the actor. Conflict: it runs.
    """
    demand(actor, Permission.MANAGE_WEBHOOKS)
    stopped = Subscription.objects.filter(pk=subscription.pk, removed_at=None, stopped_at__isnull=False)
    if not stopped.update(stopped_at=None, stopped_why=""):
        raise Conflict("This subscription is running.")
    subscription.messages.filter(state=Message.State.QUEUED).update(next_try_at=timezone.now())
    _record("webhook.resumed", subscription, actor)


@transaction.atomic
def subscription_remove(*, subscription: Subscription, actor: Actor) -> None:
    """End it for good: its secret can be read by nobody any more; the log of deliveries stays."""
    demand(actor, Permission.MANAGE_WEBHOOKS)
    if not Subscription.objects.filter(pk=subscription.pk, removed_at=None).update(removed_at=timezone.now()):
        raise Conflict("This subscription was removed already.")
    _record("webhook.removed", subscription, actor)
    transaction.on_commit(partial(subject_destroy, subscription.subject))


@transaction.atomic
def webhook_ping(*, subscription: Subscription, actor: Actor) -> Message:
    """Queue a test message; the caller delivers it and looks at its state.

    Raises:
        NotAllowed: the policy refuses the actor. Conflict: the subscription is stopped.
    """
    demand(actor, Permission.MANAGE_WEBHOOKS)
    if subscription.stopped_at or subscription.removed_at:
        raise Conflict("This subscription is stopped; let it go on first.")
    payload = {"type": PING, "timestamp": _iso(timezone.now()), "data": {}}
    return Message.objects.create(
        channel=Message.Channel.WEBHOOK, subscription=subscription, event=PING, payload=payload
    )


def webhooks_publish() -> int:
    """Turn new entries of the ledger into messages for those who want them; returns how many were made."""
    running = Subscription.objects.filter(stopped_at=None, removed_at=None)
    return sum(_publish(subscription) for subscription in running)


@transaction.atomic
def _publish(subscription: Subscription) -> int:
    entries = LedgerEntry.objects.filter(index__gt=subscription.seen).order_by("index")
    if feed_pages.waits(Feed.PATCHES):
        held = entries.filter(action__in=_PUBLIC, at__gt=timezone.now() - HELD).first()
        entries = entries.filter(index__lt=held.index) if held else entries
    new = list(entries.values_list("index", flat=True)[:BATCH])
    mine = Subscription.objects.filter(pk=subscription.pk, seen=subscription.seen)
    if not new or not mine.update(seen=new[-1]):
        return 0
    told = Q(entry__action__in=_ACTIONS, case__isnull=False) | Q(entry__action__in=_PUBLIC)
    openings = LedgerOpening.objects.filter(
        told, entry__index__gt=subscription.seen, entry__index__lte=new[-1]
    ).select_related("entry", "case")
    made = [_message(subscription, opening) for opening in openings.order_by("entry_id")]
    wanted = [message for message in made if message.event in subscription.events]
    Message.objects.bulk_create(wanted)
    return len(wanted)


def _message(subscription: Subscription, opening: LedgerOpening) -> Message:
    case, entry = opening.case, opening.entry
    event, status = _ACTIONS[entry.action], opening.body.get("to") or (case.status if case else "")
    if event == "case.moved" and status == Status.CLOSED:
        event = "case.closed"
    data = {
        "case": case.number if case else "",
        "status": str(status),
        "disposition": str(opening.body.get("disposition") or (case.disposition if case else "")),
        "due_on": case.due_on.isoformat() if case else "",
    }
    if public := _PUBLIC.get(entry.action):
        data = {"feed": settings.BASE_URL + reverse("patch_feed"), **{name: opening.body[name] for name in public}}
    payload = {"type": event, "timestamp": _iso(entry.at), "data": data}
    return Message(
        channel=Message.Channel.WEBHOOK, subscription=subscription, case=case, event=event, entry=entry.index,
        payload=payload,
    )  # fmt: skip


def _iso(moment: Any) -> str:
    return str(moment.isoformat(timespec="seconds"))


def secrets_in_force(subscription: Subscription) -> list[str]:
    """The secret, and the old one as long as it still signs."""
    old = str(subscription.old_secret) if subscription.old_until and subscription.old_until > timezone.now() else ""
    return [str(subscription.secret), *([old] if old else [])]


def send(message: Message) -> str:
    """Post one event; returns the receiver's status.

    Raises:
        SendFailed: what was answered, or why nothing was.
    """
    subscription = message.subscription
    if subscription is None:
        raise SendFailed("There is no subscriber.", permanent=True)
    body = json.dumps(message.payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    signed = signature.headers(
        key=f"msg_{message.public_id.hex}", body=body, secrets_in_force=secrets_in_force(subscription)
    )
    headers = {"Content-Type": "application/json", "User-Agent": "Lethe-Webhooks/1", **signed}
    return str(outbound.post(subscription.url, body, headers, networks=settings.WEBHOOK_NETWORKS))


def stop_after(message: Message, why: str) -> None:
    """A subscriber who did not take an event on any try gets nothing more until somebody has looked."""
    if message.subscription and message.event != PING:
        tries = f"An event was not taken, tried {message.attempts} times."
        _stop(message.subscription, SYSTEM, f"{tries} {why}"[:200])


def _stop(subscription: Subscription, actor: Actor, why: str) -> None:
    running = Subscription.objects.filter(pk=subscription.pk, stopped_at=None, removed_at=None)
    if not running.update(stopped_at=timezone.now(), stopped_why=why):
        return
    _record("webhook.stopped", subscription, actor, why=why)
    if actor is SYSTEM:
        transaction.on_commit(partial(_tell, subscription, why), robust=True)


def _tell(subscription: Subscription, why: str) -> None:
    """A mail to the administrators."""
    people = User.objects.filter(role=Role.ADMINISTRATOR, is_active=True).values_list("email", flat=True)
    title = f"Webhook “{subscription.name}” was stopped"
    place = settings.BASE_URL + reverse("webhook", args=[subscription.public_id])
    mail.send_each(people, title, f"{title}. {why}\n\n{place}\n")


def _record(action: str, subscription: Subscription, actor: Actor, **more: Any) -> None:
    ledger.append(action=action, actor=actor, body={"webhook": str(subscription.public_id), **more})
