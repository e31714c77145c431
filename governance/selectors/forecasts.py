"""What was forecast and what it took: the score of the planner, and by how much its next forecast is corrected."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import QuerySet

from governance.models import Forecast, Job, Plan

#: The newest runs that count: what ran on an older set-up long ago says little about the next.
COUNTED = 50
#: Rows of the table on the page.
SHOWN = 12


@dataclass(frozen=True, kw_only=True)
class Ratios:
    """Median of actual over reckoned seconds by method ("" for any), and how many runs each rests on."""

    median: dict[str, float]
    runs: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Score:
    """By which factor forecasts were off, typically, as told and by arithmetic alone.

    exp(median |ln(actual/forecast)|): 1 is a perfect forecast, 2 means half or double.
    """

    runs: int
    told: float
    reckoned: float


def settled(device: str = "") -> QuerySet[Forecast]:
    """Forecasts whose run has ended, newest first; of one device only where it is named."""
    rows = Forecast.objects.filter(actual__isnull=False, actual__gt=0, reckoned__gt=0, seconds__gt=0)
    return (rows.filter(device=device) if device else rows).order_by("-id")


def newest_device() -> str:
    """The device of the newest run that ended; empty where none has."""
    return settled().values_list("device", flat=True).first() or ""


def ratios(device: str) -> Ratios:
    """By how much runs on this device take longer than the arithmetic says."""
    by_method: dict[str, list[float]] = {}
    for one in settled(device)[:COUNTED]:
        ratio = (one.actual or 0.0) / one.reckoned
        by_method.setdefault(one.method, []).append(ratio)
        if one.method != Forecast.VERIFY:
            by_method.setdefault("", []).append(ratio)
    return Ratios(
        median={method: statistics.median(values) for method, values in by_method.items()},
        runs={method: len(values) for method, values in by_method.items()},
    )


def score(device: str = "") -> Score | None:
    """How good the forecasts were; None before the first run has ended."""
    rows = [(one.actual or 0.0, one.seconds, one.reckoned) for one in settled(device)[:COUNTED]]
    if not rows:
        return None
    return Score(
        runs=len(rows),
        told=_off(actual / seconds for actual, seconds, _reckoned in rows),
        reckoned=_off(actual / reckoned for actual, _seconds, reckoned in rows),
    )


def _off(values: Iterable[float]) -> float:
    return math.exp(statistics.median(abs(math.log(value)) for value in values))


def rows(plan: Plan | None = None) -> list[Forecast]:
    """The newest settled forecasts, those of a plan where one is named, with their plans and jobs."""
    found = settled()
    if plan is not None:
        found = found.filter(plan=plan)
    return list(found.select_related("plan", "job")[:SHOWN])


def spent(plan: Plan) -> float:
    """Seconds that the engine worked on a plan, broken runs included; jobs side by side count each."""
    ran = plan.jobs.filter(queue=Job.Queue.GPU)
    return sum(
        ((job.finished_at - job.started_at).total_seconds() for job in ran if job.started_at and job.finished_at), 0.0
    )
