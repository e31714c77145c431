"""The executive page: its sentence and figures are counted, each chart has its words, table and CSV."""

from __future__ import annotations

import csv
import io
import re
from datetime import date, timedelta
from html import unescape
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from governance import dispatch
from governance.errors import NotAllowed
from governance.evidence import figure_words as words
from governance.models import Case, Deployment, Disposal, Job, Kind, Role, Status, User
from governance.policies import Actor
from governance.selectors import drill
from governance.selectors import figures as select
from governance.selectors import statement as statements
from governance.services import papers, release, tallies
from governance.statement_figures import Period
from governance.web import executive as executive_page
from governance.web import figure_urls, figures
from governance.web.figures import NAMES
from tests.governance.conftest import file_case
from tests.governance.staff import member
from tests.governance.test_evidence_pdf import text_of

pytestmark = pytest.mark.database

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


def look(client: Client, query: str = "") -> Any:
    """The page after everything that changed was counted."""
    tallies.tallies_run()
    cache.clear()
    return client.get(f"/dashboard/{query}")


def text(client: Client) -> str:
    return str(look(client).content.decode())


def figure(page: str, code: str) -> str:
    """The number of a figure as it stands on the page."""
    found = re.search(rf'data-figure="{code}".*?<data value="[^"]*">([^<]*)</data>', page, re.S)
    assert found, code
    return unescape(found[1])


def row(page: str, code: str, column: int = 0) -> str:
    """The number of a figure in the table of all figures: now, or (1) in the period before."""
    line = re.search(rf'data-row="{code}">(.*?)</tr>', page, re.S)
    assert line, code
    told = re.findall(r'<td class="num"[^>]*><span>(.*?)</span>', line[1], re.S)[column]
    return unescape(re.sub(r"<[^>]+>.*|estimate", "", re.sub(r"^<a[^>]*>", "", told.replace("</a>", "")))).strip()


def test_an_empty_house_has_an_honest_page(client: Client, executive: User) -> None:
    page = text(client)
    for said in ("No case is open.", "No clock is running.", "No case was closed in that time.", "not six full weeks"):
        assert said in page
    assert figure(page, "answer_median") == "–"


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
    assert look(client).context["conclusion"] == sentence


def test_paused_clocks_are_neither_late_nor_next(client: Client, executive: User) -> None:
    case = open_case(-3)
    Case.objects.filter(pk=case.pk).update(paused_on=TODAY)
    page = text(client)
    assert case.number not in page and (figure(page, "late"), row(page, "paused")) == ("0", "1 of 1")


def busy() -> None:
    """Some cases of each sort, in this period and the one before."""
    for days in (4, 6, 10):
        closed_case(days)
    closed_case(40, late=True)
    closed_case(3, ago=100, kind=Kind.PRIVACY)
    closed_case(50, late=True, ago=120)
    open_case(-2), open_case(-5), open_case(1), open_case(20)


def printed(client: Client, page: str, tmp_path: Path) -> str:
    """The text of the sealed statement to which the page leads."""
    asked = re.search(r'href="[^"]*/papers/\?first=([\d-]+)&amp;last=([\d-]+)#order"', page)
    assert asked
    order = {"kind": "statement", "size": "A4", "language": "en", "first": asked[1], "last": asked[2]}
    assert client.post(reverse("paper_order"), order).status_code == 302
    paper = papers.paper_write(job=Job.objects.get(kind="paper"))
    return text_of(dispatch.read_bytes(paper.pdf), tmp_path)


#: The last 90 days, and days of one's own: the cases of the period before, without those of this one.
NINETY = ("90d", TODAY - timedelta(days=89), TODAY)
OWN = ("dates", TODAY - timedelta(days=130), TODAY - timedelta(days=90))


@pytest.mark.parametrize(("code", "start", "end"), [NINETY, OWN])
def test_a_figure_is_the_same_on_the_page_in_its_table_in_the_csv_and_in_the_pdf(
    client: Client, executive: User, house: Path, tmp_path: Path, code: str, start: date, end: date
) -> None:
    busy()
    query = "" if code == "90d" else f"?from={start}&to={end}"
    page = str(look(client, query).content.decode())
    told = statements.statement(Actor.of(executive), Period(code=code, start=start, end=end)).figures
    rows = csv.DictReader(io.StringIO(client.get(reverse("figures_csv", args=["figures"]) + query).content.decode()))
    sheet = {line["code"]: line for line in rows}
    paper = printed(client, page, tmp_path)
    on_page = set(re.findall(r'data-figure="(\w+)"', page))
    assert {"open", "kept", "answer_median", "late", "at_risk", "hours_case"} <= on_page <= set(told)
    assert list(sheet) == list(told) == re.findall(r'data-row="(\w+)"', page)
    for code, f in told.items():
        assert sheet[code]["value"] == ("" if f.value is None else str(f.value)), code
        assert sheet[code]["figure"] == words.name(code), code
        assert row(page, code) == words.shown(f), code
        if code in on_page:
            assert figure(page, code) == words.number(f.value, f.unit), code
        assert f"{words.name(code)} {words.shown(f)} " in paper, code
        was = words.shown_before(f) or "–"
        assert [sheet[code][name] for name in ("before", "before_of")] == [
            "" if value is None else str(value) for value in (f.before, f.before_of)
        ], code
        assert row(page, code, 1) == was, code
        # Between the two columns the paper says what share it is and how sure.
        between = r"(?:nothing to measure|an estimate|[\d.]+%|, | )*"
        assert re.search(re.escape(f"{words.name(code)} {words.shown(f)} ") + between + re.escape(was), paper), code
    own, ninety = ((1, 2, 26.5), (0, 0)), ((3, 4, 8), (1, 2))
    kept = told["kept"]
    assert ((kept.value, kept.of, told["answer_median"].value), (kept.before, kept.before_of)) == (
        ninety if end == TODAY else own
    )


