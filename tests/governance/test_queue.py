"""The queue: what stands first, what is counted, found and paged, and how little the database is asked."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from governance.models import Case, Kind, Role, Status
from governance.policies import Actor
from governance.selectors import queue as select
from tests.governance.conftest import file_case
from tests.governance.staff import member

pytestmark = pytest.mark.database

TODAY = date.today()


def due(days: int, **fields: Any) -> Case:
    """An open case that is due in so many days."""
    case = file_case(**fields)
    Case.objects.filter(pk=case.pk).update(due_on=TODAY + timedelta(days=days))
    case.refresh_from_db()
    return case


@pytest.fixture
def legal(client: Client) -> Actor:
    user = member("queue@house.example", role=Role.LEGAL)
    client.force_login(user)
    return Actor.of(user)


def numbers(answer: Any) -> list[str]:
    return [row["number"] for group in answer.context["groups"] for row in group["cases"]]


def test_an_empty_queue_says_what_comes_next(client: Client, legal: Actor) -> None:
    page = client.get("/cases/").content.decode()
    assert "0 open cases, none due this week" in page
    assert "A case begins with a request" in page and "Widen them" not in page
    assert "Widen them" in client.get("/cases/?state=late").content.decode()


def test_the_headline_is_counted_from_the_clocks(client: Client, legal: Actor) -> None:
    due(-1), due(2), due(20)
    assert "3 open cases, 1 late, 1 due this week" in client.get("/cases/").content.decode()


def test_cases_stand_by_due_date_in_groups(client: Client, legal: Actor) -> None:
    later, week, late = due(90), due(3), due(-2)
    paused = due(5)
    Case.objects.filter(pk=paused.pk).update(paused_on=TODAY)
    answer = client.get("/cases/")
    assert [group["title"] for group in answer.context["groups"]] == [
        "Past their date", "Due this week", "Due later", "Paused",
    ]  # fmt: skip
    assert numbers(answer) == [case.number for case in (late, week, later, paused)]


def test_no_name_stands_in_the_queue(client: Client, legal: Actor) -> None:
    file_case(kind=Kind.PRIVACY)
    assert "Marun" not in client.get("/cases/").content.decode()


def test_pages_follow_each_other_without_gap_or_repeat(client: Client, legal: Actor, monkeypatch: Any) -> None:
    monkeypatch.setattr(select, "SIZE", 2)
    expected = [due(days).number for days in (1, 4, 4, 9, 30)]
    seen, address = [], "/cases/"
    while address:
        answer = client.get(address)
        seen += numbers(answer)
        onward = answer.context["next_page_url"]
        address = f"/cases/{onward}" if onward else ""
    assert seen == expected


@pytest.mark.parametrize("query", ["after=nonsense", "view=nonsense", "kind=nonsense", "law=%00", "stage=%27"])
def test_an_address_with_nonsense_begins_anew(client: Client, legal: Actor, query: str) -> None:
    case = due(3)
    answer = client.get(f"/cases/?{query}")
    assert answer.status_code == 200 and numbers(answer) == [case.number]


def test_filters_narrow_and_stay_chosen(client: Client, legal: Actor) -> None:
    due(3), due(4, kind=Kind.PRIVACY)
    answer = client.get("/cases/?kind=privacy")
    assert len(numbers(answer)) == 1
    chosen = [o for f in answer.context["filters"] for o in f["options"] if o["selected"] and o["value"]]
    assert [option["value"] for option in chosen] == ["privacy"]


def test_a_whole_number_leads_to_its_case_and_a_part_lists(client: Client, legal: Actor) -> None:
    case = due(3)
    answer = client.get("/cases/", {"q": case.number.lower()})
    assert answer.status_code == 302 and answer["Location"].endswith(f"/cases/{case.public_id}/")
    assert numbers(client.get("/cases/", {"q": case.number[:6]})) == [case.number]
    assert numbers(client.get("/cases/", {"q": "LT-NONE"})) == []


def test_a_record_leads_to_the_case_that_hit_it(client: Client, legal: Actor, walk: Any) -> None:
    case = walk(file_case(), Status.DECISION)
    assert numbers(client.get("/cases/", {"q": "r1"})) == [case.number]


def test_the_list_of_what_waits_follows_the_role(walk: Any, people: dict[Role, Actor]) -> None:
    case = walk(file_case(), Status.PLANNING)
    for role, waits in ((Role.LEGAL, 0), (Role.APPROVER, 0), (Role.ENGINEER, 0), (Role.RELEASE, 0)):
        assert select.cases(people[role], "waiting").count() == waits
    from tests.governance.conftest import run_house_jobs

    run_house_jobs(case)
    assert list(select.cases(people[Role.ENGINEER], "waiting")) == [case]


def test_a_proposal_waits_for_a_second_person_only(walk: Any, people: dict[Role, Actor]) -> None:
    from governance.models import Decision
    from governance.services.decision import Proposal, decision_propose

    case = walk(file_case(), Status.DECISION)
    assert list(select.cases(people[Role.LEGAL], "waiting")) == [case]
    erase = Proposal(choice=Decision.Choice.ERASE, ground="policy")
    decision_propose(case=case, proposals={m.pk: erase for m in case.matches.all()}, actor=people[Role.LEGAL])
    assert list(select.cases(people[Role.LEGAL], "waiting")) == []
    for view in ("waiting", "second"):
        assert list(select.cases(people[Role.APPROVER], view)) == [case]
    assert list(select.cases(people[Role.LEGAL], "proposed")) == [case]


def test_more_cases_ask_no_more_queries(client: Client, legal: Actor) -> None:
    due(1)
    client.get("/cases/")
    with CaptureQueriesContext(
        connection,
    ) as few:
        client.get("/cases/")
    for days in range(2, 12):
        due(days)
    with CaptureQueriesContext(connection) as many:
        client.get("/cases/")
    assert len(many) <= len(few)
