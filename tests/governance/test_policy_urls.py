"""Every address of the staff, for every role: what the policy grants is what the page answers, and none is missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, reverse
from django.utils import timezone

from governance import dispatch, urls
from governance.models import (
    AttestationSet,
    AuditorBundle,
    Case,
    Erasure,
    Job,
    LedgerEntry,
    Paper,
    Patch,
    Release,
    Report,
    Role,
    Status,
    User,
)
from governance.policies import GRANTS, Actor, Permission
from governance.services import fingerprints, orders, organisation
from governance.services.jobs import job_fail
from governance.services.verification_policies import policy_propose
from governance.web.case_actions import ACTIONS
from governance.web.figures import NAMES
from tests.governance.audits import drawn_sample
from tests.governance.conftest import file_case
from tests.governance.duty_doors import DUTIES, agents_world, reservations_world, subscribers_world, uploads_world
from tests.governance.lineage_example import put_lineage
from tests.governance.message_doors import MESSAGES, messages_world
from tests.governance.staff import member, sign_in_to_decide

P = Permission
PASSWORD, WHY = "a long and quiet river", "Nothing is left to try."


@dataclass(frozen=True, kw_only=True)
class Door:
    """An address: who may enter, by which method, what the world must hold, and whether it is a decision."""

    to: tuple[Permission, ...]
    args: str = ""
    post: bool = False
    decide: bool = False


READ_CASE = Door(to=(P.SEE_CASES,), args="case")
#: Every staff address by its name. The permissions are written out again here on purpose: a slip in a view shows.
DOORS: dict[str, Door] = {
    "today": Door(to=(P.SEE_TODAY,)),
    "cases": Door(to=(P.SEE_CASES,)),
    "calendar": Door(to=(P.SEE_CASES,)),
    "calendar_make": Door(to=(P.SEE_CASES,), post=True, decide=True),
    "calendar_revoke": Door(to=(P.SEE_CASES,), post=True),
    "case_new": Door(to=(P.ENTER_CASE,)),
    "case_works": Door(to=(P.ENTER_CASE,), args="case"),
    "cases_import": Door(to=(P.ENTER_CASE,), decide=True),
    "cases_find": Door(to=(P.SEE_CASES,), post=True),
    "cases_workload": Door(to=(P.SEE_CASES,)),
    "workload_csv": Door(to=(P.SEE_CASES,)),
    "workload_stage": Door(to=(P.SEE_CASES,), args="stage"),
    "filter_keep": Door(to=(P.SEE_CASES,), post=True),
    "filter_remove": Door(to=(P.SEE_CASES,), post=True),
    "cases_assign": Door(to=(P.ASSIGN,), post=True),
    "cases_ask": Door(to=(P.REVIEW,), post=True, decide=True),
    "cases_admit": Door(to=(P.REVIEW,), post=True, decide=True),
    "cases_propose": Door(to=(P.PROPOSE,), post=True, decide=True),
    "cases_export": Door(to=(P.SEE_CASES,), post=True),
    "case": READ_CASE,
    "case_print": READ_CASE,
    "verification": READ_CASE,
    "case_reveal": Door(to=(P.REVEAL_PERSON,), args="case", post=True),
    "case_proof": Door(to=(P.RECORD_PROOF,), args="case", post=True, decide=True),
    "case_judge": Door(to=(P.RECORD_PROOF,), args="case", post=True, decide=True),
    "case_refuse_proof": Door(to=(P.RECORD_PROOF,), args="case", post=True, decide=True),
    "case_doubt": Door(to=(P.RECORD_PROOF,), args="case", post=True, decide=True),
    "case_doubt_end": Door(to=(P.RECORD_PROOF,), args="case", post=True, decide=True),
    "case_review": Door(to=(P.REVIEW,), args="case", post=True, decide=True),
    "case_answer": Door(to=(P.REVIEW, P.RECORD_PROOF), args="case", post=True, decide=True),
    "case_propose": Door(to=(P.PROPOSE,), args="case", post=True, decide=True),
    "case_approve": Door(to=(P.APPROVE,), args="case", post=True, decide=True),
    "case_plan": Door(to=(P.CHOOSE_PLAN,), args="case", post=True, decide=True),
    "case_confirm": Door(to=(P.CONFIRM_PLAN,), args="case", post=True, decide=True),
    "case_release": Door(to=(P.RELEASE_MODEL, P.RELEASE_LEGAL), args="case", post=True, decide=True),
    "case_place": Door(to=(P.UPDATE_DEPLOYMENT,), args="case", post=True),
    "case_recipients": Door(to=(P.TELL_RECIPIENTS,), args="case", post=True),
    "case_finish": Door(to=(P.RELEASE_MODEL, P.RELEASE_LEGAL), args="case", post=True, decide=True),
    "case_extend": Door(to=(P.EXTEND,), args="case", post=True, decide=True),
    "case_add_law": Door(to=(P.EXTEND,), args="case", post=True, decide=True),
    "case_end_law": Door(to=(P.EXTEND,), args="case", post=True, decide=True),
    "case_follow": Door(to=(P.FOLLOW_UP,), args="case", post=True, decide=True),
    "case_link": Door(to=(P.REVIEW,), args="case", post=True),
    "case_give_back": Door(to=(P.PROPOSE,), args="case", post=True, decide=True),
    "case_give_back_second": Door(to=(P.APPROVE,), args="case", post=True, decide=True),
    "case_withdraw": Door(to=(P.WITHDRAW,), args="case", post=True, decide=True),
    "case_take": Door(to=(P.ASSIGN,), args="case", post=True),
    "case_seen": Door(to=(P.REVIEW,), args="case", post=True),
    "case_assign": Door(to=(P.ASSIGN,), args="case", post=True),
    "case_note": Door(to=(P.NOTES,), args="case", post=True),
    "case_strike": Door(to=(P.NOTES,), args="case", post=True),
    "case_declare": Door(to=(P.DECLARE,), args="case", post=True),
    "case_hold": Door(to=(P.HOLD,), args="case", post=True, decide=True),
    "case_abuse": Door(to=(P.PROPOSE_ABUSE,), args="case", post=True, decide=True),
    "case_abuse_second": Door(to=(P.APPROVE_ABUSE,), args="case", post=True, decide=True),
    "case_lift_ask": Door(to=(P.HOLD,), args="case", post=True, decide=True),
    "case_lift_end": Door(to=(P.HOLD,), args="case", post=True, decide=True),
    "case_abuse_end": Door(to=(P.PROPOSE_ABUSE,), args="case", post=True, decide=True),
    "case_take_back": Door(
        to=(P.PROPOSE, P.CHOOSE_PLAN, P.RELEASE_MODEL, P.RELEASE_LEGAL), args="case", post=True, decide=True
    ),
    "case_refuse": Door(to=(P.APPROVE, P.RELEASE_MODEL, P.RELEASE_LEGAL), args="case", post=True, decide=True),
    "case_lift": Door(to=(P.HOLD,), args="case", post=True, decide=True),
    "models": Door(to=(P.SEE_MODELS,)),
    "register_guide": Door(to=(P.REGISTER_MODELS,)),
    "models_register": Door(to=(P.REGISTER_MODELS,), post=True),
    "model": Door(to=(P.SEE_MODELS,), args="model"),
    "version": Door(to=(P.SEE_MODELS,), args="version"),
    "version_statements": Door(to=(P.SEE_MODELS,), args="statements"),
    "version_weights": Door(to=(P.TAKE_WEIGHTS,), args="version", post=True, decide=True),
    "version_cost": Door(to=(P.SEE_MODELS,), args="version"),
    "model_medium": Door(to=(P.REGISTER_MODELS,), args="model", post=True),
    "model_place": Door(to=(P.REGISTER_MODELS,), args="model", post=True),
    "model_recipient": Door(to=(P.REGISTER_MODELS,), args="model", post=True),
    "datasets": Door(to=(P.SEE_MODELS,)),
    "datasets_register": Door(to=(P.REGISTER_MODELS,), post=True),
    "dataset": Door(to=(P.SEE_MODELS,), args="dataset"),
    "policies": Door(to=(P.SEE_POLICIES,)),
    "policy_propose": Door(to=(P.PROPOSE_POLICY,), decide=True),
    "policy_approve": Door(to=(P.APPROVE_POLICY,), args="policy", post=True, decide=True),
    "policy_return": Door(to=(P.APPROVE_POLICY,), args="policy", post=True, decide=True),
    "jobs": Door(to=(P.SEE_JOBS,)),
    "job": Door(to=(P.SEE_JOBS,), args="job"),
    "jobs_compare": Door(to=(P.SEE_JOBS,)),
    "job_spec": Door(to=(P.SEE_JOBS,), args="job"),
    "job_log": Door(to=(P.CANCEL_JOB,), args="job"),
    "job_cancel": Door(to=(P.CANCEL_JOB,), args="job", post=True),
    "job_retry": Door(to=(P.CANCEL_JOB,), args="job", post=True),
    "help": Door(to=(P.SEE_DESK,)),
    "help_topic": Door(to=(P.SEE_DESK,), args="topic"),
    "dashboard": Door(to=(P.SEE_DASHBOARD,)),
    "figures_mail": Door(to=(P.SEE_DASHBOARD,), post=True),
    "figures_csv": Door(to=(P.SEE_DASHBOARD,), args="figures"),
    "figures_recount": Door(to=(P.SEE_DASHBOARD,), post=True),
    "figure_cases": Door(to=(P.SEE_DASHBOARD,), args="figure"),
    "figure_places": Door(to=(P.SEE_DASHBOARD,), args="places"),
    "forecast": Door(to=(P.SEE_DASHBOARD,)),
    "reports": Door(to=(P.SEE_REPORTS,)),
    "papers": Door(to=(P.SEE_REPORTS,)),
    "paper": Door(to=(P.SEE_REPORTS,), args="paper"),
    "paper_order": Door(to=(P.SEE_DASHBOARD,), post=True),
    "report": Door(to=(P.SEE_REPORTS,), args="report"),
    "report_bundle": Door(to=(P.SEE_REPORTS,), args="report"),
    "report_proof": Door(to=(P.SEE_REPORTS,), args="report"),
    "report_copy": Door(to=(P.SEE_REPORTS,), args="copy"),
    "report_copy_order": Door(to=(P.COPY_REPORT,), args="report", post=True),
    "audit": Door(to=(P.AUDIT,)),
    "audit_people": Door(to=(P.AUDIT,)),
    "audit_organisation": Door(to=(P.AUDIT,)),
    "audit_agents": Door(to=(P.AUDIT,)),
    "audit_webhooks": Door(to=(P.AUDIT,)),
    "sample_state": Door(to=(P.AUDIT,), post=True, decide=True),
    "sample": Door(to=(P.AUDIT,), args="sample"),
    "sample_draw": Door(to=(P.AUDIT,), args="sample", post=True, decide=True),
    "sample_csv": Door(to=(P.AUDIT,), args="sample"),
    "sample_json": Door(to=(P.AUDIT,), args="sample"),
    "export_take": Door(to=(P.AUDIT,), post=True, decide=True),
    "replay": Door(to=(P.REPLAY_CASE,), args="report"),
    "replay_make": Door(to=(P.REPLAY_CASE,), args="report", post=True, decide=True),
    "replay_fetch": Door(to=(P.REPLAY_CASE,), args="replay"),
    "report_evidence": Door(to=(P.SEE_REPORTS,), args="report"),
    "ledger": Door(to=(P.SEE_LEDGER,)),
    "ledger_entry": Door(to=(P.SEE_LEDGER,), args="entry"),
    "ledger_proof": Door(to=(P.SEE_LEDGER,), args="entry"),
    "people": Door(to=(P.MANAGE_USERS,)),
    "person_new": Door(to=(P.MANAGE_USERS,), post=True, decide=True),
    "person": Door(to=(P.MANAGE_USERS,), args="person"),
    "set_up": Door(to=(P.MANAGE_USERS,)),
    "organisation": Door(to=(P.MANAGE_USERS,), decide=True),
    "organisation_approve": Door(to=(P.MANAGE_USERS,), args="profile", post=True, decide=True),
    "organisation_return": Door(to=(P.MANAGE_USERS,), args="profile", post=True, decide=True),
    "person_invite": Door(to=(P.MANAGE_USERS,), args="person", post=True, decide=True),
    "person_role": Door(to=(P.MANAGE_USERS,), args="person", post=True, decide=True),
    "person_role_approve": Door(to=(P.MANAGE_USERS,), args="person", post=True, decide=True),
    "person_role_return": Door(to=(P.MANAGE_USERS,), args="person", post=True, decide=True),
    "person_role_remove": Door(to=(P.MANAGE_USERS,), args="person", post=True, decide=True),
    "person_deactivate": Door(to=(P.MANAGE_USERS,), args="person", post=True, decide=True),
    "person_activate": Door(to=(P.MANAGE_USERS,), args="person", post=True, decide=True),
    "person_second_factor": Door(to=(P.MANAGE_USERS,), args="person", post=True, decide=True),
    **{name: Door(**door) for name, door in DUTIES.items()},  # type: ignore[arg-type]
    **{name: Door(**door) for name, door in MESSAGES.items()},  # type: ignore[arg-type]
}
World = dict[str, list[Any]]


def named() -> set[str]:
    """The names of all staff addresses in the table of the site."""
    assert all(isinstance(pattern, URLPattern) for pattern in urls.staff)
    return {str(pattern.name) for pattern in urls.staff}


def test_the_table_names_every_address_of_the_staff() -> None:
    assert set(DOORS) == named()


def test_every_action_on_a_case_has_its_address() -> None:
    assert {f"case_{name}" for name in ACTIONS} <= named()


@pytest.fixture
def world(walk: Callable[..., Any], catalogue: dict[str, Any], people: dict[Role, Actor], house: Path) -> World:
    """A case that was verified and has a report, a job, the catalogue: something behind every address."""
    from governance import dispatch

    case = walk(file_case(), Status.RELEASE)
    pdf, evidence = dispatch.put_bytes(b"%PDF-1.7 test"), dispatch.put_bytes(b"{}")
    files = {"pdf": pdf, "evidence": evidence, "readme": evidence, "proofs": evidence}
    report = Report.objects.create(case=case, number="LR-TEST-1", headline="Test.", **files)
    job = case.jobs.filter(kind="engine.verify").latest("created_at")
    Job.objects.filter(pk=job.pk).update(summary={**job.summary, "log": evidence})
    closed = AuditorBundle.objects.create(
        report=report, made_by=people[Role.AUDITOR].user, archive=pdf, expires_at=timezone.now() + timedelta(1)
    )
    released = catalogue["released"]
    type(released).objects.filter(pk=released.pk).update(lineage=put_lineage()["lineage"])
    proposal = policy_propose(
        thresholds={"confidence": 0.99}, reason="Two seeds of our own were measured.", actor=people[Role.LEGAL]
    )
    fingerprints.filter_list_make(actor=people[Role.LEGAL])
    assert (order := orders.withdrawal_propose(version=released, reason=WHY, actor=Actor.system("test")))
    statements = AttestationSet.objects.create(version=released, job=job, artifact=put_lineage()["lineage"])
    signed = Release.objects.create(case=file_case(), version=released)
    patch = Patch.objects.create(release=signed, job=job)
    erasure = Erasure.objects.create(claimant=case.claimant, mode="people", due_on=case.received_on, rule="house")
    return {
        "": [],
        "filter_list": [1],
        "order": [order.pk],
        "patch": [patch.pk],
        "erasure": [erasure.pk],
        **messages_world(),
        **reservations_world(),
        **uploads_world(case),
        **agents_world(people[Role.LEGAL]),
        **subscribers_world(people[Role.RELEASE], released.model),
        "case": [case.public_id],
        "model": [released.model.public_id],
        "version": [released.model.public_id, released.revision],
        "statements": [released.model.public_id, released.revision, statements.pk],
        "dataset": [catalogue["data"].public_id],
        "policy": [proposal.version],
        "job": [job.pk],
        **{"figures": [NAMES[0]], "figure": ["late"], "places": ["places"], "topic": ["runs"], "stage": ["review"]},
        **{"report": [report.number], "paper": [_paper().number], "copy": [_paper("copy", case).number]},
        "replay": [closed.public_id],
        "sample": [drawn_sample(people[Role.AUDITOR]).public_id],
        "entry": [LedgerEntry.objects.latest("index").index],
        "profile": [_profile(people).pk],
        "person": [member("person.url@house.example", role=Role.AUDITOR).pk],
    }


def _paper(kind: str = "register", case: Case | None = None) -> Paper:
    """A paper that was sealed."""
    job = Job.objects.create(key=f"paper:{kind}:doors", kind="paper", queue="signing", case=case)
    ref = dispatch.put_bytes(b"%PDF-")
    return Paper.objects.create(job=job, case=case, kind=kind, number=f"LA-20261129-{kind}", size="A4", language="en",
                                pdf=ref, evidence=ref)  # fmt: skip


def _profile(people: dict[Role, Actor]) -> Any:
    """A description of the organisation that waits for a second administrator."""
    values = {"name": "House", "contact": "c@house.example", "languages": ["en"]}
    return organisation.profile_propose(values=values, actor=people[Role.ADMINISTRATOR])


def knock(client: Client, name: str, world: World) -> Any:
    """Ask for an address by the method that it takes."""
    door = DOORS[name]
    address = reverse(name, args=world[door.args])
    return client.post(address, {}) if door.post else client.get(address)


def enter(client: Client, role: Role, *, factor: bool = True) -> User:
    """Sign in with a fresh password, and with a second factor unless told otherwise."""
    user = member(f"{role.value}.url@house.example", PASSWORD, role=role)
    if factor:
        sign_in_to_decide(client, user)
    else:
        client.force_login(user)
        client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    return user


@pytest.mark.parametrize("role", list(Role), ids=[role.value for role in Role])
def test_each_role_enters_what_the_policy_grants_and_nothing_else(client: Client, role: Role, world: World) -> None:
    enter(client, role)
    wrong = {}
    for name, door in DOORS.items():
        answer = knock(client, name, world)
        granted = bool(GRANTS[role].intersection(door.to))
        # A granted form that was sent empty, or a step that does not exist now, is refused as such, never as forbidden.
        expected = ({200, 302, 409, 422} if door.post else {200}) if granted else {403}
        led_away = granted and "/accounts/" in answer.headers.get("Location", "")
        if answer.status_code not in expected or led_away:
            wrong[name] = (answer.status_code, expected)
    assert not wrong


def test_a_visitor_is_led_to_the_sign_in_from_every_address(client: Client, world: World) -> None:
    for name in DOORS:
        answer = knock(client, name, world)
        assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/accounts/login/"), name


def test_somebody_who_left_enters_nowhere(client: Client, world: World) -> None:
    user = enter(client, Role.LEGAL)
    User.objects.filter(pk=user.pk).update(is_active=False)
    for name in DOORS:
        answer = knock(client, name, world)
        assert answer.status_code == 302 and answer["Location"].startswith("/accounts/login/"), name


def test_no_decision_is_made_without_a_second_factor(client: Client, world: World) -> None:
    for role in (Role.LEGAL, Role.APPROVER, Role.ENGINEER, Role.RELEASE, Role.ADMINISTRATOR):
        enter(client, role, factor=False)
        for name, door in DOORS.items():
            if door.decide and GRANTS[role].intersection(door.to):
                answer = knock(client, name, world)
                assert answer.status_code == 302 and answer["Location"] == reverse("mfa_activate_totp"), (role, name)


def test_an_address_that_changes_something_answers_no_get(client: Client, world: World) -> None:
    enter(client, Role.LEGAL)
    for name, door in DOORS.items():
        if door.post:
            assert client.get(reverse(name, args=world[door.args])).status_code == 405, name


def test_nothing_changes_without_the_forms_token(world: World) -> None:
    strict = Client(enforce_csrf_checks=True)
    enter(strict, Role.LEGAL)
    for name, door in DOORS.items():
        if door.post:
            assert strict.post(reverse(name, args=world[door.args]), {}).status_code == 403, name


@pytest.mark.parametrize("name", ["case", "verification", "model", "dataset", "job", "report", "ledger_entry"])
def test_what_does_not_exist_is_not_found(client: Client, name: str, world: World) -> None:
    enter(client, Role.AUDITOR)
    unknown = {"report": "LR-NONE", "ledger_entry": 10**9}.get(name, "00000000-0000-4000-8000-000000000000")
    assert client.get(reverse(name, args=[unknown])).status_code == 404


def test_a_role_without_permission_learns_nothing_about_what_exists(client: Client, world: World) -> None:
    enter(client, Role.ADMINISTRATOR)
    there = client.get(reverse("case", args=world["case"]))
    nowhere = client.get(reverse("case", args=["00000000-0000-4000-8000-000000000000"]))
    assert there.status_code == nowhere.status_code == 403
    assert there.content == nowhere.content


def test_a_failed_job_runs_again_only_at_an_engineers_word(client: Client, world: World, case: Any) -> None:
    job = Job.objects.create(key="k", kind="engine.match", queue="gpu", case=case)
    job_fail(job_id=str(job.pk), attempt=0, error={"type": "DataError", "messages": ["x"]})
    enter(client, Role.LEGAL)
    assert client.post(reverse("job_retry", args=[job.pk])).status_code == 403
    enter(client, Role.ENGINEER)
    assert client.post(reverse("job_retry", args=[job.pk])).status_code == 302
    job.refresh_from_db()
    assert (job.state, job.attempt) == ("queued", 1)
