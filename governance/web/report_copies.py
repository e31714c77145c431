"""Copies of a report in other languages: those that were made, and the form that orders one more."""

from __future__ import annotations

from django import forms
from django.http import Http404, HttpRequest, HttpResponseBase, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from governance import dispatch
from governance.errors import KeyDestroyed, Unfit
from governance.models import Paper, Report
from governance.notifications.languages import LANGUAGES
from governance.policies import Actor, Permission, may
from governance.selectors import ledger as select
from governance.selectors import papers as select_papers
from governance.services import report_copies, retention
from governance.web.containment import attachment
from governance.web.duty_pages import Context, when
from governance.web.guards import staff

P = Permission


class CopyForm(forms.Form):
    """Of what, and in which language."""

    of = forms.ChoiceField(label=gettext_lazy("Of"))
    language = forms.ChoiceField(
        label=gettext_lazy("Language"), choices=[(one.code, one.name) for one in LANGUAGES.values()]
    )

    def __init__(self, report: Report, data: QueryDict | None = None) -> None:
        super().__init__(data)
        self.fields["of"].choices = [(number, number) for number in report_copies.records(report.case)]  # type: ignore[attr-defined]


def part(report: Report, actor: Actor) -> Context:
    """The part of a report's page."""
    found = select_papers.copies(actor, report)
    return {
        "id": "copies",
        "title": _("In other languages"),
        "note": _("Copies for who does not read the first one's language. They are drawn from the same evidence and "
                  "name it; the record is the first copy."),
        "columns": [_("Number"), _("Language"), _("Made"), _("PDF")],
        "rows": [
            [
                {"text": one.number, "url": reverse("report_copy", args=[one.number]), "mono": True},
                LANGUAGES[one.language].name,
                when(one.created_at),
                {"digest": one.pdf},
            ]
            for one in found
        ],
        "empty": _("None was made."),
        "forms": [
            {"title": _("Have a copy made"), "form": CopyForm(report), "submit": _("Order the copy"),
             "action": reverse("report_copy_order", args=[report.number]),
             "note": _("The signing worker seals it within moments. Who ordered it stands in the ledger.")}
        ] if may(actor, P.COPY_REPORT) else [],
    }  # fmt: skip


def report_of(actor: Actor, number: str) -> Report:
    """The report of this number, whose claimant was not erased; not found (404) where there is none."""
    try:
        report = select.report_get(actor, number)
    except Report.DoesNotExist as error:
        raise Http404 from error
    if gone := retention.erased(report.case):
        raise KeyDestroyed(gone)
    return report


@require_POST
@staff(P.COPY_REPORT)
def order(request: HttpRequest, number: str) -> HttpResponseBase:
    """Order one."""
    actor = Actor.of(request.user)
    report = report_of(actor, number)
    form = CopyForm(report, request.POST)
    if not form.is_valid():
        raise Unfit(_("Choose what is copied, and a language."))
    report_copies.copy_order(report=report, actor=actor, **form.cleaned_data)
    return redirect(f"{reverse('report_proof', args=[number])}#copies")


@require_safe
@staff(P.COPY_REPORT)
def copy(request: HttpRequest, number: str) -> HttpResponseBase:
    """The sealed PDF; its evidence is attached to it."""
    try:
        found = select_papers.copy_get(Actor.of(request.user), number)
    except Paper.DoesNotExist as error:
        raise Http404 from error
    if found.case and (gone := retention.erased(found.case)):
        raise KeyDestroyed(gone)
    return attachment(dispatch.read_bytes(found.pdf), "application/pdf", f"{found.number}.pdf")