def test_whether_it_gets_better_is_told_against_the_period_before(client: Client, executive: User) -> None:
    busy()
    said = look(client).context["trend"]
    assert said == ("Better than in the period before: 75.0 % of answers in time (was 50.0 %), "
                    "median 8 days (was 26.5).")  # fmt: skip


@pytest.mark.parametrize("code", [*drill.NOW, *drill.IN_PERIOD])
def test_the_list_behind_a_figure_is_as_long_as_its_number(client: Client, executive: User, code: str) -> None:
    busy()
    tallies.tallies_run()
    f = statements.statement(Actor.of(executive), statements.period_of("90d", TODAY)).figures[code]
    expected = f.of if f.unit == "days" else f.value
    answer = client.get(reverse("figure_cases", args=[code]))
    assert answer.context["number"] == expected == len(answer.context["rows"])
    assert "Vel Marun" not in answer.content.decode() and 'href="/cases/' not in answer.content.decode()


def test_each_number_of_a_table_leads_to_as_many_cases(client: Client, executive: User) -> None:
    busy()
    found = re.findall(
        r'<a href="(/dashboard/cases/[^"]+(?:kind|region|stage|ending)=[^"]+)">([\d,]+)</a>', text(client)
    )
    assert len(found) >= 8
    for url, number in found:
        assert client.get(unescape(url)).context["number"] == int(number.replace(",", "")), url


def test_long_lists_go_on_and_whoever_sees_cases_may_open_them(client: Client) -> None:
    client.force_login(member("audit@house.example", role=Role.AUDITOR))
    cases = [open_case(-n) for n in range(1, 4)]
    tallies.tallies_run()
    drill_size = drill.SIZE
    try:
        drill.SIZE = 2
        first = client.get("/dashboard/cases/late/")
        second = client.get("/dashboard/cases/late/" + first.context["next_url"])
    finally:
        drill.SIZE = drill_size
    shown = [cells[0]["text"] for page in (first, second) for cells in page.context["rows"]]
    assert shown == [case.number for case in reversed(cases)]
    assert f"/cases/{cases[0].public_id}/" in second.content.decode()


def test_a_figure_without_cases_of_its_own_has_no_list(client: Client, executive: User) -> None:
    assert client.get("/dashboard/cases/forecast/").status_code == 404


def test_periods_are_chosen_by_name_or_by_dates(client: Client, executive: User) -> None:
    busy()
    assert row(look(client, "?period=365d").content.decode(), "closed") == "6"
    days = f"?from={TODAY - timedelta(days=130)}&to={TODAY - timedelta(days=90)}"
    assert row(look(client, days).content.decode(), "closed") == "2"
    text = look(client, "?from=rubbish&to=2026-99-99").content.decode()
    assert row(text, "closed") == "4" and "These days make no period, so" in text


def test_days_that_make_no_period_stay_in_their_fields(client: Client, executive: User) -> None:
    text = look(client, f"?from={TODAY}&to={TODAY + timedelta(days=9)}").content.decode()
    assert "These days make no period" in text and f'value="{TODAY + timedelta(days=9)}"' in text


def test_the_page_tells_what_waits_and_what_a_recount_found(
    client: Client, executive: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executive_page, "FRESH", 0)
    open_case(9)
    tallies.tallies_run()
    open_case(9)
    cache.clear()
    assert "changes wait." in client.get("/dashboard/").context["counted"]
    assert "under way" in client.post("/dashboard/recount/", follow=True).context["counted"]
    assert "found no difference" in look(client).context["counted"]


