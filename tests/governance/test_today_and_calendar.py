"""What is to be done today, the calendar of deadlines, and the calendar that is taken along."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import Count, Min
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from icalendar import Calendar

from governance.models import Answer, CalendarFeed, Case, Interest, LedgerEntry, Message, Role, StageStay, Status, User
from governance.policies import Actor
from governance.selectors import stages
from governance.services import holds, review
from governance.tokens import link_token
from tests.governance.conftest import file_case
from tests.governance.staff import sign_in_to_decide

TODAY = date.today()


@pytest.fixture
def legal(client: Client, people: dict[Role, Actor]) -> Actor:
    user = people[Role.LEGAL].user
    assert user
    sign_in_to_decide(client, user)
    return people[Role.LEGAL]


def due(days: int, **fields: Any) -> Case:
    case = file_case()
    Case.objects.filter(pk=case.pk).update(due_on=TODAY + timedelta(days=days), **fields)
    case.refresh_from_db()
    return case


def blocks(client: Client, query: str = "") -> dict[str, list[str]]:
    """Name of a block -> the first words of its rows."""
    answer = client.get(f"/today/{query}")
    assert answer.status_code == 200
    return {part["id"]: [row["text"] for row in part["rows"]] for part in answer.context["blocks"]}


def test_legal_officers_and_approvers_land_on_today(client: Client, legal: Actor, people: dict[Role, Actor]) -> None:
    assert client.get("/desk/")["Location"] == "/today/"
    assert "Nothing is due within 7 days" in client.get("/today/").content.decode()
    client.force_login(people[Role.APPROVER].user)
    assert client.get("/desk/")["Location"] == "/today/"
    client.force_login(people[Role.AUDITOR].user)
    assert client.get("/today/").status_code == 403


def test_what_is_late_stands_first_then_what_falls_due(client: Client, legal: Actor, people: dict[Role, Actor]) -> None:
    late, soon, far = due(-2), due(5), due(13)
    other = due(-9, officer=people[Role.APPROVER].user)
    party = due(-1)
    Interest.objects.create(case=party, person=legal.user, subject=party.claimant.subject, what="A friend.")
    paused = due(-3, paused_on=TODAY)
    found = blocks(client)
    assert list(found) == ["late", "soon", "came", "second", "letters", "texts"]
    assert (found["late"], found["soon"]) == ([late.number], [soon.number])
    assert blocks(client, "?days=14")["soon"] == [soon.number, far.number]
    assert blocks(client, "?of=desk&days=99")["late"] == [other.number, late.number]
    page = client.get("/today/").content.decode()
    assert "1 case is past its date, 1 falls due within 7 days" in page
    assert f"/cases/{late.public_id}/letter/?template=late" in page
    assert paused.number not in page and "Marun" not in page


def test_what_came_in_waits_until_somebody_goes_on(client: Client, legal: Actor, walk: Callable[..., Case]) -> None:
    case = walk(file_case(), Status.REVIEW)
    review.information_ask(case=case, actor=legal, question="Which edition?", pauses_clock=False)
    asked = client.post(f"/status/{link_token(case.public_id, 'status')}/answer/", {"text": "The second."})
    assert asked.status_code in (200, 302) and Answer.objects.count() == 1
    assert blocks(client)["came"] == [case.number]
    review.case_admit(case=Case.objects.get(pk=case.pk), actor=legal)
    assert blocks(client)["came"] == []


def test_only_what_others_proposed_waits_for_a_second_signature(
    client: Client, legal: Actor, people: dict[Role, Actor], walk: Callable[..., Case]
) -> None:
    case = walk(file_case(), Status.REVIEW)
    holds.hold_set(case=case, actor=people[Role.APPROVER], reason="A court has asked for the file.")
    holds.hold_lift_ask(case=case, actor=people[Role.APPROVER], reason="The court has closed the matter.")
    assert blocks(client)["second"] == [case.number]
    sign_in_to_decide(client, people[Role.APPROVER].user)
    assert blocks(client)["second"] == []


def test_letters_that_did_not_leave_stand_there_and_texts_that_nobody_read(client: Client, legal: Actor) -> None:
    file_case()
    message = Message.objects.latest("pk")
    Message.objects.filter(pk=message.pk).update(state="failed", last_error="550 no such user")
    found = blocks(client)
    assert found["letters"] == ["received"] and len(found["texts"]) == 8


def test_the_next_unread_text_is_one_link_away(client: Client, legal: Actor) -> None:
    first = client.get("/messages/letters/").context["links"]
    assert len(first) == 1 and first[0]["url"] == "/messages/letters/added/en/"
    page = client.get(first[0]["url"])
    digest = page.context["parts"][2]["forms"][0]["form"]["digest"].value()
    answer = client.post("/messages/letters/added/en/review/", {"reader": "counsel", "digest": digest}, follow=True)
    assert "Read the next: admitted, in English" in answer.content.decode()
    assert client.get("/messages/letters/").context["links"][0]["url"] == "/messages/letters/admitted/en/"


def test_the_page_asks_as_little_for_many_cases_as_for_few(client: Client, legal: Actor) -> None:
    due(-1), due(1)
    client.get("/today/")
    with CaptureQueriesContext(connection) as few:
        client.get("/today/")
    for days in range(-5, 9):
        due(days)
    with CaptureQueriesContext(connection) as many:
        client.get("/today/")
    assert len(many) <= len(few) <= 45


def test_a_month_and_a_week_show_each_day_with_its_cases(client: Client, legal: Actor) -> None:
    month = TODAY.replace(day=15)
    cases = [due((month - TODAY).days) for _n in range(5)]
    answer = client.get(f"/cases/calendar/?day={month}")
    cell = next(one for week in answer.context["weeks"] for one in week if one["day"] == month)
    assert [one["number"] for one in cell["entries"]] == [case.number for case in cases[:3]]
    assert cell["more"] == "and 2 more" and cell["more_url"] == f"/cases/calendar/?view=week&of=mine&day={month}"
    assert "5 deadlines in" in answer.content.decode()
    week = client.get(f"/cases/calendar/?day={month}&view=week")
    assert len(week.context["weeks"]) == 1 and week.context["weeks"][0][month.weekday()]["more"] == ""
    assert client.get("/cases/calendar/?day=2026-02-31&view=nothing").status_code == 200


def test_a_calendar_tells_days_and_nobody(client: Client, legal: Actor) -> None:
    case = due(4)
    answer = client.post("/cases/calendar/address/", {"of": "mine"})
    address = answer.context["address"]
    assert address in answer.content.decode() and address not in client.get("/cases/calendar/").content.decode()
    token = address.rsplit("/", 1)[1].removesuffix(".ics")
    feed = CalendarFeed.objects.get()
    assert token not in feed.token_hash and LedgerEntry.objects.latest("index").action == "feed.made"
    told = Client().get(f"/deadlines/{token}.ics")
    assert told["Content-Type"].startswith("text/calendar") and "no-store" in told["Cache-Control"]
    events = {str(one["summary"]): one.decoded("dtstart") for one in Calendar.from_ical(told.content).walk("VEVENT")}
    assert events[f"{case.number}: last lawful day (The company's policy)"] == case.due_on
    assert set(events) - {f"{case.number}: confirm receipt (The company's policy)"} == {
        f"{case.number}: last lawful day (The company's policy)"
    }
    assert b"Marun" not in told.content and b"Orchard" not in told.content
    assert str(case.public_id).encode() not in told.content
    feed.refresh_from_db()
    assert feed.asked_at is not None


def test_a_revoked_replaced_or_orphaned_calendar_is_gone(client: Client, legal: Actor) -> None:
    first, second = (client.post("/cases/calendar/address/").context["address"].split("/", 3)[3] for _n in range(2))
    assert Client().get(f"/{first}").status_code == 404
    assert Client().get(f"/{second}").status_code == 200
    assert client.post("/cases/calendar/address/revoke/").status_code == 302
    assert LedgerEntry.objects.latest("index").action == "feed.revoked"
    assert Client().get(f"/{second}").status_code == 404
    third = client.post("/cases/calendar/address/").context["address"].split("/", 3)[3]
    User.objects.filter(pk=legal.user.pk).update(is_active=False)  # type: ignore[union-attr]
    assert Client().get(f"/{third}").status_code == 404


def test_each_stage_that_a_case_left_is_told_and_summed_along_an_index(
    client: Client, legal: Actor, walk: Callable[..., Case]
) -> None:
    case = walk(file_case(), Status.REVIEW)
    Case.objects.filter(pk=case.pk).update(changed_at=timezone.now() - timedelta(hours=50))
    review.case_admit(case=Case.objects.get(pk=case.pk), actor=legal)
    assert list(StageStay.objects.order_by("id").values_list("stage", "hours")) == [
        ("received", 0), ("proof", 0), ("review", 50),
    ]  # fmt: skip
    found = {one.stage: one for one in stages.stages(legal)}
    assert (found[Status.REVIEW].left, found[Status.REVIEW].median, found[Status.MATCHING].waiting) == (1, 50.0, 1)
    page = client.get("/cases/workload/").content.decode()
    assert "2.1 days" in page and "Most is held up at matching: 1 case" in page
    assert case.number in client.get("/cases/workload/review/").content.decode()
    assert client.get("/cases/workload/closed/").status_code == 404
    if connection.vendor == "sqlite":
        sums = stages._stays(90).order_by().values_list("stage", "hours").annotate(n=Count("id"))
        assert "COVERING INDEX stay_" in sums.explain()
        now = Case.objects.exclude(status=Status.CLOSED).order_by().values("status")
        assert "INDEX case_" in now.annotate(n=Count("id"), since=Min("changed_at")).explain()
