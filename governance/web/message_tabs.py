"""What the pages on messages share: their tabs, the words and marks of a message's state."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from governance.models import Message
from governance.policies import Actor, Permission, may

S = Message.State
#: State -> glyph.
STATES = {
    S.QUEUED: "waiting", S.SENDING: "running", S.SENT: "pass", S.DELIVERED: "pass", S.BOUNCED: "fail", S.FAILED: "fail",
}  # fmt: skip


def tabs(actor: Actor, current: str) -> dict[str, Any]:
    """Outbox, texts, webhooks: those that this reader may open."""
    rooms = (
        ("outbox", Permission.SEE_OUTBOX, _("Outbox")),
        ("letters", Permission.SEE_LETTERS, _("Letters' texts")),
        ("webhooks", Permission.MANAGE_WEBHOOKS, _("Webhooks")),
    )
    links = [
        {"label": label, "url": reverse(name), "current": name == current}
        for name, permission, label in rooms
        if may(actor, permission)
    ]
    return {"tabs": links, "tabs_label": _("Messages")}


def when(moment: Any) -> str:
    """`20 Nov 2026, 16:12`."""
    return date_format(timezone.localtime(moment), "j M Y, H:i") if moment else ""


def state(message: Message) -> dict[str, str]:
    """A cell for the `table` tag: where the message stands, and what is next or what went wrong."""
    note = message.last_error
    if message.state == S.QUEUED and message.attempts:
        note = _("next try %(when)s: %(why)s") % {"when": when(message.next_try_at), "why": message.last_error}
    elif message.state in (S.SENT, S.DELIVERED):
        note = when(message.settled_at or message.sent_at)
    return {"state": STATES[S(message.state)], "text": message.get_state_display(), "note": note}


def title(message: Message) -> str:
    """What it is: the letter's name, or the event."""
    return message.letter.template.replace("_", " ") if message.letter else message.event


def receiver(message: Message) -> str:
    """Who gets it; a claimant is not named."""
    return _("the claimant") if message.letter else str(message.subscription)
