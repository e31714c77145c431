"""Search, filters, orders and saved filters; an e-mail address stands only in the form that sent it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from governance.errors import NotAllowed, Unfit
from governance.models import Case, Claimant, Role, SavedFilter
from governance.models.vault import subject_destroy
from governance.policies import Actor
from governance.selectors import queue as select
from governance.services.filters import filter_drop, filter_save
from governance.tokens import email_mark
from tests.governance.conftest import file_case
from tests.governance.staff import member

pytestmark = pytest.mark.database

TODAY = timezone.localdate()


@pytest.fixture
def legal(client: Client, people: dict[Role, Actor]) -> Actor:
    actor = people[Role.LEGAL]
    assert actor.user
    client.force_login(actor.user)
    return actor


def numbers(answer: Any) -> list[str]:
    return [row["number"] for group in answer.context["groups"] for row in group["cases"]]


def find(client: Client, words: str) -> Any:
    return client.post(reverse("cases_find"), {"q": words})


def test_an_address_finds_its_cases_and_never_stands_in_a_page_or_its_address(client: Client, legal: Actor) -> None:
    mine, other = file_case(email="Vel@Marun.example"), file_case(email="ada@brenn.example")
    answer = find(client, " vel@marun.EXAMPLE ")
    assert answer.status_code == 302 and "marun" not in answer["Location"].lower()
    assert parse_qs(urlsplit(answer["Location"]).query) == {"person": [email_mark("vel@marun.example")]}
    page = client.get(answer["Location"])
    assert numbers(page) == [mine.number] and "marun" not in page.content.decode().lower()
    assert other.number not in page.content.decode()


def test_an_address_that_somebody_put_into_a_link_is_led_on_to_its_mark(client: Client, legal: Actor) -> None:
    answer = client.get("/cases/", {"q": "vel@marun.example"})
    assert answer.status_code == 302 and "marun" not in answer["Location"]


def test_the_mark_in_the_database_tells_nothing_without_the_key() -> None:
    import hashlib

    case = file_case(email="vel@marun.example")
    mark = Claimant.objects.get(pk=case.claimant_id).email_mark
    assert len(mark) == 32 and "vel" not in mark
    assert not hashlib.sha256(b"vel@marun.example").hexdigest().startswith(mark)


def test_who_may_not_know_the_person_does_not_search_by_address(client: Client, people: dict[Role, Actor]) -> None:
    file_case()
    user = people[Role.ENGINEER].user
    assert user
    client.force_login(user)
    assert find(client, "vel@marun.example")["Location"] == reverse("cases")
    with pytest.raises(NotAllowed):
        select.of_person(people[Role.ENGINEER], email_mark("vel@marun.example"))
    answer = client.get("/cases/", {"person": email_mark("nobody@house.example")})
    assert answer.status_code == 200 and len(numbers(answer)) == 1  # as if nothing had been asked


def test_an_erased_person_is_found_by_no_address(client: Client, legal: Actor) -> None:
    case = file_case(email="vel@marun.example")
    subject_destroy(case.claimant.subject)
    assert numbers(client.get(find(client, "vel@marun.example")["Location"])) == []


def test_the_field_in_the_head_leads_to_a_case_or_to_a_list(client: Client, legal: Actor) -> None:
    case = file_case()
    assert find(client, case.number.lower())["Location"] == reverse("case", args=[case.public_id])
    assert numbers(client.get(find(client, case.number[3:8])["Location"])) == [case.number]
    assert find(client, "  ")["Location"] == reverse("cases")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"officer": "none"}, "bd"), ({"officer": "ME"}, "ac"), ({"state": "late"}, "a"), ({"state": "at_risk"}, "b"),
        ({"state": "paused"}, "c"), ({"state": "held"}, "d"), ({"due_from": "+2", "due_to": "+2"}, "b"),
        ({"received_from": "-20", "received_to": "-10"}, "c"), ({"officer": "none", "state": "at_risk"}, "b"),
        ({"stage": "closed"}, ""),
    ],
)  # fmt: skip
def test_each_filter_narrows(client: Client, legal: Actor, query: dict[str, str], found: str) -> None:
    made = {name: file_case() for name in "abcd"}
    rows = {
        "a": {"due_on": TODAY - timedelta(days=1), "officer": legal.user},
        "b": {"due_on": TODAY + timedelta(days=2)},
        "c": {"paused_on": TODAY, "officer": legal.user, "received_on": TODAY - timedelta(days=15)},
        "d": {"held_at": timezone.now()},
    }
    for name, columns in rows.items():
        Case.objects.filter(pk=made[name].pk).update(**columns)
    asked = {}
    for name, value in query.items():
        day = value[0] in "+-" and (TODAY + timedelta(days=int(value))).isoformat()
        asked[name] = day or (str(legal.user and legal.user.pk) if value == "ME" else value)
    answer = client.get("/cases/", asked)
    assert sorted(numbers(answer)) == sorted(made[name].number for name in found)


def test_a_filter_that_is_not_understood_is_said_and_the_others_hold(client: Client, legal: Actor) -> None:
    file_case()
    answer = client.get("/cases/", {"due_from": "soon", "kind": "privacy"})
    assert numbers(answer) == [] and answer.context["left_out"] == ["Due from"]
    assert "A filter was not understood and is left out" in answer.content.decode()


@pytest.mark.parametrize("sort", list(select.SORTS))
def test_every_order_is_paged_without_gap_or_repeat(client: Client, legal: Actor, monkeypatch: Any, sort: str) -> None:
    monkeypatch.setattr(select, "SIZE", 2)
    column = select.SORTS[sort]
    for days in (9, 1, 4, 4, 30):
        case = file_case()
        Case.objects.filter(pk=case.pk).update(
            due_on=TODAY + timedelta(days=days), received_on=TODAY - timedelta(days=days)
        )
    tie = "-id" if column.startswith("-") else "id"
    expected = list(Case.objects.order_by(column, tie).values_list("number", flat=True))
    seen, address = [], f"/cases/?sort={sort}"
    while address:
        answer = client.get(address)
        seen += numbers(answer)
        onward = answer.context["next_page_url"]
        address = f"/cases/{onward}" if onward else ""
    assert seen == expected


def test_a_filter_is_saved_found_again_and_removed(client: Client, legal: Actor) -> None:
    file_case()
    sent = {"name": "Urgent erasures", "query": "state=late&kind=privacy&after=x&law="}
    answer = client.post(reverse("filter_keep"), sent)
    kept = SavedFilter.objects.get()
    assert kept.query == "kind=privacy&state=late" and answer["Location"].endswith(f"?{kept.query}")
    page = client.get(answer["Location"]).content.decode()
    assert "Urgent erasures" in page and "Remove this filter" in page
    client.post(reverse("filter_remove"), {"filter": kept.pk})
    assert not SavedFilter.objects.exists()


def test_a_shared_filter_stands_in_everybodys_list_and_only_its_owner_removes_it(
    client: Client, legal: Actor, people: dict[Role, Actor]
) -> None:
    kept = filter_save(name="Late", query="state=late", shared=True, actor=legal)
    filter_save(name="My own", query="state=paused", shared=False, actor=legal)
    other = people[Role.APPROVER]
    assert [row.name for row in select.saved_filters(other)] == ["Late"]
    with pytest.raises(NotAllowed):
        filter_drop(pk=kept.pk, actor=other)
    assert SavedFilter.objects.count() == 2


@pytest.mark.parametrize(
    ("name", "query"),
    [("", "state=late"), ("x" * 61, "state=late"), ("a", ""), ("a", "after=b"), ("a", "q=" + "x" * 600),
     ("me@house.example", "state=late"), ("a", "q=vel@marun.example")],
)  # fmt: skip
def test_what_is_no_filter_is_not_saved(legal: Actor, name: str, query: str) -> None:
    with pytest.raises(Unfit):
        filter_save(name=name, query=query, shared=False, actor=legal)


def test_the_same_name_again_replaces_ones_own_filter(legal: Actor) -> None:
    filter_save(name="Late", query="state=late", shared=False, actor=legal)
    filter_save(name=" Late ", query="state=late&kind=privacy", shared=True, actor=legal)
    assert SavedFilter.objects.get().query == "kind=privacy&state=late"


@pytest.mark.parametrize("query", ["", "?state=late&kind=privacy&sort=newest", "?q=LT-", "?view=waiting"])
def test_the_queue_asks_a_bounded_number_of_queries(client: Client, legal: Actor, query: str) -> None:
    for _n in range(6):
        file_case()
    client.get(f"/cases/{query}")
    with CaptureQueriesContext(connection) as asked:
        client.get(f"/cases/{query}")
    assert len(asked) <= 15, [q["sql"][:120] for q in asked.captured_queries]


def test_somebody_who_left_can_still_be_filtered_away(client: Client, legal: Actor) -> None:
    gone = member("gone@house.example", role=Role.LEGAL, is_active=False)
    case = file_case()
    Case.objects.filter(pk=case.pk).update(officer=gone)
    assert gone not in select.officers()
    assert str(gone) in client.get(reverse("cases_workload")).content.decode()
