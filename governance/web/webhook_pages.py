"""The administrator's page on webhooks: who is told, a test message, a new secret, stop and go on, the log."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, Protocol

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe

from governance.errors import Unfit
from governance.forms_renderer import CheckCards
from governance.models import Message, Subscription
from governance.policies import Actor, Permission
from governance.selectors import letters as select
from governance.services import outbox
from governance.services import webhooks as service
from governance.validators import one_line
from governance.web import message_tabs as words
from governance.web.guards import staff

MANAGE = Permission.MANAGE_WEBHOOKS
#: Deliveries that a page shows.
SHOWN = 50


class SubscriptionForm(forms.Form):
    """A new subscriber."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=80, validators=[one_line])
    url = forms.URLField(
        label=gettext_lazy("Address"), max_length=500, assume_scheme="https",
        help_text=gettext_lazy("https, and not within your own network unless that was opened in the configuration."),
    )  # fmt: skip
    events = forms.MultipleChoiceField(
        label=gettext_lazy("Events"),
        choices=[(name, name) for name in service.EVENTS],
        widget=CheckCards(cards=False, notes=dict(service.EVENTS)),
        initial=list(service.EVENTS),
    )


class Step(Protocol):
    """A service on one subscription."""

    def __call__(self, *, subscription: Subscription, actor: Actor) -> None:
        """See `services.webhooks`."""


def _state(row: Subscription) -> dict[str, str]:
    if row.stopped_at:
        return {"state": "fail", "text": _("stopped"), "note": row.stopped_why}
    return {"state": "pass", "text": _("running"), "note": ""}


def _list(request: HttpRequest, form: SubscriptionForm | None = None, status: int = 200) -> HttpResponse:
    actor = Actor.of(request.user)
    rows = list(select.subscriptions(actor))
    context = {
        **words.tabs(actor, "webhooks"),
        "conclusion": ngettext("%(n)d address is told what happens", "%(n)d addresses are told what happens", len(rows))
        % {"n": len(rows)},
        "sentence": _("Case number, event, stage, outcome and date. Never anything about a person."),
        "parts": [
            {
                "id": "subscriptions",
                "title": _("Subscriptions"),
                "columns": [_("Name"), _("State"), _("Events"), _("Made")],
                "rows": [
                    [{"text": row.name, "url": reverse("webhook", args=[row.public_id]), "note": row.url}, _state(row),
                     str(len(row.events)), words.when(row.created_at)]
                    for row in rows
                ],
                "empty": _("Nobody is told yet."),
                "next": _("Add the first one below: a ticket system is then told what happens."),
                "forms": [
                    {"title": _("Add a subscription"), "form": form or SubscriptionForm(), "open": form is not None,
                     "note": _("Its secret is shown once, on the next page."), "action": reverse("webhook_new"),
                     "submit": _("Add")}
                ],
            }
        ],
    }  # fmt: skip
    return render(request, "duties/sheet.html", context, status=status)


@require_safe
@staff(MANAGE)
def webhooks(request: HttpRequest) -> HttpResponseBase:
    """Every subscription."""
    return _list(request)


@require_POST
@staff(MANAGE, decide=True)
def webhook_new(request: HttpRequest) -> HttpResponseBase:
    """Add a subscriber. The answer is the only page that shows its secret."""
    form = SubscriptionForm(request.POST)
    if form.is_valid():
        try:
            made = service.subscription_create(**form.cleaned_data, actor=Actor.of(request.user))
        except Unfit as error:
            for problem in error.messages:
                form.add_error(None, problem)
        else:
            return _secret_page(request, made, _("%(name)s is told from now on"))
    return _list(request, form, 422)


def _secret_page(request: HttpRequest, made: service.Made, title: str) -> HttpResponse:
    row = made.subscription
    context = {
        "crumbs": [{"label": _("Webhooks"), "url": reverse("webhooks")}, {"label": row.name}],
        "conclusion": title % {"name": row.name},
        "sentence": _("The secret is shown on this page only. It is kept sealed and nobody can look it up."),
        "parts": [
            {"id": "secret", "title": _("Secret"), "note": _("The receiver checks signatures with it."),
             "facts": [{"label": _("Secret"), "value": made.secret, "mono": True}],
             "links": [{"label": _("To the subscription"), "url": reverse("webhook", args=[row.public_id])}]}
        ],
    }  # fmt: skip
    return render(request, "duties/sheet.html", context)