def test_a_page_that_was_drawn_is_not_drawn_again_for_some_seconds(
    client: Client, executive: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_case(9)
    look(client)
    with CaptureQueriesContext(connection) as again:
        client.get("/dashboard/")
    assert len(again) <= 3
    open_case(-1)
    tallies.tallies_run()
    assert client.get("/dashboard/").context["conclusion"].startswith("The one open case is inside its clock.")
    monkeypatch.setattr(executive_page, "FRESH", 0)
    assert client.get("/dashboard/").context["conclusion"].startswith("One deadline was missed.")


def test_whoever_asks_first_is_waited_for_and_the_page_is_drawn_once(
    client: Client, executive: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []

    def draw() -> dict[str, Any]:
        drawn.append(1)
        sleep(0.3)
        return {"body": "drawn"}

    asked = [Thread(target=executive_page._fresh, args=("dashboard:test", draw)) for _who in range(4)]
    for one in asked:
        one.start()
    for one in asked:
        one.join()
    assert len(drawn) == 1
    cache.set("dashboard:test:drawing", 1), cache.delete("dashboard:test")
    monkeypatch.setattr(executive_page, "PATIENCE", 0.2)
    assert executive_page._fresh("dashboard:test", draw) and len(drawn) == 2, "one that never ends is not waited for"


def test_a_candidate_says_nothing_about_what_is_in_service(client: Client, walk: Any, executive: User) -> None:
    case = walk(file_case(), Status.RELEASE)
    page = text(client)
    assert "Lumen" in page and "none yet" in page, "it is not in service yet"
    assert str(case.public_id) not in page, "the executive may not open cases"


def test_a_model_in_service_shows_the_verification_of_that_very_version(
    client: Client, walk: Any, people: Any, executive: User
) -> None:
    case = walk(file_case(), Status.RELEASE)
    for role in (Role.RELEASE, Role.LEGAL):
        release.release_sign(case=case, actor=people[role])
    look(client)
    st = statements.statement(Actor.of(executive), statements.period_of("90d", TODAY))
    [(model, counts, version, last)] = executive_page._models(st)
    assert (counts["applied"], last.verdict, version.revision) == (1, "pass", 4)
    with CaptureQueriesContext(connection) as asked:
        assert figures.found_url(last, see_cases=False).endswith(f"/{version.revision}/")
        assert figures.found_url(last, see_cases=True) == reverse("verification", args=[case.public_id])
    assert not asked.captured_queries
    assert st.tables["models"].rows == (statements.Row(key=model.name, values=tuple(counts.values())),)


def test_forget_quality_is_drawn_against_utility(client: Client, walk: Any, executive: User) -> None:
    from governance.models import Verification

    case = walk(file_case(), Status.RELEASE)
    Verification.objects.filter(plan__case=case).update(forget_quality=0.4, utility=0.97)
    page = text(client)
    assert "1 of 2 runs passed all their probes." in page
    rows = list(csv.reader(io.StringIO(client.get(reverse("figures_csv", args=["quality"])).content.decode())))
    assert rows[1][0] == "Lumen" and rows[1][2:] == ["2", "retrain", "pass", "0.4", "0.97"] and len(rows) == 3


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
    busy()
    page = text(client)
    assert page.count("data-chart=") == page.count("as a table</summary>") == 2
    assert page.count("Requests per week as CSV") == 1


def test_old_places_and_files_are_figures_with_their_lists(
    client: Client, executive: User, catalogue: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    case, version = open_case(4), catalogue["released"]
    for n in range(2):
        Deployment.objects.create(version=version, place=f"edge-{n}", state="pending")
        fields = {"artifact": f"sha256:{n}", "due_on": TODAY - timedelta(days=n + 1)}
        Disposal.objects.create(version=version, case=case, what="weights", **fields)
    page = text(client)
    for code, link in (("old_places", "#old"), ("old_weights", "#past")):
        part = re.search(rf'data-figure="{code}".*?How it is', page, re.S)
        assert part and f'href="{link}">List<' in part[0] and f'id="{link[1:]}"' in page
    assert case.number in page and page.index("edge-0") < page.index("edge-1") and "The first" not in page
    monkeypatch.setattr(executive_page, "OLD", 1)
    assert text(client).count("The first 1 of 2.") == 2
    assert "/runs/" in figure_urls.list_url("energy", statements.period_of("90d", TODAY))


def test_more_cases_ask_no_more_queries(client: Client, executive: User) -> None:
    closed_case(5), open_case(4)
    look(client), cache.clear()
    with CaptureQueriesContext(connection) as few:
        client.get("/dashboard/")
    for n in range(8):
        closed_case(5 + n, kind=Kind.PRIVACY), open_case(4 + n)
    tallies.tallies_run(), cache.clear()
    with CaptureQueriesContext(connection) as many:
        client.get("/dashboard/")
    assert len(many) <= len(few) and len(many) < 40


def test_the_figures_ask_the_policy_themselves() -> None:
    with pytest.raises(NotAllowed):
        select.demand_dashboard(Actor.of(member("l@house.example", role=Role.LEGAL)))
