"""A case's plan comes from the planner: its ranking is kept, a person may choose, and the budget ends it honestly."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance import dispatch
from governance.errors import Unfit
from governance.evidence import schema
from governance.models import Disposition, LedgerOpening, Plan, Role, Status
from governance.policies import Actor
from governance.services import dossier, planning
from tests.governance.conftest import engine_job, finish, run_house_jobs, sign_plan, verdict_document
from tests.governance.staff import sign_in_to_decide

pytestmark = pytest.mark.database
WHY = "Retraining is cheap at this size."


def body(case, action: str) -> dict:
    return LedgerOpening.objects.filter(case=case, entry__action=action).last().body


@pytest.fixture
def proposed(walk, case) -> Plan:
    """A plan that waits for the engineer."""
    walk(case, Status.PLANNING)
    run_house_jobs(case)
    return case.plans.get()


def test_the_ranking_and_the_budget_are_in_the_ledger_before_the_run(case, proposed):
    assert proposed.method == proposed.ranking["candidates"][0]["method"] == "graddiff"
    told = body(case, "plan.proposed")
    assert told["candidates"] == [one["method"] for one in proposed.ranking["candidates"]]
    assert told["ranking"] == dispatch.digest(proposed.ranking) and told["budget"]["attempts"] == 2


def test_every_candidate_says_why_and_every_other_method_why_not(proposed):
    found = proposed.ranking
    names = [one["method"] for one in (*found["candidates"], *found["refused"])]
    assert sorted(names) == sorted(dispatch.METHODS)
    assert all(one["why"] and one["risk"] for one in found["candidates"])


def test_the_engineer_may_choose_another_way_with_a_reason(case, proposed, people):
    plan = sign_plan(case, people, method="retrain", reason=WHY)
    assert (plan.method, plan.state) == ("retrain", Plan.State.CONFIRMED)
    chosen = body(case, "plan.chosen")
    assert chosen == {"attempt": 1, "method": "retrain", "instead_of": "graddiff", "why": WHY}
    assert body(case, "plan.confirmed")["method"] == "retrain"
    run_house_jobs(case)
    assert dispatch.read_json(engine_job(case, "unlearn").spec)["method"] == "retrain"


@pytest.mark.parametrize(("method", "reason"), [("retrain", " "), ("sisa", WHY), ("prayer", WHY)])
def test_without_a_reason_or_out_of_the_candidates_nothing_is_chosen(case, proposed, people, method, reason):
    with pytest.raises(Unfit):
        sign_plan(case, people, method=method, reason=reason)
    proposed.refresh_from_db()
    assert (proposed.method, proposed.state) == ("graddiff", Plan.State.PROPOSED)


def test_the_budget_of_the_first_plan_holds_whatever_is_configured_later(settings, walk, case, people):
    settings.PLAN_HOUSE = {**settings.PLAN_HOUSE, "attempts": 1}
    walk(case, Status.PLANNING)
    run_house_jobs(case)
    assert case.plans.get().method == "retrain"
    sign_plan(case, people, method="graddiff", reason=WHY)
    case.refresh_from_db()
    walk(case, Status.VERIFICATION)
    settings.PLAN_HOUSE = {**settings.PLAN_HOUSE, "attempts": 9}
    walk(case, Status.PLANNING, verdicts=("fail",))
    run_house_jobs(case)
    assert (case.status, case.disposition, case.plans.count()) == (Status.REPORTING, Disposition.NOT_FULFILLED, 1)
    assert "All attempts are used up" in body(case, "model.withdrawal_proposed")["why"]


def test_with_more_attempts_something_stronger_is_tried_before_retraining(settings, walk, case):
    settings.PLAN_HOUSE = {**settings.PLAN_HOUSE, "attempts": 3}
    walk(case, Status.VERIFICATION)
    walk(case, Status.PLANNING, verdicts=("fail",))
    walk(case, Status.VERIFICATION)
    walk(case, Status.PLANNING, verdicts=("inconclusive",))
    walk(case, Status.RELEASE, verdicts=("pass",))
    methods = [plan.method for plan in case.plans.all()]
    assert len(set(methods)) == 3 and methods[0] == "graddiff" and methods[-1] == "retrain"


def test_where_nothing_is_left_the_withdrawal_of_the_model_is_proposed_to_people(walk, case, catalogue, people):
    walk(case, Status.VERIFICATION)
    for _attempt in (1, 2):
        walk(case, Status.PLANNING, verdicts=("fail",))
        run_house_jobs(case)
        if case.status == Status.PLANNING:
            walk(case, Status.VERIFICATION)
    told = body(case, "model.withdrawal_proposed")
    assert told["version"] == catalogue["released"].artifact and told["places"] == 1
    assert told["attempts"] == [["graddiff", "fail"], ["retrain", "fail"]] and "second look" in told["why"]
    page = client(people[Role.ENGINEER]).get(reverse("case", args=[case.public_id]) + "?tab=plan").content.decode()
    assert "Proposed to people: withdraw Lumen rev. 1" in page and "second look" in page
    assert "proposed to withdraw Lumen rev. 1" in page


def test_where_no_method_can_run_at_all_the_report_says_so(settings, walk, case):
    settings.PLAN_HOUSE = {**settings.PLAN_HOUSE, "methods": ["sisa"]}
    walk(case, Status.PLANNING)
    run_house_jobs(case)
    assert (case.status, case.disposition, case.plans.count()) == (Status.REPORTING, Disposition.NOT_FULFILLED, 0)
    assert body(case, "model.withdrawal_proposed")["attempts"] == []
    document = dossier.document(case, number="LR-1", issued_at=timezone.now())
    schema.validate(document)
    assert document["case"]["reason"] == "No plan could be made. No method is left that can run."


def test_the_same_weights_are_never_judged_twice(walk, case):
    walk(case, Status.VERIFICATION)
    walk(case, Status.PLANNING, verdicts=("fail",))
    walk(case, Status.UNLEARNING)
    run_house_jobs(case)
    first = case.plans.get(attempt=1).candidate
    finish(engine_job(case, "unlearn"), model=dispatch.read_bytes(first.artifact))
    run_house_jobs(case)
    job = case.jobs.filter(kind="verify").latest("created_at")
    assert job.state == "failed" and "not looked at twice" in str(job.error)
    assert not case.jobs.filter(kind="engine.verify", state="queued").exists()


def client(actor: Actor) -> Client:
    made = Client()
    sign_in_to_decide(made, actor.user)
    return made


def test_the_plan_tab_shows_the_ways_with_cost_risk_deadline_and_reason(case, proposed, people):
    page = client(people[Role.ENGINEER]).get(reverse("case", args=[case.public_id]) + "?tab=plan").content.decode()
    for text in ("Ways that were weighed", "Relearning brought it back in 4 of 4", "cannot be gone, and why",
                 "The house tries what is cheaper first", "Fixed before the first run: 2 attempts",
                 "The size of the model is not known", "not known"):  # fmt: skip
        assert text in page, text


def test_the_form_asks_for_a_reason_and_confirms_what_was_chosen(case, proposed, people, settings):
    browser, address = client(people[Role.ENGINEER]), reverse("case_plan", args=[case.public_id])
    answer = browser.post(address, {"method": "retrain"})
    assert answer.status_code == 422 and "Write why you choose another way" in answer.content.decode()
    assert browser.post(address, {"method": "prayer", "reason": WHY}).status_code == 422
    assert browser.post(address, {"method": "retrain", "reason": WHY}).status_code == 302
    second, sent = reverse("case_confirm", args=[case.public_id]), {"choice": "approve"}
    sent["shown"] = planning.mark(case.plans.get())
    assert client(people[Role.APPROVER]).post(second, sent).status_code == 302
    case.refresh_from_db()
    assert case.status == Status.UNLEARNING and case.plans.get().method == "retrain"
    page = browser.get(reverse("case", args=[case.public_id]) + "?tab=plan").content.decode()
    assert WHY in page and "was chosen instead of" in page


def test_a_form_that_says_nothing_confirms_what_was_proposed(case, proposed, people):
    address = reverse("case_plan", args=[case.public_id])
    assert client(people[Role.ENGINEER]).post(address).status_code == 302
    assert case.plans.get().method == "graddiff"


def test_a_plan_from_before_there_was_a_planner_is_shown_and_confirmed(case, proposed, people):
    Plan.objects.filter(pk=proposed.pk).update(ranking={})
    page = client(people[Role.ENGINEER]).get(reverse("case", args=[case.public_id]) + "?tab=plan").content.decode()
    assert "Ways that were weighed" not in page
    assert sign_plan(case, people).method == "graddiff"


def test_a_policy_for_plans_that_makes_no_sense_stops_the_planning_with_its_problem(settings, walk, case):
    settings.PLAN_HOUSE = {**settings.PLAN_HOUSE, "attempts": 0}
    walk(case, Status.DECISION)
    walk(case, Status.PLANNING)
    run_house_jobs(case)
    assert "attempts: 0 is less than 1" in json.dumps(case.jobs.get(kind="plan").error)


def test_an_inconclusive_retraining_still_goes_to_release(walk, case, people):
    walk(case, Status.PLANNING)
    run_house_jobs(case)
    sign_plan(case, people, method="retrain", reason=WHY)
    case.refresh_from_db()
    walk(case, Status.VERIFICATION)
    run_house_jobs(case)
    job = engine_job(case, "verify")
    finish(job, verification=verdict_document(job.plan, "inconclusive"))
    case.refresh_from_db()
    assert case.status == Status.RELEASE
