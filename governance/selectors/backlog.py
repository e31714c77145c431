"""How many cases were open on a day, what came and went by week, and how many will be open in four weeks.

The forecast takes the weekly balance (received less closed) of up to 26 full weeks as draws from one distribution.
In h weeks the backlog is then expected at now + h times the mean balance. The interval of 80 % is Student's t with
n - 1 degrees of freedom times s sqrt(h + h^2 / n): the h balances to come, and the mean that was only estimated
(Hyndman and Athanasopoulos, Forecasting, 3rd ed., 5.5 and 9.9, of a random walk with drift). It knows no seasons. How
it would have done before is told with it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import TruncWeek
from django.utils import timezone

from governance.models import CaseClock, CaseFact, ClockPause, Tally
from governance.selectors.sums import AT_RISK, WEEK

T = Tally.Topic
WEEKS, AHEAD, LEAST = 26, 4, 6
#: Student's t, upper tenth, by degrees of freedom from 5 (any table; scipy.stats.t.ppf(0.9, df)).
STUDENT = (
    1.476, 1.440, 1.415, 1.397, 1.383, 1.372, 1.363, 1.356, 1.350, 1.345, 1.341, 1.337, 1.333, 1.330, 1.328, 1.325,
    1.323, 1.321, 1.319, 1.318, 1.316,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Week:
    """What came and what was closed, in time, late or withdrawn, from a Monday to the Sunday after it."""

    monday: date
    received: int
    kept: int
    missed: int
    withdrawn: int

    @property
    def closed(self) -> int:
        """However it ended."""
        return self.kept + self.missed + self.withdrawn

    @property
    def balance(self) -> int:
        """By how much the backlog grew."""
        return self.received - self.closed


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Open cases in `ahead` weeks: expected, and the interval that holds with 80 %; from so many weeks.

    `held` of `tried` earlier forecasts of this kind held what then came.
    """

    value: float
    low: float
    high: float
    ahead: int
    weeks: int
    held: int
    tried: int


@dataclass(frozen=True, kw_only=True)
class Stood:
    """How the cases that were open at the end of a day stood then."""

    late: int
    at_risk: int
    week: int
    paused: int


def stood_on(day: date) -> Stood:
    """How cases stood at the end of a day; two queries.

    A case stood still when each of its clocks had a pause open. Its last lawful day is the one that is reckoned now: an
    extension that came later has moved it.
    """
    near = _running(day).filter(due_on__lte=day + WEEK)
    counts = near.aggregate(**{code: Count("pk", filter=Q(**which)) for code, which in _left(day).items()})
    return Stood(**counts, paused=standing("paused", day).count())


def standing(code: str, day: date) -> QuerySet[CaseFact]:
    """The cases behind a number of the end of a day: open, late, at_risk, week or paused then."""
    if code == "open":
        return _opened(day)
    if code == "paused":
        return _opened(day).filter(case_id__in=_still(day))
    return _running(day).filter(**_left(day)[code])


def _left(day: date) -> dict[str, dict[str, date]]:
    """How near the last lawful day was."""
    return {
        "late": {"due_on__lt": day},
        "at_risk": {"due_on__gte": day, "due_on__lte": day + AT_RISK},
        "week": {"due_on__gte": day, "due_on__lte": day + WEEK},
    }


def _opened(day: date) -> QuerySet[CaseFact]:
    return CaseFact.objects.filter(Q(closed_on=None) | Q(closed_on__gt=day), received_on__lte=day).order_by()


def _running(day: date) -> QuerySet[CaseFact]:
    return _opened(day).exclude(case_id__in=_still(day))


def _still(day: date) -> QuerySet[CaseClock, int]:
    return _still_at(timezone.make_aware(datetime.combine(day + timedelta(days=1), time())))