def _fetch(request: HttpRequest, public_id: uuid.UUID) -> Subscription:
    found = select.subscriptions(Actor.of(request.user)).filter(public_id=public_id).first()
    if found is None:
        raise Http404
    return found


@require_safe
@staff(MANAGE)
def webhook(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """One subscription with its log of deliveries."""
    row = _fetch(request, public_id)
    state = _state(row)
    both = words.when(row.old_until) if row.old_until else ""
    facts: list[Any] = [
        {"label": _("Address"), "value": row.url, "mono": True},
        {"label": _("State"), "value": state["text"], "state": state["state"]},
        (_("Events"), ", ".join(row.events) or _("none: nothing is told")),
        (_("Made"), ", ".join(filter(None, (str(row.created_by or ""), words.when(row.created_at))))),
        *([(_("The old secret signs too until"), both)] if both else []),
    ]
    log = row.messages.select_related("case")[:SHOWN]
    context = {
        "crumbs": [{"label": _("Webhooks"), "url": reverse("webhooks")}, {"label": row.name}],
        "conclusion": row.name,
        "sentence": state["note"],
        "parts": [
            {"id": "subscription", "title": _("Subscription"), "facts": facts, "forms": _steps(row)},
            {"id": "log", "title": _("Deliveries"), "columns": [_("Event"), _("Case"), _("State"), _("Tries")],
             "rows": [_delivery(one) for one in log], "empty": _("Nothing was told yet."),
             "next": _("The next event of a case that is chosen above is told here; a test message can be sent now.")},
        ],
    }  # fmt: skip
    return render(request, "duties/sheet.html", context)


def _delivery(message: Message) -> list[Any]:
    return [
        {"text": message.event, "url": reverse("message", args=[message.public_id])},
        message.case.number if message.case else "",
        words.state(message),
        str(message.attempts),
    ]


def _steps(row: Subscription) -> list[dict[str, Any]]:
    def step(name: str, title: str, note: str = "", *, plain: bool = False) -> dict[str, Any]:
        return {"title": title, "note": note, "action": reverse(name, args=[row.public_id]), "submit": title,
                "plain": plain}  # fmt: skip

    remove = step("webhook_remove", _("Remove"), _("Its secret is destroyed and nothing more is told. The log stays."))
    if row.stopped_at:
        return [step("webhook_resume", _("Go on"), _("What waited is tried at once."), plain=True), remove]
    return [
        step("webhook_ping", _("Send a test message"), plain=True),
        step("webhook_rotate", _("New secret"), _("The old one signs beside it for a day.")),
        step("webhook_stop", _("Stop"), _("What happens meanwhile is told when it goes on.")),
        remove,
    ]


@require_POST
@staff(MANAGE)
def webhook_ping(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """Send a test message now and say how it went."""
    sent = service.webhook_ping(subscription=_fetch(request, public_id), actor=Actor.of(request.user))
    taken = outbox.deliver(sent.pk)
    sent.refresh_from_db()
    if taken:
        messages.success(request, _("The receiver took the test message."))
    else:
        messages.error(request, _("The receiver did not take it: %(why)s") % {"why": sent.last_error})
    return redirect("webhook", public_id=public_id)


@require_POST
@staff(MANAGE, decide=True)
def webhook_rotate(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """Another secret. The answer is the only page that shows it."""
    made = service.secret_rotate(subscription=_fetch(request, public_id), actor=Actor.of(request.user))
    return _secret_page(request, made, _("%(name)s has a new secret"))


def _step_view(perform: Step, done: Any, then: str) -> Callable[..., HttpResponseBase]:
    @require_POST
    @staff(MANAGE, decide=True)
    def view(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
        perform(subscription=_fetch(request, public_id), actor=Actor.of(request.user))
        messages.success(request, str(done))
        return redirect(then, public_id=public_id) if then == "webhook" else redirect(then)

    return view


webhook_stop = _step_view(service.subscription_stop, gettext_lazy("Stopped."), "webhook")
webhook_resume = _step_view(service.subscription_resume, gettext_lazy("It goes on."), "webhook")
webhook_remove = _step_view(service.subscription_remove, gettext_lazy("Removed."), "webhooks")
