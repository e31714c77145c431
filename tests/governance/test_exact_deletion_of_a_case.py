"""A case whose model has a lineage: SISA first, shards as jobs of their own, the weaker claim where it is weaker."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from governance import dispatch
from governance.models import Case, Disposition, Job, LedgerOpening, Plan, Role, Status
from governance.services import dossier, jobs, release, unlearning
from tests.governance.conftest import engine_job, finish, run_house_jobs, verdict_document
from tests.governance.lineage_example import PLACES, claim, end, put_lineage, without

pytestmark = pytest.mark.database
FAILED = {"engine.unlearn": unlearning.unlearning_fail}


@pytest.fixture(autouse=True)
def _own_store(settings, tmp_path):
    """What one test leaves in the store would keep another's checkpoints from being deleted."""
    settings.ARTIFACTS_URL = str(tmp_path / "store")


@pytest.fixture
def base(catalogue):
    """The released version, with a lineage."""
    version, refs = catalogue["released"], put_lineage()
    version.artifact, version.lineage = refs["model"], refs["lineage"]
    version.save()
    return version


def shard_jobs(case: Case) -> list[Job]:
    return [j for j in case.jobs.filter(kind="engine.unlearn").order_by("key") if j.shard is not None]


def run_shards(case: Case) -> None:
    """Every shard's own job ends, each with its part of the new lineage."""
    for job in shard_jobs(case):
        end(job, {"lineage": put_lineage({"r3": PLACES["r3"]}, facts={"part": job.shard})["lineage"]})


def to_release(walk, case, *, verdict="pass", **metrics):
    walk(case, Status.UNLEARNING)
    run_house_jobs(case)
    run_shards(case)
    end(engine_job(case, "unlearn"), without(["r1", "r2"]), **metrics)
    run_house_jobs(case)
    job = engine_job(case, "verify")
    finish(job, verification=verdict_document(job.plan, verdict))
    case.refresh_from_db()


def test_the_plan_says_before_the_run_what_is_trained_again(walk, case, base):
    walk(case, Status.UNLEARNING)
    plan = case.plans.get()
    assert plan.method == "sisa"
    assert plan.deletion["first_slices"] == {"0": 1, "1": 0}
    facts = LedgerOpening.objects.get(case=case, entry__action="plan.confirmed").body["deletion"]
    assert facts == {**plan.deletion, "joins_another": False}
    assert not any(name in str(facts) for name in PLACES)


def test_each_affected_shard_is_a_job_and_the_last_one_joins_them(walk, case, base):
    walk(case, Status.UNLEARNING)
    run_house_jobs(case)
    specs = [dispatch.read_json(job.spec) for job in shard_jobs(case)]
    assert [(s["method"], s["lineage"], s["shard"], s["dataset"]) for s in specs] == [
        ("sisa", base.lineage, 0, ""), ("sisa", base.lineage, 1, ""),
    ]  # fmt: skip
    first, second = shard_jobs(case)
    end(first, {"lineage": put_lineage({"r3": [1, 1]})["lineage"]})
    assert case.jobs.filter(kind="engine.unlearn").count() == 2
    end(second, {"lineage": put_lineage({"r2": [1, 0]})["lineage"]})
    joining = dispatch.read_json(engine_job(case, "unlearn").spec)
    assert joining["shard"] == -1
    assert joining["parts"] == [dispatch.read_json(j.result)["outputs"]["lineage"] for j in shard_jobs(case)]
    refs = without(["r1", "r2"])
    end(engine_job(case, "unlearn"), refs)
    case.refresh_from_db()
    candidate = case.plans.get().candidate
    assert (case.status, candidate.artifact, candidate.lineage) == (Status.VERIFICATION, refs["model"], refs["lineage"])
    assert {d.what for d in case.disposals.all()} == {"cache"} and case.disposals.count() == 2


def test_one_affected_shard_needs_no_joining(walk, case, catalogue, base):
    refs = put_lineage({"r1": [0, 0], "r2": [0, 1], "r3": [1, 0]})
    type(base).objects.filter(pk=base.pk).update(artifact=refs["model"], lineage=refs["lineage"])
    walk(case, Status.UNLEARNING)
    run_house_jobs(case)
    assert [j.shard for j in case.jobs.filter(kind="engine.unlearn")] == [None]


def test_a_shard_that_fails_spends_the_plan_and_stops_the_others(walk, case, base):
    walk(case, Status.UNLEARNING)
    run_house_jobs(case)
    first, second = shard_jobs(case)
    error = {"type": "DataError", "retryable": False, "messages": ["slice-01 was altered"]}
    jobs.job_fail(job_id=str(first.pk), attempt=0, error=error, then=FAILED)
    second.refresh_from_db()
    case.refresh_from_db()
    assert (second.state, case.status, case.plans.get().state) == ("cancelled", Status.PLANNING, Plan.State.FAILED)
    run_house_jobs(case)
    assert [p.method for p in case.plans.all()] == ["sisa", "retrain"]
    assert case.plans.last().deletion["first_slices"] == {"0": 0, "1": 0}


def test_a_shard_that_may_work_on_another_try_is_tried_again_alone(walk, case, base):
    walk(case, Status.UNLEARNING)
    run_house_jobs(case)
    first, second = shard_jobs(case)
    error = {"type": "DeviceError", "retryable": True, "messages": ["no memory"]}
    jobs.job_fail(job_id=str(first.pk), attempt=0, error=error, then=FAILED)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, first.attempt, second.state, second.attempt) == ("queued", 1, "queued", 0)


