"""The job table as engineers read it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import timedelta
from functools import reduce
from operator import or_
from types import MappingProxyType

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from governance.models import Case, Job, JobPoint, Plan, Status, Worker
from governance.policies import Actor, Permission, demand
from governance.selectors.paging import Page, newest

SIZE = 40
ACTIVE = (Job.State.QUEUED, Job.State.RUNNING)
#: Stage of a case that a machine takes on -> the jobs that it waits for there.
WORK: Mapping[Status, tuple[str, ...]] = MappingProxyType(
    {
        Status.MATCHING: ("match", "engine.match"),
        Status.PLANNING: ("plan",),
        Status.UNLEARNING: ("unlearn", "engine.unlearn"),
        Status.VERIFICATION: ("verify", "engine.verify"),
        Status.REPORTING: ("report",),
        Status.NOTIFICATION: ("notify",),
    }
)


def jobs(actor: Actor) -> QuerySet[Job]:
    """Every job with its case and plan.

    Raises:
        NotAllowed: the actor may not see jobs.
    """
    demand(actor, Permission.SEE_JOBS)
    return Job.objects.select_related("case", "plan")


def jobs_page(
    actor: Actor, *, states: tuple[str, ...] = (), queue: str = "", kind: str = "", case: str = "", after: str = ""
) -> Page[Job]:
    """Newest first, the jobs after the one with the id `after`; by state, queue, kind, and by how the number of their
    case begins. An unknown `after` begins anew."""
    rows = jobs(actor)
    if states:
        rows = rows.filter(state__in=states)
    if queue:
        rows = rows.filter(queue=queue)
    if kind:
        rows = rows.filter(kind=kind)
    if case:
        rows = rows.none() if "\0" in case else rows.filter(case__number__startswith=case.upper())
    return newest(rows, _mark(after), SIZE)


def _mark(after: str) -> Job | None:
    try:
        return Job.objects.filter(pk=uuid.UUID(after)).first()
    except ValueError:
        return None


def active_counts(actor: Actor, *, queue: str = "") -> tuple[int, int]:
    """How many jobs run and how many wait, of one queue or of all: whatever states a reader has a list narrowed to."""
    rows = jobs(actor).filter(state__in=ACTIVE)
    rows = rows.filter(queue=queue) if queue else rows
    found = dict(rows.order_by().values_list("state").annotate(n=Count("pk")))
    return found.get(Job.State.RUNNING, 0), found.get(Job.State.QUEUED, 0)


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


def halted() -> QuerySet[Job]:
    """Jobs that ended without success and for which their case waits at its stage; not those of a plan that is spent,
    since its case went back to planning."""
    here = reduce(or_, (Q(case__status=status, kind__in=kinds) for status, kinds in WORK.items()))
    unspent = Q(plan=None) | Q(plan__state=Plan.State.CONFIRMED)
    return Job.objects.filter(here & unspent, state__in=[Job.State.FAILED, Job.State.CANCELLED])


def riding() -> QuerySet[Plan]:
    """Plans that wait for the run of another case, whose pass deletes their records too (`Plan.leader`)."""
    return Plan.objects.filter(
        state=Plan.State.CONFIRMED, candidate=None, leader__isnull=False, case__status=Status.UNLEARNING
    )


def stranded() -> QuerySet[Plan]:
    """Those whose run stopped: nothing of the leading case waits or runs, and a job of it failed or was cancelled."""
    there = Job.objects.filter(case=OuterRef("leader__case"))
    return riding().filter(
        Exists(halted().filter(case=OuterRef("leader__case"))), ~Exists(there.filter(state__in=ACTIVE))
    )


def leading(case: Case) -> Case | None:
    """The case for whose run this one waits, while its plan rides along."""
    plan = riding().filter(case=case).select_related("leader__case").last()
    return plan.leader.case if plan and plan.leader else None


def stopped(case: Case) -> Job | None:
    """The newest job whose failure holds the case up, of its own or of the case whose run it rides along with; none
    while one waits or runs, or a plan is there to sign."""
    if running(case) or (case.status == Status.PLANNING and case.plans.filter(state=Plan.State.PROPOSED).exists()):
        return None
    own = halted().filter(case=case).order_by("-created_at").first()
    if own is None and case.status == Status.UNLEARNING and (lead := leading(case)) is not None:
        return stopped(lead)
    return own


def stopped_each(cases: list[Case]) -> dict[int, Job]:
    """By case the newest job that holds it up, of cases that the list `stopped` of the queue holds."""
    leads = dict(stranded().filter(case__in=cases).values_list("case_id", "leader__case_id"))
    rows = halted().filter(case__in=[*(case.pk for case in cases), *leads.values()]).select_related("case")
    newest = {job.case_id: job for job in rows.order_by("created_at")}
    held = {case.pk: newest.get(case.pk) or newest.get(leads.get(case.pk)) for case in cases}
    return {pk: job for pk, job in held.items() if job is not None}


def siblings(job: Job) -> list[Job]:
    """All jobs of a run whose shards are trained apart, in the order of their shards; none of any other run."""
    if job.plan_id is None:
        return []
    found = list(Job.objects.filter(plan=job.plan_id, kind=job.kind).select_related("case", "plan"))
    apart = any(one.shard is not None for one in found)
    return sorted(found, key=lambda one: (one.shard is None, one.shard or 0)) if apart else []


#: A worker that misses so many words in a row is taken for gone.
MISSED = 3
#: Runs that are set beside each other, and that are offered for it.
BESIDE, OFFERED = 4, 8


def workers(actor: Actor) -> list[Worker]:
    """Workers heard of within a day, by name.

    Raises:
        NotAllowed: the actor may not see jobs.
    """
    demand(actor, Permission.SEE_JOBS)
    return list(Worker.objects.all())


def is_alive(worker: Worker) -> bool:
    """Whether its last word is no older than the time of `MISSED` words."""
    return timezone.now() - worker.seen_at <= timedelta(seconds=worker.every * MISSED)


def comparable(job: Job) -> list[Job]:
    """Other jobs of the same kind on the same base, newest first: what a run can be set beside."""
    if job.plan is None:
        return []
    found = Job.objects.filter(kind=job.kind, plan__base=job.plan.base_id).exclude(pk=job.pk)
    return list(found.select_related("case", "plan").order_by("-created_at")[:OFFERED])


def beside(actor: Actor, ids: list[str]) -> list[Job]:
    """The jobs of these ids, in their order, at most `BESIDE`; what is no id or no job is left out."""
    wanted = []
    for one in ids[:BESIDE]:
        try:
            wanted.append(uuid.UUID(one))
        except ValueError:
            continue
    found = {job.pk: job for job in jobs(actor).filter(pk__in=wanted)}
    return [found[pk] for pk in dict.fromkeys(wanted) if pk in found]
