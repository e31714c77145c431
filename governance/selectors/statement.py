"""The statement of compliance: every figure of the dashboard, its table, its CSV and the signed PDF, read once.

Whoever shows a figure shows a `Figure` of this module: there is no second way to compute one. All of it is read from
the sums that `services.tallies` keeps, save what is asked of places and models, of which there are few.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.utils import timezone

from governance.models import TallyState, TallyTouch
from governance.policies import Actor, Permission, demand
from governance.selectors import backlog, running
from governance.selectors.sums import Sums, spans
from governance.statement_figures import Figure, Period

#: Name of a period -> days up to today; other names are those of the calendar (`period_of`).
ROLLING: Mapping[str, int] = {"30d": 30, "90d": 90, "365d": 365}
CALENDAR = ("quarter", "last_quarter", "year", "last_year")
DEFAULT = "90d"
#: The longest period that is asked for by dates.
LONGEST = timedelta(days=3660)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of a table: what it is about, and a number for each column of the table."""

    key: str
    values: tuple[float | int | None, ...]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Numbers by kind, region, law, stage, ending, week or model; `columns` are codes, each with a word of its own."""

    code: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, kw_only=True)
class Statement:
    """All figures of a period. `counted_at`: until when changes are in; `noted`: changes that are not yet."""

    period: Period
    today: date
    version: int
    counted_at: datetime | None
    recounted_at: datetime | None
    differences: int | None
    asked: bool
    noted: int
    figures: Mapping[str, Figure] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    forecast: backlog.Forecast | None = None


def own_days(start: date | None, end: date | None, today: date) -> Period | None:
    """The period from one day to another; None where they make none: both, in their order, none to come."""
    if start and end and start <= end <= today and end - start <= LONGEST:
        return Period(code="dates", start=start, end=end)
    return None


def period_of(code: str, today: date, *, start: date | None = None, end: date | None = None) -> Period:
    """The period of this name, or of these days; an unknown name, or days that are none, is the last 90 days."""
    if own := own_days(start, end, today):
        return own
    if code in CALENDAR:
        first = today.replace(month=3 * ((today.month - 1) // 3) + 1, day=1)
        if code == "last_quarter":
            last = first - timedelta(days=1)
            return Period(code=code, start=last.replace(month=last.month - 2, day=1), end=last)
        if code == "last_year":
            return Period(code=code, start=date(today.year - 1, 1, 1), end=date(today.year - 1, 12, 31))
        return Period(code=code, start=first if code == "quarter" else today.replace(month=1, day=1), end=today)
    known = code if code in ROLLING else DEFAULT
    return Period(code=known, start=today - timedelta(days=ROLLING[known] - 1), end=today)


def quantile(counts: Mapping[int, int], share: float) -> float | None:
    """The value below which `share` of the values lie (Hyndman and Fan's type 7); `counts` is value -> how often."""
    number = sum(counts.values())
    if not number:
        return None
    place = (number - 1) * share
    low, high = _nth(counts, math.floor(place)), _nth(counts, math.ceil(place))
    return low + (high - low) * (place - math.floor(place))


def _nth(counts: Mapping[int, int], place: int) -> int:
    for value in sorted(counts):
        place -= counts[value]
        if place < 0:
            return value
    raise IndexError("Fewer values than that.")


def state() -> TallyState:
    """Until when all is counted; one query."""
    return TallyState.objects.filter(pk=1).first() or TallyState(pk=1)


def statement(actor: Actor, period: Period, today: date | None = None) -> Statement:
    """All figures of a period; a dozen queries, whatever the number of cases.

    Raises:
        NotAllowed: the actor may not see the dashboard.
    """
    demand(actor, Permission.SEE_DASHBOARD)
    day, stand = today or timezone.localdate(), state()
    now, then = spans(period.start, period.end, day), spans(period.before.start, period.before.end)
    weeks = backlog.weeks(day, backlog.WEEKS + 1)
    forecast, models = backlog.forecast(day, weeks), running.models()
    figures = [
        *_deadlines(now, then, period.before.end),
        *_speed(now, then),
        *_flow(now, then, forecast),
        *running.costs(now, then, Figure),
        *running.places(models, period.before.end, Figure),
    ]
    tables = [_kinds(now, then), _regions(now), _stages(now), _endings(now, then), _laws(now),
              _weeks(weeks[-backlog.WEEKS:]), _models(models)]  # fmt: skip
    return Statement(
        period=period, today=day, version=stand.version, counted_at=stand.counted_at, recounted_at=stand.recounted_at,
        differences=stand.differences, asked=stand.asked_at is not None, noted=TallyTouch.objects.count(),
        figures={figure.code: figure for figure in figures}, tables={table.code: table for table in tables},
        forecast=forecast,
    )  # fmt: skip


def _deadlines(now: Sums, then: Sums, day: date) -> Iterable[Figure]:
    total, open_then, stood = now.open(), backlog.open_on(day), backlog.stood_on(day)
    yield Figure(code="open", value=total, before=open_then)
    for code, value, before in (
        ("late", now.due("late"), stood.late),
        ("at_risk", now.due("at_risk"), stood.at_risk),
        ("week", now.due("at_risk", "week"), stood.week),
        ("paused", now.paused(), stood.paused),
    ):
        yield Figure(code=code, value=value, of=total, before=before, before_of=open_then)
    answered, before = now.answered(), then.answered()
    yield Figure(code="kept", value=now.closed(number=1), of=answered, before=then.closed(number=1), before_of=before)
    yield Figure(code="missed", value=now.closed(number=0), of=answered, before=then.closed(number=0), before_of=before)


def _speed(now: Sums, then: Sums) -> Iterable[Figure]:
    for name, topic in (("answer", "took"), ("proof", "proved")):
        days, earlier = now.days(topic), then.days(topic)
        for word, share in (("median", 0.5), ("p90", 0.9)):
            yield Figure(
                code=f"{name}_{word}", unit="days", value=quantile(days, share), of=sum(days.values()),
                before=quantile(earlier, share), before_of=sum(earlier.values()),
            )  # fmt: skip


def _flow(now: Sums, then: Sums, forecast: backlog.Forecast | None) -> Iterable[Figure]:
    yield Figure(code="received", value=now.received(), before=then.received())
    yield Figure(code="closed", value=now.closed(), before=then.closed())
    yield Figure(
        code="forecast",
        value=forecast.value if forecast else None,
        low=forecast.low if forecast else None,
        high=forecast.high if forecast else None,
        estimate=True,
    )


def _kinds(now: Sums, then: Sums) -> Table:
    rows = [
        Row(key=kind, values=(now.received(kind=kind), then.received(kind=kind), now.closed(kind=kind),
                              now.open(kind=kind)))
        for kind in now.keys("kind")
    ]  # fmt: skip
    return Table(code="kinds", columns=("received", "received_before", "closed", "open"), rows=tuple(rows))


def _regions(now: Sums) -> Table:
    rows = [
        Row(key=region, values=(now.received(region=region), now.closed(region=region), now.open(region=region),
                                now.due("late", region=region)))
        for region in now.keys("region")
    ]  # fmt: skip
    return Table(code="regions", columns=("received", "closed", "open", "late"), rows=tuple(rows))


def _stages(now: Sums) -> Table:
    rows = [
        Row(key=stage, values=(now.open(word=stage), now.due("late", word=stage)))
        for stage in now.stages()
    ]  # fmt: skip
    return Table(code="stages", columns=("open", "late"), rows=tuple(rows))


def _endings(now: Sums, then: Sums) -> Table:
    rows = [
        Row(key=word, values=(now.closed(word=word), then.closed(word=word)))
        for word in now.endings(then)
    ]  # fmt: skip
    return Table(code="endings", columns=("closed", "closed_before"), rows=tuple(rows))


def _laws(now: Sums) -> Table:
    rows = []
    for law in now.keys("law"):
        days = now.days("took", law=law)
        if days:
            rows.append(Row(key=law, values=(
                now.closed(law=law), now.closed(law=law, number=1), quantile(days, 0.1), quantile(days, 0.5),
                quantile(days, 0.9),
            )))  # fmt: skip
    return Table(code="laws", columns=("closed", "kept", "answer_p10", "answer_median", "answer_p90"), rows=tuple(rows))


def _weeks(weeks: Iterable[backlog.Week]) -> Table:
    rows = [
        Row(key=week.monday.isoformat(), values=(week.received, week.closed, week.kept, week.missed)) for week in weeks
    ]
    return Table(code="weeks", columns=("received", "closed", "kept", "missed"), rows=tuple(rows))


def _models(models: Iterable[running.Model]) -> Table:
    rows = [Row(key=m.name, values=(m.applied, m.waiting, m.places, m.old_places, m.old_weights)) for m in models]
    return Table(code="models", columns=("applied", "waiting", "places", "old_places", "old_weights"), rows=tuple(rows))