def _still_at(moment: datetime) -> QuerySet[CaseClock, int]:
    """Ids of the cases whose clocks all stood still at a moment."""
    pauses = ClockPause.objects.filter(Q(last_at=None) | Q(last_at__gt=moment), first_at__lt=moment)
    paused = Exists(pauses.filter(clock=OuterRef("pk")))
    clocks = CaseClock.objects.filter(ended_at=None).order_by()
    running = clocks.filter(~paused, case=OuterRef("case"))
    return clocks.filter(paused).exclude(Exists(running)).values_list("case_id", flat=True)


def open_on(day: date) -> int:
    """How many cases were open at the end of a day: received until then, less closed until then."""
    sums = Tally.objects.filter(day__lte=day).aggregate(
        came=Sum("count", filter=Q(topic=T.RECEIVED)), went=Sum("count", filter=Q(topic=T.CLOSED))
    )
    return (sums["came"] or 0) - (sums["went"] or 0)


def weeks(today: date, count: int = WEEKS) -> list[Week]:
    """The last weeks, the present one last; none before the first request."""
    monday = today - timedelta(days=today.weekday())
    first = Tally.objects.filter(topic=T.RECEIVED).aggregate(day=Min("day"))["day"]
    if first is None:
        return []
    mondays = [monday - timedelta(weeks=back) for back in range(count - 1, -1, -1)]
    mondays = [day for day in mondays if day + timedelta(days=6) >= first]
    rows = Tally.objects.filter(topic__in=[T.RECEIVED, T.CLOSED], day__gte=mondays[0] if mondays else monday)
    grouped = rows.order_by().annotate(week=TruncWeek("day")).values_list("topic", "week", "number")
    sums = {(topic, week, number): total for topic, week, number, total in grouped.annotate(total=Sum("count"))}
    return [
        Week(
            monday=day,
            received=sums.get((T.RECEIVED.value, day, 0), 0),
            kept=sums.get((T.CLOSED.value, day, 1), 0),
            missed=sums.get((T.CLOSED.value, day, 0), 0),
            withdrawn=sums.get((T.CLOSED.value, day, Tally.WITHDRAWN), 0),
        )
        for day in mondays
    ]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A forecast as it would have been made on a Monday: the change expected with its bounds, and what came."""

    monday: date
    weeks: int
    mean: float
    low: float
    high: float
    came: int

    @property
    def held(self) -> bool:
        """Whether the bounds held what came."""
        return self.low <= self.came <= self.high


def full(today: date, last: Sequence[Week]) -> list[Week]:
    """Of these weeks those that are over."""
    monday = today - timedelta(days=today.weekday())
    return [week for week in last if week.monday < monday]


def trials(weeks: Sequence[Week]) -> list[Trial]:
    """Every forecast that these full weeks allow and answer."""
    found = []
    for n in range(LEAST, len(weeks) - AHEAD + 1):
        mean, low, high = ahead([week.balance for week in weeks[:n]])
        came = sum(week.balance for week in weeks[n : n + AHEAD])
        found.append(Trial(monday=weeks[n].monday, weeks=n, mean=mean, low=low, high=high, came=came))
    return found


def forecast(today: date, last: Sequence[Week]) -> Forecast | None:
    """The backlog in four weeks, from the `last` weeks; None before there are six full ones."""
    weeks = full(today, last)
    if len(weeks) < LEAST:
        return None
    now, tried = open_on(today), trials(weeks)
    mean, low, high = (max(0.0, now + change) for change in ahead([week.balance for week in weeks]))
    return Forecast(
        value=mean, low=low, high=high, ahead=AHEAD, weeks=len(weeks), held=sum(one.held for one in tried),
        tried=len(tried),
    )  # fmt: skip


def student(n: int) -> float:
    """Student's t, upper tenth, of n - 1 degrees of freedom."""
    return STUDENT[min(n - 1 - 5, len(STUDENT) - 1)]


def ahead(balances: Sequence[int], h: int = AHEAD) -> tuple[float, float, float]:
    """The change that `h` weeks bring: expected, and the bounds of the interval of 80 %; from at least six weeks."""
    n = len(balances)
    mean, spread = statistics.fmean(balances), statistics.stdev(balances)
    half = student(n) * spread * math.sqrt(h + h * h / n)
    return h * mean, h * mean - half, h * mean + half
