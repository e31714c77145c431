"""Addresses of letters, outbox and webhooks for the table of `test_policy_urls`, and what lies behind them."""

from __future__ import annotations

from typing import Any

from governance.models import Message, Subscription
from governance.models.vault import subject_create
from governance.notifications.signature import new_secret
from governance.policies import Permission

P = Permission
_HOOK: dict[str, object] = {"to": (P.MANAGE_WEBHOOKS,), "args": "webhook", "post": True, "decide": True}
MESSAGES: dict[str, dict[str, object]] = {
    "case_letter": {"to": (P.WRITE_LETTER,), "args": "case"},
    "case_letter_pdf": {"to": (P.REVEAL_PERSON,), "args": "case", "post": True},
    "case_letter_preview": {"to": (P.WRITE_LETTER,), "args": "case", "post": True},
    "outbox": {"to": (P.SEE_OUTBOX,)},
    "message": {"to": (P.SEE_OUTBOX,), "args": "message"},
    "message_again": {"to": (P.SEND_AGAIN,), "args": "message", "post": True},
    "message_returned": {"to": (P.SEND_AGAIN,), "args": "message", "post": True},
    "letters": {"to": (P.SEE_LETTERS,)},
    "letter": {"to": (P.SEE_LETTERS,), "args": "letter"},
    "letter_review": {"to": (P.REVIEW_LETTERS,), "args": "letter", "post": True, "decide": True},
    "webhooks": {"to": (P.MANAGE_WEBHOOKS,)},
    "webhook_new": {"to": (P.MANAGE_WEBHOOKS,), "post": True, "decide": True},
    "webhook": {"to": (P.MANAGE_WEBHOOKS,), "args": "webhook"},
    "webhook_ping": {**_HOOK, "decide": False},
    "webhook_rotate": _HOOK,
    "webhook_stop": _HOOK,
    "webhook_resume": _HOOK,
    "webhook_remove": _HOOK,
}


def messages_world() -> dict[str, list[Any]]:
    """A letter on its way, a text, a subscription."""
    row = Subscription(subject=subject_create(), name="Tickets", url="https://127.0.0.1/hook", seen=10**9)
    row.secret = new_secret()
    row.save()
    return {
        "message": [Message.objects.latest("id").public_id],
        "letter": ["refused", "de"],
        "webhook": [row.public_id],
    }
