"""What the database refuses about orders and the history of places, whoever holds the connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from governance.models import Role, VersionOrder
from governance.policies import Actor
from governance.services import order_signing, orders, places
from tests.governance.staff import grant

pytestmark = pytest.mark.database
People = dict[Role, Actor]
WHY = "It repeats passages of several works word for word."


def propose(catalogue: dict[str, Any], people: People) -> VersionOrder:
    made = orders.withdrawal_propose(version=catalogue["released"], reason=WHY, actor=people[Role.ENGINEER])
    assert made
    return made


def _update(columns: str) -> Callable[[VersionOrder, People], tuple[str, list[Any]]]:
    def statement(order: VersionOrder, people: People) -> tuple[str, list[Any]]:
        users = {role.value: actor.user.pk for role, actor in people.items() if actor.user}
        return f"UPDATE governance_versionorder SET {columns.format(**users)} WHERE id = %s", [order.pk]  # noqa: S608

    return statement


NOW = "'2026-11-29 12:00:00+00'"


@pytest.mark.parametrize(
    "statement",
    [
        _update(f"legal_by_id = {{engineer}}, legal_at = {NOW}"),
        _update(f"legal_by_id = {{release}}, legal_at = {NOW}"),
        _update(f"release_by_id = {{legal}}, release_at = {NOW}"),
        _update(f"release_by_id = {{administrator}}, release_at = {NOW}"),
        _update(f"done_at = {NOW}"),
        _update("legal_by_id = {legal}"),
        _update("reason = 'another'"),
        _update("kind = 'rollback'"),
        lambda order, people: ("DELETE FROM governance_versionorder WHERE id = %s", [order.pk]),
        lambda order, people: ("UPDATE governance_placestate SET state = 'replaced'", []),
        lambda order, people: ("DELETE FROM governance_placestate", []),
    ],
)
def test_the_database_refuses_every_short_cut(
    statement: Callable[[VersionOrder, People], tuple[str, list[Any]]], catalogue: dict[str, Any], people: People
) -> None:
    order = propose(catalogue, people)
    places.place_create(catalogue["released"], "Second place")
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(*statement(order, people))
    order.refresh_from_db()
    assert order.is_open and order.legal_by is None and order.release_by is None


def test_the_database_refuses_one_person_on_two_lines_and_any_change_of_a_signature(
    catalogue: dict[str, Any], people: People
) -> None:
    order = propose(catalogue, people)
    engineer = people[Role.ENGINEER].user
    assert engineer
    grant(engineer, Role.LEGAL)
    with pytest.raises(DatabaseError), transaction.atomic():
        VersionOrder.objects.update(legal_by=engineer, legal_at=timezone.now())
    order_signing.order_sign(order=order, actor=people[Role.LEGAL])
    approver = people[Role.APPROVER].user
    for change in ({"legal_by": approver}, {"legal_by": None, "legal_at": None}):
        with pytest.raises(DatabaseError), transaction.atomic():
            VersionOrder.objects.update(**change)
    order_signing.order_sign(order=order, actor=people[Role.RELEASE])
    with pytest.raises(DatabaseError), transaction.atomic():
        VersionOrder.objects.update(done_at=None)


def test_an_order_cannot_be_inserted_as_signed(catalogue: dict[str, Any], people: People) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        VersionOrder.objects.create(
            kind="withdraw", version=catalogue["released"], reason=WHY, legal_by=people[Role.LEGAL].user,
            legal_at=timezone.now(), release_by=people[Role.RELEASE].user, release_at=timezone.now(),
            done_at=timezone.now(),
        )  # fmt: skip
