"""Waiting for workers: the job table tells how far they are, and why they stopped."""

from __future__ import annotations

import time
from collections.abc import Callable

from governance.management.demo.console import DemoError, Tick
from governance.models import Case, Job

POLL_SECONDS = 0.2
LIMIT_SECONDS = 900.0


def share(job: Job) -> float:
    """How much of a job is done, from 0 to 1."""
    if job.state == Job.State.SUCCEEDED:
        return 1.0
    total = job.progress.get("total") or 0
    return min(1.0, job.progress.get("step", 0) / total) if total else 0.0


def describe(job: Job) -> str:
    """What a job is at, in a few words."""
    return str(job.progress.get("stage") or job.get_state_display())


def check(job: Job) -> None:
    """Stop the demonstration when a job failed for good."""
    if job.state in (Job.State.FAILED, Job.State.CANCELLED):
        raise DemoError(f"Job {job.kind} {job.get_state_display().lower()}: " + " ".join(job.error.get("messages", [])))


def until(done: Callable[[], bool], what: str, limit: float = LIMIT_SECONDS) -> None:
    """Poll until `done`."""
    deadline = time.monotonic() + limit
    while not done():
        if time.monotonic() > deadline:
            raise DemoError(f"{what} took longer than {limit:.0f} s; see the logs of the workers.")
        time.sleep(POLL_SECONDS)


def for_jobs(jobs: list[Job], tick: Tick) -> list[Job]:
    """Wait until all jobs have succeeded."""

    def done() -> bool:
        for job in jobs:
            job.refresh_from_db()
            check(job)
        tick(sum(map(share, jobs)) / len(jobs), ", ".join(sorted({describe(j) for j in jobs if j.state == "running"})))
        return all(job.state == Job.State.SUCCEEDED for job in jobs)

    until(done, jobs[0].kind)
    return jobs


def for_case(case: Case, tick: Tick) -> None:
    """Wait until machines have moved the case on from where it is."""
    before = case.status

    def done() -> bool:
        case.refresh_from_db()
        if case.status != before:
            return True
        latest = case.jobs.order_by("created_at").last()
        if latest:
            check(latest)
            tick(share(latest), describe(latest))
        return False

    until(done, f"Stage {before}")


def for_plan(case: Case, tick: Tick) -> bool:
    """Wait until a plan is proposed; False when the ladder has ended and the case moved on without one."""

    def done() -> bool:
        case.refresh_from_db()
        latest = case.jobs.order_by("created_at").last()
        if latest:
            check(latest)
        return case.status != "planning" or case.plans.filter(state="proposed").exists()

    until(done, "Planning")
    return bool(case.status == "planning")
