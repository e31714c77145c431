"""Cases whose erasures wait for the same version are deleted in one pass; each keeps its plan, verdict and report."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.urls import reverse

from governance import dispatch
from governance.errors import Conflict
from governance.evidence import schema
from governance.models import Case, Job, LedgerOpening, Plan, Role, Status
from governance.services import dossier, jobs, release, unlearning
from tests.governance import conftest
from tests.governance.conftest import POEM, engine_job, file_case, finish, run_house_jobs, sign_plan, verdict_document
from tests.governance.lineage_example import PLACES, end, put_lineage, without
from tests.governance.staff import member

pytestmark = pytest.mark.database


@pytest.fixture(autouse=True)
def _own_store(settings, tmp_path):
    settings.ARTIFACTS_URL = str(tmp_path / "store")


@pytest.fixture
def base(catalogue):
    """The released version, with a lineage of four records: r4 belongs to neither case."""
    version, refs = catalogue["released"], put_lineage({**PLACES, "r4": [0, 0]})
    version.artifact, version.lineage = refs["model"], refs["lineage"]
    version.save()
    return version


@pytest.fixture
def other(monkeypatch, walk, case, base) -> Case:
    """A second case, about r3; both wait for their plan to be confirmed."""
    walk(case, Status.PLANNING)
    run_house_jobs(case)
    hit = {"item": "", "record": "r3", "subject": "b", "method": "exact", "score": 1.0, "excerpt": POEM}
    monkeypatch.setattr(conftest, "HITS", [hit])
    second = walk(file_case(email="b@house.example"), Status.PLANNING)
    run_house_jobs(second)
    return second


def confirm(case: Case, people) -> Plan:
    plan = sign_plan(case, people)
    case.refresh_from_db()
    run_house_jobs(case)
    return plan


def run(case: Case, gone=("r1", "r2", "r3")) -> None:
    """The leading case's shards and its joining job end."""
    for job in case.jobs.filter(kind="engine.unlearn", state="queued").order_by("key"):
        end(job, {"lineage": put_lineage({"r4": [0, 0]}, facts={"part": job.shard})["lineage"]})
    end(engine_job(case, "unlearn"), without(gone, {**PLACES, "r4": [0, 0]}), forgotten_records=3)
    case.refresh_from_db()


def judge(case: Case, verdict: str) -> None:
    run_house_jobs(case)
    job = engine_job(case, "verify")
    finish(job, verification=verdict_document(job.plan, verdict))
    case.refresh_from_db()


def test_a_plan_that_waits_takes_the_newer_case_into_its_pass(case, other):
    plan, newer = case.plans.get(), other.plans.get()
    assert (plan.deletion["cases"], plan.deletion["records"]) == (2, 3)
    assert plan.deletion["passes"] == newer.deletion["passes"] < plan.deletion["one_by_one_passes"]
    assert dispatch.read_lines(plan.exclude_ids) == ["r3"] and dispatch.read_lines(newer.exclude_ids) == ["r1", "r2"]
    assert LedgerOpening.objects.filter(case=case, entry__action="plan.extended").count() == 1


@pytest.mark.parametrize("late", [False, True])
def test_the_second_case_rides_along_and_is_judged_by_its_own_records(case, other, people, late):
    confirm(case, people)
    if late:
        run(case)
    plan = confirm(other, people)
    if not late:
        assert other.status == Status.UNLEARNING
        run(case)
    other.refresh_from_db()
    plan.refresh_from_db()
    assert plan.leader == case.plans.get() and plan.candidate == case.plans.get().candidate
    assert not other.jobs.filter(kind="engine.unlearn").exists()
    assert (case.status, other.status) == (Status.VERIFICATION, Status.VERIFICATION)
    for one, wanted in ((case, ["r1", "r2"]), (other, ["r3"])):
        run_house_jobs(one)
        assert dispatch.read_lines(dispatch.read_json(engine_job(one, "verify").spec)["forget_ids"]) == wanted


