"""Copies of a report in other languages: those that were made, and the form that orders one more."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from governance import dispatch
from governance.errors import KeyDestroyed, Unfit
from governance.models import Case, Job, Paper, Report
from governance.notifications.languages import LANGUAGES
from governance.policies import Actor, Permission, may, may_read
from governance.selectors import ledger as select
from governance.selectors import papers as select_papers
from governance.services import report_copies, report_files, retention
from governance.web import case_history, job_failures
from governance.web.containment import attachment
from governance.web.duty_pages import Context, when
from governance.web.guards import staff
from governance.web.job_view import STATES

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
        "facts": certificate_facts(report.case, actor),
        "columns": [_("Number"), _("Language"), _("Made"), _("PDF")],
        "rows": [
            [
                {"text": one.number, "url": reverse("report_copy", args=[one.number]), "mono": True},
                LANGUAGES[one.language].name,
                {"text": when(one.created_at), "note": _whose(report.case, one.job)},
                {"digest": one.pdf},
            ]
            for one in found
        ]
        + [_ordered(report.case, job) for job in select_papers.copies_ordered(actor, report)],
        "empty": _("None was made."),
        "forms": [
            {"title": _("Have a copy made"), "form": CopyForm(report), "submit": _("Order the copy"),
             "action": reverse("report_copy_order", args=[report.number]),
             "note": _("The signing worker seals it within moments. Who ordered it stands in the ledger.")}
        ] if may(actor, P.COPY_REPORT) else [],
    }  # fmt: skip


def certificate_facts(case: Case, actor: Actor) -> list[Any]:
    """The claimant's certificate, beside the report, for those who may read what it says of a private person."""
    seen = may(actor, P.SEE_REPORTS) and may_read(case, actor)
    found = select_papers.certificates(actor, case) if seen else []
    label = _("The claimant’s certificate")
    return [{"label": label, "value": one.number, "url": reverse("report_copy", args=[one.number])} for one in found]


def _whose(case: Case, job: Job) -> str:
    """Who ordered a copy, as the ledger has it."""
    opening = select_papers.order_entry(case, job)
    return _("ordered by %(who)s") % {"who": case_history.actor_words(opening)} if opening else ""


def _ordered(case: Case, job: Job) -> list[Any]:
    """A copy that is not there yet; one that failed says why, and is made by ordering it again."""
    number = job.key.rpartition(":")[2]
    language = LANGUAGES.get(number.rpartition("-")[2].lower())
    over = job.state in (Job.State.FAILED, Job.State.CANCELLED)
    note = " ".join(filter(None, [job_failures.said(job), _("Order it again once that is mended.") if over else ""]))
    state = {"state": STATES[job.state], "text": job.get_state_display(), "note": note}
    ordered = {"text": when(job.created_at), "note": _whose(case, job)}
    return [{"text": number, "mono": True}, language.name if language else "", ordered, state]


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
    messages.success(request, _("The copy is ordered. It stands here, sealed, within moments; until then its state."))
    return redirect(f"{reverse('report_proof', args=[number])}#copies")


@require_safe
@staff(P.SEE_REPORTS)
def copy(request: HttpRequest, number: str) -> HttpResponseBase:
    """The sealed PDF; its evidence is attached to it."""
    try:
        found = select_papers.copy_get(Actor.of(request.user), number)
    except Paper.DoesNotExist as error:
        raise Http404 from error
    if found.case and (gone := retention.erased(found.case)):
        raise KeyDestroyed(gone)
    data = dispatch.read_bytes(found.pdf)
    report_files.file_take(of=found, file="pdf", actor=Actor.of(request.user))
    return attachment(data, "application/pdf", f"{found.number}.pdf")
