"""A request that is taken back is searched and planned no more, and nothing that was underway for it is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.utils import timezone

from governance import dispatch
from governance.models import Case, Dataset, Job, LedgerOpening, ModelVersion, Role, Status
from governance.policies import CLAIMANT, Actor
from governance.services import intake, jobs, matching, planning, retention
from tests.governance import conftest
from tests.governance.conftest import HITS, POEM, engine_job, file_case, finish, run_house_jobs
from tests.governance.test_planning_one_line_of_descent import confirm, judge, run, sign

pytestmark = pytest.mark.database
People = dict[Role, Actor]


def works_of(case: Case) -> str:
    return str(dispatch.read_json(case.jobs.filter(kind="engine.match").latest("created_at").spec)["works"])


def hits(case: Case) -> bytes:
    item = str(case.items.earliest("position").pk)
    return b"".join(json.dumps({**hit, "item": item}).encode() + b"\n" for hit in HITS)


@pytest.fixture
def searched(walk: Any, case: Case) -> Case:
    """A case at its search, in two data sets."""
    rows = [{"id": "x1", "subject": "x", "text": "other"}]
    Dataset.objects.create(name="More", purpose="training", artifact=dispatch.put_rows(rows), records_count=1)
    walk(case, Status.MATCHING)
    run_house_jobs(case)
    return case


def test_its_searches_stop_and_the_works_are_deleted(searched: Case, django_capture_on_commit_callbacks: Any) -> None:
    works = works_of(searched)
    assert dispatch.exists(works)
    started = engine_job(searched, "match")
    assert jobs.job_start(job_id=str(started.pk), attempt=started.attempt)
    with django_capture_on_commit_callbacks(execute=True):
        intake.case_withdraw(case=searched, actor=CLAIMANT)
    assert set(searched.jobs.filter(kind="engine.match").values_list("state", flat=True)) == {"cancelled"}
    assert not dispatch.exists(works)
    assert LedgerOpening.objects.filter(case=searched, entry__action="job.cancelled").count() == 2
    assert searched.jobs.filter(kind="notify", state="queued").exists()


def test_what_a_search_brings_after_that_is_not_kept(searched: Case, django_capture_on_commit_callbacks: Any) -> None:
    """An engine's word that comes in although its job was let run again."""
    intake.case_withdraw(case=searched, actor=CLAIMANT)
    for job in searched.jobs.filter(kind="engine.match"):
        Job.objects.filter(pk=job.pk).update(state=Job.State.QUEUED)
        job.refresh_from_db()
        with django_capture_on_commit_callbacks(execute=True):
            finish(job, matches=hits(searched))
        job.refresh_from_db()
        assert job.state == Job.State.SUCCEEDED
    assert not searched.matches.exists() and not dispatch.exists(works_of(searched))
    assert not LedgerOpening.objects.filter(case=searched, entry__action="matching.finished").exists()


def test_a_search_that_was_not_handed_over_yet_sends_no_works(walk: Any, case: Case) -> None:
    walk(case, Status.MATCHING)
    waiting = case.jobs.get(kind="match")
    intake.case_withdraw(case=case, actor=CLAIMANT)
    waiting.refresh_from_db()
    assert waiting.state == Job.State.CANCELLED
    matching.matching_start(job=waiting)
    assert not case.jobs.filter(kind="engine.match").exists()


def erased(case: Case, people: People) -> None:
    Case.objects.filter(pk=case.pk).update(status=Status.CLOSED, closed_at=timezone.now())
    case.refresh_from_db()
    case.jobs.filter(state="queued").update(state="succeeded")
    asked = retention.erasure_ask(case=case, actor=people[Role.LEGAL])
    retention.erasure_approve(erasure=asked, actor=people[Role.APPROVER])
    retention.finish(asked)


def test_its_plan_stands_in_nobodys_way_also_when_its_person_is_erased(
    walk: Any, people: People, case: Case, settings: Any
) -> None:
    settings.RETENTION_MONTHS = 0
    walk(case, Status.PLANNING)
    run_house_jobs(case)
    planning.plan_choose(case=case, actor=people[Role.ENGINEER])
    intake.case_withdraw(case=case, actor=CLAIMANT)
    erased(case, people)
    other = walk(file_case(email="b@house.example"), Status.PLANNING)
    run_house_jobs(other)
    assert other.plans.count() == 1 and not other.jobs.filter(state="failed").exists()


def test_its_plan_is_not_worked_out_anew_when_another_release_replaces_the_version(
    monkeypatch: pytest.MonkeyPatch, walk: Any, people: People, case: Case
) -> None:
    gone = walk(file_case(email="a@house.example"), Status.PLANNING)
    run_house_jobs(gone)
    monkeypatch.setattr(conftest, "HITS", [{**HITS[0], "record": "r3", "subject": "b", "excerpt": POEM}])
    walk(case, Status.PLANNING)
    run_house_jobs(case)
    intake.case_withdraw(case=gone, actor=CLAIMANT)
    before = gone.plans.get()
    confirm(case, people)
    run(case)
    judge(case, "pass")
    sign(case, people)
    assert ModelVersion.objects.filter(state="released").get().pk != before.base_id
    assert gone.plans.get().base_id == before.base_id
