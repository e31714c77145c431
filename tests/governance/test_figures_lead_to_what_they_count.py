"""Every number of the executive page leads to a list that is as long as it says, and the forecast to its weeks."""

from __future__ import annotations

import csv
import io
import re
import statistics
from datetime import timedelta
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance.models import (
    Case,
    CaseClock,
    CaseFact,
    ClockPause,
    Deployment,
    Disposal,
    Job,
    Role,
    Status,
    User,
)
from governance.policies import Actor
from governance.selectors import backlog
from governance.selectors import statement as statements
from governance.services import release, tallies
from governance.web import figure_lists
from tests.governance.conftest import file_case
from tests.governance.staff import member
from tests.governance.test_dashboard import TODAY, busy, closed_case, look, open_case

pytestmark = pytest.mark.database

LINK = re.compile(r'<a href="(/dashboard/(?:cases|places)/[^"]+)">([^<]*)</a>')


@pytest.fixture(params=[Role.EXECUTIVE, Role.AUDITOR])
def reader(request: pytest.FixtureRequest, client: Client) -> User:
    user = member("reader@house.example", role=request.param)
    client.force_login(user)
    return user


@pytest.fixture
def executive(client: Client) -> User:
    user = member("board@house.example", role=Role.EXECUTIVE)
    client.force_login(user)
    return user


def counted(told: str) -> int:
    """`3 of 4` and `3` are three; `8 days, n = 4` is of four."""
    of = re.search(r"n = ([\d,]+)", told)
    found = of or re.match(r"([\d,]+)", told.strip())
    assert found, told
    return int(found[1].replace(",", ""))


def shown(client: Client, url: str) -> tuple[int, int]:
    """What the list says that it holds, and how many rows it has, page after page."""
    address, rows = unescape(url), 0
    while True:
        answer = client.get(address)
        assert answer.status_code == 200, address
        rows += len(answer.context["rows"])
        if not answer.context["next_url"]:
            return answer.context["number"], rows
        address = address.split("?")[0] + answer.context["next_url"]


def an_old_house() -> None:
    """Cases of all sorts in both periods; one that stood still at the end of the one before, one that was late then."""
    busy()
    long_ago = TODAY - timedelta(days=120)
    paused, late = open_case(2), open_case(-100)
    Case.objects.filter(pk__in=[paused.pk, late.pk]).update(received_on=long_ago)
    soon = closed_case(60, ago=20)
    Case.objects.filter(pk=soon.pk).update(due_on=TODAY - timedelta(days=88))
    for clock in CaseClock.objects.filter(case=paused):
        day = timezone.now() - timedelta(days=100)
        ClockPause.objects.create(clock=clock, cause="identity", subject=uuid4(), first_at=day,
                                  last_at=day + timedelta(days=60))  # fmt: skip


def test_every_number_of_the_table_of_all_figures_leads_to_as_many(client: Client, reader: User) -> None:
    an_old_house()
    page = look(client).content.decode()
    rows = re.findall(r'data-row="(\w+)">(.*?)</tr>', page, re.S)
    tried = set()
    for code, row in rows:
        cells = re.findall(r'<td class="num"[^>]*><span>(.*?)</span>', row, re.S)[:2]
        for column, cell in enumerate(cells):
            found = LINK.search(cell)
            if found and "/runs/" not in found[1]:
                number = counted(unescape(found[2]))
                assert shown(client, found[1]) == (number, number), (code, column)
                tried.add((code, column))
            elif not found and code != "forecast":
                assert counted("0" if "–" in cell else unescape(re.sub("<[^>]+>", "", cell))) == 0 or code in (
                    "runs", "hours", "energy", "money"), (code, column, cell)  # fmt: skip
    assert {("open", 1), ("late", 1), ("kept", 1), ("answer_median", 1), ("received", 1), ("closed", 0)} <= tried


def test_weeks_laws_and_tables_lead_to_as_many(client: Client, reader: User) -> None:
    an_old_house()
    page = look(client).content.decode()
    links = [(url, told) for url, told in LINK.findall(page) if "/runs/" not in url]
    assert len([one for one in links if "law=" in one[0]]) >= 1
    weekly = [one for one in links if "period=dates" in one[0]]
    assert len(weekly) > 8
    for url, told in links:
        told = unescape(told)
        if re.match(r"[\d,]+$", told) or "n = " in told:
            assert shown(client, url)[0] == counted(told), (url, told)


def test_numbers_of_a_model_lead_to_cases_places_and_files(
    client: Client, walk: Any, people: dict[Role, Actor], reader: User, catalogue: dict[str, Any]
) -> None:
    case = walk(file_case(), Status.RELEASE)
    for role in (Role.RELEASE, Role.LEGAL):
        release.release_sign(case=case, actor=people[role])
    waiting = walk(file_case(), Status.PLANNING)
    version = catalogue["released"]
    for n in range(3):
        Deployment.objects.create(version=version, place=f"edge-{n}", state="pending")
        Disposal.objects.create(version=version, case=case, what="weights", artifact=f"sha256:{n}",
                                due_on=TODAY - timedelta(days=n + 1))  # fmt: skip
    page = look(client).content.decode()
    row = re.search(r"<th scope=\"row\"><a[^>]*>Lumen</a>.*?</tr>", page, re.S)
    assert row
    st = statements.statement(Actor.of(reader), statements.period_of("90d", TODAY))
    [model] = st.tables["models"].rows
    numbers = dict(zip(st.tables["models"].columns, model.values, strict=True))
    found = {url.split("/")[3]: (url, told) for url, told in LINK.findall(row[0])}
    assert set(found) == {code for code, value in numbers.items() if value} >= {"applied", "places", "old_weights"}
    for code, (url, _told) in found.items():
        assert shown(client, url) == (numbers[code], numbers[code]), code
    listed = client.get(unescape(found["applied"][0])).content.decode()
    assert case.number in listed and waiting.number not in listed
    seen = reverse("verification", args=[case.public_id])
    assert (seen in row[0]) == (reader.role == Role.AUDITOR)
    assert reverse("version", args=[version.model.public_id, 4]) in row[0]
    assert client.get("/dashboard/places/places/?model=none").context["number"] == 0


