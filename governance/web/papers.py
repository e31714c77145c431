"""Papers of the house: statements of compliance and registers of processing, ordered on a page, sealed by a worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_POST, require_safe

from governance import dispatch
from governance.errors import Unfit
from governance.evidence.report_kinds import KINDS, SIZES
from governance.models import Job, Paper, User
from governance.models.case import house_language
from governance.notifications.languages import LANGUAGES
from governance.policies import Actor, Permission, may
from governance.selectors import papers as select
from governance.selectors.paging import counting
from governance.selectors.statement import own_days, period_of
from governance.services import papers as service
from governance.web import job_failures
from governance.web.containment import attachment
from governance.web.duty_pages import iso_day
from governance.web.guards import staff
from governance.web.job_view import STATES
from governance.web.narrowed import Choices, Narrowed

P = Permission
#: Periods that are offered: a whole quarter first, as authorities ask for it.
PERIODS = ("last_quarter", "quarter", "last_year", "year")
NAMES = {
    "last_quarter": gettext_lazy("Last quarter"), "quarter": gettext_lazy("This quarter so far"),
    "last_year": gettext_lazy("Last year"), "year": gettext_lazy("This year so far"),
}  # fmt: skip
CHOICES: Choices = {
    "kind": (gettext_lazy("What"), [(kind, Paper.Kind(kind).label) for kind in service.OF_HOUSE]),
}
#: How the numbers of papers of the house begin.
PREFIXES = tuple(f"{KINDS[kind].prefix}-" for kind in service.OF_HOUSE)


def _own_day(label: Any) -> forms.DateField:
    return forms.DateField(
        label=label, required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )


class RegisterForm(forms.Form):
    """In which language, on which sheet."""

    kind = forms.CharField(widget=forms.HiddenInput, initial="register")
    language = forms.ChoiceField(
        label=gettext_lazy("Language"), choices=[(one.code, one.name) for one in LANGUAGES.values()],
        initial=house_language,
    )  # fmt: skip
    size = forms.ChoiceField(label=gettext_lazy("Sheet"), choices=[(size, size) for size in SIZES])


class StatementForm(RegisterForm):
    """Of which days; days of one's own count before a period."""

    kind = forms.CharField(widget=forms.HiddenInput, initial="statement")
    period = forms.ChoiceField(label=gettext_lazy("Period"), required=False)
    first = _own_day(gettext_lazy("Or from"))
    last = _own_day(gettext_lazy("To"))
    field_order = ("kind", "period", "first", "last", "language", "size")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        today = timezone.localdate()
        named = [(code, f"{NAMES[code]}: {_days(period_of(code, today))}") for code in PERIODS]
        self.fields["period"].choices = named  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """The days, under `days`."""
        data, today = dict(super().clean() or {}), timezone.localdate()
        given = [data.get(name) for name in ("first", "last")]
        own = own_days(given[0], given[1], today)
        if own is None and any(given):
            raise ValidationError(
                _("Give both days: the first not after the last, none after today, ten years at most.")
            )
        return {**data, "days": own or period_of(data.get("period") or PERIODS[0], today)}


FORMS: dict[str, type[RegisterForm]] = {"statement": StatementForm, "register": RegisterForm}


@gzip_page
@require_safe
@staff(P.SEE_REPORTS)
def papers(request: HttpRequest) -> HttpResponseBase:
    """Every statement and register, newest first, and where one is ordered."""
    return _page(request)


def _page(request: HttpRequest, bound: forms.Form | None = None, status: int = 200) -> HttpResponseBase:
    actor, asked = Actor.of(request.user), Narrowed.of(request.GET, CHOICES)
    rows = select.house_papers(
        actor, words=asked.words, kind=asked.chosen["kind"], first=asked.first, last=asked.last
    )  # fmt: skip
    page = select.house_papers_page(rows, after=request.GET.get("after", ""))
    number, shown = counting(rows)
    said = ngettext("%(n)s paper of the house", "%(n)s papers of the house", number) % {"n": shown}
    waiting = select.papers_ordered(actor)
    people = select.ordered_by([*(one.job.key for one in page.rows), *(job.key for job in waiting)])
    days = {name: iso_day(request.GET.get(name, "")) for name in ("first", "last")}
    statement = bound if isinstance(bound, StatementForm) else StatementForm(auto_id="statement_%s", initial=days)
    register = bound if type(bound) is RegisterForm else RegisterForm(auto_id="register_%s")
    context = {
        "conclusion": said if page.rows else _("No paper of the house answers to this")
        if asked.query else _("No paper of the house was made yet"),
        "columns": [_("Number"), _("What"), _("Period"), _("Language"), _("Sheet"), _("Signed"), _("Ordered by"),
                    _("PDF")],
        "rows": [_row(one, people) for one in page.rows],
        "next_page_url": asked.next_url(page.last.number if page.last else ""),
        **asked.context(CHOICES, words=_("Number"), clear_url=reverse("papers")),
        "orders": [
            {"title": _("Statement of compliance"), "form": statement, "submit": _("Have the statement sealed")},
            {"title": _("Register of processing, as it is now"), "form": register,
             "submit": _("Have the register of processing sealed")},
        ] if may(actor, P.SEE_DASHBOARD) else [],
        "ordered_columns": [_("What"), _("Ordered"), _("State")],
        "ordered_rows": [_ordered(job, people) for job in waiting],
    }  # fmt: skip
    return render(request, "auditor/papers.html", context, status=status)


def _ordered(job: Job, people: Mapping[str, User]) -> list[Any]:
    """An order that is not sealed: where it stands, and why where it waits or came to nothing."""
    kind = job.key.split(":")[1]
    over = job.state in (Job.State.FAILED, Job.State.CANCELLED)
    then = _("An engineer lets it run again, or order it anew.") if over else ""
    note = " ".join(filter(None, [job_failures.said(job), then]))
    return [
        dict(Paper.Kind.choices).get(kind, kind),
        {"text": date_format(timezone.localtime(job.created_at), "j M Y, H:i"), "note": str(people.get(job.key, ""))},
        {"state": STATES[job.state], "text": job.get_state_display(), "note": note},
    ]


def _days(period: Any) -> str:
    return f"{date_format(period.start, 'j M Y')} – {date_format(period.end, 'j M Y')}"


def _row(paper: Paper, people: Mapping[str, User]) -> list[Any]:
    start, _slash, end = paper.period.partition("/")
    return [
        {"text": paper.number, "url": reverse("paper", args=[paper.number]), "mono": True},
        paper.get_kind_display(),
        f"{start} – {end}" if end else "",
        LANGUAGES[paper.language].name if paper.language in LANGUAGES else paper.language,
        paper.size,
        date_format(timezone.localtime(paper.created_at), "j M Y, H:i"),
        str(people.get(paper.job.key, "")),
        {"digest": paper.pdf},
    ]


@require_POST
@staff(P.SEE_DASHBOARD)
def order(request: HttpRequest) -> HttpResponseBase:
    """Have one made; the signing worker seals it within moments."""
    kind = request.POST.get("kind", "")
    if kind not in FORMS:
        raise Unfit(_("Choose what is ordered: a statement or the register."))
    form = FORMS[kind](request.POST, auto_id=f"{kind}_%s")
    if not form.is_valid():
        return _page(request, form, 422)
    data = form.cleaned_data
    days = {"start": data["days"].start, "end": data["days"].end} if "days" in data else {}
    service.paper_order(
        kind=kind, size=data["size"], language=data["language"], actor=Actor.of(request.user), **days
    )  # fmt: skip
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
