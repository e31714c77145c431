"""Recipients of datasets and versions: notices across cases, answers, and the list for whoever asks."""

from __future__ import annotations

import uuid

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from governance.models import Recipient, RecipientNotice
from governance.policies import Actor, Permission, may
from governance.services import recipients as service
from governance.web.casework import fetch
from governance.web.duty_pages import case_cell, day, perform, sheet
from governance.web.guards import staff
from governance.web.recipient_forms import AnswerForm, DatasetRecipientForm
from governance.web.recipient_words import notice_cell, sheet_rows
from governance.web.sheets import csv_response

P = Permission
SHOWN = 200


@require_safe
@staff(P.SEE_DUTIES)
def recipients(request: HttpRequest) -> HttpResponseBase:
    """Everybody who received something, and every notice."""
    return _page(request, None, 200)


def _page(request: HttpRequest, form: forms.Form | None, status: int) -> HttpResponse:
    actor = Actor.of(request.user)
    notices = list(RecipientNotice.objects.select_related("recipient", "case").order_by("-id")[:SHOWN])
    waiting = sum(not notice.settled for notice in notices)
    given = Recipient.objects.select_related("version__model", "dataset", "subscription").order_by("name", "id")
    answer = {
        "title": _("Record an answer"), "action": reverse("recipient_answer"), "submit": _("Record"),
        "form": form if isinstance(form, AnswerForm) else AnswerForm(auto_id="answer_%s"),
        "open": isinstance(form, AnswerForm),
    }  # fmt: skip
    register = {
        "title": _("Register somebody who received a dataset"), "action": reverse("dataset_recipient"),
        "form": form if isinstance(form, DatasetRecipientForm) else DatasetRecipientForm(auto_id="given_%s"),
        "submit": _("Register"), "open": isinstance(form, DatasetRecipientForm),
    }  # fmt: skip
    told = any(n.told_at and not n.acknowledged_at for n in notices)
    context = {
        "conclusion": ngettext("%(n)d notice is on its way", "%(n)d notices are on their way", waiting) % {"n": waiting}
        if waiting
        else _("No notice is under way"),
        "sentence": _("A case is not finished before everybody who received its records was told, or excused."),
        "parts": [
            {
                "id": "notices", "title": _("Notices"), "note": _("One per recipient and case; the newest first."),
                "columns": [_("Recipient"), _("Case"), _("State")],
                "rows": [[n.recipient.name, case_cell(n.case, actor), notice_cell(n)] for n in notices],
                "empty": _("No notice was written yet."),
                "next": _("A case writes one to everybody who received its records."),
                "forms": [answer] if told and may(actor, P.TELL_RECIPIENTS) else [],
            },
            {
                "id": "recipients", "title": _("Recipients"), "note": _("Who got a dataset or a version."),
                "columns": [_("Recipient"), _("Got"), _("Received"), _("Notices go by")],
                "rows": [
                    [r.name, service.what_of(r).partition(" (")[0], day(r.received_on),
                     _("webhook") if r.subscription else r.email or _("hand")]
                    for r in given[:SHOWN]
                ],
                "empty": _("Nobody received anything."),
                "next": _("Whoever registers models and datasets enters who received them."),
                "forms": [register] if may(actor, P.REGISTER_MODELS) else [],
            },
        ],
    }  # fmt: skip
    return sheet(request, "recipients", context, status)


@require_POST
@staff(P.TELL_RECIPIENTS)
def answer(request: HttpRequest) -> HttpResponseBase:
    """Record what a recipient answered."""
    form = AnswerForm(request.POST, auto_id="answer_%s")

    def do() -> str:
        service.notice_acknowledge(**form.cleaned_data, actor=Actor.of(request.user))
        return _("The answer is recorded.")

    return perform(request, form, do, _page, "recipients")


@require_POST
@staff(P.REGISTER_MODELS)
def dataset_recipient(request: HttpRequest) -> HttpResponseBase:
    """Register somebody who received a dataset."""
    form = DatasetRecipientForm(request.POST, auto_id="given_%s")

    def do() -> str:
        return _("Registered: %(name)s.") % {"name": form.save(Actor.of(request.user)).name}

    return perform(request, form, do, _page, "recipients")


@require_safe
@staff(P.SEE_CASES)
def recipients_csv(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """Who received what a case is about."""
    found = fetch(request, public_id)
    return csv_response(f"{found.number}-recipients", sheet_rows(found))
