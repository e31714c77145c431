"""A database owner who takes the triggers off and signs for others is found, from the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from governance.evidence.signatures import audit
from governance.models import Decision, Hold, LedgerOpening, Role, Status, User, VersionOrder, triggers
from governance.policies import Actor
from governance.services import decision, holds, order_signing, orders, people, release
from tests.governance.conftest import file_case

pytestmark = pytest.mark.database
People = dict[Role, Actor]


@pytest.fixture
def founders() -> list[Actor]:
    """Two administrators, as an installation begins."""
    return [Actor.of(User.objects.create_superuser(f"root{n}@house.example", "x")) for n in (1, 2)]


@pytest.fixture
def house(founders: list[Actor]) -> People:
    """Everybody by the real services."""
    made: People = {Role.ADMINISTRATOR: founders[0]}
    for role in (Role.LEGAL, Role.APPROVER, Role.ENGINEER, Role.RELEASE):
        new = people.person_create(
            first_name="A", last_name="B", email=f"{role}@house.example", role=role, actor=founders[0]
        )
        made[role] = Actor.of(people.role_approve(person=new, actor=founders[1]))
    return made


@pytest.fixture
def unguarded() -> Iterator[None]:
    """The owner of the database, with the triggers off."""
    triggers.drop(connection)
    yield


def test_an_honest_house_has_no_finding(house: People, catalogue: Any, walk_with: Any) -> None:
    case = walk_with(house, file_case(), Status.RELEASE)
    release.release_sign(case=case, actor=house[Role.RELEASE])
    release.release_sign(case=case, actor=house[Role.LEGAL])
    found = audit()
    assert found.findings == () and found.checked >= 14
    call_command("signatures")


def test_triggers_that_are_off_are_named(unguarded: None) -> None:
    found = audit()
    assert len(found.findings) == len(triggers.expected(connection.vendor))
    with pytest.raises(SystemExit):
        call_command("signatures")


def test_an_approval_without_a_leaf_is_found(house: People, catalogue: Any, walk_with: Any) -> None:
    case = walk_with(house, file_case(), Status.DECISION)
    erase = decision.Proposal(choice=Decision.Choice.ERASE, ground="policy")
    decision.decision_propose(case=case, proposals={m.pk: erase for m in case.matches.all()}, actor=house[Role.LEGAL])
    triggers.drop(connection)
    Decision.objects.update(approved_by=house[Role.APPROVER].user, approved_at=timezone.now())
    triggers.install(connection)
    assert audit().findings == (f"Decision of case {case.number}, approval: the ledger holds no such signature.",)


def test_a_signature_that_was_given_to_somebody_else_is_found(house: People, catalogue: Any, walk_with: Any) -> None:
    case = walk_with(house, file_case(), Status.PLANNING)
    triggers.drop(connection)
    Decision.objects.update(proposed_by=house[Role.ENGINEER].user)
    # The opening is rewritten to match; the leaf is not, since its commitment needs the house's key.
    LedgerOpening.objects.filter(entry__action="decision.proposed").update(actor=house[Role.ENGINEER].user)
    triggers.install(connection)
    assert [finding for finding in audit().findings if "proposal" in finding and case.number in finding]


def test_a_role_that_nobody_granted_is_found(house: People) -> None:
    triggers.drop(connection)
    legal = house[Role.LEGAL].user
    assert legal is not None
    User.objects.filter(pk=legal.pk).update(role=Role.APPROVER)
    triggers.install(connection)
    assert audit().findings == (f"Account {legal.pk} has the role approver, which no two administrators gave it.",)


def test_orders_and_holds_are_compared_as_well(house: People, catalogue: Any) -> None:
    case = file_case()
    second = people.person_create(
        first_name="C", last_name="D", email="legal2@house.example", role=Role.LEGAL, actor=house[Role.ADMINISTRATOR]
    )
    other = User.objects.filter(role=Role.ADMINISTRATOR).latest("pk")
    legal = Actor.of(people.role_approve(person=second, actor=Actor.of(other)))
    holds.hold_set(case=case, reason="A court asked for the file of this case.", actor=house[Role.LEGAL])
    holds.hold_lift_ask(case=case, reason="The court has given the file back.", actor=house[Role.LEGAL])
    holds.hold_lift(case=case, actor=legal)
    order = orders.withdrawal_propose(
        version=catalogue["released"], reason="It answers with what nobody agreed to.", actor=house[Role.ENGINEER]
    )
    order_signing.order_sign(order=order, actor=house[Role.LEGAL])
    assert audit().findings == ()
    triggers.drop(connection)
    VersionOrder.objects.filter(pk=order.pk).update(legal_by=second)
    Hold.objects.update(lift_asked_by=house[Role.APPROVER].user)
    triggers.install(connection)
    assert [finding.partition(":")[0] for finding in audit().findings] == [
        f"Legal hold of case {case.number}, asking that it end",
        f"Order {order.pk}, legal",
    ]
