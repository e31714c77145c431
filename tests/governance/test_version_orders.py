"""A version leaves service, or the one before comes back, by three people; the database wants them too."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance import dispatch
from governance.errors import Conflict, NotAllowed, Unfit
from governance.models import (
    Case,
    Deployment,
    Disposal,
    Job,
    Kind,
    LedgerOpening,
    ModelVersion,
    PlaceState,
    Plan,
    Role,
    Status,
    VersionOrder,
    triggers,
)
from governance.models.vault import subject_destroy
from governance.policies import Actor
from governance.services import dossier, learned, order_signing, orders, places, planning, release
from tests.governance.conftest import file_case, run_house_jobs
from tests.governance.staff import sign_in_to_decide

pytestmark = pytest.mark.database
Walk = Callable[..., Case]
People = dict[Role, Actor]
WHY = "It repeats passages of several works word for word."


def propose(catalogue: dict[str, Any], people: People) -> VersionOrder:
    made = orders.withdrawal_propose(version=catalogue["released"], reason=WHY, actor=people[Role.ENGINEER])
    assert made
    return made


def sign_both(order: VersionOrder, people: People) -> VersionOrder:
    order_signing.order_sign(order=order, actor=people[Role.APPROVER])
    return order_signing.order_sign(order=order, actor=people[Role.RELEASE])


def close(case: Case, people: People, walk: Walk) -> Case:
    """Walk a case over its release to its end."""
    walk(case, Status.RELEASE)
    for role in (Role.RELEASE, Role.LEGAL):
        release.release_sign(case=case, actor=people[role])
    for place in Deployment.objects.filter(state="pending"):
        release.deployment_record(deployment=place, state=place.State.REPLACED, case=case, actor=people[Role.RELEASE])
    release.release_finish(case=case, actor=people[Role.RELEASE])
    Case.objects.filter(pk=case.pk).update(status=Status.CLOSED, closed_at=timezone.now())
    return Case.objects.get(pk=case.pk)


@pytest.fixture
def closed(walk: Walk, case: Case, people: People, catalogue: dict[str, Any]) -> Case:
    """A copyright case whose release put a new version in service."""
    return close(case, people, walk)


def ask_back(case: Case, people: People) -> VersionOrder:
    return orders.rollback_propose(case=case, reason=WHY, actor=people[Role.ENGINEER])


def test_a_withdrawal_takes_the_version_out_and_dates_what_goes(catalogue: dict[str, Any], people: People) -> None:
    order = propose(catalogue, people)
    order_signing.order_sign(order=order, actor=people[Role.LEGAL])
    assert ModelVersion.objects.get(pk=catalogue["released"].pk).state == "released"
    order_signing.order_sign(order=order, actor=people[Role.RELEASE])
    version = ModelVersion.objects.get(pk=catalogue["released"].pk)
    assert (version.state, Deployment.objects.get().state, order.done_at is not None) == (
        "withdrawn",
        "withdrawing",
        True,
    )
    assert Disposal.objects.get(what="weights").artifact == version.artifact
    body = LedgerOpening.objects.get(entry__action="version.withdrawn").body
    assert (body["version"], body["places"], body["cases"]) == (version.artifact, 1, 0)
    assert list(PlaceState.objects.values_list("state", flat=True)) == ["withdrawing"]
    with pytest.raises(Unfit, match="choose out of service or unreachable"):
        places.place_record(place=Deployment.objects.get(), state=Deployment.State.REPLACED, actor=people[Role.RELEASE])
    places.place_record(place=Deployment.objects.get(), state=Deployment.State.WITHDRAWN, actor=people[Role.RELEASE])
    with pytest.raises(Conflict, match="waits for nothing"):
        places.place_record(
            place=Deployment.objects.get(), state=Deployment.State.WITHDRAWN, actor=people[Role.RELEASE]
        )


def test_a_serving_process_is_told_to_stop_by_its_pointer(
    catalogue: dict[str, Any], people: People, tmp_path: Path
) -> None:
    pointer = tmp_path / "pointer.json"
    pointer.write_text("{}")
    Deployment.objects.update(pointer=str(pointer))
    sign_both(propose(catalogue, people), people)
    assert json.loads(pointer.read_text())["withdrawn"] is True
    assert Deployment.objects.get().state == "withdrawn"


def test_a_pointer_that_cannot_be_written_undoes_the_second_signature(
    catalogue: dict[str, Any], people: People
) -> None:
    Deployment.objects.update(pointer="/nowhere/pointer.json")
    order = propose(catalogue, people)
    order_signing.order_sign(order=order, actor=people[Role.LEGAL])
    with pytest.raises(Unfit, match="cannot be written"):
        order_signing.order_sign(order=order, actor=people[Role.RELEASE])
    order.refresh_from_db()
    assert (order.release_by, order.done_at, Deployment.objects.get().state) == (None, None, "serving")


def test_a_case_that_waits_for_the_version_ends_and_says_why(
    walk: Walk, case: Case, people: People, catalogue: dict[str, Any]
) -> None:
    walk(case, Status.PLANNING)
    run_house_jobs(case)
    sign_both(propose(catalogue, people), people)
    case.refresh_from_db()
    assert (case.status, case.disposition) == (Status.REPORTING, "not_fulfilled")
    assert "withdrawn from service" in LedgerOpening.objects.filter(case=case).latest("entry_id").body["reason"]
    assert LedgerOpening.objects.filter(case=case, entry__action="version.withdrawn").exists()
    document = dossier.document(case, number="LR-1", issued_at=timezone.now())
    assert "Lumen rev. 1, which learned the records, was withdrawn" in document["case"]["reason"]


def test_a_run_under_way_is_cancelled_and_the_case_ends(
    walk: Walk, case: Case, people: People, catalogue: dict[str, Any]
) -> None:
    walk(case, Status.UNLEARNING)
    run_house_jobs(case)
    sign_both(propose(catalogue, people), people)
    case.refresh_from_db()
    assert set(Job.objects.filter(kind="engine.unlearn").values_list("state", flat=True)) == {"cancelled"}
    assert (case.status, case.plans.get().state) == (Status.REPORTING, "failed")
    run_house_jobs(case)
    assert case.status == Status.REPORTING and case.plans.count() == 1


def test_a_case_that_is_judged_goes_on_and_its_version_may_replace_what_was_withdrawn(
    walk: Walk, case: Case, people: People, catalogue: dict[str, Any]
) -> None:
    walk(case, Status.RELEASE)
    sign_both(propose(catalogue, people), people)
    places.place_record(place=Deployment.objects.get(), state=Deployment.State.WITHDRAWN, actor=people[Role.RELEASE])
    for role in (Role.RELEASE, Role.LEGAL):
        release.release_sign(case=Case.objects.get(pk=case.pk), actor=people[role])
    release.release_finish(case=Case.objects.get(pk=case.pk), actor=people[Role.RELEASE])
    assert ModelVersion.objects.get(pk=catalogue["released"].pk).state == "withdrawn"
    assert learned.place_states(Plan.objects.get(candidate=case.release.version)) == []


def test_a_case_that_comes_to_planning_later_finds_nothing_to_unlearn(
    walk: Walk, case: Case, people: People, catalogue: dict[str, Any]
) -> None:
    walk(case, Status.DECISION)
    sign_both(propose(catalogue, people), people)
    walk(case, Status.PLANNING)
    run_house_jobs(case)
    assert (case.status, case.plans.count()) == (Status.REPORTING, 0)


def test_the_machine_proposes_once_when_nothing_is_left_to_try(walk: Walk, case: Case, people: People) -> None:
    walk(case, Status.REPORTING, verdicts=("fail", "fail"))
    order = VersionOrder.objects.get()
    assert (order.kind, order.proposed_by, order.case) == ("withdraw", None, case)
    assert orders.withdrawal_propose(version=order.version, reason=WHY, actor=planning.SYSTEM) is None
    assert sign_both(order, people).done_at


def test_those_who_depend_on_it_are_told_in_numbers_only(
    walk: Walk, case: Case, people: People, catalogue: dict[str, Any], django_capture_on_commit_callbacks: Any
) -> None:
    walk(case, Status.PLANNING)
    run_house_jobs(case)
    mail.outbox.clear()
    with django_capture_on_commit_callbacks(execute=True):
        sign_both(propose(catalogue, people), people)
    told = [m for m in mail.outbox if "withdrawn from service" in m.subject]
    assert told and case.number in told[0].body and "Marun" not in told[0].body


def test_nobody_signs_twice_nor_what_they_proposed(catalogue: dict[str, Any], people: People) -> None:
    order = orders.withdrawal_propose(version=catalogue["released"], reason=WHY, actor=people[Role.RELEASE])
    assert order
    with pytest.raises(NotAllowed, match="other persons"):
        order_signing.order_sign(order=order, actor=people[Role.RELEASE])
    order_signing.order_sign(order=order, actor=people[Role.LEGAL])
    with pytest.raises(NotAllowed, match="other persons"):
        order_signing.order_sign(order=order, actor=people[Role.LEGAL])
    with pytest.raises(Conflict, match="there already"):
        order_signing.order_sign(order=order, actor=people[Role.APPROVER])
    for role in (Role.ENGINEER, Role.AUDITOR, Role.EXECUTIVE, Role.ADMINISTRATOR):
        with pytest.raises(NotAllowed):
            order_signing.order_sign(order=order, actor=people[role])


def test_a_proposal_needs_reasons_a_version_in_service_and_no_other_order(
    catalogue: dict[str, Any], people: People
) -> None:
    with pytest.raises(Unfit) as refused:
        orders.withdrawal_propose(version=catalogue["reference"], reason="no", actor=people[Role.ENGINEER])
    assert len(refused.value.messages) == 2
    propose(catalogue, people)
    with pytest.raises(Conflict, match="open already"):
        propose(catalogue, people)
    with pytest.raises(NotAllowed):
        orders.withdrawal_propose(version=catalogue["released"], reason=WHY, actor=people[Role.AUDITOR])


def test_a_refused_order_is_closed_with_its_reason(catalogue: dict[str, Any], people: People) -> None:
    order = propose(catalogue, people)
    with pytest.raises(Unfit, match="full sentence"):
        order_signing.order_refuse(order=order, actor=people[Role.LEGAL], reason="no")
    order_signing.order_refuse(order=order, actor=people[Role.LEGAL], reason="The passages are in the public domain.")
    with pytest.raises(Conflict, match="answered"):
        order_signing.order_sign(order=order, actor=people[Role.RELEASE])
    assert propose(catalogue, people).pk != order.pk


def test_a_release_leaves_a_place_of_the_new_version_with_its_history(closed: Case) -> None:
    new = Deployment.objects.get(version=closed.release.version)
    assert (new.place, new.state) == ("Production", "serving")
    assert [h.state for h in PlaceState.objects.filter(deployment__version=closed.release.version.parent)] == [
        "pending", "replaced",
    ]  # fmt: skip


def test_a_rollback_puts_the_old_weights_back_as_a_new_version_and_opens_the_case_again(
    closed: Case, people: People, catalogue: dict[str, Any]
) -> None:
    order = sign_both(ask_back(closed, people), people)
    made = order.result
    assert made and made.artifact == catalogue["released"].artifact
    assert (made.state, made.method, made.parent) == ("released", "rollback", closed.release.version)
    assert ModelVersion.objects.get(pk=closed.release.version_id).state == "retired"
    assert Deployment.objects.get(version=closed.release.version).state == "pending"
    child = Case.objects.get(parent=closed)
    assert (child.status, child.relation) == (Status.REVIEW, "rollback")
    assert child.letters.get().template == "put_back"
    assert LedgerOpening.objects.filter(case=closed, entry__action="version.put_back").exists()
    places.place_record(
        place=Deployment.objects.get(version=closed.release.version), state=Deployment.State.REPLACED,
        actor=people[Role.RELEASE],
    )  # fmt: skip
    assert Deployment.objects.get(version=made).state == "serving"


def test_weights_that_came_back_are_not_deleted_on_their_old_day(
    closed: Case, people: People, catalogue: dict[str, Any]
) -> None:
    sign_both(ask_back(closed, people), people)
    Disposal.objects.update(due_on=timezone.localdate() - timedelta(days=1))
    release.dispose_due()
    assert dispatch.exists(catalogue["released"].artifact)


def test_a_rollback_is_refused_once_the_old_weights_are_gone(closed: Case, people: People) -> None:
    Disposal.objects.update(due_on=timezone.localdate())
    with pytest.raises(Unfit, match="that day has come"):
        ask_back(closed, people)
    release.dispose_due()
    with pytest.raises(Unfit, match="were deleted on"):
        ask_back(closed, people)


def test_an_order_whose_weights_went_meanwhile_is_not_carried_out(closed: Case, people: People) -> None:
    order = ask_back(closed, people)
    order_signing.order_sign(order=order, actor=people[Role.LEGAL])
    Disposal.objects.update(due_on=timezone.localdate())
    release.dispose_due()
    with pytest.raises(Unfit, match="Refuse this order"):
        order_signing.order_sign(order=order, actor=people[Role.RELEASE])
    order.refresh_from_db()
    assert order.is_open and not Case.objects.filter(parent=closed).exists()


def test_erased_personal_data_is_never_put_back(walk: Walk, people: People, catalogue: dict[str, Any]) -> None:
    case = close(file_case(kind=Kind.PRIVACY), people, walk)
    with pytest.raises(Unfit, match="had personal data erased"):
        ask_back(case, people)


def test_nothing_is_put_back_for_an_open_case_a_destroyed_person_or_a_version_out_of_service(
    closed: Case, people: People, walk: Walk, catalogue: dict[str, Any]
) -> None:
    other = walk(file_case(), Status.REVIEW)
    with pytest.raises(Unfit, match="has released no version"):
        ask_back(other, people)
    triggers.drop(connection)  # in truth a closed case stays closed
    Case.objects.filter(pk=closed.pk).update(status=Status.REPORTING)
    with pytest.raises(Unfit, match="still open"):
        ask_back(Case.objects.get(pk=closed.pk), people)
    Case.objects.filter(pk=closed.pk).update(status=Status.CLOSED)
    triggers.install(connection)
    ModelVersion.objects.filter(pk=closed.release.version_id).update(state="retired")
    with pytest.raises(Unfit, match="no longer in service"):
        ask_back(Case.objects.get(pk=closed.pk), people)
    ModelVersion.objects.filter(pk=closed.release.version_id).update(state="released")
    subject_destroy(closed.claimant.subject)
    with pytest.raises(Unfit, match="cannot be opened again"):
        ask_back(Case.objects.get(pk=closed.pk), people)


def test_a_version_that_was_withdrawn_does_not_come_back(closed: Case, people: People) -> None:
    before = closed.release.version.parent
    assert before
    order = orders.withdrawal_propose(version=before, reason=WHY, actor=people[Role.ENGINEER])
    assert order
    sign_both(order, people)
    with pytest.raises(Unfit, match="was withdrawn by decision"):
        ask_back(closed, people)


def test_the_page_proposes_signs_refuses_and_records(
    client: Client, closed: Case, people: People, catalogue: dict[str, Any]
) -> None:
    def enter(role: Role) -> None:
        user = people[role].user
        assert user
        sign_in_to_decide(client, user)

    enter(Role.ENGINEER)
    page = client.get(reverse("versions")).content.decode()
    assert "possible" in page and closed.number in page and "Old weights kept until" in page
    assert client.post(reverse("version_rollback"), {"case": closed.pk, "reason": "no"}).status_code == 422
    assert client.post(reverse("version_rollback"), {"case": closed.pk, "reason": WHY}).status_code == 302
    order = VersionOrder.objects.get()
    enter(Role.RELEASE)
    assert "Comes back" in client.get(reverse("versions")).content.decode()
    assert client.post(reverse("order_sign", args=[order.pk])).status_code == 302
    enter(Role.LEGAL)
    assert client.post(reverse("order_refuse", args=[order.pk]), {"reason": ""}).status_code == 422
    assert client.post(reverse("order_sign", args=[order.pk])).status_code == 302
    order.refresh_from_db()
    assert order.done_at
    enter(Role.RELEASE)
    waiting = Deployment.objects.get(state="pending")
    answer = client.post(reverse("version_place"), {"place": waiting.pk, "state": "replaced"})
    assert answer.status_code == 302 and Deployment.objects.filter(state="serving", version=order.result).exists()
    assert client.post(reverse("order_sign", args=[10**6])).status_code == 404
