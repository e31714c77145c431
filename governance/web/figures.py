"""The statement as page, tables and CSV: every number is a `Figure` or a row of a `Table`, with a way to its cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any

from django.urls import reverse
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance import dispatch
from governance.clocks import LAWS, Law
from governance.evidence import figure_words as words
from governance.models import Plan, Verification
from governance.selectors import figures as select
from governance.selectors.backlog import Forecast
from governance.selectors.statement import Statement, Table
from governance.statement_figures import Figure, Period
from governance.web import figure_urls as urls
from governance.web.case_history import method_inside

Chart = dict[str, Any]
Rows = list[list[Any]]
#: Column of a table -> the figure whose cases stand behind it; those of the period before by the ending of their name.
BEHIND = {"received": "received", "closed": "closed", "open": "open", "late": "late", "kept": "kept"}
EARLIER = "_before"
NARROW = {"kinds": "kind", "regions": "region", "stages": "stage", "endings": "ending", "laws": "law"}
#: So many series a chart has at most.
SERIES = 4
#: Names of the files with the rows behind the page.
NAMES = ("figures", *words.TABLES, "quality")


def method_words(plan: Plan) -> str:
    """The method with what it promises: `retraining without the forget set, exact`."""
    entry = dispatch.METHODS.get(plan.method)
    return f"{method_inside(plan.method)}, {entry.guarantee.value}" if entry else plan.method


def change(figure: Figure) -> str:
    """How it stood in the period before, in words: `before: 8.0 days, n = 40`."""
    told = words.shown_before(figure)
    return _("before: %(value)s") % {"value": told} if told else ""


def told(figure: Figure, period: Period, **more: Any) -> dict[str, Any]:
    """A figure for the `figure` tag, with the way to its cases and to how it is counted."""
    return {
        "code": figure.code,
        "label": words.FIGURES[figure.code].name,
        "number": words.number(figure.value, figure.unit),
        "value": figure.value,
        "unit": words.unit_word(figure.unit) if figure.value is not None else "",
        "of": words.of(figure),
        "estimate": figure.estimate and figure.value is not None,
        "before": change(figure),
        "url": urls.list_url(figure.code, period) if figure.value else "",
        "way": _("List") if figure.code in urls.ON_PAGE else _("Weeks") if figure.code == "forecast" else "",
        **more,
    }


def strip(st: Statement) -> list[dict[str, Any]]:
    """The four numbers under the headline."""
    f = st.figures
    total, late, risk, paused = (int(f[code].value or 0) for code in ("open", "late", "at_risk", "paused"))
    parts = [("late", late), ("at_risk", risk), ("pass", total - late - risk - paused), ("paused", paused)]
    kept, missed = int(f["kept"].value or 0), int(f["missed"].value or 0)
    return [
        told(f["open"], st.period, parts=parts, total=total),
        told(f["kept"], st.period, parts=[("pass", kept), ("late", missed)], total=kept + missed),
        _time(st, "answer"),
        _time(st, "proof"),
    ]


def _time(st: Statement, name: str) -> dict[str, Any]:
    median, p90 = st.figures[f"{name}_median"], st.figures[f"{name}_p90"]
    return told(median, st.period, ruler=_ruler(median, p90), note=_nine(p90))


def _nine(figure: Figure) -> str:
    return _("Nine in ten within %(days)s days") % {"days": words.number(figure.value, "days")} if figure.of else ""


def _ruler(median: Figure, p90: Figure) -> dict[str, Any] | None:
    if median.value is None or p90.value is None:
        return None
    return {"value": median.value, "high": max(45.0, p90.value), "band": (0, p90.value), "limit": 30}


def risks(st: Statement) -> list[dict[str, Any]]:
    """What may go wrong: each number with its list."""
    return [told(st.figures[code], st.period) for code in ("late", "at_risk", "week", "old_places", "old_weights")]


def costs(st: Statement) -> list[dict[str, Any]]:
    """Time, energy and money: for each case, and together."""
    found = []
    for code in ("hours", "energy", "money"):
        whole, each = st.figures[code], st.figures[f"{code}_case"]
        note = _("%(sum)s in all") % {"sum": words.shown(whole)} if whole.value is not None else ""
        if code == "money" and whole.value is None:
            note = _("No price is configured (LETHE_PLAN_RATE, LETHE_PRICE_KWH).")
        found.append(told(each, st.period, note=note, url=urls.cases_url("runs", st.period) if each.of else ""))
    return found


def everything(st: Statement) -> list[dict[str, Any]]:
    """Every figure, the period before, and how it is counted."""
    return [
        {"code": f.code, "name": words.FIGURES[f.code].name, "how": words.FIGURES[f.code].how, "shown": words.shown(f),
         "before": words.shown_before(f), "estimate": f.estimate,
         "url": urls.list_url(f.code, st.period) if f.value else "",
         "before_url": urls.before_url(f.code, st.period) if f.before else ""}
        for f in st.figures.values()
    ]  # fmt: skip


def table(st: Statement, code: str) -> dict[str, Any]:
    """A table for the `table` tag: each number leads to its cases."""
    found, (title, first) = st.tables[code], words.TABLES[code]
    rows: list[list[Any]] = []
    for row in found.rows:
        cells: list[Any] = [{"text": words.key(code, row.key)}]
        for column, value in zip(found.columns, row.values, strict=True):
            narrowed = {NARROW[code]: row.key} if code in NARROW else {}
            behind = BEHIND.get(column.removesuffix(EARLIER), "") if narrowed and value else ""
            period = urls.own(st.period.before) if column.endswith(EARLIER) else st.period
            url = urls.cases_url(behind, period, **narrowed) if behind else ""
            cells.append({"text": words.number(value, words.unit_of(column)), "url": url})
        rows.append(cells)
    heads = [{"label": str(first)}, *({"label": words.column(c), "num": True} for c in found.columns)]
    return {"code": code, "title": str(title), "columns": heads, "rows": rows, "csv_url": urls.csv_url(code, st.period)}


def endings(st: Statement) -> dict[str, Any]:
    """How cases ended, each with its part of the whole on a ruler."""
    shown = table(st, "endings")
    total = sum(int(row.values[0] or 0) for row in st.tables["endings"].rows)
    parts = [(_tone(row.key), int(row.values[0] or 0)) for row in st.tables["endings"].rows]
    return {**shown, "total": total, "parts": parts}


def _tone(ending: str) -> str:
    return {"exact": "pass", "certified": "pass", "not_fulfilled": "fail"}.get(ending, "paused")


def _column(found: Table, name: str) -> list[int]:
    place = found.columns.index(name)
    return [int(row.values[place] or 0) for row in found.rows]


def _week_urls(code: str, st: Statement) -> list[str]:
    """The lists behind a column of the weeks, empty where nothing is to be listed."""
    weeks = st.tables["weeks"]
    mondays = [date.fromisoformat(row.key) for row in weeks.rows]
    counts = zip(mondays, _column(weeks, code), strict=True)
    return [urls.week_url(code, monday, st.today) if count else "" for monday, count in counts]


def flow_chart(st: Statement) -> Chart:
    """Requests received and closed by week."""
    weeks = st.tables["weeks"]
    received, closed = _column(weeks, "received"), _column(weeks, "closed")
    balance = sum(received) - sum(closed)
    if balance > 0:
        said = ngettext(
            "%(n)d more request came than was closed.", "%(n)d more requests came than were closed.", balance
        )
    else:
        said = _("Closings have kept pace with arrivals.")
    return {
        "id": "flow", "kind": "line", "title": _("Requests per week"), "sentence": said % {"n": balance},
        "note": _("Received and closed, the last %(n)d weeks; the present one is not over.") % {"n": len(received)},
        "x_label": _("week"),
        "labels": [date_format(date.fromisoformat(row.key), "j M") for row in weeks.rows],
        "series": [{"name": _("received"), "data": received, "urls": _week_urls("received", st)},
                   {"name": _("closed"), "data": closed, "urls": _week_urls("closed", st)}],
        "csv_url": urls.csv_url("weeks", st.period),
    }  # fmt: skip


def deadlines_chart(st: Statement) -> Chart:
    """Answers inside the clock and late ones, by week."""
    weeks = st.tables["weeks"]
    kept, late = _column(weeks, "kept"), _column(weeks, "missed")
    total = sum(kept) + sum(late)
    said = _("%(kept)s of %(total)s answers came inside the clock.") % {
        "kept": words.number(sum(kept)), "total": words.number(total)}  # fmt: skip
    return {
        "id": "deadlines", "kind": "bar", "title": _("Deadlines kept"), "x_label": _("week"),
        "sentence": said if total else _("No answer was due yet."),
        "labels": [date_format(date.fromisoformat(row.key), "j M") for row in weeks.rows],
        "series": [{"name": _("inside the clock"), "data": kept, "urls": _week_urls("kept", st)},
                   {"name": _("late"), "data": late, "urls": _week_urls("missed", st)}],
        "csv_url": urls.csv_url("weeks", st.period),
    }  # fmt: skip


def forecast_words(found: Forecast | None) -> str:
    """What the backlog will be, with its interval, and how such forecasts did before."""
    if found is None:
        return _("There are not six full weeks yet from which the backlog could be foretold.")
    said = _("In %(ahead)d weeks %(value)s cases are expected to be open; with 80 %% between %(low)s and %(high)s.") % {
        "ahead": found.ahead, "value": words.number(round(found.value)), "low": words.number(round(found.low)),
        "high": words.number(round(found.high)),
    }  # fmt: skip
    if not found.tried:
        return said
    more = _("Of %(tried)d earlier forecasts %(held)d held what then came.") % {
        "tried": found.tried,
        "held": found.held,
    }
    return f"{said} {more}"


def _drawn() -> list[Verification]:
    return [v for v in select.verifications() if v.forget_quality is not None and v.utility is not None]


def quality_chart(st: Statement, see_cases: bool) -> Chart | None:
    """Forget quality against utility, by model; None where nothing was measured. Each run leads to what was found."""
    rows = _drawn()
    if not rows:
        return None
    names = [name for name, _n in Counter(v.plan.base.model.name for v in rows).most_common()]
    shown = names if len(names) <= SERIES else names[: SERIES - 1]
    series = [
        {"name": name, "data": [_point(v, see_cases) for v in rows if v.plan.base.model.name == name]} for name in shown
    ]
    if len(shown) < len(names):
        others = [_point(v, see_cases) for v in rows if v.plan.base.model.name not in shown]
        series.append({"name": _("other models"), "data": others})
    passed = sum(v.verdict == "pass" for v in rows)
    said = ngettext(
        "%(k)d of %(n)d run passed all its probes.", "%(k)d of %(n)d runs passed all their probes.", len(rows)
    )
    return {
        "id": "quality", "kind": "scatter", "title": _("Forget quality against utility, by model"),
        "sentence": said % {"k": passed, "n": len(rows)},
        "note": _("Right and up is better. A high p proves nothing; a low one can fail a run."),
        "x_label": _("utility kept, worst component, %"), "y_label": _("forget quality, KS p"), "y_max": 1,
        "series": series, "csv_url": urls.csv_url("quality", st.period),
    }  # fmt: skip


def found_url(found: Verification, see_cases: bool) -> str:
    """Where a verification stands: on its case's page, for others on that of the version that was tested."""
    plan = found.plan
    if see_cases:
        return reverse("verification", args=[plan.case.public_id])
    version = plan.candidate or plan.base
    return reverse("version", args=[plan.base.model.public_id, version.revision])


