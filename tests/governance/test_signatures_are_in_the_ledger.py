"""A database owner who takes the triggers off and signs for others is found, from the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from governance.evidence.signatures import audit
from governance.models import (
    Case,
    Decision,
    Erasure,
    Hold,
    HouseProfile,
    LedgerOpening,
    Quarantine,
    Record,
    Role,
    Status,
    User,
    VersionOrder,
    triggers,
)
from governance.policies import Actor
from governance.services import (
    containment,
    decision,
    holds,
    order_signing,
    orders,
    organisation,
    people,
    release,
    retention,
)
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
        made[role] = Actor.of(people.role_approve(person=new, shown=str(new.grants.last().pk), actor=founders[1]))
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
    legal = Actor.of(people.role_approve(person=second, shown=str(second.grants.last().pk), actor=Actor.of(other)))
    holds.hold_set(case=case, reason="A court asked for the file of this case.", actor=house[Role.LEGAL])
    holds.hold_lift_ask(case=case, reason="The court has given the file back.", actor=house[Role.LEGAL])
    holds.hold_lift(case=case, actor=legal, shown=holds.lift_mark(holds.hold_of(case)))
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


def test_what_a_search_held_and_two_let_back_is_compared_as_well(house: People, catalogue: Any, walk_with: Any) -> None:
    case = walk_with(house, file_case(), Status.DECISION)
    data = Record.objects.all()[0].dataset
    records = [Record.objects.create(dataset=data, record_id=name, digest="sha256:0") for name in ("n1", "n2")]
    containment.returned(case, records)
    asked, other = Quarantine.objects.filter(cause="returned").order_by("pk")
    why = "The record is a licensed anthology that quotes the work."
    containment.lift_ask(quarantine=asked, actor=house[Role.LEGAL], reason=why)
    assert audit().findings == ()
    asked.refresh_from_db()
    containment.lift_approve(quarantine=asked, actor=house[Role.APPROVER], shown=containment.lift_mark(asked))
    assert audit().findings == ()
    names = {"lift_asked_by": house[Role.LEGAL].user, "ended_by": house[Role.APPROVER].user}
    words = f"Record {other.record.record_id} that a search held for case {case.number}"
    missing = [f"{words}, {side}: the ledger holds no such signature." for side in ("asking", "letting back")]

    def written(row: Quarantine, **values: Any) -> list[str]:
        """What is found when the owner writes this past the triggers."""
        triggers.drop(connection)
        before = Quarantine.objects.filter(pk=row.pk).values().get()
        Quarantine.objects.filter(pk=row.pk).update(**values)
        Record.objects.filter(pk=other.record_id).update(quarantined_at=None)
        triggers.install(connection)
        found = [one for one in audit().findings if "trained on" not in one]
        triggers.drop(connection)
        Quarantine.objects.filter(pk=row.pk).update(**before)
        triggers.install(connection)
        return found

    ended = {"ended_at": timezone.now(), "ended_why": why, "lift_why": why, **names}
    assert written(other, **ended) == missing
    assert written(other, ended_at=timezone.now(), ended_why=why, ended_by=names["ended_by"]) == missing[1:]
    for past in ("refused", Quarantine.GIVEN_BACK):  # words of entries that stand there for other reasons
        assert len(written(other, ended_at=timezone.now(), ended_why=past, ended_by=names["ended_by"])) == 1
    assert len(written(asked, lift_why="Another reason than the one that was signed.")) == 1
    assert len(written(asked, ended_by=house[Role.ENGINEER].user)) == 1


def test_ends_of_data_and_versions_of_the_house_are_compared_as_well(
    house: People, founders: list[Actor], catalogue: Any
) -> None:
    case = file_case()
    ended = timezone.now() - timedelta(days=3650)
    Case.objects.filter(pk=case.pk).update(status="closed", disposition="fulfilled", closed_at=ended)
    erasure = retention.erasure_ask(case=Case.objects.get(pk=case.pk), actor=house[Role.LEGAL])
    retention.erasure_approve(erasure=erasure, actor=house[Role.APPROVER])
    values = {"name": "House of Lumen", "address": "1 Quay", "contact": "privacy@lumen.example", "officer": "",
              "place": "de-by", "languages": ["en"]}  # fmt: skip
    profile = organisation.profile_propose(values=values, actor=founders[0])
    organisation.profile_approve(profile=profile, actor=founders[1])
    assert audit().findings == ()
    triggers.drop(connection)
    Erasure.objects.update(approved_by=house[Role.ENGINEER].user)
    HouseProfile.objects.update(proposed_by=house[Role.LEGAL].user)
    triggers.install(connection)
    assert [finding.partition(":")[0] for finding in audit().findings] == [
        f"Version {profile.pk} of the organisation, proposal",
        f"End of the data of case {case.number}, approval",
    ]
