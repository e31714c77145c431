"""The job table: claiming, heartbeats, ends, and the sweeper that turns every fault of a broker into mere delay.

A message carries a job's id and attempt. Whoever starts an attempt claims it by a conditional update; the messages of
an older attempt find no row and change nothing. A lease that runs out starts the next attempt, until they are used up.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from governance import dispatch
from governance.errors import GovernanceError
from governance.evidence import ledger
from governance.models import Job, JobPoint
from governance.policies import Actor, Permission, demand

log = logging.getLogger(__name__)
SYSTEM = Actor.system("sweeper")
Handler = Callable[..., Any]
#: A message that nobody has taken for this many leases is taken for lost.
UNCLAIMED_LEASES = 6
SWEEP = 100
#: Until a job whose key or authority was missing is tried again.
WAIT = timedelta(seconds=60)


def _lease() -> dict[str, Any]:
    return {"lease_until": timezone.now() + timedelta(seconds=settings.JOB_LEASE_SECONDS)}


def job_start(*, job_id: str, attempt: int, worker: str = "") -> bool:
    """Claim an attempt; False when it is an old one, or somebody has it."""
    claimed = Job.objects.filter(pk=job_id, attempt=attempt, state=Job.State.QUEUED)
    return bool(claimed.update(state=Job.State.RUNNING, started_at=timezone.now(), worker=worker[:120], **_lease()))


def engine_start(*, job_id: str, attempt: int, worker: str = "") -> None:
    """An engine began; one that holds a stale attempt of a job that is over is told to stop."""
    if job_start(job_id=job_id, attempt=attempt, worker=worker):
        return
    over = Job.objects.filter(pk=job_id).exclude(state__in=[Job.State.QUEUED, Job.State.RUNNING]).first()
    if over is not None:
        dispatch.cancel(over)


def job_beat(*, job_id: str, attempt: int, events: list[dict[str, Any]]) -> bool:
    """A running attempt is alive, and this is how far it is. Points of its curves are kept once."""
    alive = Job.objects.filter(pk=job_id, attempt=attempt, state=Job.State.RUNNING)
    latest: dict[str, Any] = {"progress": events[-1]} if events else {}
    if not alive.update(**_lease(), **latest):
        return False
    points = [
        JobPoint(job_id=job_id, stage=e.get("stage", ""), step=e["step"], values=values)
        for e in events
        if isinstance(e.get("step"), int) and (values := _drawn(e))
    ]
    JobPoint.objects.bulk_create(points, ignore_conflicts=True)
    return True


def _drawn(event: dict[str, Any]) -> dict[str, float]:
    """What of an event is a point of a curve: the loss, or what a look of the watch saw."""
    names = event if event.get("stage") == dispatch.WATCH else ("loss",)
    numbers = {name: event.get(name) for name in names if name not in ("step", "total")}
    return {name: float(value) for name, value in numbers.items() if isinstance(value, int | float)}


def job_run(*, job_id: str, attempt: int, handlers: Mapping[str, Handler]) -> None:
    """Run a job of the house in this worker. A refusal is the job's end; a crash leaves it to the sweeper."""
    if not job_start(job_id=job_id, attempt=attempt):
        return
    job = Job.objects.get(pk=job_id)
    try:
        handlers[job.kind](job=job)
    except GovernanceError as error:
        if error.waits:
            job_wait(job_id=job_id, attempt=attempt, error=_refusal(error))
        else:
            job_fail(job_id=job_id, attempt=attempt, error=_refusal(error))
    else:
        _end(job_id, attempt, state=Job.State.SUCCEEDED)


def job_wait(*, job_id: str, attempt: int, error: dict[str, Any]) -> bool:
    """What the job needs cannot be had now: it is queued again as the same attempt, with the reason, for `WAIT`.

    The sweeper publishes it when its time has come, however often: waiting uses up no attempt.
    """
    due = timezone.now() + WAIT - timedelta(seconds=settings.JOB_LEASE_SECONDS * UNCLAIMED_LEASES)
    mine = Job.objects.filter(pk=job_id, attempt=attempt, state=Job.State.RUNNING)
    return bool(mine.update(state=Job.State.QUEUED, error={**error, "waits": True}, lease_until=due))


def job_succeed(
    *, job_id: str, attempt: int, result: str, summary: dict[str, Any], then: Mapping[str, Handler]
) -> None:
    """An engine's attempt ended well: keep its result and take the next step, both or neither."""
    try:
        with transaction.atomic():
            if not _end(job_id, attempt, state=Job.State.SUCCEEDED, result=result, summary=summary):
                return
            job = Job.objects.get(pk=job_id)
            if handler := then.get(job.kind):
                handler(job=job)
    except GovernanceError as error:
        job_fail(job_id=job_id, attempt=attempt, error=_refusal(error))


def engine_fail(*, job_id: str, attempt: int, error: dict[str, Any], then: Mapping[str, Handler]) -> None:
    """An engine's attempt failed; its messages lie in the store, since they may quote data."""
    detail = dispatch.read_json(error["detail"]) if error.get("detail") else {}
    known = {"type": error["type"], "retryable": error["retryable"], "messages": detail.get("messages", [])}
    known |= {"log": error["log"]} if error.get("log") else {}
    job_fail(job_id=job_id, attempt=attempt, error=known, then=then)


def _refusal(error: GovernanceError) -> dict[str, Any]:
    return {"type": type(error).__name__, "messages": list(error.messages), "retryable": False}