def test_a_list_can_be_taken_along_as_it_is_narrowed(
    client: Client, reader: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figure_lists, "CHUNK", 2)
    an_old_house()
    tallies.tallies_run()
    for address in ("open/?region=DE", "closed/?kind=copyright", f"late/?on={TODAY - timedelta(days=90)}", "open/"):
        page = client.get(f"/dashboard/cases/{address}")
        assert page.context["number"] or not page.context["csv_url"]
        joined = "&" if "?" in address else "?"
        answer = client.get(f"/dashboard/cases/{address}{joined}format=csv")
        rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))  # type: ignore[attr-defined]
        assert len(rows) == page.context["number"]
        numbers = {row["case"] for row in rows}
        assert {cells[0]["text"] for cells in page.context["rows"]} == numbers and len(numbers) == len(rows)
        if page.context["csv_url"]:
            again = client.get(f"/dashboard/cases/{address.split('?')[0]}{page.context['csv_url']}")
            assert len(b"".join(again.streaming_content).splitlines()) == len(rows) + 1  # type: ignore[attr-defined]


def test_long_lists_of_places_go_on(client: Client, executive: User, catalogue: dict[str, Any]) -> None:
    for n in range(5):
        Deployment.objects.create(version=catalogue["released"], place=f"edge-{n}", state="pending")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figure_lists, "SIZE", 2)
        number, rows = shown(client, "/dashboard/places/old_places/")
    assert number == rows >= 5
    for address in ("/dashboard/places/late/", "/dashboard/cases/old_places/", "/dashboard/cases/open/?kind=%00"):
        assert client.get(address).status_code == 404
    for query in ("after=x", "on=x", "model=%00", "after=99999999999999999999"):
        assert client.get(f"/dashboard/places/old_weights/?{query}").status_code == 200
        assert client.get(f"/dashboard/cases/late/?{query.replace('%00', 'x')}").status_code == 200


def test_what_the_runs_took_is_summed_up_over_the_list(client: Client, executive: User) -> None:
    for n, seconds in enumerate((3600, 1800)):
        case = closed_case(5 + n)
        for part in range(n + 1):
            Job.objects.create(
                key=f"engine:{n}:{part}", kind="engine.unlearn", queue="gpu", case=case, state=Job.State.SUCCEEDED,
                summary={"seconds": seconds, "energy": {"wh": 100}},
            )  # fmt: skip
    tallies.tallies_run()
    st = statements.statement(Actor.of(executive), statements.period_of("90d", TODAY))
    answer = client.get("/dashboard/cases/runs/")
    assert answer.context["sums"] == "Together 3 runs, 2.00 h, 0.300 kWh."
    assert (st.figures["runs"].value, st.figures["hours"].value, answer.context["number"]) == (3, 2.0, 2)
    assert sorted(row[6] for row in answer.context["rows"]) == ["1", "2"]


def test_the_forecast_can_be_worked_out_again_from_its_page(client: Client, executive: User) -> None:
    assert "There are not six full weeks yet" in client.get("/dashboard/forecast/").content.decode()
    monday = TODAY - timedelta(days=TODAY.weekday())
    for week in range(1, 13):
        for _n in range(week % 3 + 1):
            case = file_case()
            Case.objects.filter(pk=case.pk).update(received_on=monday - timedelta(days=7 * week - 2))
    tallies.tallies_run()
    answer = client.get("/dashboard/forecast/")
    worked, weeks, before = answer.context["parts"]
    st = statements.statement(Actor.of(executive), statements.period_of("90d", TODAY))
    told, balances = st.forecast, [int(row[3].replace("+", "").replace("−", "-")) for row in weeks["rows"]]
    assert told and len(weeks["rows"]) == told.weeks == 12
    value = CaseFact.objects.count() + 4 * statistics.fmean(balances)
    assert told.value == pytest.approx(value) and f"{round(value)} (" in worked["facts"][-1][1]
    assert len(before["rows"]) == told.tried == 12 - 6 - 4 + 1
    assert sum(row[5]["state"] == "pass" for row in before["rows"]) == told.held
    for row in weeks["rows"]:
        if row[1]["url"]:
            assert shown(client, row[1]["url"]) == (int(row[1]["text"]),) * 2
    assert 'href="/dashboard/forecast/"' in look(client).content.decode()


def test_a_day_in_the_past_is_listed_as_it_was_counted(client: Client, executive: User) -> None:
    an_old_house()
    tallies.tallies_run()
    for ago in (3, 30, 90, 119, 300):
        day = TODAY - timedelta(days=ago)
        stood = backlog.stood_on(day)
        for code in ("late", "at_risk", "week", "paused"):
            assert client.get(f"/dashboard/cases/{code}/?on={day}").context["number"] == getattr(stood, code)
        assert client.get(f"/dashboard/cases/open/?on={day}").context["number"] == backlog.open_on(day)
    assert backlog.stood_on(TODAY - timedelta(days=90)).paused == 1
