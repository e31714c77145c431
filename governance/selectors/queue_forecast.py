"""Will the GPU queue make the date? What waits ahead of a case, what the case itself still needs, against its due date.

A run counts as the planner forecast it; one without a forecast, as long as its like took in the median lately.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from django.conf import settings
from django.utils import timezone

from governance.models import Case, Forecast, Job, Plan, Status

S = Status
#: Stages at which the engine still has to work on a case, and which of its runs are then ahead.
AHEAD: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (S.RECEIVED, S.PROOF, S.REVIEW, S.INFORMATION, S.MATCHING, S.DECISION, S.PLANNING),
        ("engine.unlearn", "engine.verify"),
    ),
    S.UNLEARNING: ("engine.unlearn", "engine.verify"),
    S.VERIFICATION: ("engine.verify",),
}
#: The newest runs by which a length is judged, and the longest queue that is looked at job by job.
COUNTED, LOOKED_AT = 60, 500


@dataclass(frozen=True, kw_only=True)
class QueueForecast:
    """When the engine will be done with a case; `ready_at` is None where nothing is known of any run."""

    jobs_ahead: int
    seconds: float
    ready_at: datetime | None
    makes_it: bool


@dataclass(frozen=True, kw_only=True)
class _Queue:
    """The engine's queue as it is: jobs in their order with what is left of each, and how many run side by side."""

    jobs: tuple[tuple[Job, float], ...]
    workers: int
    typical: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class WholeQueue:
    """What waits or runs on the engine's queue, and when it would be done with all of it, if nothing came."""

    jobs: int
    workers: int
    seconds: float
    empty_at: datetime
    #: Jobs of a kind of which no run has ended yet: nothing is known of how long they take.
    unknown: int


def whole() -> WholeQueue:
    """The forecast of the whole queue."""
    queue = _queue()
    seconds = sum(left for _job, left in queue.jobs) / queue.workers
    return WholeQueue(
        jobs=len(queue.jobs),
        workers=queue.workers,
        seconds=seconds,
        empty_at=timezone.now() + timedelta(seconds=seconds),
        unknown=0 if queue.typical else len(queue.jobs),
    )


def of_case(case: Case) -> QueueForecast | None:
    """The forecast of one case; None where the engine has nothing left to do for it."""
    return of_cases([case]).get(case.pk)


def of_cases(cases: Iterable[Case]) -> dict[int, QueueForecast]:
    """The forecasts of those cases whose clock runs and on which the engine has work; a few queries in all."""
    wanted = [case for case in cases if case.status in AHEAD and case.paused_on is None]
    if not wanted:
        return {}
    queue = _queue()
    plans = {plan.case_id: plan for plan in _plans(wanted)}
    return {case.pk: _forecast(case, plans.get(case.pk), queue) for case in wanted}


def _plans(cases: list[Case]) -> Iterable[Plan]:
    """The newest open plan of each case, later ones last."""
    states = [Plan.State.PROPOSED, Plan.State.CONFIRMED]
    return Plan.objects.filter(case__in=cases, state__in=states).only("case", "method", "ranking").order_by("attempt")


def _queue() -> _Queue:
    typical = _typical()
    waiting = Job.objects.filter(queue=Job.Queue.GPU, state__in=[Job.State.QUEUED, Job.State.RUNNING])
    jobs = list(waiting.select_related("plan").order_by("created_at")[:LOOKED_AT])
    told = {
        (plan, method == Forecast.VERIFY): seconds
        for plan, method, seconds in Forecast.objects.filter(
            plan__in={job.plan_id for job in jobs if job.plan_id}, actual=None
        ).values_list("plan_id", "method", "seconds")
    }
    left = tuple((job, _left(job, told, typical)) for job in jobs)
    return _Queue(jobs=left, workers=max(1, sum(job.state == Job.State.RUNNING for job in jobs)), typical=typical)


def _typical() -> dict[str, float]:
    """Median length of the engine's newest runs, by kind; "" for any."""
    done = Job.objects.filter(queue=Job.Queue.GPU, state=Job.State.SUCCEEDED, started_at__isnull=False)
    lengths: dict[str, list[float]] = {}
    for kind, start, end in done.order_by("-created_at").values_list("kind", "started_at", "finished_at")[:COUNTED]:
        if start and end:
            for name in (kind, ""):
                lengths.setdefault(name, []).append((end - start).total_seconds())
    return {kind: statistics.median(found) for kind, found in lengths.items()}


def _left(job: Job, told: Mapping[tuple[int, bool], float], typical: Mapping[str, float]) -> float:
    length = told.get((job.plan_id or 0, job.kind == "engine.verify"), typical.get(job.kind, typical.get("", 0.0)))
    spent = (timezone.now() - job.started_at).total_seconds() if job.started_at and job.state == "running" else 0.0
    return max(0.0, length - spent)


def _forecast(case: Case, plan: Plan | None, queue: _Queue) -> QueueForecast:
    own = list(AHEAD[case.status])
    ahead, waited, mine = 0, 0.0, 0.0
    for job, left in queue.jobs:
        if job.case_id == case.pk:
            mine += left
            own = [kind for kind in own if kind != job.kind]
        elif not mine:
            ahead, waited = ahead + 1, waited + left
    lengths = [_length(kind, plan, queue.typical) for kind in own]
    known = all(length is not None for length in lengths)
    seconds = waited / queue.workers + mine + sum(length or 0.0 for length in lengths)
    if not known:
        return QueueForecast(jobs_ahead=ahead, seconds=seconds, ready_at=None, makes_it=True)
    ready = timezone.now() + timedelta(seconds=seconds)
    reserve = timedelta(seconds=settings.PLAN_HOUSE["reserve"])
    end = timezone.make_aware(datetime.combine(case.due_on, time.max))
    return QueueForecast(jobs_ahead=ahead, seconds=seconds, ready_at=ready, makes_it=ready + reserve <= end)


def _length(kind: str, plan: Plan | None, typical: Mapping[str, float]) -> float | None:
    """What the plan's ranking foresees for this run, else what its like took."""
    if plan is not None:
        costs = {one["method"]: one.get("cost") or {} for one in plan.ranking.get("candidates", [])}
        cost = costs.get(plan.method, {}) if kind == "engine.unlearn" else plan.ranking.get("verification") or {}
        if cost.get("seconds"):
            return float(cost["seconds"])
    return typical.get(kind, typical.get(""))
