"""What stands behind a figure: its cases, places or files, or the weeks of the forecast. As many as the figure says."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from datetime import date
from itertools import islice
from typing import Any

from django.db.models import QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from governance.evidence import figure_words as words
from governance.evidence import numerals
from governance.models import CaseFact
from governance.policies import Actor, Permission, may
from governance.selectors import backlog, drill, running
from governance.selectors import figures as select
from governance.selectors.paging import onward
from governance.statement_figures import Period
from governance.validators import number_in
from governance.web import case_words, figures
from governance.web import figure_urls as urls
from governance.web.duty_pages import Context, day, iso_day
from governance.web.executive import asked_period
from governance.web.guards import staff
from governance.web.sheets import csv_stream

P = Permission
SIZE = 50
#: Cases of a file that are read at once.
CHUNK = 1000
#: List of places or files -> the column by which it runs.
PLACES = {"places": "changed_at", "old_places": "changed_at", "old_weights": "due_on"}


def _crumbs(title: str, address: str = "") -> list[Context]:
    url = reverse("dashboard")
    return [{"label": _("Compliance"), "url": f"{url}?{address}" if address else url}, {"label": title}]


@gzip_page
@require_safe
@staff(P.SEE_DASHBOARD)
def figure_cases(request: HttpRequest, code: str) -> HttpResponseBase:
    """The cases behind a figure, without a word about who asked."""
    if code not in drill.CODES:
        raise Http404
    actor, today = Actor.of(request.user), timezone.localdate()
    period, then = asked_period(request, today), iso_day(request.GET.get("on", ""))
    narrowed = {name: request.GET[name] for name in (*drill.NARROWED, "model") if request.GET.get(name)}
    if any("\0" in value for value in narrowed.values()):
        raise Http404
    rows = drill.cases(actor, code, period, today, narrowed, then=then)
    if request.GET.get("format") == "csv":
        return csv_stream(f"{code}-{then or period.end}", _csv(rows))
    page = drill.listed(rows, code, request.GET.get("after", ""))
    named, see_cases = drill.named(page.rows), may(actor, P.SEE_CASES)
    number, last, title = rows.count(), page.last, words.list_title(code)
    more = {**narrowed, **({"on": then.isoformat()} if then else {})}
    ran = code == "runs"
    context = {
        "crumbs": _crumbs(title, urls.query(period)),
        "conclusion": ngettext("%(title)s: %(n)s case", "%(title)s: %(n)s cases", number)
        % {"title": title, "n": words.number(number)},
        "narrowed": [words.key(f"{name}s", value) for name, value in narrowed.items()],
        "days": _days(code, period, then),
        "how": words.list_how(code),
        "sums": _sums(rows) if ran else "",
        "columns": [_("Case"), _("Kind"), _("Region, law"), _("Stage or ending"), _("Received"), _("Last lawful day"),
                    *([_num(_("Runs")), _num(_("Computing, h")), _num(_("Energy, kWh"))] if ran
                      else [{"label": _("Days left or over")}])],
        "rows": [_fact(fact, named.get(fact.pk), today, see_cases, ran) for fact in page.rows],
        "next_url": f"?{urls.query(period, **more, after=str(last.pk))}" if last else "",
        "csv_url": f"?{urls.query(period, **more, format='csv')}" if number else "",
        "number": number,
    }  # fmt: skip
    return render(request, "executive/cases.html", context)


def _csv(rows: QuerySet[CaseFact]) -> Iterator[list[Any]]:
    """Every case of a list, row by row as it is read, without a word about who asked."""
    columns = ("kind", "region", "law", "status", "ending", "received_on", "due_on", "closed_on", "kept", "days",
               "proved_on", "proof_days", "runs", "milliseconds", "milliwatthours")  # fmt: skip
    yield ["case", *columns]
    facts = rows.order_by("pk").iterator(chunk_size=CHUNK)
    while chunk := list(islice(facts, CHUNK)):
        named = drill.named(chunk)
        for fact in chunk:
            number = named[fact.pk].number if fact.pk in named else str(fact.pk)
            yield [number, *(getattr(fact, name) for name in columns)]


def _num(label: str) -> Context:
    return {"label": label, "num": True}


def _days(code: str, period: Period, then: date | None) -> str:
    if code in drill.IN_PERIOD:
        return words.period_days(period)
    if then and code in drill.NOW:
        return _("As things stood at the end of %(day)s; stage and days are those of now") % {"day": day(then)}
    return _("As things stand now")


def _sums(rows: QuerySet[CaseFact]) -> str:
    """What the runs of the listed cases took together: the figures of what it costs."""
    found = rows.aggregate(runs=Sum("runs"), hours=Sum("milliseconds"), energy=Sum("milliwatthours"))
    return _("Together %(runs)s runs, %(hours)s h, %(kwh)s kWh.") % {
        "runs": words.number(found["runs"] or 0), "hours": words.number((found["hours"] or 0) / 3.6e6, "hours"),
        "kwh": words.number((found["energy"] or 0) / 1e6, "kwh")}  # fmt: skip


def _fact(fact: CaseFact, case: Any, today: date, see_cases: bool, ran: bool) -> list[Any]:
    ended = words.ending(fact.ending) if fact.closed_on else words.key("stages", fact.status)
    costs = [words.number(fact.runs), words.number(fact.milliseconds / 3.6e6, "hours"),
             words.number(fact.milliwatthours / 1e6, "kwh")]  # fmt: skip
    return [
        {"text": case.number if case else str(fact.pk), "mono": True,
         "url": reverse("case", args=[case.public_id]) if case and see_cases else ""},
        words.key("kinds", fact.kind),
        {"text": words.region(fact.region), "note": words.law(fact.law)},
        {"text": ended, "note": day(fact.closed_on) if fact.closed_on else ""},
        day(fact.received_on),
        day(fact.due_on),
        *(costs if ran else [_left(fact, today)]),
    ]  # fmt: skip


def _left(fact: CaseFact, today: date) -> Context:
    over = drill.days_over(fact, today)
    if fact.paused and fact.closed_on is None:
        return {"state": "paused", "text": _("clock stands still")}
    if over > 0:
        return {"state": "late", "text": ngettext("%(n)d day over", "%(n)d days over", over) % {"n": over}}
    if fact.closed_on:
        return {"state": "pass", "text": _("in time")}
    said = ngettext("%(n)d day left", "%(n)d days left", -over) % {"n": -over}
    return {"state": "at_risk" if -over <= case_words.AT_RISK else "", "text": said}


@gzip_page
@require_safe
@staff(P.SEE_DASHBOARD)
def figure_places(request: HttpRequest, code: str) -> HttpResponseBase:
    """Places and files behind a figure, of one model or of all, the longest first."""
    if code not in PLACES:
        raise Http404
    select.demand_dashboard(Actor.of(request.user))
    model, after = request.GET.get("model", ""), request.GET.get("after", "")
    then = iso_day(request.GET.get("on", "")) if code == "old_weights" else None
    found = _of_places(code, then)
    if model:
        found = found.none() if "\0" in model else found.filter(version__model__name=model)
    mark = found.filter(pk=row).first() if (row := number_in(after)) is not None else None
    page, number, title = onward(found, PLACES[code], mark, SIZE), found.count(), words.list_title(code)
    files, last = code == "old_weights", page.last
    told = ngettext("%(title)s: %(n)s file", "%(title)s: %(n)s files", number) if files else ngettext(
        "%(title)s: %(n)s place", "%(title)s: %(n)s places", number)  # fmt: skip
    more = {"model": model, "on": then.isoformat() if then else "", "after": str(last.pk) if last else ""}
    context = {
        "crumbs": _crumbs(title),
        "conclusion": told % {"title": title, "n": words.number(number)},
        "narrowed": [model] if model else [],
        "days": _("As things stood at the end of %(day)s") % {"day": day(then)} if then else _("As things stand now"),
        "how": words.list_how(code),
        "columns": [_("Version"), _("What"), _("Case"), _("Due")] if files
        else [_("Place"), _("Version"), _("State"), _("Since")],
        "rows": [(_file if files else _place)(one) for one in page.rows],
        "next_url": f"?{urls.plain_query(more)}" if last else "",
        "nothing": _("Nothing stands behind this figure."),
        "number": number,
    }  # fmt: skip
    return render(request, "executive/cases.html", context)


def _of_places(code: str, then: date | None) -> QuerySet[Any]:
    if code == "old_weights":
        return running.old_files(then or timezone.localdate(), then=then is not None)
    return running.old_places() if code == "old_places" else running.places_in_use()


def _version(version: Any) -> Context:
    return {"text": str(version), "url": reverse("model", args=[version.model.public_id])}


def _file(one: Any) -> list[Any]:
    return [_version(one.version), one.get_what_display(), {"text": one.case.number if one.case else "", "mono": True},
            day(one.due_on)]  # fmt: skip


def _place(one: Any) -> list[Any]:
    return [one.place, _version(one.version), one.get_state_display(), day(one.changed_at)]


@gzip_page
@require_safe
@staff(P.SEE_DASHBOARD)
def forecast(request: HttpRequest) -> HttpResponseBase:
    """How the forecast of the backlog is worked out: the weeks under it, each with its cases, and how it did before."""
    select.demand_dashboard(Actor.of(request.user))
    today = timezone.localdate()
    weeks = backlog.weeks(today, backlog.WEEKS + 1)
    full, found = backlog.full(today, weeks), backlog.forecast(today, weeks)
    context = {
        "crumbs": _crumbs(words.list_title("forecast")),
        "conclusion": figures.forecast_words(found),
        "sentence": words.list_how("forecast"),
        "parts": [*([_worked_out(full, found, today)] if found else []), _weeks(full, today), _trials(full)],
    }
    return render(request, "duties/sheet.html", context)


def _worked_out(full: list[backlog.Week], found: backlog.Forecast, today: date) -> Context:
    balances = [week.balance for week in full]
    mean, spread = statistics.fmean(balances), statistics.stdev(balances)
    t, n, h = backlog.student(len(balances)), len(balances), found.ahead
    url = urls.cases_url("open", Period(code="dates", start=today, end=today))
    change, low, high = backlog.ahead(balances)
    return {
        "id": "sum", "title": _("The sum"),
        "note": _("Anybody can do it again from the weeks below. Nothing else goes in."),
        "facts": [
            {"label": _("Open now"), "value": words.number(backlog.open_on(today)), "url": url},
            (_("Full weeks"), str(n)),
            (_("Mean balance of a week"), _signed(mean)),
            (_("Spread of the balances (s)"), _decimal(spread)),
            (_("Student's t, 80 %%, n - 1 = %(n)d") % {"n": n - 1}, _decimal(t, 3)),
            (_("Expected change, %(h)d times the mean") % {"h": h}, _signed(change)),
            (_("Half the interval: t times s times the root of %(h)d + %(h2)d/%(n)d") % {"h": h, "h2": h * h, "n": n},
             _decimal((high - low) / 2)),
            (_("Open in four weeks, none below nothing"), _("%(value)s (%(low)s to %(high)s)") % {
                "value": words.number(round(found.value)), "low": words.number(round(found.low)),
                "high": words.number(round(found.high))}),
        ],
    }  # fmt: skip


def _weeks(full: list[backlog.Week], today: date) -> Context:
    return {
        "id": "weeks", "title": _("The weeks that count"),
        "note": _("Each number leads to its cases. The present week is not over and does not count."),
        "columns": [_("Week from"), _num(_("Received")), _num(_("Closed")), _num(_("Balance"))],
        "rows": [_week(week, today) for week in reversed(full)],
        "empty": _("No week is over since the first request."),
        "next": _("A forecast needs six of them."),
    }  # fmt: skip


def _week(week: backlog.Week, today: date) -> list[Any]:
    def cell(code: str, value: int) -> Context:
        return {"text": words.number(value), "url": urls.week_url(code, week.monday, today) if value else ""}

    return [day(week.monday), cell("received", week.received), cell("closed", week.kept + week.missed),
            _signed(week.balance, 0)]  # fmt: skip


def _trials(full: list[backlog.Week]) -> Context:
    """How such forecasts would have done."""
    return {
        "id": "before", "title": _("How such forecasts did"),
        "note": _("For each Monday from the weeks before it, and what the four weeks after it brought. Of a good "
                  "interval of 80 % four in five hold; they overlap, so few are few."),
        "columns": [_("Made on"), _num(_("From weeks")), _num(_("Expected change")), _num(_("Interval")),
                    _num(_("What came")), _("Held")],
        "rows": [
            [day(one.monday), str(one.weeks), _signed(one.mean), f"{_signed(one.low)} … {_signed(one.high)}",
             _signed(one.came, 0), {"state": "pass" if one.held else "inconclusive",
                                    "text": _("held") if one.held else _("missed")}]
            for one in reversed(backlog.trials(full))
        ],
        "empty": _("None can be judged yet."),
        "next": _("The first can be once ten full weeks are over."),
    }  # fmt: skip


def _decimal(value: float, decimals: int = 1) -> str:
    return numerals.number(value, decimals)


def _signed(value: float, decimals: int = 1) -> str:
    """A change with its sign."""
    sign = "+" if value > 0 else "−" if value < 0 else ""
    return f"{sign}{numerals.number(abs(value), decimals)}"