@pytest.mark.parametrize("state", ["cancelled", "failed"])
def test_a_case_whose_shared_run_stopped_says_so_with_what_to_do(case, other, people, client, state):
    confirm(case, people)
    confirm(other, people)
    user = member("shared.run@house.example", role=Role.LEGAL)
    client.force_login(user)
    address, queue = reverse("case", args=[other.public_id]), reverse("cases")
    assert f"The run of case {case.number} deletes" in client.get(address).content.decode()
    assert other.number not in client.get(queue, {"view": "stopped"}).content.decode()
    shards = case.jobs.filter(kind="engine.unlearn")
    shards.update(state=state, error={"type": "Killed", "messages": ["out of memory"]} if state == "failed" else {})
    job = shards.latest("created_at")
    page = client.get(address).content.decode()
    assert f"rides along with the run of case {case.number}" in page and "it is run again by" in page
    assert reverse("job", args=[job.pk]) in page and "deletes the records of this case too" not in page
    listed = client.get(queue, {"view": "stopped"}).content.decode()
    assert other.number in listed and case.number in listed
    today = client.get(reverse("today"), {"of": "desk"}).content.decode()
    assert f"rides along with the run of case {case.number}" in today
    client.force_login(member("shared.engineer@house.example", role=Role.ENGINEER))
    assert other.number in client.get(queue, {"view": "waiting"}).content.decode()
    jobs.job_retry(job=job, actor=people[Role.ENGINEER])
    assert f"The run of case {case.number} deletes" in client.get(address).content.decode()
    assert other.number not in client.get(queue, {"view": "stopped"}).content.decode()


def test_what_rides_along_is_told_by_the_method_of_the_pass(case, other, people):
    confirm(case, people)
    why = "Its checkpoints may be damaged."
    plan = sign_plan(other, people, method="retrain", reason=why)
    assert (plan.leader, plan.method) == (case.plans.get(), "sisa")


def test_a_whole_retraining_that_is_chosen_is_worked_out_anew(case, base, walk, people):
    walk(case, Status.PLANNING)
    run_house_jobs(case)
    before = case.plans.get().deletion["first_slices"]
    plan = sign_plan(case, people, method="retrain", reason="Damaged.")
    assert plan.deletion["first_slices"] == {"0": 0, "1": 0} != before


def test_both_are_released_each_by_its_own_two_signatures(case, other, people):
    confirm(case, people)
    confirm(other, people)
    run(case)
    other.refresh_from_db()
    for one in (other, case):
        judge(one, "pass")
        for role in (Role.RELEASE, Role.LEGAL):
            release.release_sign(case=one, actor=people[role])
        for place in one.plans.get().base.deployments.exclude(state="replaced"):
            release.deployment_record(
                deployment=place, state=place.State.REPLACED, case=one, actor=people[Role.RELEASE]
            )
        release.release_finish(case=one, actor=people[Role.RELEASE])
        assert one.disposition == "fulfilled"
    assert case.release.version == other.release.version
    for one in (case, other):
        listed = dossier.document(one, number="LR-1", issued_at=datetime.now(UTC))["disposals"]
        assert {item["what"] for item in listed} >= {"weights", "lineage", "checkpoints"}
    document = dossier.document(other, number="LR-1", issued_at=datetime.now(UTC))
    schema.validate(document)
    attempt = document["attempts"][0]
    assert attempt["deletion"]["cases_in_pass"] == 2 and "one pass" in attempt["note"]


def test_one_case_that_fails_its_verdict_takes_nothing_from_the_other(case, other, people):
    confirm(case, people)
    confirm(other, people)
    run(case)
    other.refresh_from_db()
    judge(case, "fail")
    judge(other, "pass")
    candidate = other.plans.get().candidate
    assert candidate.state == "candidate" and (case.status, other.status) == (Status.PLANNING, Status.RELEASE)
    assert [p.state for p in (case.plans.get(), other.plans.get())] == [Plan.State.FAILED, Plan.State.PASSED]


