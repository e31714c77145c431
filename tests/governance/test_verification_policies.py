"""Thresholds change under four eyes, and the history keeps every version."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from governance import dispatch
from governance.errors import Conflict, NotAllowed, Unfit
from governance.models import LedgerOpening, Role, Status, VerificationPolicy
from governance.policies import Actor
from governance.services import verification_policies as service
from tests.governance.conftest import file_case, run_house_jobs

pytestmark = pytest.mark.database

WHY = "The demonstration's corpus is small; a wider margin for this probe was measured on its own seeds."


def propose(actor: Actor, reason: str = WHY, **thresholds: Any) -> VerificationPolicy:
    return service.policy_propose(thresholds={**service.current(), **thresholds}, reason=reason, actor=actor)


@pytest.fixture
def approved(people: dict[Role, Actor]) -> VerificationPolicy:
    made = propose(people[Role.LEGAL], utility_floor=0.85)
    return service.policy_approve(policy=made, actor=people[Role.ENGINEER])


def test_without_a_policy_of_the_house_the_engines_own_is_in_force() -> None:
    assert service.newest() is None
    assert dispatch.digest(service.current()) == dispatch.digest(dict(dispatch.DEFAULT_POLICY))


def test_a_proposal_changes_nothing_until_a_second_person_approves(people: dict[Role, Actor]) -> None:
    made = propose(people[Role.ENGINEER], utility_floor=0.85)
    assert service.current()["utility_floor"] == dispatch.DEFAULT_POLICY["utility_floor"]
    service.policy_approve(policy=made, actor=people[Role.LEGAL])
    assert (service.current()["utility_floor"], service.current()["version"]) == (0.85, 1)


def test_new_plans_take_the_newest_approved_policy_and_old_plans_keep_theirs(
    walk: Any, catalogue: Any, people: dict[Role, Actor]
) -> None:
    earlier = walk(file_case(), Status.UNLEARNING).plans.get()
    made = propose(people[Role.LEGAL], utility_floor=0.85)
    service.policy_approve(policy=made, actor=people[Role.APPROVER])
    second = walk(file_case(), Status.PLANNING)
    run_house_jobs(second)
    later = second.plans.get()
    earlier.refresh_from_db()
    assert later.policy_digest == made.digest == dispatch.digest(later.policy)
    assert earlier.policy["utility_floor"] == dispatch.DEFAULT_POLICY["utility_floor"]
    assert service.of_plan(later.policy_digest) == made and service.of_plan(earlier.policy_digest) is None


def test_whoever_proposed_cannot_approve(people: dict[Role, Actor]) -> None:
    made = propose(people[Role.LEGAL], utility_floor=0.85)
    with pytest.raises(NotAllowed, match="second person"):
        service.policy_approve(policy=made, actor=people[Role.LEGAL])


@pytest.mark.parametrize("role", [Role.APPROVER, Role.RELEASE, Role.AUDITOR, Role.EXECUTIVE, Role.ADMINISTRATOR])
def test_only_legal_and_engineers_propose(people: dict[Role, Actor], role: Role) -> None:
    with pytest.raises(NotAllowed):
        propose(people[role], utility_floor=0.85)


def test_all_problems_of_a_proposal_are_told_at_once(people: dict[Role, Actor]) -> None:
    with pytest.raises(Unfit) as refused:
        propose(people[Role.LEGAL], reason="Because.", utility_floor=1.5, confidence=2)
    text = " ".join(refused.value.messages)
    assert "utility_floor" in text and "confidence" in text and "why" in text


def test_a_proposal_that_changes_no_threshold_is_refused(people: dict[Role, Actor]) -> None:
    with pytest.raises(Unfit, match="No threshold differs"):
        propose(people[Role.LEGAL])


def test_one_proposal_at_a_time(people: dict[Role, Actor]) -> None:
    propose(people[Role.LEGAL], utility_floor=0.85)
    with pytest.raises(Conflict, match="Another proposal"):
        propose(people[Role.ENGINEER], utility_floor=0.8)


def test_a_returned_proposal_stays_in_the_history_and_frees_the_way(people: dict[Role, Actor]) -> None:
    made = propose(people[Role.LEGAL], utility_floor=0.85)
    with pytest.raises(Unfit):
        service.policy_return(policy=made, actor=people[Role.APPROVER], reason=" ")
    service.policy_return(policy=made, actor=people[Role.APPROVER], reason="Measure it first.")
    with pytest.raises(Conflict):
        service.policy_approve(policy=made, actor=people[Role.APPROVER])
    assert propose(people[Role.LEGAL], utility_floor=0.86).version == 2


def test_every_step_is_in_the_ledger_with_what_got_easier(approved: VerificationPolicy) -> None:
    found = {o.entry.action: o.body for o in LedgerOpening.objects.filter(entry__action__startswith="policy.")}
    assert list(found) == ["policy.proposed", "policy.approved"]
    assert found["policy.approved"]["policy"] == approved.digest
    assert (found["policy.approved"]["easier"], found["policy.approved"]["harder"]) == (1, 0)


def test_a_policy_that_the_engine_no_longer_takes_whole_stops_new_plans(
    approved: VerificationPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = dispatch.whole_policy
    monkeypatch.setattr(dispatch, "whole_policy", lambda policy: {**whole(policy), "a_new_threshold": 1})
    with pytest.raises(Unfit, match="approve it anew"):
        service.current()


@pytest.mark.database
@pytest.mark.parametrize("change", [{"reason": "another"}, {"digest": "sha256:0"}, {"policy": {}}, {"version": 7}])
def test_what_was_proposed_is_never_rewritten_even_by_sql(people: dict[Role, Actor], change: dict[str, Any]) -> None:
    propose(people[Role.LEGAL], utility_floor=0.85)
    with pytest.raises(DatabaseError), transaction.atomic():
        VerificationPolicy.objects.update(**change)


@pytest.mark.database
def test_one_person_cannot_sign_twice_even_by_sql(people: dict[Role, Actor]) -> None:
    made = propose(people[Role.LEGAL], utility_floor=0.85)
    with pytest.raises(IntegrityError), transaction.atomic():
        VerificationPolicy.objects.update(approved_by=made.proposed_by, approved_at=timezone.now())


@pytest.mark.database
def test_an_answered_policy_is_final_and_none_is_deleted(approved: VerificationPolicy) -> None:
    for statement in (
        "UPDATE governance_verificationpolicy SET approved_at = NULL, approved_by_id = NULL",
        "UPDATE governance_verificationpolicy SET returned_reason = 'no'",
        "DELETE FROM governance_verificationpolicy",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


@pytest.mark.database
def test_no_policy_is_born_approved(people: dict[Role, Actor]) -> None:
    made = propose(people[Role.LEGAL], utility_floor=0.85)
    with pytest.raises(DatabaseError), transaction.atomic():
        VerificationPolicy.objects.create(
            version=2, name="other", policy=made.policy, before=made.before, digest="sha256:1", reason=WHY,
            proposed_by=made.proposed_by, approved_by=people[Role.APPROVER].user, approved_at=timezone.now(),
        )  # fmt: skip
