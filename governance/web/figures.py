"""Figures and charts of the executive page: each with the sentence that it shows, and the rows behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance import dispatch
from governance.clocks import LAWS, Law
from governance.models import Plan, Status, Verification
from governance.selectors import catalogue
from governance.selectors import figures as select
from governance.web.case_history import method_inside, method_title

Chart = dict[str, Any]
Rows = list[list[Any]]


def method_words(plan: Plan) -> str:
    """The method with what it promises: `retraining without the forget set, exact`."""
    entry = dispatch.METHODS.get(plan.method)
    return f"{method_inside(plan.method)}, {entry.guarantee.value}" if entry else plan.method


def waiting() -> dict[int, int]:
    """Model id -> cases that wait for a plan of it to end."""
    return catalogue.waiting_cases()


def open_figure(opened: select.Open) -> dict[str, Any]:
    """Open cases by what their clocks say."""
    sound = opened.total - opened.late - opened.at_risk - opened.paused
    notes = [ngettext("%(n)d falls due this week", "%(n)d fall due this week", opened.week) % {"n": opened.week}]
    if opened.paused:
        notes.append(ngettext("%(n)d is paused", "%(n)d are paused", opened.paused) % {"n": opened.paused})
    if opened.late:
        notes.insert(0, _("%(n)d late") % {"n": opened.late})
    parts = [("late", opened.late), ("at_risk", opened.at_risk), ("pass", sound), ("paused", opened.paused)]
    return {"label": _("Open cases"), "number": number_format(opened.total, force_grouping=True), "total": opened.total,
            "parts": parts, "note": ", ".join(notes)}  # fmt: skip


def closed_figures(closed: list[select.Closed]) -> list[dict[str, Any]]:
    """Answers inside the clock, and how long an answer takes."""
    kept = sum(case.kept for case in closed)
    late = len(closed) - kept
    inside: dict[str, Any] = {
        "label": _("Answered inside the clock, 90 days"),
        "number": number_format(kept, force_grouping=True),
        "of": _("of %(n)s") % {"n": number_format(len(closed), force_grouping=True)},
        "total": len(closed),
        "parts": [("pass", kept), ("late", late)],
        "note": ngettext("%(n)d came late", "%(n)d came late", late) % {"n": late}
        if late
        else _("None came late")
        if closed
        else _("No case was closed in that time"),
    }
    spread = select.spread([case.days for case in closed])
    if spread is None:
        return [inside, {"label": _("Median time to an answer"), "number": "–", "note": _("Nothing to measure yet")}]
    nine = _("Nine in ten within %(days)s days, n = %(n)d") % {
        "days": number_format(spread.high, decimal_pos=0),
        "n": spread.n,
    }
    high = max(45.0, spread.high)
    time = {
        "label": _("Median time to an answer"),
        "number": number_format(spread.median, decimal_pos=0 if float(spread.median).is_integer() else 1),
        "unit": ngettext("day", "days", round(spread.median)),
        "ruler": {"value": spread.median, "high": high, "band": (spread.low, spread.high), "limit": 30},
        "note": nine,
    }
    return [inside, time]


def verified_figure(since: datetime) -> dict[str, Any]:
    """Cases whose last verification passed, of those that were judged since a moment."""
    counts = select.verdicts_since(since)
    passed, open_ = counts.get("pass", 0), counts.get("inconclusive", 0)
    total, running = sum(counts.values()), select.running_plans()
    failed = total - passed - open_
    notes = []
    if open_:
        notes.append(_("%(n)d inconclusive") % {"n": open_})
    if failed:
        notes.append(ngettext("%(n)d not achieved", "%(n)d not achieved", failed) % {"n": failed})
    if running:
        notes.append(_("%(n)d running") % {"n": running})
    return {
        "label": _("Unlearning verified, this quarter"),
        "number": passed,
        "of": _("of %(n)d") % {"n": total},
        "total": total + running,
        "parts": [("pass", passed), ("inconclusive", open_), ("fail", failed), ("working", running)],
        "note": ", ".join(notes)
        or (_("Each by the last verdict of its case") if total else _("Nothing was verified yet")),
    }


def _csv(name: str) -> str:
    return reverse("figures_csv", args=[name])


def flow_chart(closed: list[select.Closed], today: date) -> Chart:
    """Requests received and closed by week."""
    mondays = select.weeks(today)
    received = select.received_per_week(mondays)
    done, late = select.kept_per_week(closed, mondays)
    ends = [a + b for a, b in zip(done, late, strict=True)]
    balance = sum(received) - sum(ends)
    if balance > 0:
        words = ngettext(
            "%(n)d more request came than was closed.", "%(n)d more requests came than were closed.", balance
        )
    else:
        words = _("Closings have kept pace with arrivals.")
    return {
        "id": "flow", "kind": "line", "title": _("Requests per week"), "sentence": words % {"n": balance},
        "note": _("Received and closed, the last %(n)d weeks.") % {"n": len(mondays)}, "x_label": _("week"),
        "labels": [date_format(m, "j M") for m in mondays],
        "series": [{"name": _("received"), "data": received}, {"name": _("closed"), "data": ends}],
        "csv_url": _csv("flow"),
    }  # fmt: skip


def states_chart() -> Chart:
    """Open cases by stage."""
    counts = select.by_state()
    stages = [s for s in Status if s != Status.CLOSED]
    numbers = [counts.get(s.value, 0) for s in stages]
    most = max(numbers)
    names = _(" and ").join(str(s.label) for s, n in zip(stages, numbers, strict=True) if n == most)
    words = ngettext("%(stages)s: %(n)d of %(total)d open case, more than elsewhere.",
                     "%(stages)s: %(n)d of %(total)d open cases, more than elsewhere.", sum(numbers))  # fmt: skip
    if names.count(_(" and ")):
        words = _("%(stages)s: %(n)d of %(total)d open cases each, more than elsewhere.")
    sentence = words % {"stages": names, "n": most, "total": sum(numbers)} if most else _("No case is open.")
    return {
        "id": "states", "kind": "bar", "title": _("Open cases by stage"), "sentence": sentence, "x_label": _("stage"),
        "labels": [str(s.label) for s in stages], "series": [{"name": _("open cases"), "data": numbers}],
        "csv_url": _csv("states"),
    }  # fmt: skip


def deadlines_chart(closed: list[select.Closed], today: date) -> Chart:
    """Answers inside the clock and late ones, by week."""
    mondays = select.weeks(today)
    kept, late = select.kept_per_week(closed, mondays)
    total = sum(kept) + sum(late)
    words = _("%(kept)d of %(total)d answers came inside the clock.") % {"kept": sum(kept), "total": total}
    return {
        "id": "deadlines", "kind": "bar", "title": _("Deadlines kept"), "x_label": _("week"),
        "sentence": words if total else _("No answer was due yet."),
        "labels": [date_format(m, "j M") for m in mondays],
        "series": [{"name": _("inside the clock"), "data": kept}, {"name": _("late"), "data": late}],
        "csv_url": _csv("deadlines"),
    }  # fmt: skip


def _drawn() -> list[Verification]:
    return [v for v in select.verifications() if v.forget_quality is not None and v.utility is not None]


def quality_chart() -> Chart | None:
    """Forget quality against utility, by method; None where nothing was measured."""
    rows = _drawn()
    if not rows:
        return None
    methods = list(dict.fromkeys(v.plan.method for v in rows))[:4]
    series = [
        {"name": method_title(m), "data": [
            {"x": round(100 * v.utility, 1), "y": round(v.forget_quality, 4),
             "label": _("%(case)s, plan %(n)d: %(verdict)s") % {
                 "case": v.plan.case.number, "n": v.plan.attempt, "verdict": v.verdict.replace("_", " ")}}
            for v in rows if v.plan.method == m and v.utility is not None and v.forget_quality is not None]}
        for m in methods
    ]  # fmt: skip
    passed = sum(v.verdict == "pass" for v in rows)
    words = ngettext(
        "%(k)d of %(n)d run passed all its probes.", "%(k)d of %(n)d runs passed all their probes.", len(rows)
    )
    return {
        "id": "quality", "kind": "scatter", "title": _("Forget quality against utility"),
        "sentence": words % {"k": passed, "n": len(rows)},
        "note": _("Right and up is better. A high p proves nothing; a low one can fail a run."),
        "x_label": _("utility kept, worst component, %"), "y_label": _("forget quality, KS p"), "y_max": 1,
        "series": series, "csv_url": _csv("quality"),
    }  # fmt: skip


def sections(closed: list[select.Closed], today: date) -> list[dict[str, Any]]:
    """The charts of the page in their sections."""
    quality = quality_chart()
    found = [
        {
            "title": _("Flow"),
            "note": _("What came, what was answered, and how long it took."),
            "charts": [flow_chart(closed, today)],
        },
        {
            "title": _("Cases"),
            "note": _("Where the open ones stand, and whether answers came in time."),
            "charts": [states_chart(), deadlines_chart(closed, today)],
        },
    ]
    if quality:
        note = _("Each run at its own trade between forgetting and skill.")
        found.append({"title": _("Unlearning"), "note": note, "charts": [quality]})
    return found


def _limit(law: Law) -> int:
    """The law's limit in days; a month counts as the shortest that most have, 30."""
    span = law.newest.answer
    return span.days or 30 * span.months


