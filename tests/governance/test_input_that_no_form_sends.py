"""Ends of the calendar, numbers beyond any row, NUL, cursors of nobody's making: told, never a fault."""

from __future__ import annotations

import base64
from datetime import date
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from governance.models import AuditSample, Case, Report, Role, SavedFilter, Status
from governance.policies import Actor
from governance.selectors import catalogue as select_catalogue
from governance.selectors import queue as select_queue
from governance.selectors.paging import moments, named
from governance.services import exports, samples
from governance.validators import number_in
from tests.governance.conftest import file_case
from tests.governance.staff import sign_in_to_decide

pytestmark = pytest.mark.database
People = dict[Role, Actor]
LONG = "9" * 5000


def enter(client: Client, actor: Actor) -> None:
    assert actor.user
    sign_in_to_decide(client, actor.user)


def test_a_number_is_one_in_plain_digits_and_no_longer_than_ours() -> None:
    assert number_in("0042") == 42 and number_in("9" * 18) == 10**18 - 1
    assert {number_in(text) for text in ("", "-1", "²", "٣", "1e3", "9" * 19, LONG)} == {None}


def test_the_ends_of_the_calendar_leave_a_list_open(db: None) -> None:
    assert moments(date.min, date.max) == (None, None) == moments(None, None)
    start, end = moments(date(2026, 11, 1), date(2026, 11, 2))
    assert start and end and (end - start).days == 2


@pytest.mark.parametrize("name", ["ledger", "reports", "papers"])
def test_lists_go_to_the_last_day_of_the_calendar(client: Client, people: People, case: Case, name: str) -> None:
    enter(client, people[Role.AUDITOR])
    answer = client.get(reverse(name), {"from": "0001-01-01", "to": "9999-12-31", "after": "\0"})
    assert answer.status_code == 200
    if name == "ledger":
        assert answer.context["rows"]


def test_exports_and_samples_too(people: People, walk: Any) -> None:
    walk(file_case(), Status.PLANNING)
    for what in ("decisions", "ledger", "policies"):
        rows = list(exports.KINDS[what].rows(date.min, date.max))
        assert rows or what == "policies"
    narrowed = {"from": "0001-01-01", "to": "9999-12-31", "date": "closed_at"}
    assert samples.population_of(narrowed, "") == []
    Case.objects.update(closed_at="2026-11-01T10:00:00Z")
    assert len(samples.population_of(narrowed, "")) == 1 and not AuditSample.objects.exists()


def test_a_cursor_of_nobodys_making_finds_no_page(client: Client, case: Case) -> None:
    path = f"/api/v1/requests/{case.private_token}/files/"
    for place in ("abc", "%00", "٣", LONG):
        cursor = base64.b64encode(f"p={place}".encode()).decode()
        answer = client.get(path, {"cursor": cursor})
        assert answer.status_code == 404 and answer["Content-Type"] == "application/problem+json", place
    assert client.get(path, {"cursor": base64.b64encode(b"p=7").decode()}).status_code == 200


def test_numbers_beyond_any_row_are_none(client: Client, people: People, walk: Any) -> None:
    case = walk(file_case(), Status.DECISION)
    enter(client, people[Role.LEGAL])
    page = reverse("case", args=[case.public_id])
    assert client.get(page, {"tab": "matches", "hit": LONG}).status_code == 200
    assert client.get(reverse("outbox"), {"before": LONG}).status_code == 200
    assert client.post(reverse("filter_remove"), {"filter": LONG}).status_code == 302
    sent = {"choice": "erase", "ground": "Company policy on opt-outs", f"hit_{LONG}": "erase"}
    assert client.post(reverse("case_propose", args=[case.public_id]), sent).status_code < 500


def test_nul_names_nothing_anywhere(
    people: People, catalogue: dict[str, Any], client: Client, django_assert_num_queries: Any
) -> None:
    """PostgreSQL refuses to be asked for it, so nobody asks."""
    legal = people[Role.LEGAL]
    with django_assert_num_queries(0):
        assert not [*select_queue.search(legal, "\0"), *select_queue.search(legal, "LT-\0")]
        assert not list(select_queue.of_person(legal, "\0")) and named(Report.objects.all(), number="\0") is None
    records = select_catalogue.records(catalogue["data"], after="\0").rows
    assert [one.record_id for one in records] == ["r1", "r2", "r3"]
    enter(client, legal)
    for name, query in (("a\0b", "kind=copyright"), ("ab", "kind=%00")):
        client.post(reverse("filter_keep"), {"name": name, "query": query})
    assert not SavedFilter.objects.exists()
    assert client.post(reverse("cases_find"), {"q": "\0"}).status_code < 500
    assert client.get(reverse("cases"), {"q": "\0", "person": "\0"}).status_code == 200
