"""The executive page: its sentence and figures are counted, each chart has its words, table and CSV."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from governance.errors import NotAllowed
from governance.models import Case, Kind, Role, Status, User
from governance.policies import Actor
from governance.selectors import figures as select
from governance.services import release
from governance.web.figures import NAMES
from tests.governance.conftest import file_case
from tests.governance.staff import member

TODAY = date.today()


@pytest.fixture
def executive(client: Client) -> User:
    user = member("board@house.example", role=Role.EXECUTIVE)
    client.force_login(user)
    return user


def open_case(days_left: int) -> Case:
    case = file_case()
    Case.objects.filter(pk=case.pk).update(due_on=TODAY + timedelta(days=days_left))
    return case


def closed_case(days: int, *, late: bool = False, ago: int = 1, kind: Kind = Kind.COPYRIGHT) -> Case:
    """A case that took so many days and was closed `ago` days back."""
    case, closed = file_case(kind=kind), timezone.now() - timedelta(days=ago)
    day = timezone.localdate(closed)
    Case.objects.filter(pk=case.pk).update(
        status=Status.CLOSED, disposition="refused", closed_at=closed, received_on=day - timedelta(days=days),
        due_on=day - timedelta(days=1) if late else day + timedelta(days=5),
    )  # fmt: skip
    return case


def text(client: Client) -> str:
    return str(client.get("/dashboard/").content.decode())


def test_an_empty_house_has_an_honest_page(client: Client, executive: User) -> None:
    page = text(client)
    for words in ("No case is open.", "No clock is running.", "Nothing was verified yet", "Nothing to measure yet"):
        assert words in page


@pytest.mark.parametrize(
    ("left", "sentence"),
    [
        ((9,), "The one open case is inside its clock."),
        ((9, 20), "Every one of 2 open cases is inside its clock."),
        ((2, 20), "One deadline is at risk. The other open case is inside its clock."),
        ((-1, 1, 9, 9), "One deadline was missed. One deadline is at risk. Every other open case is inside its clock."),
        ((-1, -3), "2 deadlines were missed."),
    ],
)
def test_the_headline_is_computed(client: Client, executive: User, left: tuple[int, ...], sentence: str) -> None:
    for days in left:
        open_case(days)
    assert client.get("/dashboard/").context["conclusion"] == sentence


def test_figures_are_counted_by_hand(client: Client, executive: User) -> None:
    for days in (4, 6, 10):
        closed_case(days)
    closed_case(40, late=True)
    closed_case(3, ago=200)
    figures = {f["label"]: f for f in client.get("/dashboard/").context["figures"]}
    inside = figures["Answered inside the clock, 90 days"]
    assert (inside["number"], inside["of"], inside["note"]) == ("3", "of 4", "1 came late")
    median = figures["Median time to an answer"]
    assert median["number"] == "8" and median["note"].endswith("n = 4")


def test_percentiles_are_those_of_the_textbook() -> None:
    spread = select.spread([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    assert spread == select.Spread(median=6, low=2.0, high=10.0, n=11)
    assert select.spread([]) is None


def test_paused_clocks_are_neither_late_nor_next(client: Client, executive: User) -> None:
    case = open_case(-3)
    Case.objects.filter(pk=case.pk).update(paused_on=TODAY)
    answer = client.get("/dashboard/")
    assert answer.context["deadlines"] == []
    assert "1 is paused" in answer.content.decode()


def test_the_last_verdict_of_a_case_counts_not_every_try(client: Client, walk: Any, executive: User) -> None:
    case = walk(file_case(), Status.RELEASE)
    page = client.get("/dashboard/")
    verified = page.context["figures"][-1]
    assert (verified["number"], verified["of"]) == (1, "of 1")
    [model] = page.context["models"]
    assert (model["name"], model["applied"], model["verification"]) == ("Lumen", 0, None), "it is not in service yet"
    assert str(case.public_id) not in page.content.decode(), "the executive may not open cases"


def test_a_model_in_service_shows_the_verification_of_that_very_version(
    client: Client, walk: Any, people: Any, executive: User
) -> None:
    case = walk(file_case(), Status.RELEASE)
    for role in (Role.RELEASE, Role.LEGAL):
        release.release_sign(case=case, actor=people[role])
    [model] = client.get("/dashboard/").context["models"]
    assert (model["applied"], model["verification"]["state"]) == (1, "pass")
    assert model["serving"].startswith("rev. 4")


def test_forget_quality_is_drawn_against_utility(client: Client, walk: Any, executive: User) -> None:
    from governance.models import Verification

    case = walk(file_case(), Status.RELEASE)
    Verification.objects.filter(plan__case=case).update(forget_quality=0.4, utility=0.97)
    page = text(client)
    assert "1 of 2 runs passed all their probes." in page
    rows = list(csv.reader(io.StringIO(client.get(reverse("figures_csv", args=["quality"])).content.decode())))
    assert rows[1][1:] == ["2", "retrain", "pass", "0.4", "0.97"] and len(rows) == 3


@pytest.mark.parametrize("name", NAMES)
def test_every_chart_has_its_csv(client: Client, executive: User, name: str) -> None:
    closed_case(5)
    answer = client.get(reverse("figures_csv", args=[name]))
    assert answer["Content-Type"].startswith("text/csv")
    assert answer["Content-Disposition"] == f'attachment; filename="{name}.csv"'
    assert answer.content.decode().splitlines()[0].count(",") >= 1


def test_a_chart_that_does_not_exist_is_not_found(client: Client, executive: User) -> None:
    assert client.get("/dashboard/nonsense.csv").status_code == 404


def test_every_chart_has_sentence_table_and_link(client: Client, executive: User) -> None:
    closed_case(5), open_case(4)
    for section in client.get("/dashboard/").context["sections"]:
        for chart in section["charts"]:
            assert chart["sentence"].endswith(".") and chart["csv_url"] and len(chart["series"]) <= 4


def test_more_cases_ask_no_more_queries(client: Client, executive: User) -> None:
    closed_case(5), open_case(4)
    client.get("/dashboard/")
    with CaptureQueriesContext(connection) as few:
        client.get("/dashboard/")
    for n in range(8):
        closed_case(5 + n, kind=Kind.PRIVACY), open_case(4 + n)
    with CaptureQueriesContext(connection) as many:
        client.get("/dashboard/")
    assert len(many) <= len(few) and len(many) < 40


def test_the_figures_ask_the_policy_themselves() -> None:
    with pytest.raises(NotAllowed):
        select.demand_dashboard(Actor.of(member("l@house.example", role=Role.LEGAL)))
