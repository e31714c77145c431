"""The job table is the truth: lost messages, lost workers, doubles and late results."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from governance import dispatch
from governance.models import Case, Job, JobPoint, ModelVersion, Role, Status
from governance.services import jobs, unlearning
from tests.governance.conftest import DONE, engine_job, finish, run_house_jobs

pytestmark = pytest.mark.database
FAILED = {"engine.unlearn": unlearning.unlearning_fail}


@pytest.fixture
def job(walk, case) -> Job:
    walk(case, Status.UNLEARNING)
    run_house_jobs(case)
    return engine_job(case, "unlearn")


def test_the_same_key_makes_one_job(case):
    first = dispatch.enqueue(kind="match", key="once", case=case)
    assert dispatch.enqueue(kind="match", key="once", case=case).pk == first.pk


def test_an_attempt_is_claimed_once(job):
    assert jobs.job_start(job_id=str(job.pk), attempt=0)
    assert not jobs.job_start(job_id=str(job.pk), attempt=0)


def test_a_lost_worker_is_replaced_and_its_late_result_changes_nothing(job, case):
    jobs.job_start(job_id=str(job.pk), attempt=0)
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert jobs.jobs_sweep(then=FAILED) == 1
    job.refresh_from_db()
    assert (job.state, job.attempt) == ("queued", 1)
    result = dispatch.put_bytes(b'{"outputs": {"model": "sha256:late"}}')
    jobs.job_succeed(job_id=str(job.pk), attempt=0, result=result, summary={}, then=DONE)
    job.refresh_from_db()
    assert job.state == "queued"
    finish(job, model=b"good weights")
    jobs.job_succeed(job_id=str(job.pk), attempt=1, result=result, summary={}, then=DONE)
    assert ModelVersion.objects.filter(state="candidate").count() == 1


def test_a_message_that_nobody_took_is_sent_again_and_waiting_is_no_failure(job, monkeypatch):
    sent = []
    monkeypatch.setattr(dispatch, "publish", sent.append)
    Job.objects.filter(pk=job.pk).update(created_at=timezone.now() - timedelta(hours=1))
    for _ in range(3):
        jobs.jobs_sweep(then=FAILED)
    job.refresh_from_db()
    assert (job.state, job.attempt, len(sent)) == ("queued", 0, 1)


def test_attempts_end_and_the_case_returns_to_planning(job, case):
    for attempt in range(3):
        jobs.job_start(job_id=str(job.pk), attempt=attempt)
        error = {"type": "DeviceError", "retryable": True, "messages": ["out of memory"]}
        jobs.job_fail(job_id=str(job.pk), attempt=attempt, error=error, then=FAILED)
    job.refresh_from_db()
    assert job.state == "failed"
    assert Case.objects.get(pk=case.pk).status == Status.PLANNING


def test_a_bad_spec_is_not_tried_again(job, case):
    jobs.job_start(job_id=str(job.pk), attempt=0)
    error = {"type": "ConfigError", "retryable": False, "messages": ["spec.method: unknown"]}
    jobs.job_fail(job_id=str(job.pk), attempt=0, error=error, then=FAILED)
    job.refresh_from_db()
    assert (job.state, job.error["messages"]) == ("failed", ["spec.method: unknown"])


def test_a_point_of_the_loss_curve_is_kept_once(job):
    jobs.job_start(job_id=str(job.pk), attempt=0)
    events = [{"event": "progress", "stage": "unlearn", "step": n, "total": 9, "loss": 1.0 / n} for n in (1, 2, 2)]
    assert jobs.job_beat(job_id=str(job.pk), attempt=0, events=events)
    assert not jobs.job_beat(job_id=str(job.pk), attempt=7, events=events)
    assert JobPoint.objects.filter(job=job).count() == 2


def test_a_cancelled_job_stays_cancelled(job, people, django_capture_on_commit_callbacks):
    jobs.job_start(job_id=str(job.pk), attempt=0)
    with django_capture_on_commit_callbacks(execute=True):
        assert jobs.job_cancel(job=job, actor=people[Role.ENGINEER])
    assert dispatch.store().has_flag(f"cancel/{job.pk}")
    finish_result = dispatch.put_bytes(b'{"outputs": {}}')
    jobs.job_succeed(job_id=str(job.pk), attempt=0, result=finish_result, summary={}, then=DONE)
    job.refresh_from_db()
    assert job.state == "cancelled"


def test_a_refusal_by_a_service_fails_the_job_aloud(walk, case, catalogue):
    walk(case, Status.PLANNING)
    catalogue["released"].datasets.clear()
    run_house_jobs(case)
    failed = case.jobs.get(kind="plan")
    assert failed.state == "failed" and "affected" in failed.error["messages"][0]
