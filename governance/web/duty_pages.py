"""What the pages of the duties have in common: their tabs, one template of parts, and forms that end in a service."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from governance.errors import GovernanceError
from governance.policies import Actor, Permission, may

Context = dict[str, Any]
Show = Callable[[HttpRequest, forms.Form | None, int], HttpResponse]

#: View name, permission, label.
TABS: list[tuple[str, Permission, Any]] = [
    ("duties", Permission.SEE_DUTIES, gettext_lazy("Containment")),
    ("versions", Permission.SEE_DUTIES, gettext_lazy("Versions")),
    ("patches", Permission.SEE_DUTIES, gettext_lazy("Patches")),
    ("recipients", Permission.SEE_DUTIES, gettext_lazy("Recipients")),
    ("reservations", Permission.SEE_DUTIES, gettext_lazy("Reservations")),
    ("agents", Permission.MANAGE_AGENTS, gettext_lazy("Agents")),
    ("uploads", Permission.REVEAL_PERSON, gettext_lazy("Files")),
    ("retention", Permission.SEE_DUTIES, gettext_lazy("Retention")),
    ("register_of_processing", Permission.SEE_DUTIES, gettext_lazy("Register of processing")),
]


class Nothing(forms.Form):
    """Nothing to fill in: the button says it all."""


class Shown(forms.Form):
    """A button's answer to what somebody proposed: which of their proposals was shown beside it."""

    shown = forms.CharField(widget=forms.HiddenInput, required=False)


class RefuseForm(forms.Form):
    """Why one of several rows that wait is refused."""

    reason = forms.CharField(
        label=gettext_lazy("Why not"), help_text=gettext_lazy("Stands in the ledger: name nobody."), max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )  # fmt: skip

    def __init__(self, about: int, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.about, self.auto_id = about, f"refuse_{about}_%s"


def take_back(action: str, words: str) -> Context:
    """The button by which somebody takes back what they proposed."""
    return {"plain": True, "form": Nothing(), "action": action, "submit": words}


def refusal(about: int, sent: forms.Form | None, action: str, title: str) -> Context:
    """The form by which whoever may sign a row refuses it; `sent` is what the page shows again."""
    mine = sent if isinstance(sent, RefuseForm) and sent.about == about else None
    return {"title": title, "form": mine or RefuseForm(about), "action": action, "submit": _("Refuse"),
            "open": mine is not None}  # fmt: skip


def ending(request: HttpRequest, about: int, proposer: int | None) -> tuple[forms.Form, Callable[[], str]]:
    """The form that was sent to end what waits, and its reason: none of whoever proposed it."""
    if proposer == request.user.pk:
        return Nothing(request.POST), str
    form = RefuseForm(about, request.POST)
    return form, lambda: str(form.cleaned_data["reason"])


def sheet(request: HttpRequest, view: str, context: Context, status: int = 200) -> HttpResponse:
    """The page of one duty with the tabs of all."""
    actor = Actor.of(request.user)
    tabs = [
        {"label": label, "url": reverse(name), "current": name == view}
        for name, permission, label in TABS
        if may(actor, permission)
    ]
    return render(request, "duties/sheet.html", {"tabs": tabs, **context}, status=status)


def perform(request: HttpRequest, form: forms.Form, do: Callable[[], str], show: Show, back: str) -> HttpResponseBase:
    """Run the service behind a form that was sent: to `back` with its sentence, or the page again with the faults."""
    status = 422
    if form.is_valid():
        try:
            messages.success(request, do())
            return redirect(back)
        except GovernanceError as error:
            status = error.status
            for problem in error.messages:
                form.add_error(None, problem)
    for fault in form.non_field_errors():
        messages.error(request, str(fault))
    return show(request, form, status)


def iso_day(text: str) -> date | None:
    """A day of an address; None where it is none."""
    try:
        return parse_date(text)
    except ValueError:
        return None


def day(moment: Any) -> str:
    """`26 Oct 2026`, of a date or a moment."""
    return date_format(timezone.localtime(moment) if hasattr(moment, "hour") else moment, "j M Y")


def when(moment: Any) -> str:
    """`26 Oct 2026, 14:05`."""
    return date_format(timezone.localtime(moment), "j M Y, H:i")


def case_cell(case: Any, actor: Actor) -> Context:
    """A case's number, with the way to it for those who may see cases."""
    url = reverse("case", args=[case.public_id]) if may(actor, Permission.SEE_CASES) else ""
    return {"text": case.number, "mono": True, "url": url}
