"""Forecasts are written down before a run, settled by what it took, scored, and correct the next one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from governance import dispatch
from governance.models import Forecast, Job, Plan, Role, Status
from governance.selectors import forecasts as select
from governance.services import candidates, jobs
from tests.governance import conftest
from tests.governance.conftest import engine_job, finish, run_house_jobs, verdict_document

pytestmark = pytest.mark.database
GPU = "NVIDIA H200"


@pytest.fixture
def sized(monkeypatch):
    """As if the released version were a model of 657,024 parameters in two layers, trained for 12 epochs."""
    found = ({"parameters": 657_024, "layers": 2, "epochs": 12.0}, True)
    monkeypatch.setattr(candidates, "_model", lambda artifact: found)


def end(job: Job, seconds: float, device: str = "cpu", **outputs: bytes) -> None:
    refs = {name: dispatch.put_bytes(data) for name, data in outputs.items()}
    result = {"outputs": refs, "metrics": {}, "verb": job.kind, "seconds": seconds, "environment": {"device": device}}
    ref = dispatch.put_bytes(dispatch.canonical_text(result).encode())
    assert jobs.job_start(job_id=str(job.pk), attempt=job.attempt)
    jobs.job_succeed(job_id=str(job.pk), attempt=job.attempt, result=ref, summary={}, then=conftest.DONE)


def test_a_run_and_its_verification_are_forecast_and_settled(sized, walk, case):
    walk(case, Status.UNLEARNING)
    run_house_jobs(case)
    run = case.plans.get().forecasts.get()
    assert (run.method, run.device, run.actual) == ("retrain", "cpu", None)  # of three records it is the cheapest
    cost = case.plans.get().ranking["candidates"][0]["cost"]
    assert run.seconds == run.reckoned == cost["seconds"]
    end(engine_job(case, "unlearn"), 12.5, GPU, model=b"made")
    case.refresh_from_db()
    run_house_jobs(case)
    job = engine_job(case, "verify")
    end(job, 40.0, GPU, verification=verdict_document(job.plan, "pass"))
    told = {one.method: (one.actual, one.device) for one in Forecast.objects.all()}
    assert told == {"retrain": (12.5, GPU), Forecast.VERIFY: (40.0, GPU)}
    assert {one.job.kind for one in select.rows()} == {"engine.unlearn", "engine.verify"}


def settled(plan: Plan, method: str, reckoned: float, told: float, actual: float, device: str = "cpu") -> Forecast:
    return Forecast.objects.create(
        plan=plan, method=method, device=device, reckoned=reckoned, seconds=told, actual=actual
    )


@pytest.fixture
def plans(walk, case) -> list[Plan]:
    """A few plans to hang forecasts on."""
    walk(case, Status.PLANNING)
    run_house_jobs(case)
    first = case.plans.get()
    return [first, *(_copy(first, number) for number in (2, 3, 4))]


def _copy(plan: Plan, attempt: int) -> Plan:
    copy = Plan.objects.get(pk=plan.pk)
    copy.pk, copy.attempt, copy.state = None, attempt, Plan.State.FAILED
    copy.save()
    return copy


def test_the_next_forecast_is_corrected_by_the_median_of_its_method_and_device(plans):
    for plan, actual in zip(plans, (10, 30, 20, 900), strict=True):
        settled(plan, "graddiff", 10, 10, actual, device="cpu" if actual < 900 else GPU)
    settled(plans[0], "retrain", 10, 10, 40)
    settled(plans[0], Forecast.VERIFY, 10, 10, 5)
    found = select.ratios("cpu")
    assert found.median == {"graddiff": 2.0, "retrain": 4.0, "": 2.5, Forecast.VERIFY: 0.5}
    assert found.runs == {"graddiff": 3, "retrain": 1, "": 4, Forecast.VERIFY: 1}
    assert select.ratios(GPU).median["graddiff"] == 90


def test_what_was_learnt_stands_in_the_next_plan(sized, walk, case, plans):
    settled(plans[0], "graddiff", 10, 10, 20)
    ranking = candidates.rank(plans[0], [])
    one = next(one for one in ranking.candidates if one.method == "graddiff")
    assert one.cost.seconds == pytest.approx(2 * one.cost.reckoned)
    assert "corrected by 2.00, the median of past runs (1)" in " ".join(why.text for why in one.why)
    other = next(one for one in ranking.candidates if one.method == "npo")
    assert other.cost.correction == 2.0


def test_the_score_says_by_which_factor_forecasts_are_off(plans):
    assert select.score() is None
    for plan, actual in zip(plans, (20, 40, 10, 20), strict=True):
        settled(plan, "graddiff", reckoned=10, told=20, actual=actual)
    found = select.score("cpu")
    assert found.runs == 4 and found.told == pytest.approx(2**0.5) and found.reckoned == pytest.approx(2.0)
    assert select.score(GPU) is None


def test_a_plan_whose_cost_is_not_known_has_no_forecast(walk, case):
    walk(case, Status.RELEASE, verdicts=("pass",))
    assert not Forecast.objects.exists()


def test_seconds_come_from_the_job_where_the_engine_does_not_say(sized, walk, case):
    walk(case, Status.UNLEARNING)
    run_house_jobs(case)
    finish(engine_job(case, "unlearn"), model=b"made")
    assert case.plans.get().forecasts.get().actual > 0


def test_what_was_spent_counts_against_the_budget_that_was_fixed_before(settings, sized, walk, case):
    settings.PLAN_HOUSE = {**settings.PLAN_HOUSE, "seconds": 1000.0}
    walk(case, Status.VERIFICATION)
    job = case.jobs.get(kind="engine.unlearn")
    Job.objects.filter(pk=job.pk).update(started_at=job.finished_at - timedelta(days=365))
    walk(case, Status.PLANNING, verdicts=("fail",))
    run_house_jobs(case)
    assert case.status == Status.REPORTING and case.plans.count() == 1


def test_the_score_is_on_the_plan_tab_for_whoever_may_see_jobs(sized, plans, case, people, client):
    settled(plans[0], "graddiff", 10, 10, 20)
    address = reverse("case", args=[case.public_id]) + "?tab=plan"
    client.force_login(people[Role.ENGINEER].user)
    page = client.get(address).content.decode()
    assert "Forecast and what it took" in page and "off by a factor of 2.00" in page
    client.force_login(people[Role.RELEASE].user)
    assert "Forecast and what it took" in client.get(address).content.decode()


def test_a_model_s_size_and_its_records_are_read_from_the_store(catalogue, walk, case, settings, tmp_path):
    settings.ARTIFACTS_URL = str(tmp_path / "store")
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"num_hidden_layers": 2}')
    (folder / "recipe.json").write_text('{"config": {"epochs": 3}}')
    ref = dispatch.store().put(folder)
    assert candidates._model(ref) == ({"layers": 2, "epochs": 3.0}, True)
    assert candidates._record_tokens(dispatch.put_rows([{"id": "a", "text": "12345678"}])) == 2.0
    assert candidates._record_tokens(ref) == 0.0


def test_a_version_without_a_recipe_cannot_be_retrained(monkeypatch, walk, case):
    monkeypatch.setattr(candidates, "_model", lambda artifact: ({}, False))
    walk(case, Status.PLANNING)
    run_house_jobs(case)
    refused = {one["method"]: one["why"] for one in case.plans.get().ranking["refused"]}
    assert refused["retrain"]["values"] == {"needs": "training recipe"}