def job_fail(*, job_id: str, attempt: int, error: dict[str, Any], then: Mapping[str, Handler] | None = None) -> None:
    """An attempt failed. What may work on another try is queued again; the rest ends the job."""
    with transaction.atomic():
        job = Job.objects.filter(pk=job_id, attempt=attempt, state__in=[Job.State.QUEUED, Job.State.RUNNING]).first()
        if job is None:
            return
        if error.get("retryable") and attempt + 1 < settings.JOB_MAX_ATTEMPTS:
            _requeue(job, error)
            return
        _end(job_id, attempt, state=Job.State.FAILED, error=error)
        ledger.append(action="job.failed", actor=SYSTEM, case=job.case, body={"kind": job.kind, "job": str(job.pk)})
        if then and (handler := then.get(job.kind)):
            handler(job=job)


def _end(job_id: str, attempt: int, *, state: Job.State, **columns: Any) -> bool:
    mine = Job.objects.filter(pk=job_id, attempt=attempt, state__in=[Job.State.QUEUED, Job.State.RUNNING])
    return bool(mine.update(state=state, finished_at=timezone.now(), lease_until=None, **columns))


def _requeue(job: Job, error: dict[str, Any]) -> bool:
    mine = Job.objects.filter(pk=job.pk, attempt=job.attempt, state=job.state)
    if not mine.update(state=Job.State.QUEUED, attempt=job.attempt + 1, error=error, **_lease()):
        return False
    job.refresh_from_db()
    transaction.on_commit(lambda: dispatch.publish(job))
    return True


def jobs_sweep(*, then: Mapping[str, Handler]) -> int:
    """Leases that ran out start the next attempt; messages that nobody took go out again. Returns how many."""
    now = timezone.now()
    lost = Job.objects.filter(state=Job.State.RUNNING, lease_until__lt=now).order_by("created_at")[:SWEEP]
    for job in lost:
        log.warning("job %s (%s), attempt %s: lease ran out", job.pk, job.kind, job.attempt)
        error = {"type": "LeaseExpired", "messages": ["The worker was not heard of in time."], "retryable": True}
        job_fail(job_id=str(job.pk), attempt=job.attempt, error=error, then=then)
    # Waiting is no failure: the same attempt is published once more, and a worker that has it ignores the double.
    stale = now - timedelta(seconds=settings.JOB_LEASE_SECONDS * UNCLAIMED_LEASES)
    never = Q(lease_until=None, created_at__lt=stale) | Q(lease_until__lt=stale)
    waiting = Job.objects.filter(never, state=Job.State.QUEUED).order_by("created_at")[:SWEEP]
    for job in waiting:
        if Job.objects.filter(pk=job.pk, state=Job.State.QUEUED).update(lease_until=now):
            dispatch.publish(job)
    return len(lost) + len(waiting)


def log_of(job: Job) -> str | None:
    """The stored end of the engine's log of the last try; None where it said nothing or the log was deleted."""
    ref = str(job.summary.get("log") or job.error.get("log") or "")
    if not ref or not dispatch.exists(ref):
        return None
    return dispatch.read_bytes(ref).decode(errors="replace")


@transaction.atomic
def job_retry(*, job: Job, actor: Actor) -> None:
    """An engineer has mended the cause and lets a failed or cancelled job run once more.

    Of a run whose shards are trained apart, the shards that were cancelled with it run again too.
    """
    demand(actor, Permission.CANCEL_JOB)
    siblings = Job.objects.filter(plan=job.plan_id, kind=job.kind, state=Job.State.CANCELLED).exclude(pk=job.pk)
    for one in (job, *(siblings if job.shard is not None else ())):
        run_again(one, actor)


@transaction.atomic
def run_again(job: Job, actor: Actor) -> None:
    """Queue a failed or cancelled job once more, for whoever may order what it makes (the caller asks the policy)."""
    again = Job.objects.filter(pk=job.pk, state__in=[Job.State.FAILED, Job.State.CANCELLED])
    if again.update(state=Job.State.QUEUED, attempt=job.attempt + 1, finished_at=None, **_lease()):
        job.refresh_from_db()
        dispatch.uncancel(job)
        body = {"kind": job.kind, "job": str(job.pk)}
        ledger.append(action="job.retried", actor=actor, case=job.case, body=body)
        transaction.on_commit(partial(dispatch.publish, job))


@transaction.atomic
def job_cancel(*, job: Job, actor: Actor) -> bool:
    """Stop a job; its worker notices at the next heartbeat and ends the process."""
    demand(actor, Permission.CANCEL_JOB)
    running = Job.objects.filter(pk=job.pk, state__in=[Job.State.QUEUED, Job.State.RUNNING])
    if not running.update(state=Job.State.CANCELLED, finished_at=timezone.now(), lease_until=None):
        return False
    ledger.append(action="job.cancelled", actor=actor, case=job.case, body={"kind": job.kind, "job": str(job.pk)})
    transaction.on_commit(lambda: dispatch.cancel(job))
    if job.shard is not None:
        siblings_stop(job=job, actor=actor)
    return True


def siblings_stop(*, job: Job, actor: Actor) -> int:
    """Stop every other job of the same run: without this one its result is of no use. Returns how many."""
    if job.plan_id is None:
        return 0
    return jobs_stop(Job.objects.filter(plan=job.plan_id, kind=job.kind).exclude(pk=job.pk), actor)


def jobs_stop(rows: QuerySet[Job], actor: Actor) -> int:
    """Stop those of these jobs that wait or run. Returns how many; belongs in a transaction."""
    alive = list(rows.filter(state__in=[Job.State.QUEUED, Job.State.RUNNING]).select_related("case"))
    for one in alive:
        Job.objects.filter(pk=one.pk).update(state=Job.State.CANCELLED, finished_at=timezone.now(), lease_until=None)
        ledger.append(action="job.cancelled", actor=actor, case=one.case, body={"kind": one.kind, "job": str(one.pk)})
        transaction.on_commit(partial(dispatch.cancel, one))
    return len(alive)