def test_cancelling_one_shard_stops_the_run(walk, case, base, people):
    walk(case, Status.UNLEARNING)
    run_house_jobs(case)
    first, second = shard_jobs(case)
    assert jobs.job_cancel(job=first, actor=people[Role.ENGINEER])
    second.refresh_from_db()
    assert second.state == "cancelled" and case.jobs.filter(state="queued").count() == 0
    first.refresh_from_db()
    jobs.job_retry(job=first, actor=people[Role.ENGINEER])
    assert [(j.state, j.attempt) for j in shard_jobs(case)] == [("queued", 1), ("queued", 1)]


def test_after_a_verdict_no_other_method_gives_the_same_bits_again(walk, case, base):
    to_release(walk, case, verdict="fail")
    run_house_jobs(case)
    assert case.plans.count() == 1
    assert (case.status, case.disposition) == (Status.REPORTING, Disposition.NOT_FULFILLED)


def test_a_lineage_that_still_holds_a_record_is_never_taken_over(walk, case, base):
    walk(case, Status.UNLEARNING)
    run_house_jobs(case)
    run_shards(case)
    job = engine_job(case, "unlearn")
    end(job, without(["r1"]))
    job.refresh_from_db()
    assert job.state == "failed" and "1 of the plan's records are still in" in str(job.error)
    assert case.plans.get().candidate is None


def test_a_record_that_the_lineage_never_had_is_not_planned(walk, case, base):
    refs = put_lineage({"r1": [0, 0], "r3": [1, 0]})
    type(base).objects.filter(pk=base.pk).update(artifact=refs["model"], lineage=refs["lineage"])
    walk(case, Status.PLANNING)
    run_house_jobs(case)
    assert "1 of 2 records are not in the lineage" in str(case.jobs.get(kind="plan").error)


def sign(case, people):
    for role in (Role.RELEASE, Role.LEGAL):
        release.release_sign(case=case, actor=people[role])
    for place in case.plans.last().base.deployments.all():
        release.deployment_record(deployment=place, state=place.State.REPLACED, case=case, actor=people[Role.RELEASE])
    release.release_finish(case=case, actor=people[Role.RELEASE])


def test_the_old_lineage_and_what_the_records_shaped_are_dated_and_deleted(walk, case, base, people):
    to_release(walk, case)
    sign(case, people)
    listed = {d.what: d for d in case.disposals.order_by("id")}
    assert listed["weights"].artifact == base.artifact and listed["lineage"].artifact == base.lineage
    gone = [d.artifact for d in case.disposals.filter(what="checkpoints")]
    # Shard 0 from slice 2, shard 1 from slice 1.
    assert sorted(gone) == sorted(
        dispatch.bytes_digest(text.encode()) for text in ("0 trained on r1", "1 trained on r2", "1 trained on r2,r3")
    )
    case.disposals.update(due_on=timezone.localdate() - timedelta(days=1))
    assert release.dispose_due() == case.disposals.count()
    store = dispatch.store()
    assert not any(store.exists(ref) for ref in (base.artifact, base.lineage, *gone))
    new = case.release.version
    assert store.exists(new.artifact) and store.exists(new.lineage)


def test_a_checkpoint_that_another_tree_still_lists_is_not_called_deleted(walk, case, base, people):
    to_release(walk, case)
    sign(case, people)
    copy = put_lineage(facts={"copy": True})["lineage"]
    case.disposals.update(due_on=timezone.localdate() - timedelta(days=1))
    release.dispose_due()
    assert dispatch.store().exists(copy)
    assert case.disposals.filter(what="checkpoints", deleted_at=None).count() == 3
    assert case.disposals.filter(what="lineage", deleted_at=None).count() == 0


def test_the_whole_claim_fulfils_and_a_narrower_one_fulfils_in_part(walk, case, base, people):
    to_release(walk, case)
    sign(case, people)
    assert case.disposition == Disposition.FULFILLED
    plan = case.plans.get()
    made = dossier.document(case, number="LR-1", issued_at=timezone.now())["attempts"][0]["deletion"]
    assert made["claim"]["code"] == "exact" and made["lineage_before"] == plan.deletion["lineage"]
    assert made["records_left_out"] == 2 and made["retrained"][0] == {"shard": 0, "first_slice": 2, "slices": 2}


@pytest.mark.parametrize("made", [claim("exact_for_adapters"), claim("of_a_kind_not_known"), None])
def test_a_claim_that_is_not_whole_is_never_fulfilled(walk, case, base, people, made):
    to_release(walk, case, claim=made)
    sign(case, people)
    assert case.disposition == Disposition.PARTLY


def test_versions_in_use_are_not_deleted_under_the_name_of_a_rejected_double(walk, case, base, people):
    to_release(walk, case)
    sign(case, people)
    new = case.release.version
    double = type(new).objects.create(
        model=new.model, revision=99, artifact=new.artifact, method="sisa", state="rejected"
    )
    case.disposals.create(version=double, what="weights", artifact=new.artifact, due_on=timezone.localdate())
    release.dispose_due()
    assert dispatch.store().exists(new.artifact)


def test_a_plan_is_refused_where_the_run_left_no_lineage(walk, case, base):
    walk(case, Status.UNLEARNING)
    run_house_jobs(case)
    run_shards(case)
    job = engine_job(case, "unlearn")
    end(job, {"model": dispatch.put_bytes(b"weights alone")})
    job.refresh_from_db()
    assert "left no lineage" in str(job.error)
