"""Workload and bottlenecks: who has how much, where cases wait now, how long each stage takes, each with its cases."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from governance.evidence.figure_words import number
from governance.models import Status
from governance.policies import Actor, Permission
from governance.selectors import queue as select
from governance.selectors import stages as select_stages
from governance.selectors.queue import WEEK
from governance.selectors.stages import Stage
from governance.web.duty_pages import when
from governance.web.guards import staff
from governance.web.sheets import csv_response

P = Permission
DAY_HOURS = 24


@gzip_page
@require_safe
@staff(P.SEE_CASES)
def workload(request: HttpRequest) -> HttpResponseBase:
    """Open cases per officer and per stage, and how long the stages took; each number leads to its cases."""
    actor, days = Actor.of(request.user), _days(request)
    loads, found = select.workload(actor), select_stages.stages(actor, days)
    late = sum(load.late for load in loads)
    head = ngettext("%(n)s case is past its date", "%(n)s cases are past their date", late) % {"n": f"{late:,}"}
    nobody = next((load.open for load in loads if load.officer is None), 0)
    tail = ngettext("%(n)s is with nobody", "%(n)s are with nobody", nobody) % {"n": f"{nobody:,}"}
    columns = [_("Officer"), *({"label": label, "num": True} for label in (
        _("Open"), _("Late"), _("At risk"), _("Due this week"), _("Paused")))]  # fmt: skip
    context = {
        "crumbs": [{"label": _("Cases"), "url": reverse("cases")}, {"label": _("Workload")}],
        "conclusion": f"{head}, {tail}" if late else _("No case is past its date, %(rest)s") % {"rest": tail},
        "bottleneck": _bottleneck(found),
        "columns": columns,
        "rows": [_row(load) for load in loads],
        "filters": [{"name": "days", "label": _("Time at a stage, of the last"), "options": [
            {"value": str(n), "label": _("%(n)d days") % {"n": n}, "selected": n == days}
            for n in select_stages.DAYS]}],
        "waiting": _waiting_chart(found),
        "times": _times_chart(found, days),
        "stage_columns": [_("Stage"), *({"label": label, "num": True} for label in (
            _("Wait now"), _("Oldest since"), _("Went on"), _("Median stay"), _("Nine in ten within")))],
        "stages": [_stage_row(one, days) for one in found],
    }  # fmt: skip
    return render(request, "casework/workload.html", context)


def _days(request: HttpRequest) -> int:
    wanted = request.GET.get("days", "")
    known = {str(n) for n in select_stages.DAYS}
    return int(wanted) if wanted in known else select_stages.DEFAULT_DAYS


def _row(load: select.Load) -> list[Any]:
    who = str(load.officer.pk) if load.officer else "none"
    name, today = str(load.officer) if load.officer else _("nobody"), timezone.localdate()

    def cell(count: int, **narrowed: str) -> Any:
        if not count:
            return "0"
        query = {"officer": who, **narrowed}
        return {"text": f"{count:,}", "url": f"{reverse('cases')}?{urlencode(query)}"}

    return [
        {"text": name, "strong": load.officer is None},
        cell(load.open), cell(load.late, state="late"), cell(load.at_risk, state="at_risk"),
        cell(load.week, state="running", due_from=today.isoformat(), due_to=(today + WEEK).isoformat()),
        cell(load.paused, state="paused"),
    ]  # fmt: skip


def _in_days(hours: float | None) -> float | None:
    return None if hours is None else round(hours / DAY_HOURS, 1)


def _told(hours: float | None) -> str:
    """A stay in the unit in which it can be felt."""
    if hours is None:
        return _("not measured")
    if hours < 1:
        return _("less than an hour")
    if hours < DAY_HOURS:
        return ngettext("%(n)d hour", "%(n)d hours", round(hours)) % {"n": round(hours)}
    return _("%(n)s days") % {"n": number(_in_days(hours), "days")}


def _queue_of(stage: Status) -> str:
    """The cases that stand at a stage, the longest there first."""
    return f"{reverse('cases')}?{urlencode({'stage': stage.value, 'sort': 'still'})}"


def _stage_row(one: Stage, days: int) -> list[Any]:
    link = f"{reverse('workload_stage', args=[one.stage.value])}?days={days}"
    return [
        str(one.stage.label),
        {"text": f"{one.waiting:,}", "url": _queue_of(one.stage)} if one.waiting else "0",
        when(one.oldest) if one.oldest else "",
        {"text": f"{one.left:,}", "url": link} if one.left else "0",
        _told(one.median),
        _told(one.p90),
    ]


def _bottleneck(found: list[Stage]) -> str:
    """One sentence about where the time goes."""
    one = select_stages.bottleneck(found)
    if one is None or one.oldest is None:
        return ""
    idle = (timezone.now() - one.oldest).total_seconds() / 3600
    said = ngettext(
        "Most is held up at %(stage)s: %(n)s case, for %(long)s.",
        "Most is held up at %(stage)s: %(n)s cases, the oldest for %(long)s.",
        one.waiting,
    )
    return said % {"stage": one.stage.label.lower(), "n": f"{one.waiting:,}", "long": _told(idle)}


def _waiting_chart(found: list[Stage]) -> dict[str, Any]:
    now = timezone.now()
    ages = [round((now - one.oldest).total_seconds() / 3600 / DAY_HOURS, 1) if one.oldest else 0 for one in found]
    total = sum(one.waiting for one in found)
    return {
        "id": "waiting", "kind": "bar", "title": _("Where cases wait now"), "x_label": _("stage"),
        "sentence": ngettext("%(n)s case is open.", "%(n)s cases are open.", total) % {"n": f"{total:,}"},
        "note": _("Age: days since the oldest came to its stage."),
        "labels": [str(one.stage.label) for one in found],
        "series": [{"name": _("cases"), "data": [one.waiting for one in found]},
                   {"name": _("age of the oldest, days"), "data": ages}],
    }  # fmt: skip


def _times_chart(found: list[Stage], days: int) -> dict[str, Any]:
    left = sum(one.left for one in found)
    said = ngettext("%(n)s step in the last %(d)d days.", "%(n)s steps in the last %(d)d days.", left)
    return {
        "id": "times", "kind": "bar", "title": _("How long the stages took"), "x_label": _("stage"),
        "y_label": _("days"), "sentence": said % {"n": f"{left:,}", "d": days},
        "note": _("Half of the cases stayed no longer than the median; waiting for an answer counts as a stage."),
        "labels": [f"{one.stage.label} (n = {one.left:,})" for one in found],
        "series": [{"name": _("median"), "data": [_in_days(one.median) for one in found]},
                   {"name": _("nine in ten within"), "data": [_in_days(one.p90) for one in found]}],
        "csv_url": f"{reverse('workload_csv')}?days={days}",
    }  # fmt: skip


@require_safe
@staff(P.SEE_CASES)
def stages_csv(request: HttpRequest) -> HttpResponseBase:
    """The rows behind both charts, in hours."""
    days = _days(request)
    rows = [
        [one.stage.value, one.waiting, one.oldest.isoformat(timespec="seconds") if one.oldest else "", one.left,
         one.median, one.p90, days]
        for one in select_stages.stages(Actor.of(request.user), days)
    ]  # fmt: skip
    head = ["stage", "wait_now", "oldest_since", "went_on", "median_hours", "p90_hours", "of_days"]
    return csv_response("stages", [head, *rows])


@require_safe
@staff(P.SEE_CASES)
def stage(request: HttpRequest, name: str) -> HttpResponseBase:
    """The cases that stayed longest at one stage and left it in the period."""
    if name not in {one.value for one in select_stages.STAGES}:
        raise Http404
    at, days = Status(name), _days(request)
    found = select_stages.longest(Actor.of(request.user), at, days)
    context = {
        "crumbs": [{"label": _("Workload"), "url": reverse("cases_workload")}, {"label": str(at.label)}],
        "conclusion": _("%(stage)s: the longest stays of the last %(d)d days") % {"stage": at.label, "d": days},
        "sentence": _("At most %(n)d are listed. Those that stand there now are in the queue.")
        % {"n": select_stages.LISTED},
        "parts": [{
            "id": "stays", "title": str(at.label),
            "columns": [_("Case"), _("Kind"), {"label": _("Days"), "num": True}, _("Came"), _("With")],
            "rows": [
                [{"text": one.case.number, "mono": True, "url": reverse("case", args=[one.case.public_id])},
                 one.case.get_kind_display(), number(_in_days(one.hours), "days"), when(one.entered_at),
                 str(one.case.officer or _("nobody"))]
                for one in found
            ],
            "empty": _("No case left this stage in the period."),
            "links": [{"label": _("Cases that stand there now"), "url": _queue_of(at)}],
        }],
    }  # fmt: skip
    return render(request, "duties/sheet.html", context)
