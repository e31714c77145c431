"""Aggregates of the executive page. Every function is one query, whatever the number of cases."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Count, F, Q
from django.db.models.functions import TruncWeek
from django.utils import timezone

from governance.models import AiModel, Case, ModelVersion, Plan, Status, Verification
from governance.policies import Actor, Permission, demand

WINDOW = timedelta(days=90)
WEEKS = 12
AT_RISK = timedelta(days=3)
#: At most this many verifications are drawn, the newest ones.
DRAWN = 200


@dataclass(frozen=True, kw_only=True)
class Open:
    """Open cases by what their clocks say."""

    total: int
    late: int
    at_risk: int
    week: int
    paused: int


@dataclass(frozen=True, kw_only=True)
class Closed:
    """One case that was closed: its law, when it came, when it was due, when it was answered."""

    law: str
    received_on: date
    due_on: date
    closed_on: date

    @property
    def days(self) -> int:
        """Days from receipt to the answer."""
        return (self.closed_on - self.received_on).days

    @property
    def kept(self) -> bool:
        """Whether the answer came inside the clock."""
        return self.closed_on <= self.due_on


def demand_dashboard(actor: Actor) -> None:
    """Refuse whoever may not see the executive page."""
    demand(actor, Permission.SEE_DASHBOARD)


def open_cases(today: date) -> Open:
    """How many cases are open, and how many are late, near their date, due within a week, paused."""
    running = Q(paused_on=None)
    late, risk = Q(due_on__lt=today), Q(due_on__gte=today, due_on__lte=today + AT_RISK)
    found = Case.objects.exclude(status=Status.CLOSED).aggregate(
        total=Count("id"),
        late=Count("id", filter=running & late),
        at_risk=Count("id", filter=running & risk),
        week=Count("id", filter=running & Q(due_on__gte=today, due_on__lte=today + timedelta(days=7))),
        paused=Count("id", filter=~running),
    )
    return Open(**found)


def closed_since(since: datetime) -> list[Closed]:
    """The cases that were closed since a moment."""
    rows = Case.objects.filter(status=Status.CLOSED, closed_at__gte=since)
    return [
        Closed(law=law, received_on=received, due_on=due, closed_on=timezone.localdate(closed))
        for law, received, due, closed in rows.values_list("law", "received_on", "due_on", "closed_at")
    ]


def by_state() -> dict[str, int]:
    """Status -> number of open cases there."""
    rows = Case.objects.exclude(status=Status.CLOSED).values_list("status").annotate(n=Count("id"))
    return dict(rows)


def next_deadlines(limit: int = 5) -> list[Case]:
    """The running clocks that end first."""
    rows = Case.objects.exclude(status=Status.CLOSED).filter(paused_on=None).select_related("officer")
    return list(rows.annotate(items_count=Count("items")).order_by("due_on", "id")[:limit])


def weeks(today: date, count: int = WEEKS) -> list[date]:
    """The Mondays of the last `count` weeks, the present one last."""
    monday = today - timedelta(days=today.weekday())
    return [monday - timedelta(weeks=back) for back in range(count - 1, -1, -1)]


def received_per_week(mondays: list[date]) -> list[int]:
    """How many requests were received in each week."""
    rows = Case.objects.filter(received_on__gte=mondays[0]).annotate(week=TruncWeek("received_on")).values_list("week")
    found = dict(rows.annotate(n=Count("id")))
    return [found.get(monday, 0) for monday in mondays]


def kept_per_week(closed: Iterable[Closed], mondays: list[date]) -> tuple[list[int], list[int]]:
    """Answers inside the clock and late ones, by the week of the answer."""
    counts = {monday: [0, 0] for monday in mondays}
    for case in closed:
        monday = case.closed_on - timedelta(days=case.closed_on.weekday())
        if monday in counts:
            counts[monday][0 if case.kept else 1] += 1
    return [counts[m][0] for m in mondays], [counts[m][1] for m in mondays]


def quantile(values: list[int], share: float) -> float:
    """The value below which `share` of the values lie, by linear interpolation (Hyndman and Fan's type 7)."""
    ordered, place = sorted(values), (len(values) - 1) * share
    low, high = math.floor(place), math.ceil(place)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Days to an answer: median, tenth and ninetieth percentile, and of how many cases."""

    median: float
    low: float
    high: float
    n: int


def spread(days: list[int]) -> Spread | None:
    """The spread of some durations; None where there are none."""
    if not days:
        return None
    return Spread(median=statistics.median(days), low=quantile(days, 0.1), high=quantile(days, 0.9), n=len(days))


def verifications(limit: int = DRAWN) -> list[Verification]:
    """The newest verifications with plan, case and models, without their documents."""
    rows = Verification.objects.select_related("plan__case", "plan__base__model", "plan__candidate").defer("document")
    return list(rows.order_by("-created_at", "-id")[:limit])


def verdicts_since(since: datetime) -> dict[str, int]:
    """Verdict -> number of cases whose last verification, since a moment, ended so."""
    rows = Verification.objects.filter(created_at__gte=since).order_by("plan__case", "-plan__attempt")
    last: dict[int, str] = {}
    for case, verdict in rows.values_list("plan__case", "verdict"):
        last.setdefault(case, verdict)
    return {verdict: list(last.values()).count(verdict) for verdict in set(last.values())}


def running_plans() -> int:
    """Plans that were confirmed and have no verdict yet."""
    return Plan.objects.filter(state=Plan.State.CONFIRMED).count()


def in_service() -> list[AiModel]:
    """Models with a released version."""
    return list(AiModel.objects.filter(versions__state=ModelVersion.State.RELEASED).distinct().order_by("name"))


def released_versions() -> dict[int, ModelVersion]:
    """Model id -> its newest released version."""
    rows = ModelVersion.objects.filter(state=ModelVersion.State.RELEASED).order_by("model", "revision")
    return {version.model_id: version for version in rows}


def released_cases() -> dict[int, int]:
    """Model id -> cases whose release is signed by both."""
    rows = Plan.objects.filter(case__release__legal_at__isnull=False, case__release__released_at__isnull=False)
    rows = rows.filter(candidate=F("case__release__version"))
    return dict(rows.values_list("base__model").annotate(n=Count("case", distinct=True)))


def last_verifications() -> dict[int, Verification]:
    """Model id -> the verification of the version that is released now, with the document for its intervals.

    A candidate that passed but is not in service yet says nothing about what answers today, and is left out.
    """
    rows = Verification.objects.filter(plan__candidate__state=ModelVersion.State.RELEASED)
    rows = rows.select_related("plan__case", "plan__base", "plan__candidate").order_by("plan__candidate__revision")
    return {row.plan.base.model_id: row for row in rows}