def laws(closed: list[select.Closed]) -> dict[str, Any]:
    """Time to an answer by law: median, tenth to ninetieth percentile, limit."""
    rows, top = [], 45.0
    for law in LAWS.values():
        spread = select.spread([case.days for case in closed if case.law == law.code])
        if spread is None:
            continue
        estimate = {"name": "", "value": spread.median, "low": spread.low, "high": spread.high, "n": spread.n}
        name = law.title.split(",")[0]
        label = _("%(law)s, n = %(n)d") % {"law": name, "n": spread.n}
        rows.append({"label": label, "row": {"title": name, "estimates": [estimate], "limit": _limit(law)}})
        top = max(top, spread.high)
    high = 15 * -(-int(top) // 15)
    return {
        "laws": rows,
        "laws_csv": _csv("time"),
        "laws_axis": {"low": 0, "high": high, "step": 15 if high <= 90 else 30},
        "laws_note": _(
            "Days, answers of the last 90 days. Dot: median. Line: 10th to 90th percentile. Tall mark: the limit."
        ),
    }


def _closed_rows() -> Rows:
    return [["law", "received_on", "due_on", "closed_on", "days", "inside_clock"],
            *([c.law, c.received_on, c.due_on, c.closed_on, c.days, int(c.kept)] for c in _closed())]  # fmt: skip


def _chart_rows(chart: Chart) -> Rows:
    names = [series["name"] for series in chart["series"]]
    columns = [series["data"] for series in chart["series"]]
    return [
        [chart["x_label"], *names],
        *([label, *values] for label, *values in zip(chart["labels"], *columns, strict=True)),
    ]


def _quality_rows() -> Rows:
    return [["case", "plan", "method", "verdict", "forget_quality_p", "utility"],
            *([v.plan.case.number, v.plan.attempt, v.plan.method, v.verdict, v.forget_quality, v.utility]
              for v in _drawn())]  # fmt: skip


def _time_rows() -> Rows:
    closed = _closed()
    rows: Rows = [["law", "n", "median_days", "p10_days", "p90_days", "limit_days"]]
    for law in LAWS.values():
        if spread := select.spread([case.days for case in closed if case.law == law.code]):
            rows.append([law.code, spread.n, spread.median, spread.low, spread.high, _limit(law)])
    return rows


def _closed() -> list[select.Closed]:
    return select.closed_since(timezone.now() - select.WINDOW)


_CSV: Mapping[str, Callable[[date], Rows]] = {
    "cases": lambda today: _closed_rows(),
    "flow": lambda today: _chart_rows(flow_chart(_closed(), today)),
    "states": lambda today: _chart_rows(states_chart()),
    "deadlines": lambda today: _chart_rows(deadlines_chart(_closed(), today)),
    "time": lambda today: _time_rows(),
    "quality": lambda today: _quality_rows(),
}
NAMES = tuple(_CSV)


def csv_rows(name: str, today: date) -> Rows | None:
    """The rows behind a chart, the head first; None for a name that does not exist."""
    build = _CSV.get(name)
    return build(today) if build else None