def _point(found: Verification, see_cases: bool) -> dict[str, Any]:
    return {
        "url": found_url(found, see_cases),
        "x": round(100 * (found.utility or 0), 1), "y": round(found.forget_quality or 0, 4),
        "label": _("%(model)s: %(case)s, plan %(n)d, %(method)s: %(verdict)s") % {
            "model": found.plan.base.model.name, "case": found.plan.case.number, "n": found.plan.attempt,
            "method": method_inside(found.plan.method), "verdict": found.verdict.replace("_", " ")},
    }  # fmt: skip


def _limit(law: Law) -> int:
    """The law's limit in days; a month counts as the shortest that most have, 30."""
    span = law.newest.answer
    return span.days or 30 * span.months


def laws(st: Statement) -> dict[str, Any]:
    """Time to an answer by law: median, tenth to ninetieth percentile, limit."""
    rows, top = [], 45.0
    for row in st.tables["laws"].rows:
        closed, _kept, low, median, high = row.values
        estimate = {"name": "", "value": median, "low": low, "high": high, "n": closed}
        name = words.law(row.key)
        label = _("%(law)s, n = %(n)s") % {"law": name, "n": words.number(closed)}
        limit = _limit(LAWS[row.key]) if row.key in LAWS else None
        url = urls.cases_url("closed", st.period, law=row.key)
        rows.append({"label": label, "url": url, "row": {"title": name, "estimates": [estimate], "limit": limit}})
        top = max(top, high or 0)
    high = 15 * -(-int(top) // 15)
    return {"rows": rows, "csv_url": urls.csv_url("laws", st.period),
            "axis": {"low": 0, "high": high, "step": 15 if high <= 90 else 30 * -(-high // 240)}}  # fmt: skip


def _figure_rows(st: Statement) -> Rows:
    head = ["code", "figure", "unit", "value", "of", "low", "high", "before", "before_of", "estimate", "from", "to",
            "counted_at"]  # fmt: skip
    counted = st.counted_at.isoformat(timespec="seconds") if st.counted_at else ""
    return [head, *(
        [f.code, words.name(f.code), f.unit, f.value, f.of, f.low, f.high, f.before,
         f.before_of, int(f.estimate), st.period.start, st.period.end, counted]
        for f in st.figures.values()
    )]  # fmt: skip


def _quality_rows() -> Rows:
    return [["model", "case", "plan", "method", "verdict", "forget_quality_p", "utility"],
            *([v.plan.base.model.name, v.plan.case.number, v.plan.attempt, v.plan.method, v.verdict, v.forget_quality,
               v.utility] for v in _drawn())]  # fmt: skip


def csv_rows(name: str, st: Statement) -> Rows:
    """The rows behind a part of the page, the head first; `name` is one of `NAMES`."""
    if name == "figures":
        return _figure_rows(st)
    if name == "quality":
        return _quality_rows()
    found = st.tables[name]
    return [[name, *found.columns], *([row.key, *row.values] for row in found.rows)]


def trend(figures: Mapping[str, Figure]) -> str:
    """Whether it gets better: the share that was answered in time, and the median, against the period before."""
    kept, median = figures["kept"], figures["answer_median"]
    if not kept.of or not kept.before_of or kept.share is None:
        return ""
    now, then = kept.share, (kept.before or 0) / kept.before_of
    better = _("Better") if now > then else _("Worse") if now < then else _("The same")
    said = _("%(better)s than in the period before: %(now)s of answers in time (was %(then)s)") % {
        "better": better, "now": _percent(now), "then": _percent(then)}  # fmt: skip
    if median.value is None or median.before is None:
        return said + "."
    return said + _(", median %(now)s days (was %(then)s).") % {
        "now": words.number(median.value, "days"), "then": words.number(median.before, "days")}  # fmt: skip


def _percent(share: float) -> str:
    """Never 100 % where one was late: a share is told rounded down."""
    return number_format(int(share * 1000) / 10, decimal_pos=1) + " %"
