"""The desk's pages on agents and collecting societies: mandates, keys of the interface, how far batches are."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe

from governance.errors import Unfit
from governance.forms_renderer import CheckCards, ChoiceCards
from governance.models import Agent, ApiKey, Batch, Kind, Mandate
from governance.policies import Actor, Permission
from governance.selectors import agents as select
from governance.services import agents as service
from governance.validators import NAME_LENGTH, one_line
from governance.web.duty_pages import Nothing, day, perform, sheet, when
from governance.web.guards import staff

MANAGE = Permission.MANAGE_AGENTS
SHOWN = 50
_BATCH = {"open": "waiting", "queued": "queued", "running": "running", "done": "pass", "stopped": "refused"}


class AgentForm(forms.Form):
    """A new agent."""

    what = forms.ChoiceField(label=gettext_lazy("What"), choices=Agent.What.choices, widget=ChoiceCards(cards=False))
    name = forms.CharField(label=gettext_lazy("Name"), max_length=NAME_LENGTH, validators=[one_line])
    email = forms.EmailField(
        label=gettext_lazy("E-mail address"), help_text=gettext_lazy("Letters about its requests go there; sealed.")
    )


class MandateForm(forms.Form):
    """For whom, what, until when."""

    principal = forms.CharField(label=gettext_lazy("For whom"), max_length=NAME_LENGTH, validators=[one_line])
    evidence = forms.CharField(
        label=gettext_lazy("What shows it"), max_length=2000, widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("The contract or power of attorney as you saw it; sealed."),
    )  # fmt: skip
    kinds = forms.MultipleChoiceField(
        label=gettext_lazy("Kinds of request"), choices=Kind.choices, widget=CheckCards(cards=False)
    )
    until = forms.DateField(label=gettext_lazy("Last day"), widget=forms.DateInput(attrs={"type": "date"}))


class KeyForm(forms.Form):
    """A new key."""

    label = forms.CharField(label=gettext_lazy("Name of the key"), max_length=80, validators=[one_line])
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("What it opens"), choices=ApiKey.Scope.choices, widget=CheckCards(cards=False)
    )
    days = forms.IntegerField(
        label=gettext_lazy("Days that it lives"), min_value=1, max_value=service.KEY_DAYS, initial=365
    )


@require_safe
@staff(MANAGE)
def agents(request: HttpRequest) -> HttpResponseBase:
    """Every agent."""
    return _list(request, None, 200)


def _list(request: HttpRequest, form: forms.Form | None, status: int) -> HttpResponse:
    rows = list(select.agents(Actor.of(request.user)))
    context = {
        "conclusion": ngettext("%(n)d agent is known", "%(n)d agents are known", len(rows)) % {"n": len(rows)},
        "sentence": _("Whoever files for others does it by a mandate that the desk has seen, with a key of its own."),
        "parts": [
            {"id": "agents", "title": _("Agents and collecting societies"),
             "columns": [_("Name"), _("What"), {"label": _("Cases"), "num": True}, _("Entered")],
             "rows": [
                 [{"text": row.name, "url": reverse("agent", args=[row.public_id])}, row.get_what_display(),
                  f"{row.cases:,}", day(row.created_at)]  # type: ignore[attr-defined]
                 for row in rows
             ],
             "empty": _("Nobody is known yet."),
             "next": _("Enter the first one below, once the desk has seen its mandate."),
             "forms": [{"title": _("Enter an agent"), "form": form or AgentForm(), "open": form is not None,
                        "action": reverse("agent_new"), "submit": _("Enter")}]},
        ],
    }  # fmt: skip
    return sheet(request, "agents", context, status)


@require_POST
@staff(MANAGE, decide=True)
def agent_new(request: HttpRequest) -> HttpResponseBase:
    """Enter an agent."""
    form = AgentForm(request.POST)

    def do() -> str:
        made = service.agent_enter(**form.cleaned_data, actor=Actor.of(request.user))
        return _("%(name)s is entered. Record a mandate next.") % {"name": made.name}

    return perform(request, form, do, _list, "agents")


def _fetch(request: HttpRequest, public_id: uuid.UUID) -> Agent:
    found = select.agents(Actor.of(request.user)).filter(public_id=public_id).first()
    if found is None:
        raise Http404
    return found


@require_safe
@staff(MANAGE)
def agent(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """One agent."""
    return _one(request, _fetch(request, public_id), None, 200)


def _one(request: HttpRequest, row: Agent, form: forms.Form | None, status: int) -> HttpResponse:
    context = {
        "crumbs": [{"label": _("Agents"), "url": reverse("agents")}, {"label": row.name}],
        "conclusion": row.name,
        "sentence": row.get_what_display(),
        "parts": [_mandates(row, form), _keys(row, form), _batches(row)],
    }
    return sheet(request, "agents", context, status)


def _form(kind: type[forms.Form], form: forms.Form | None, title: str, action: str, submit: str) -> dict[str, Any]:
    sent = form if isinstance(form, kind) else None
    return {"title": title, "form": sent or kind(), "open": sent is not None, "action": action, "submit": submit}


def _revoke(title: str, name: str, row: Mandate | ApiKey) -> dict[str, Any]:
    action = reverse(name, args=[row.agent.public_id, row.public_id])
    return {"title": title, "form": Nothing(), "action": action, "submit": _("Revoke")}


def mandate_state(row: Mandate, today: date) -> dict[str, str]:
    """A cell: whether it files today."""
    if row.revoked_at:
        return {"state": "refused", "text": _("revoked")}
    ended = row.valid_until < today
    return {"state": "late", "text": _("ended")} if ended else {"state": "pass", "text": _("valid")}


def key_state(row: ApiKey, today: date) -> dict[str, str]:
    """A cell: whether it opens today."""
    if row.revoked_at:
        return {"state": "refused", "text": _("revoked")}
    ended = row.expires_on < today
    return {"state": "late", "text": _("expired")} if ended else {"state": "pass", "text": _("valid")}


def _mandates(agent: Agent, form: forms.Form | None) -> dict[str, Any]:
    rows = list(agent.mandates.select_related("agent"))
    new = reverse("mandate_new", args=[agent.public_id])
    today = timezone.localdate()
    open_rows = [row for row in rows if not row.revoked_at]
    title = _("Revoke the mandate of %(who)s")
    return {
        "id": "mandates", "title": _("Mandates"),
        "columns": [_("For whom"), _("Kinds"), _("Until"), _("State")],
        "rows": [[{"text": row.principal, "note": row.evidence}, ", ".join(row.kinds), day(row.valid_until),
                  mandate_state(row, today)] for row in rows],
        "empty": _("No mandate is recorded."),
        "forms": [_form(MandateForm, form, _("Record a mandate"), new, _("Record")),
                  *(_revoke(title % {"who": row.principal}, "mandate_revoke", row) for row in open_rows)],
    }  # fmt: skip


def _keys(agent: Agent, form: forms.Form | None) -> dict[str, Any]:
    rows = list(agent.keys.select_related("agent", "created_by"))
    new, today = reverse("key_new", args=[agent.public_id]), timezone.localdate()
    return {
        "id": "keys", "title": _("Keys of the interface"), "note": _("Only a hash of each is kept."),
        "columns": [_("Key"), _("Opens"), _("Until"), _("Last used"), _("State")],
        "rows": [[{"text": f"{row.prefix}…", "mono": True, "note": row.label}, ", ".join(row.scopes),
                  day(row.expires_on), day(row.used_at) if row.used_at else _("never"),
                  key_state(row, today)] for row in rows],
        "empty": _("No key was issued."),
        "forms": [_form(KeyForm, form, _("Issue a key"), new, _("Issue")),
                  *(_revoke(_("Revoke %(key)s") % {"key": row.label}, "key_revoke", row)
                    for row in rows if not row.revoked_at)],
    }  # fmt: skip


def _batches(agent: Agent) -> dict[str, Any]:
    def row(batch: Batch) -> list[Any]:
        share = f"{batch.done:,} / {batch.lines:,}"
        result = _("%(filed)d filed, %(again)d already, %(refused)d not") % {
            "filed": batch.accepted, "again": batch.doubled, "refused": batch.refused}  # fmt: skip
        state = {"state": _BATCH[batch.state], "text": batch.get_state_display()}
        return [{"text": batch.label or str(batch.public_id)[:8]}, state, share, result, when(batch.created_at)]

    return {
        "id": "batches", "title": _("Batches"),
        "columns": [_("Batch"), _("State"), {"label": _("Works"), "num": True}, _("Results"), _("Begun")],
        "rows": [row(batch) for batch in agent.batches.all()[:SHOWN]],
        "empty": _("No batch came."),
        "next": _("With a key that opens “bulk” the agent files many works at once; each batch then stands here."),
    }  # fmt: skip


def _page_of(row: Agent) -> str:
    return reverse("agent", args=[row.public_id])


@require_POST
@staff(MANAGE, decide=True)
def mandate_new(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """Record a mandate."""
    row, form = _fetch(request, public_id), MandateForm(request.POST)

    def do() -> str:
        service.mandate_record(agent=row, **form.cleaned_data, actor=Actor.of(request.user))
        return _("Recorded.")

    return perform(request, form, do, lambda r, f, status: _one(r, row, f, status), _page_of(row))


@require_POST
@staff(MANAGE, decide=True)
def key_new(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """Issue a key. The answer is the only page that shows it."""
    row, form = _fetch(request, public_id), KeyForm(request.POST)
    if form.is_valid():
        try:
            made = service.key_issue(agent=row, **form.cleaned_data, actor=Actor.of(request.user))
        except Unfit as error:
            for problem in error.messages:
                form.add_error(None, problem)
        else:
            return _key_page(request, made)
    return _one(request, row, form, 422)


def _key_page(request: HttpRequest, made: service.Made) -> HttpResponse:
    row = made.key
    context = {
        "crumbs": [{"label": row.agent.name, "url": _page_of(row.agent)}, {"label": row.label}],
        "conclusion": _("%(name)s has a new key") % {"name": row.agent.name},
        "sentence": _("It is shown on this page only: nobody can look it up later."),
        "parts": [
            {"id": "key", "title": _("Key"), "note": _("Sent as: Authorization: Bearer ..."),
             "facts": [{"label": _("Key"), "value": made.text, "mono": True}],
             "links": [{"label": _("To the agent"), "url": _page_of(row.agent)}]}
        ],
    }  # fmt: skip
    return render(request, "duties/sheet.html", context)


def _revoking(find: Callable[[Agent, uuid.UUID], Any], revoke: Callable[[Any, Actor], None]) -> Any:
    @require_POST
    @staff(MANAGE, decide=True)
    def view(request: HttpRequest, public_id: uuid.UUID, which: uuid.UUID) -> HttpResponseBase:
        row = _fetch(request, public_id)
        found = find(row, which)
        if found is None:
            raise Http404

        def do() -> str:
            revoke(found, Actor.of(request.user))
            return _("Revoked.")

        return perform(request, Nothing(request.POST), do, lambda r, f, s: _one(r, row, f, s), _page_of(row))

    return view


mandate_revoke = _revoking(
    lambda row, which: row.mandates.filter(public_id=which).first(),
    lambda found, actor: service.mandate_revoke(mandate=found, actor=actor),
)
key_revoke = _revoking(
    lambda row, which: row.keys.filter(public_id=which).first(),
    lambda found, actor: service.key_revoke(key=found, actor=actor),
)
