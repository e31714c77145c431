"""The outbox: every letter and event goes out exactly once, again and again until it is taken, or ends visibly.

A worker sends only what it has moved from queued to sending by a conditional update, so two never send the same. What
fails waits longer each time. What can never succeed, or has used up its tries, ends as failed and is sent again only
when somebody says so.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from governance import dispatch
from governance.errors import Conflict, KeyDestroyed
from governance.evidence import ledger
from governance.models import Attempt, Case, Letter, Message
from governance.models.vault import subject_key
from governance.notifications import mail
from governance.notifications.errors import SendFailed
from governance.policies import Actor, Permission, demand
from governance.services import webhooks

SYSTEM = Actor.system("outbox")
log = logging.getLogger(__name__)
TASK = "governance.letter_try"
S = Message.State
Channel = Message.Channel

FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=6)
#: With doubling waits: letters are tried for about two and a half days, events for about half a day.
TRIES: Mapping[str, int] = MappingProxyType({Channel.EMAIL: 18, Channel.WEBHOOK: 10})
#: A message whose worker has not said how it went after this time is taken up by another.
LEASE = timedelta(minutes=15)
BATCH = 50
#: After a failed letter so long ago at most, new letters are left to the sweeper.
DOWN = timedelta(minutes=5)


def letter_queue(letter: Letter) -> Message:
    """Put a letter in the outbox; it is tried as soon as the transaction is committed, by a worker where one hears."""
    message = Message.objects.create(channel=Channel.EMAIL, case=letter.case, letter=letter)
    transaction.on_commit(partial(_try_at_once, message.pk), robust=True)
    return message


def _try_at_once(pk: int) -> None:
    if dispatch.broker_is_server():
        dispatch.tell(TASK, [pk])
    else:
        letter_try(pk)


def letter_try(pk: int) -> None:
    """Deliver a new letter, unless one failed a moment ago: then the sweeper asks for all of them."""
    recent = Q(tries__ok=False, tries__at__gt=timezone.now() - DOWN)
    if not Message.objects.filter(recent, channel=Channel.EMAIL, state=S.QUEUED).exists():
        deliver(pk)


def wait_after(attempts: int) -> timedelta:
    """How long to wait after so many failed tries: a minute, then twice as long each time, six hours at most."""
    doubled: int = 2 ** (min(max(attempts, 1), 20) - 1)
    return min(FIRST_WAIT * doubled, LONGEST_WAIT)


def deliver(pk: int) -> bool:
    """Send one message if it is due and nobody else is at it; whether it went out."""
    now = timezone.now()
    if not Message.objects.filter(_open(), pk=pk).exists():
        return False
    # Columns of the row alone: with a join, PostgreSQL would look for the row in a snapshot of before the first worker.
    mine = Message.objects.filter(pk=pk, state=S.QUEUED, next_try_at__lte=now)
    if not mine.update(state=S.SENDING, attempts=F("attempts") + 1, taken_at=now):
        return False
    message = Message.objects.select_related("case__claimant", "letter", "subscription").get(pk=pk)
    try:
        provider_id = _SENDERS[message.channel](message)
    except SendFailed as error:
        _settle_failure(message, error)
        return False
    except KeyDestroyed:
        _settle_failure(message, SendFailed("The person was erased; nobody can be written to.", permanent=True))
        return False
    _settle_success(message, provider_id)
    return True


def _send_letter(message: Message) -> str:
    letter, case = message.letter, message.case
    if letter is None or case is None:
        raise SendFailed("There is no letter.", permanent=True)
    key, to = str(message.public_id), case.claimant.email
    return mail.send(mail.Mail(key=key, to=to, title=letter.title, body=letter.body, language=letter.language))


_SENDERS: Mapping[str, Callable[[Message], str]] = MappingProxyType(
    {Channel.EMAIL: _send_letter, Channel.WEBHOOK: webhooks.send}
)


@transaction.atomic
def _settle_success(message: Message, provider_id: str) -> None:
    now = timezone.now()
    mine = Message.objects.filter(pk=message.pk, state=S.SENDING, attempts=message.attempts)
    if not mine.update(state=S.SENT, sent_at=now, provider_id=provider_id[:200], last_error="", taken_at=None):
        return
    Attempt.objects.create(message=message, number=message.attempts, ok=True, note=provider_id[:200])
    if message.letter_id:
        Letter.objects.filter(pk=message.letter_id, sent_at=None).update(sent_at=now)
        _record("letter.sent", message)


@transaction.atomic
def _settle_failure(message: Message, error: SendFailed) -> None:
    now = timezone.now()
    if message.attempts >= TRIES[message.channel] or error.permanent:
        state = S.BOUNCED if error.bounced else S.FAILED
    else:
        state = S.QUEUED
    mine = Message.objects.filter(pk=message.pk, state=S.SENDING, attempts=message.attempts)
    later = {"next_try_at": now + wait_after(message.attempts), "taken_at": None, "last_error": error.why}
    if not mine.update(state=state, settled_at=None if state == S.QUEUED else now, **later):
        return
    Attempt.objects.create(message=message, number=message.attempts, ok=False, note=error.why)
    if state != S.QUEUED:
        _ended(message, state, error.why)


def _ended(message: Message, state: Message.State, why: str) -> None:
    """What follows when a message ends undelivered."""
    if message.letter_id:
        _record(f"letter.{state}", message)
    else:
        webhooks.stop_after(message, why)


def outbox_sweep() -> int:
    """Send what is due; returns how many went out. A mail server that is down is asked once, not once a letter."""
    _take_up_lost()
    sent, down = 0, set[str]()
    due = Message.objects.filter(_open(), state=S.QUEUED, next_try_at__lte=timezone.now())
    for pk, channel in due.order_by("next_try_at", "id").values_list("pk", "channel")[:BATCH]:
        if channel in down:
            continue
        if deliver(pk):
            sent += 1
        elif channel == Channel.EMAIL and Message.objects.filter(pk=pk, state=S.QUEUED, attempts__gt=0).exists():
            down.add(channel)
    return sent


def _open() -> Q:
    """What may go out: nothing to a subscriber who was stopped or removed."""
    return Q(subscription=None) | Q(subscription__stopped_at=None, subscription__removed_at=None)


def _take_up_lost() -> None:
    """What a worker took and never settled: queued again, or ended where it has brought down too many workers."""
    for message in Message.objects.filter(state=S.SENDING, taken_at__lt=timezone.now() - LEASE)[:BATCH]:
        log.warning("Message %s was taken and never settled.", message.public_id)
        _settle_failure(message, SendFailed("The worker ended while sending; it may have gone out."))


@transaction.atomic
def message_again(*, message: Message, actor: Actor) -> Message:
    """Send once more what ended as failed or came back.

    Raises:
        NotAllowed: the policy refuses the actor. Conflict: it is on its way, or it arrived.
    """
    demand(actor, Permission.SEND_AGAIN)
    ended = Message.objects.filter(pk=message.pk, state__in=[S.FAILED, S.BOUNCED])
    again = {"attempts": 0, "next_try_at": timezone.now(), "provider_id": "", "settled_at": None}
    if not ended.update(state=S.QUEUED, **again):
        raise Conflict("This message did not fail; it is on its way or has arrived.")
    _record("message.again", message, actor)
    message.refresh_from_db()
    return message


@transaction.atomic
def message_returned(*, message: Message, actor: Actor) -> None:
    """A letter came back to the mailbox of the house, as plain mail servers tell it.

    Raises:
        NotAllowed: the policy refuses the actor. Conflict: it was never sent, or that is known already.
    """
    demand(actor, Permission.SEND_AGAIN)
    if not _move(message, S.BOUNCED, "It came back to our mailbox."):
        raise Conflict("Only a letter that was sent can come back, and only once.")
    _record("letter.bounced", message, actor)


@transaction.atomic
def tracked(*, key: str, provider_id: str, arrived: bool, why: str = "") -> bool:
    """The mail provider tells what became of a letter; repeated or unknown news changes nothing."""
    named = Q(provider_id=provider_id) if provider_id else Q(pk=None)
    message = Message.objects.filter(Q(public_id=_uuid(key)) | named, channel=Channel.EMAIL).first()
    if message is None or not _move(message, S.DELIVERED if arrived else S.BOUNCED, why):
        return False
    _record("letter.delivered" if arrived else "letter.bounced", message)
    return True


def _move(message: Message, state: Message.State, why: str) -> bool:
    """A letter that was sent arrives or comes back; one that arrived may still come back, never the other way."""
    before = [S.SENDING, S.SENT] if state == S.DELIVERED else [S.SENDING, S.SENT, S.DELIVERED]
    moved = Message.objects.filter(pk=message.pk, state__in=before, channel=Channel.EMAIL)
    return bool(moved.update(state=state, settled_at=_now(), last_error=why[:300]))


def _now() -> datetime:
    return timezone.now()


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _record(action: str, message: Message, actor: Actor = SYSTEM) -> None:
    """An entry without any address; without the case where its person was erased."""
    body = {"message": str(message.public_id), "attempts": message.attempts}
    if message.letter:
        body["template"] = message.letter.template
    ledger.append(action=action, actor=actor, case=_reachable(message.case), body=body)


def _reachable(case: Case | None) -> Case | None:
    try:
        if case:
            subject_key(case.claimant.subject)
    except KeyDestroyed:
        return None
    return case
