"""The job table as engineers read it."""

from __future__ import annotations

import uuid

from django.db.models import Q, QuerySet

from governance.models import Case, Job, JobPoint
from governance.policies import Actor, Permission, demand
from governance.selectors.paging import Page, page

SIZE = 40
ACTIVE = (Job.State.QUEUED, Job.State.RUNNING)


def jobs(actor: Actor) -> QuerySet[Job]:
    """Every job with its case and plan.

    Raises:
        NotAllowed: the actor may not see jobs.
    """
    demand(actor, Permission.SEE_JOBS)
    return Job.objects.select_related("case", "plan")


def jobs_page(actor: Actor, *, states: tuple[str, ...] = (), queue: str = "", after: str = "") -> Page[Job]:
    """Newest first, the jobs after the one with the id `after`. An unknown `after` begins anew."""
    rows = jobs(actor)
    if states:
        rows = rows.filter(state__in=states)
    if queue:
        rows = rows.filter(queue=queue)
    mark = _mark(after)
    if mark:
        rows = rows.filter(Q(created_at__lt=mark.created_at) | Q(created_at=mark.created_at, pk__lt=mark.pk))
    return page(rows.order_by("-created_at", "-id"), SIZE)


def _mark(after: str) -> Job | None:
    try:
        return Job.objects.filter(pk=uuid.UUID(after)).first()
    except ValueError:
        return None


def job_get(actor: Actor, job_id: uuid.UUID) -> Job:
    """One job.

    Raises:
        Job.DoesNotExist: no such job.
    """
    return jobs(actor).get(pk=job_id)


def points(job: Job) -> list[JobPoint]:
    """The loss curve, in the order in which it was measured."""
    return list(job.points.order_by("id"))


def running(case: Case) -> Job | None:
    """The case's newest job that waits or runs."""
    return case.jobs.filter(state__in=ACTIVE).order_by("-created_at").first()


def siblings(job: Job) -> list[Job]:
    """All jobs of a run whose shards are trained apart, in the order of their shards; none of any other run."""
    if job.plan_id is None:
        return []
    found = list(Job.objects.filter(plan=job.plan_id, kind=job.kind).select_related("case", "plan"))
    apart = any(one.shard is not None for one in found)
    return sorted(found, key=lambda one: (one.shard is None, one.shard or 0)) if apart else []
