"""Papers of the house: statements of compliance and registers of processing, ordered on a page, sealed by a worker."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from governance import dispatch
from governance.evidence.report_kinds import SIZES
from governance.models import Job, Paper
from governance.models.case import house_language
from governance.notifications.languages import LANGUAGES
from governance.policies import Actor, Permission, may
from governance.selectors import papers as select
from governance.selectors.statement import period_of
from governance.services import papers as service
from governance.web import job_failures
from governance.web.containment import attachment
from governance.web.guards import staff
from governance.web.job_view import STATES

P = Permission
#: Periods that are offered: a whole quarter first, as authorities ask for it.
PERIODS = ("last_quarter", "quarter", "last_year", "year")


@require_safe
@staff(P.SEE_REPORTS)
def papers(request: HttpRequest) -> HttpResponseBase:
    """Every statement and register, newest first, and where one is ordered."""
    actor, today = Actor.of(request.user), timezone.localdate()
    found = select.house_papers(actor)
    names = {"last_quarter": _("Last quarter"), "quarter": _("This quarter so far"), "last_year": _("Last year"),
             "year": _("This year so far")}  # fmt: skip
    context = {
        "conclusion": ngettext("%(n)d paper of the house", "%(n)d papers of the house", len(found)) % {"n": len(found)}
        if found
        else _("No paper of the house was made yet"),
        "columns": [_("Number"), _("What"), _("Period"), _("Language"), _("Sheet"), _("Signed"), _("PDF")],
        "rows": [_row(one) for one in found],
        "may_order": may(actor, P.SEE_DASHBOARD),
        "periods": [{"code": code, "name": names[code], "days": _days(period_of(code, today))} for code in PERIODS],
        "sizes": SIZES,
        "languages": [
            {"code": one.code, "name": one.name, "chosen": one.code == house_language()} for one in LANGUAGES.values()
        ],
        "ordered_columns": [_("What"), _("Ordered"), _("State")],
        "ordered_rows": [_ordered(job) for job in select.papers_ordered(actor)],
    }
    return render(request, "auditor/papers.html", context)


def _ordered(job: Job) -> list[Any]:
    """An order that is not sealed: where it stands, and why where it waits or came to nothing."""
    kind = job.key.split(":")[1]
    over = job.state in (Job.State.FAILED, Job.State.CANCELLED)
    then = _("An engineer lets it run again, or order it anew.") if over else ""
    note = " ".join(filter(None, [job_failures.said(job), then]))
    return [
        dict(Paper.Kind.choices).get(kind, kind),
        date_format(timezone.localtime(job.created_at), "j M Y, H:i"),
        {"state": STATES[job.state], "text": job.get_state_display(), "note": note},
    ]


def _days(period: Any) -> str:
    return f"{date_format(period.start, 'j M Y')} – {date_format(period.end, 'j M Y')}"


def _row(paper: Paper) -> list[Any]:
    start, _slash, end = paper.period.partition("/")
    return [
        {"text": paper.number, "url": reverse("paper", args=[paper.number]), "mono": True},
        paper.get_kind_display(),
        f"{start} – {end}" if end else "",
        LANGUAGES[paper.language].name if paper.language in LANGUAGES else paper.language,
        paper.size,
        date_format(timezone.localtime(paper.created_at), "j M Y, H:i"),
        {"digest": paper.pdf},
    ]


@require_POST
@staff(P.SEE_DASHBOARD)
def order(request: HttpRequest) -> HttpResponseBase:
    """Have one made; the signing worker seals it within moments."""
    kind, code = request.POST.get("kind", ""), request.POST.get("period", "")
    period = period_of(code if code in PERIODS else "last_quarter", timezone.localdate())
    days = {"start": period.start, "end": period.end} if kind == "statement" else {}
    size, language = request.POST.get("size", ""), request.POST.get("language", "")
    service.paper_order(kind=kind, size=size, language=language, actor=Actor.of(request.user), **days)
    messages.success(request, _("The paper is ordered. It stands here, sealed, within moments; until then its state."))
    return redirect("papers")


@require_safe
@staff(P.SEE_REPORTS)
def paper(request: HttpRequest, number: str) -> HttpResponseBase:
    """The sealed PDF; its evidence is attached to it."""
    try:
        found = select.house_paper(Actor.of(request.user), number)
    except Paper.DoesNotExist as error:
        raise Http404 from error
    return attachment(dispatch.read_bytes(found.pdf), "application/pdf", f"{found.number}.pdf")