def test_a_candidate_that_every_case_rejects_is_rejected(case, other, people):
    confirm(case, people)
    confirm(other, people)
    run(case)
    other.refresh_from_db()
    judge(case, "fail")
    judge(other, "fail")
    assert other.plans.get().candidate.state == "rejected"


def test_a_pass_that_breaks_sends_every_case_back(case, other, people):
    confirm(case, people)
    confirm(other, people)
    job = Job.objects.filter(plan=case.plans.get(), kind="engine.unlearn").first()
    error = {"type": "DataError", "retryable": False, "messages": ["altered"]}
    jobs.job_fail(job_id=str(job.pk), attempt=0, error=error, then={"engine.unlearn": unlearning.unlearning_fail})
    for one in (case, other):
        one.refresh_from_db()
        assert (one.status, one.plans.get().state) == (Status.PLANNING, Plan.State.FAILED)


def test_a_case_that_the_running_pass_does_not_cover_waits_for_its_result(monkeypatch, walk, case, base, people):
    walk(case, Status.UNLEARNING)
    run_house_jobs(case)
    hit = {"item": "", "record": "r3", "subject": "b", "method": "exact", "score": 1.0, "excerpt": POEM}
    monkeypatch.setattr(conftest, "HITS", [hit])
    late = walk(file_case(email="b@house.example"), Status.PLANNING)
    run_house_jobs(late)
    with pytest.raises(Conflict, match=f"Case {case.number} is deleting records"):
        sign_plan(late, people)
    run(case, gone=("r1", "r2"))
    judge(case, "pass")
    for role in (Role.RELEASE, Role.LEGAL):
        release.release_sign(case=case, actor=people[role])
    plan = late.plans.get()
    assert plan.base == case.release.version and plan.deletion["first_slices"] == {"1": 1}
    assert plan.deletion["records"] == 1
    assert confirm(late, people).leader is None


def test_what_an_earlier_case_had_deleted_is_not_deleted_twice(monkeypatch, walk, case, base, people):
    both = conftest.HITS
    monkeypatch.setattr(conftest, "HITS", both[:1])
    walk(case, Status.UNLEARNING)
    run_house_jobs(case)
    end(engine_job(case, "unlearn"), without(["r1"], {**PLACES, "r4": [0, 0]}), forgotten_records=1)
    case.refresh_from_db()
    judge(case, "pass")
    for role in (Role.RELEASE, Role.LEGAL):
        release.release_sign(case=case, actor=people[role])
    monkeypatch.setattr(conftest, "HITS", both)
    later = walk(file_case(email="b@house.example"), Status.UNLEARNING)
    plan = later.plans.get()
    assert plan.forget_count == 2 and plan.deletion["records"] == 1 and plan.deletion["first_slices"] == {"1": 0}
    run_house_jobs(later)
    spec = dispatch.read_json(engine_job(later, "unlearn").spec)
    assert dispatch.read_lines(spec["forget_ids"]) == ["r2"]
    end(engine_job(later, "unlearn"), without(["r1", "r2"], {**PLACES, "r4": [0, 0]}), forgotten_records=1)
    assert set(dispatch.read_lines(later.plans.get().candidate.excluded)) == {"r1", "r2"}


def test_a_record_that_is_gone_is_found_with_the_pass_that_deleted_it(monkeypatch, walk, case, other, people):
    confirm(case, people)
    run(case)
    judge(case, "pass")
    for role in (Role.RELEASE, Role.LEGAL):
        release.release_sign(case=case, actor=people[role])
    plan = other.plans.get()
    assert plan.base == case.plans.get().base and plan.state == Plan.State.PROPOSED
    assert confirm(other, people).leader == case.plans.get() and other.status == Status.VERIFICATION
