"""The outbox as pages: what waits, what went out, what failed and is sent again at somebody's word."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_POST, require_safe

from governance.models import Message
from governance.policies import Actor, Permission, may
from governance.selectors import letters as select
from governance.selectors.paging import page
from governance.services import outbox as service
from governance.validators import number_in
from governance.web import message_tabs as words
from governance.web.guards import staff

P = Permission
S = Message.State
SIZE = 50


@gzip_page
@require_safe
@staff(P.SEE_OUTBOX)
def outbox(request: HttpRequest) -> HttpResponseBase:
    """Messages, newest first, by state and channel."""
    actor, state, channel = Actor.of(request.user), request.GET.get("state", ""), request.GET.get("channel", "")
    rows = select.outbox(actor, state=state, channel=channel)
    before = number_in(request.GET.get("before", ""))
    shown = page((rows if before is None else rows.filter(pk__lt=before)).order_by("-pk"), SIZE)
    part: dict[str, Any] = {
        "id": "messages",
        "title": _("Messages"),
        "note": _("Letters show no name and no text here."),
        "columns": [_("Message"), _("To"), _("State"), _("Tries"), _("Written")],
        "rows": [_row(message) for message in shown.rows],
        "empty": _("No message stands here."),
        "next": _("Letters stand here from when they are written. A filter that narrows the list may hide them."),
    }
    if shown.last:
        part["next_page_url"] = f"?state={state}&channel={channel}&before={shown.last.pk}"
    context = {
        **_head(),
        **words.tabs(actor, "outbox"),
        "filters": [_filter("state", _("State"), S.choices, state),
                    _filter("channel", _("Channel"), Message.Channel.choices, channel)],
        "parts": [part],
    }  # fmt: skip
    return render(request, "messages/outbox.html", context)


def _head() -> dict[str, str]:
    counts = select.outbox_counts()
    failed, waiting = counts.get(S.FAILED, 0) + counts.get(S.BOUNCED, 0), counts.get(S.QUEUED, 0)
    conclusion = ngettext("%(n)d message did not arrive", "%(n)d messages did not arrive", failed) % {"n": failed}
    waits = ngettext("%(n)d message waits.", "%(n)d messages wait.", waiting) % {"n": waiting}
    return {"conclusion": conclusion if failed else _("No message has failed"), "sentence": waits}


def _filter(name: str, label: str, choices: Any, now: str) -> dict[str, Any]:
    options = [("", _("all")), *choices]
    return {
        "name": name,
        "label": label,
        "options": [{"value": value, "label": text, "selected": value == now} for value, text in options],
    }


def _row(message: Message) -> list[Any]:
    return [
        {
            "text": words.title(message),
            "url": reverse("message", args=[message.public_id]),
            "note": message.case.number if message.case else "",
        },
        words.receiver(message), words.state(message), str(message.attempts), words.when(message.created_at),
    ]  # fmt: skip


def fetch(request: HttpRequest, public_id: uuid.UUID) -> Message:
    """The message.

    Raises:
        Http404: no such message.
    """
    found = select.outbox(Actor.of(request.user)).filter(public_id=public_id).first()
    if found is None:
        raise Http404
    return found


@require_safe
@staff(P.SEE_OUTBOX)
def message(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """One message with every try."""
    found, actor = fetch(request, public_id), Actor.of(request.user)
    state = words.state(found)
    facts: list[Any] = [
        (_("To"), words.receiver(found)),
        (_("By"), found.get_channel_display()),
        {"label": _("State"), "value": state["text"], "state": state["state"]},
        (_("Written"), words.when(found.created_at)),
    ]
    if found.case and may(actor, P.SEE_CASES):
        facts.append(
            {"label": _("Case"), "value": found.case.number, "url": reverse("case", args=[found.case.public_id])}
        )
    if found.letter:
        letter = found.letter
        link = reverse("letter", args=[letter.template, letter.language])
        facts.append(
            {"label": _("Text"), "value": f"{letter.template}, {letter.language} {letter.version}", "url": link}
        )
    marks = {True: {"state": "pass", "text": _("taken")}, False: {"state": "fail", "text": _("not taken")}}
    tries = [[words.when(one.at), marks[one.ok], one.note] for one in found.tries.all()]
    context = {
        "crumbs": [{"label": _("Messages"), "url": reverse("outbox")}, {"label": words.title(found)}],
        "conclusion": _("“%(what)s” to %(whom)s: %(state)s")
        % {"what": words.title(found).capitalize(), "whom": words.receiver(found), "state": state["text"]},
        "sentence": state["note"],
        "parts": [
            {"id": "message", "title": _("Message"), "facts": facts, "forms": _forms(found, actor)},
            {"id": "tries", "title": _("Tries"), "columns": [_("When"), _("Outcome"), _("What was answered")],
             "rows": tries, "empty": _("Not tried yet."),
             "next": _("The next round of the sender takes it.")},
        ],
    }  # fmt: skip
    return render(request, "duties/sheet.html", context)


def _forms(found: Message, actor: Actor) -> list[dict[str, Any]]:
    if not may(actor, P.SEND_AGAIN):
        return []
    if found.state in (S.FAILED, S.BOUNCED):
        return [
            {"plain": True, "action": reverse("message_again", args=[found.public_id]), "submit": _("Send again"),
             "note": _("It goes to the address that the case has now.") if found.letter else ""}
        ]  # fmt: skip
    if found.letter and found.state in (S.SENT, S.DELIVERED):
        return [
            {"plain": True, "action": reverse("message_returned", args=[found.public_id]),
             "submit": _("Record that it came back"),
             "note": _("A plain mail server returns letters to your mailbox; nobody tells us.")}
        ]  # fmt: skip
    return []


@require_POST
@staff(P.SEND_AGAIN)
def message_again(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """Send once more what failed."""
    service.message_again(message=fetch(request, public_id), actor=Actor.of(request.user))
    messages.success(request, _("It is on its way again."))
    return redirect("message", public_id=public_id)


@require_POST
@staff(P.SEND_AGAIN)
def message_returned(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """A letter came back to the house's mailbox."""
    service.message_returned(message=fetch(request, public_id), actor=Actor.of(request.user))
    messages.success(request, _("Recorded: the letter came back."))
    return redirect("message", public_id=public_id)
