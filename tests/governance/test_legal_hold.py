"""A legal hold keeps everything of a case; it takes a reason to set, and two people with a reason to lift."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance.errors import Conflict, NotAllowed, Unfit
from governance.models import Case, Disposal, Hold, LedgerOpening, Role, User
from governance.policies import Actor
from governance.services.holds import hold_lift, hold_lift_ask, hold_of, hold_set, lift_mark
from governance.services.release import dispose_due
from tests.governance.staff import sign_in_to_decide

pytestmark = pytest.mark.database

WHY = "A claim was announced by counsel on 3 November."
OVER = "The claim was settled; counsel confirms in writing."


def test_a_hold_is_set_with_a_reason_and_lifted_by_two(people: dict[Role, Actor], case: Case) -> None:
    legal, approver = people[Role.LEGAL], people[Role.APPROVER]
    with pytest.raises(Unfit):
        hold_set(case=case, reason="Because.", actor=legal)
    hold_set(case=case, reason=WHY, actor=legal)
    case.refresh_from_db()
    assert case.held_at
    with pytest.raises(Conflict, match="First somebody asks"):
        hold_lift(case=case, actor=approver, shown=lift_mark(hold_of(case)))
    with pytest.raises(Unfit):
        hold_lift_ask(case=case, reason="Over.", actor=legal)
    hold_lift_ask(case=case, reason=OVER, actor=legal)
    with pytest.raises(NotAllowed, match="a second person"):
        hold_lift(case=case, actor=legal, shown=lift_mark(hold_of(case)))
    with pytest.raises(Conflict, match="asked already"):
        hold_lift_ask(case=case, reason=OVER, actor=approver)
    hold = hold_lift(case=case, actor=approver, shown=lift_mark(hold_of(case)))
    case.refresh_from_db()
    assert case.held_at is None and (hold.reason, hold.lift_reason) == (WHY, OVER)
    actions = LedgerOpening.objects.filter(case=case, entry__action__startswith="hold.").order_by("entry_id")
    assert [row.entry.action for row in actions] == ["hold.set", "hold.lift_asked", "hold.lifted"]
    assert all(set(row.body) == {"hold"} for row in actions)


def test_one_hold_stands_at_a_time_and_another_may_follow(people: dict[Role, Actor], case: Case) -> None:
    legal, approver = people[Role.LEGAL], people[Role.APPROVER]
    hold_set(case=case, reason=WHY, actor=legal)
    with pytest.raises(Conflict):
        hold_set(case=case, reason=WHY, actor=approver)
    hold_lift_ask(case=case, reason=OVER, actor=legal)
    hold_lift(case=case, actor=approver, shown=lift_mark(hold_of(case)))
    hold_set(case=case, reason=WHY, actor=approver)
    assert case.holds.count() == 2
    with pytest.raises(NotAllowed):
        hold_set(case=case, reason=WHY, actor=people[Role.ENGINEER])


def test_the_database_refuses_one_person_as_both_and_any_deletion(people: dict[Role, Actor], case: Case) -> None:
    legal, approver = people[Role.LEGAL], people[Role.APPROVER]
    hold_set(case=case, reason=WHY, actor=legal)
    hold_lift_ask(case=case, reason=OVER, actor=legal)
    with pytest.raises(IntegrityError), transaction.atomic():
        Hold.objects.update(lifted_by=legal.user, lifted_at=timezone.now())
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM governance_hold")
    hold_lift(case=case, actor=approver, shown=lift_mark(hold_of(case)))
    with pytest.raises(IntegrityError), transaction.atomic():
        Hold.objects.update(lifted_at=None, lifted_by=None)


def test_old_weights_of_a_held_case_stay(people: dict[Role, Actor], case: Case, catalogue: dict[str, Any]) -> None:
    version, yesterday = catalogue["released"], timezone.localdate() - timedelta(days=1)
    type(version).objects.filter(pk=version.pk).update(state="retired")
    Disposal.objects.create(version=version, case=case, what="weights", artifact=version.artifact, due_on=yesterday)
    hold_set(case=case, reason=WHY, actor=people[Role.LEGAL])
    assert dispose_due() == 0
    hold_lift_ask(case=case, reason=OVER, actor=people[Role.LEGAL])
    hold_lift(case=case, actor=people[Role.APPROVER], shown=lift_mark(hold_of(case)))
    assert dispose_due() == 1


def test_the_pages_lead_through_it(client: Client, people: dict[Role, Actor], case: Case) -> None:
    def enter(role: Role) -> User:
        user = people[role].user
        assert user
        sign_in_to_decide(client, user)
        return user

    def page() -> str:
        return client.get(reverse("case", args=[case.public_id])).content.decode()

    def act(name: str, **data: str) -> int:
        return client.post(reverse(f"case_{name}", args=[case.public_id]), data).status_code

    enter(Role.LEGAL)
    assert act("hold", reason="x") == 422 and act("hold", reason=WHY) == 302
    assert "Legal hold since" in page() and WHY in page()
    assert act("lift_ask", reason=OVER) == 302
    assert "Sign second and lift it" not in page() and act("lift", shown=lift_mark(hold_of(case))) == 403
    assert case.number in client.get("/cases/?view=held").content.decode()
    enter(Role.ENGINEER)
    assert "Legal hold since" in page() and WHY not in page()
    enter(Role.APPROVER)
    assert "Sign second and lift it" in page() and act("lift", shown="2026-01-01") == 409
    assert act("lift", shown=lift_mark(hold_of(case))) == 302
    assert "Legal hold since" not in page()
