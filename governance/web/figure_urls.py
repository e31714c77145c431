"""Where a figure leads: the list of its cases, places or files, and the file with its rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from types import MappingProxyType
from urllib.parse import urlencode

from django.urls import reverse

from governance.selectors import drill
from governance.statement_figures import Period


def query(period: Period, **more: str) -> str:
    """What the address says of a period and of what a list is narrowed to."""
    days = {"from": period.start.isoformat(), "to": period.end.isoformat()}
    return urlencode({"period": period.code, **(days if period.code == "dates" else {}), **more})


#: Figures of costs are sums over the cases whose runs are listed; those of places and files have lists on the page.
COSTS = frozenset(f"{name}{each}" for name in ("hours", "energy", "money") for each in ("", "_case"))
ON_PAGE: Mapping[str, str] = MappingProxyType({"old_places": "#old", "old_weights": "#past"})


def list_url(code: str, period: Period) -> str:
    """Where a figure leads: the list of its cases, of what it sums up, or of its places and files on the page."""
    if code == "forecast":
        return reverse("forecast")
    return ON_PAGE.get(code) or cases_url("runs" if code in COSTS else code, period)


def before_url(code: str, period: Period) -> str:
    """The same of the period before: of the figures of now as it stood at that period's end."""
    earlier = own(period.before)
    if code == "old_weights":
        return places_url(code, on=earlier.end.isoformat())
    if code in drill.NOW:
        return cases_url(code, period, on=earlier.end.isoformat())
    return cases_url("runs" if code in COSTS else code, earlier)


def own(period: Period) -> Period:
    """The same days as somebody would name them."""
    return Period(code="dates", start=period.start, end=period.end)


def week_url(code: str, monday: date, today: date) -> str:
    """The list of the cases of a week, as far as it has come."""
    return cases_url(code, Period(code="dates", start=monday, end=min(monday + timedelta(days=6), today)))


def places_url(code: str, **narrowed: str) -> str:
    """The list of places or files behind a number."""
    more = plain_query(narrowed)
    return reverse("figure_places", args=[code]) + (f"?{more}" if more else "")


def plain_query(asked: Mapping[str, str]) -> str:
    """What is not empty, for an address."""
    return urlencode({name: value for name, value in asked.items() if value})


def cases_url(code: str, period: Period, **narrowed: str) -> str:
    """The list of the cases behind a figure; empty where it has none of its own."""
    if code not in drill.CODES:
        return ""
    return f"{reverse('figure_cases', args=[code])}?{query(period, **narrowed)}"


def csv_url(name: str, period: Period) -> str:
    """The file with the rows behind a part of the page."""
    return f"{reverse('figures_csv', args=[name])}?{query(period)}"
