"""Two cases on one model without lineage: the second waits, is planned anew on the successor, or rides along."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from governance import dispatch
from governance.errors import Conflict
from governance.evidence import schema
from governance.models import Case, LedgerOpening, ModelVersion, Plan, Role, Status
from governance.services import dossier, jobs, release, unlearning
from tests.governance import conftest
from tests.governance.conftest import POEM, engine_job, file_case, finish, run_house_jobs, sign_plan, verdict_document

pytestmark = pytest.mark.database
HIT = {"item": "", "record": "r3", "subject": "b", "method": "exact", "score": 1.0, "excerpt": POEM}
WHY = "The records are few."


@pytest.fixture
def other(monkeypatch, walk, case) -> Case:
    """A second case on the same model, about r3; both wait for their plan to be confirmed."""
    walk(case, Status.PLANNING)
    run_house_jobs(case)
    monkeypatch.setattr(conftest, "HITS", [HIT])
    second = walk(file_case(email="b@house.example"), Status.PLANNING)
    run_house_jobs(second)
    return second


def confirm(case: Case, people, method: str = "") -> Plan:
    plan = sign_plan(case, people, method=method, reason=WHY if method else "")
    case.refresh_from_db()
    run_house_jobs(case)
    return plan


def run(case: Case) -> None:
    """The engine's end of a run, as of a retraining without two records."""
    job = engine_job(case, "unlearn")
    made = {"fresh_weights": True, "records_left_out": 2, "tokenizer_independent": True}
    model = dispatch.put_bytes(f"successor of {job.pk}".encode())
    result = {"outputs": {"model": model}, "metrics": {"construction": made}, "verb": job.kind}
    ref = dispatch.put_bytes(dispatch.canonical_text(result).encode())
    assert jobs.job_start(job_id=str(job.pk), attempt=job.attempt)
    jobs.job_succeed(job_id=str(job.pk), attempt=job.attempt, result=ref, summary={}, then=conftest.DONE)
    case.refresh_from_db()


def judge(case: Case, verdict: str) -> None:
    run_house_jobs(case)
    job = engine_job(case, "verify")
    finish(job, verification=verdict_document(job.plan, verdict))
    case.refresh_from_db()


def sign(case: Case, people) -> None:
    for role in (Role.RELEASE, Role.LEGAL):
        release.release_sign(case=case, actor=people[role])


def test_two_plans_never_run_from_the_same_base_at_once(case, other, people):
    confirm(case, people)
    with pytest.raises(Conflict, match=f"Case {case.number} is changing Lumen rev. 1"):
        confirm(other, people)
    run(case)
    with pytest.raises(Conflict):
        confirm(other, people)
    judge(case, "pass")
    with pytest.raises(Conflict):
        confirm(other, people)
    assert not other.jobs.filter(kind="engine.unlearn").exists()


def test_the_second_is_planned_anew_on_the_successor_and_then_runs_on_it(case, other, people):
    confirm(case, people)
    run(case)
    judge(case, "pass")
    sign(case, people)
    plan, successor = other.plans.get(), case.release.version
    assert (plan.base, plan.state, plan.method) == (successor, Plan.State.PROPOSED, "graddiff")
    assert dispatch.read_lines(plan.exclude_ids) == ["r1", "r2"]
    confirm(other, people)
    run(other)
    assert other.plans.get().candidate.parent == successor
    assert ModelVersion.objects.filter(parent=successor.parent, state="released").count() == 1


def test_a_failed_first_run_lets_the_second_go_on_from_the_same_base(case, other, people):
    confirm(case, people)
    run(case)
    judge(case, "fail")
    assert confirm(other, people).base == case.plans.first().base


def test_what_a_later_case_decided_is_left_out_of_a_plan_that_waits(case, other):
    plan = case.plans.get()
    assert dispatch.read_lines(plan.exclude_ids) == ["r3"]
    assert LedgerOpening.objects.filter(case=case, entry__action="plan.extended").count() == 1
    assert plan.ranking["candidates"]


@pytest.mark.parametrize("late", [False, True])
def test_a_retraining_serves_both_and_each_is_judged_by_its_own_records(case, other, people, late):
    leader = confirm(case, people, "retrain")
    if late:
        run(case)
    assert other.plans.get().method == "retrain"
    rider = confirm(other, people)
    if not late:
        run(case)
    other.refresh_from_db()
    rider.refresh_from_db()
    assert rider.leader == leader and rider.candidate == case.plans.get().candidate
    assert not other.jobs.filter(kind="engine.unlearn").exists()
    for one, wanted in ((case, ["r1", "r2"]), (other, ["r3"])):
        run_house_jobs(one)
        assert dispatch.read_lines(dispatch.read_json(engine_job(one, "verify").spec)["forget_ids"]) == wanted


def test_both_cases_of_one_retraining_are_released_and_reported_by_themselves(case, other, people):
    confirm(case, people, "retrain")
    confirm(other, people)
    run(case)
    other.refresh_from_db()
    for one in (other, case):
        judge(one, "pass")
        sign(one, people)
        for place in one.plans.get().base.deployments.exclude(state="replaced"):
            release.deployment_record(
                deployment=place, state=place.State.REPLACED, case=one, actor=people[Role.RELEASE]
            )
        release.release_finish(case=one, actor=people[Role.RELEASE])
        assert one.disposition == "fulfilled"
    assert case.release.version == other.release.version
    document = dossier.document(other, number="LR-1", issued_at=datetime.now(UTC))
    schema.validate(document)
    assert "one run" in document["attempts"][0]["note"]


def test_a_rider_s_own_records_are_what_the_construction_counts(case, other, people):
    confirm(case, people, "retrain")
    confirm(other, people)
    run(case)
    for one, count in ((case, 2), (other, 1)):
        one.refresh_from_db()
        judge(one, "pass")
        attempt = dossier.document(one, number="LR-1", issued_at=datetime.now(UTC))["attempts"][0]
        assert attempt["construction"]["records_left_out"] == count


def test_what_was_retrained_without_them_before_the_second_confirmed_is_ridden_with_after_the_release(
    case, other, people
):
    confirm(case, people, "retrain")
    run(case)
    judge(case, "pass")
    sign(case, people)
    plan = other.plans.get()
    assert plan.base == case.plans.get().base and plan.method == "retrain"
    assert confirm(other, people).leader == case.plans.get() and other.status == Status.VERIFICATION


def test_a_retraining_that_breaks_for_both_is_no_attempt_of_the_one_that_rode_along(case, other, people):
    confirm(case, people, "retrain")
    confirm(other, people)
    job = engine_job(case, "unlearn")
    error = {"type": "DataError", "retryable": False, "messages": ["altered"]}
    jobs.job_fail(job_id=str(job.pk), attempt=0, error=error, then={"engine.unlearn": unlearning.unlearning_fail})
    for one in (case, other):
        one.refresh_from_db()
        run_house_jobs(one)
    assert other.status == Status.PLANNING
    assert "retrain" in [c["method"] for c in other.plans.last().ranking["candidates"]]
    assert "retrain" not in [c["method"] for c in case.plans.last().ranking["candidates"]]
