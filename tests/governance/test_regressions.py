"""A later version is asked about every earlier case; what came back opens a case, and its report is contradicted."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance import dispatch, tasks
from governance.models import (
    Case,
    Channel,
    Deployment,
    Job,
    LedgerOpening,
    ModelVersion,
    Proof,
    Recheck,
    Record,
    Role,
    Status,
)
from governance.models.vault import subject_destroy
from governance.policies import Actor
from governance.services import catalogue as register
from governance.services import jobs, regressions, release
from governance.tokens import link_token
from tests.governance.conftest import verdict_document

S = Recheck.State


@pytest.fixture
def closed(walk: Any, case: Case, people: dict[Role, Actor], catalogue: dict[str, Any]) -> Case:
    """A case that ended with a released version, and the version."""
    walk(case, Status.RELEASE)
    for role in (Role.RELEASE, Role.LEGAL):
        release.release_sign(case=case, actor=people[role])
    place = Deployment.objects.get()
    release.deployment_record(deployment=place, state=place.State.REPLACED, case=case, actor=people[Role.RELEASE])
    release.release_finish(case=case, actor=people[Role.RELEASE])
    Case.objects.filter(pk=case.pk).update(status=Status.CLOSED, closed_at=timezone.now())
    case.refresh_from_db()
    return case


@pytest.fixture
def later(closed: Case, catalogue: dict[str, Any], people: dict[Role, Actor]) -> ModelVersion:
    """A version that an engineer registers afterwards."""
    return register.version_register(
        model="Lumen",
        artifact=dispatch.put_bytes(b"weights of another training"),
        method="train",
        datasets=[catalogue["data"]],
        state=ModelVersion.State.RELEASED,
        actor=people[Role.ENGINEER],
    )


def begun() -> Job:
    assert regressions.rechecks_plan() == 1 and regressions.recheck_next() == 1
    return Job.objects.get(kind=regressions.KIND)


def ended(job: Job, verdict: str, *codes: str) -> Recheck:
    """The engine's answer, with findings of these codes beside the verdict's own."""
    assert job.plan
    document = json.loads(verdict_document(job.plan, verdict))
    document["findings"] = [{"code": code, "outcome": "fail", "data": {"probe": "exact_value"}} for code in codes]
    refs = {"verification": dispatch.put_bytes(json.dumps(document).encode())}
    result = dispatch.put_bytes(json.dumps({"outputs": refs, "metrics": {}, "verb": "verify"}).encode())
    assert jobs.job_start(job_id=str(job.pk), attempt=job.attempt)
    jobs.job_succeed(job_id=str(job.pk), attempt=job.attempt, result=result, summary={}, then=tasks.DONE)
    return Recheck.objects.get()


def test_no_later_version_asks_for_nothing(closed: Case) -> None:
    assert regressions.rechecks_plan() == 0


def test_a_later_version_is_asked_with_the_cases_own_sets_reference_and_policy(
    closed: Case, later: ModelVersion
) -> None:
    Record.objects.filter(record_id="r3").update(quarantined_at=timezone.now())
    job, plan = begun(), closed.plans.get(state="passed")
    spec, first = dispatch.read_json(job.spec), dispatch.read_json(plan.verification.job.spec)
    assert spec["candidate"] == later.artifact and spec["verb"] == "verify"
    same = ("original", "reference", "dataset", "forget_ids", "controls", "policy", "seed")
    assert {name: spec[name] for name in same} == {name: first[name] for name in same}
    assert dispatch.read_lines(spec["exclude_ids"]) == ["r3"]


def test_the_same_pair_is_asked_once(closed: Case, later: ModelVersion) -> None:
    begun()
    assert regressions.rechecks_plan() == 0 and regressions.recheck_next() == 0


def test_other_work_of_the_engine_goes_first_but_not_for_ever(closed: Case, later: ModelVersion) -> None:
    Job.objects.create(key="engine.unlearn:other", kind="engine.unlearn", queue="gpu")
    assert regressions.rechecks_plan() == 1 and regressions.recheck_next() == 0
    Recheck.objects.update(created_at=timezone.now() - regressions.PATIENCE - timedelta(minutes=1))
    assert regressions.recheck_next() == 1


def test_what_held_is_listed_and_opens_nothing(closed: Case, later: ModelVersion) -> None:
    row = ended(begun(), "pass")
    assert (row.state, row.child, Case.objects.count()) == (S.HELD, None, 1)
    assert LedgerOpening.objects.filter(case=closed, entry__action="recheck.finished").exists()


def test_what_came_back_opens_a_case_with_the_finding_and_tells_the_legal_desk_and_the_claimant(
    closed: Case, later: ModelVersion, mailoutbox: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        row = ended(begun(), "fail", "beyond_margin")
    child = row.child
    assert row.state == S.REGRESSED and child
    assert (child.parent, child.status, child.channel) == (closed, Status.REVIEW, Channel.HOUSE)
    assert child.received_on == timezone.localdate() and child.claimant == closed.claimant
    assert [i.text for i in child.items.all()] == [i.text for i in closed.items.all()]
    assert set(Proof.objects.filter(case=child).values_list("level", flat=True)) == {1, 3}
    opening = LedgerOpening.objects.get(case=child, entry__action="case.reopened")
    assert (opening.body["verdict"], opening.body["document"]) == ("fail", row.artifact)
    told = {address: mail for mail in mailoutbox for address in mail.to}
    assert closed.number in told["legal@house.example"].subject
    assert "Marun" not in told["legal@house.example"].body
    assert child.number in told["vel@marun.example"].body


def test_the_child_goes_the_usual_way(closed: Case, later: ModelVersion, people: dict[Role, Actor], walk: Any) -> None:
    child = ended(begun(), "fail", "survivors").child
    assert child
    ModelVersion.objects.filter(state="released").exclude(pk=later.pk).update(state="retired")
    walk(child, Status.UNLEARNING)
    assert child.plans.get().base == later


@pytest.mark.parametrize(
    ("verdict", "codes"),
    [("inconclusive", ()), ("bad_input", ()), ("damaged", ()), ("fail", ("utility_below_floor",))],
)
def test_what_is_not_shown_to_have_come_back_is_listed_and_never_opens(
    closed: Case, later: ModelVersion, verdict: str, codes: tuple[str, ...]
) -> None:
    row = ended(begun(), verdict, *codes)
    assert (row.state, row.verdict, Case.objects.count()) == (S.INCONCLUSIVE, verdict, 1)


def test_a_damaged_version_in_which_something_came_back_opens_too(closed: Case, later: ModelVersion) -> None:
    assert ended(begun(), "damaged", "beyond_margin").state == S.REGRESSED


def test_a_second_regression_joins_the_case_that_is_open(
    closed: Case, later: ModelVersion, catalogue: dict[str, Any], people: dict[Role, Actor]
) -> None:
    first = ended(begun(), "fail", "beyond_margin").child
    register.version_register(
        model="Lumen", artifact=dispatch.put_bytes(b"once more"), method="train", datasets=[catalogue["data"]],
        state=ModelVersion.State.RELEASED, actor=people[Role.ENGINEER],
    )  # fmt: skip
    Recheck.objects.all().delete()
    ModelVersion.objects.filter(pk=later.pk).update(state="retired")
    Job.objects.filter(kind=regressions.KIND).delete()
    Recheck.objects.create(plan=closed.plans.get(state="passed"), version=later, state=S.REGRESSED, child=first)
    assert regressions.rechecks_plan() == 1 and regressions.recheck_next() == 1
    ended_now = Job.objects.get(kind=regressions.KIND)
    document = json.loads(verdict_document(ended_now.plan, "fail"))
    document["findings"] = [{"code": "beyond_margin", "outcome": "fail", "data": {}}]
    refs = {"verification": dispatch.put_bytes(json.dumps(document).encode())}
    result = dispatch.put_bytes(json.dumps({"outputs": refs, "metrics": {}}).encode())
    jobs.job_start(job_id=str(ended_now.pk), attempt=0)
    jobs.job_succeed(job_id=str(ended_now.pk), attempt=0, result=result, summary={}, then=tasks.DONE)
    assert set(Recheck.objects.values_list("child", flat=True)) == {first.pk if first else 0}
    assert Case.objects.count() == 2


def test_a_case_whose_old_weights_are_gone_is_listed_as_not_checkable(closed: Case, later: ModelVersion) -> None:
    dispatch.discard(closed.plans.get(state="passed").base.artifact)
    assert regressions.rechecks_plan() == 1 and regressions.recheck_next() == 0
    row = Recheck.objects.get()
    assert row.state == S.IMPOSSIBLE and "version before" in row.reason


def test_probes_that_break_or_are_cancelled_do_not_hold_up_the_others(closed: Case, later: ModelVersion) -> None:
    job = begun()
    jobs.job_fail(job_id=str(job.pk), attempt=0, error={"type": "DataError", "retryable": False}, then=tasks.FAILED)
    row = Recheck.objects.get()
    assert row.state == S.INCONCLUSIVE and row.reason
    Recheck.objects.update(state=S.RUNNING)
    Job.objects.filter(pk=job.pk).update(state=Job.State.CANCELLED)
    regressions.recheck_next()
    row.refresh_from_db()
    assert row.state == S.INCONCLUSIVE


def test_probes_judged_by_another_policy_conclude_nothing(closed: Case, later: ModelVersion) -> None:
    job = begun()
    document = json.loads(verdict_document(job.load_plan(), "fail"))
    document["policy_digest"] = "sha256:" + "3" * 64
    refs = {"verification": dispatch.put_bytes(json.dumps(document).encode())}
    result = dispatch.put_bytes(json.dumps({"outputs": refs, "metrics": {}}).encode())
    jobs.job_start(job_id=str(job.pk), attempt=0)
    jobs.job_succeed(job_id=str(job.pk), attempt=0, result=result, summary={}, then=tasks.DONE)
    regressions.recheck_next()
    assert Recheck.objects.get().state == S.INCONCLUSIVE and Case.objects.count() == 1


def test_an_erased_person_leaves_a_finding_without_a_case(
    closed: Case, later: ModelVersion, mailoutbox: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    subject_destroy(closed.claimant.subject)
    with django_capture_on_commit_callbacks(execute=True):
        row = ended(begun(), "fail", "beyond_margin")
    assert (row.state, row.child) == (S.REGRESSED, None)
    assert any("no case could be opened" in mail.body for mail in mailoutbox)


def test_the_claimants_page_contradicts_the_report(client: Client, closed: Case, later: ModelVersion) -> None:
    token = link_token(closed.public_id, "status")
    page = client.get(reverse("status", args=[token])).content.decode()
    assert "2 erased from the models" in page and "to be erased" not in page
    child = ended(begun(), "fail", "beyond_margin").child
    assert child
    page = client.get(reverse("status", args=[token])).content.decode()
    assert "did not stand the tests" in page and child.number in page
    mine = client.get(reverse("status", args=[link_token(child.public_id, "status")])).content.decode()
    assert "We opened the case again" in mine
