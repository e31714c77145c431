"""The statement: each figure is what a count by hand gives; percentiles and forecast are the textbook's."""

from __future__ import annotations

import statistics
import uuid
from collections import Counter
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from governance.errors import NotAllowed
from governance.models import Case, ClockPause, Role
from governance.policies import Actor
from governance.selectors import backlog, drill
from governance.selectors import statement as select
from governance.services import tallies
from tests.governance.staff import member
from tests.governance.test_figures_are_kept_current import START, History

pytestmark = pytest.mark.database

TODAY = START + timedelta(days=40)


@pytest.fixture
def board() -> Actor:
    return Actor.of(member("board@house.example", role=Role.EXECUTIVE))


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_every_figure_is_that_of_a_count_by_hand(board: Actor, seed: int) -> None:
    history = History(seed)
    for _step in range(90):
        history.step()
    tallies.tallies_run()
    period = select.Period(code="dates", start=START + timedelta(days=10), end=START + timedelta(days=25))
    told = {code: f.value for code, f in select.statement(board, period, TODAY).figures.items()}
    cases = list(Case.objects.all())
    opened = [c for c in cases if c.status != "closed"]
    running = [c for c in opened if not c.paused_on]
    day = {c.pk: timezone.localdate(c.closed_at) for c in cases if c.closed_at}
    closed = [c for c in cases if c.pk in day and period.start <= day[c.pk] <= period.end]
    answered = [c for c in closed if c.disposition != "withdrawn"]
    took = [(day[c.pk] - c.received_on).days for c in closed]
    by_hand: dict[str, Any] = {
        "open": len(opened),
        "late": sum(c.due_on < TODAY for c in running),
        "at_risk": sum(TODAY <= c.due_on <= TODAY + timedelta(days=3) for c in running),
        "week": sum(TODAY <= c.due_on <= TODAY + timedelta(days=7) for c in running),
        "paused": len(opened) - len(running),
        "kept": sum(day[c.pk] <= c.due_on for c in answered),
        "missed": sum(day[c.pk] > c.due_on for c in answered),
        "received": sum(period.start <= c.received_on <= period.end for c in cases),
        "closed": len(closed),
        "answer_median": statistics.median(took) if took else None,
        "runs": sum(c.jobs.filter(state="succeeded").count() for c in closed),
        "hours": sum(round(1000 * j.summary["seconds"]) for c in closed for j in c.jobs.all()) / 3.6e6,
    }
    assert {code: told[code] for code in by_hand} == by_hand
    figures = select.statement(board, period, TODAY).figures
    assert {figures[code].of for code in ("kept", "missed")} == {len(answered)}
    tables = select.statement(board, period, TODAY).tables
    for code, column, total in (("kinds", 0, "received"), ("kinds", 3, "open"), ("regions", 3, "late"),
                                ("stages", 0, "open"), ("endings", 0, "closed")):  # fmt: skip
        assert sum(row.values[column] or 0 for row in tables[code].rows) == by_hand[total], (code, column)


def test_a_withdrawn_case_is_closed_and_neither_in_time_nor_late(board: Actor) -> None:
    history = History(5)
    for ending, late in (("withdrawn", -1), ("withdrawn", 1), ("refused", -1), ("refused", 1), ("refused", 2)):
        history.file()
        case = Case.objects.latest("pk")
        closed = timezone.make_aware(datetime.combine(case.due_on + timedelta(days=late), time(12)))
        Case.objects.filter(pk=case.pk).update(status="closed", disposition=ending, closed_at=closed)
    tallies.tallies_run()
    period = select.Period(code="dates", start=START, end=START + timedelta(days=80))
    told = select.statement(board, period, period.end)
    counts = {code: (told.figures[code].value, told.figures[code].of) for code in ("kept", "missed")}
    assert counts == {"kept": (1, 3), "missed": (2, 3)} and told.figures["closed"].value == 5
    for code, expected in (("kept", 1), ("missed", 2), ("closed", 5)):
        assert drill.cases(board, code, period, period.end, {}).count() == expected
    weeks = told.tables["weeks"]
    sums = {name: sum(row.values[at] or 0 for row in weeks.rows) for at, name in enumerate(weeks.columns)}
    assert sums == {"received": 5, "closed": 5, "kept": 1, "missed": 2}


def _covers(pause: ClockPause, day: date) -> bool:
    begun, ended = timezone.localdate(pause.first_at), pause.last_at
    return begun <= day and (ended is None or timezone.localdate(ended) > day)


@pytest.mark.parametrize("seed", [21, 23, 24])
def test_how_cases_stood_before_is_that_of_a_count_by_hand(board: Actor, seed: int) -> None:
    history = History(seed)
    for _step in range(90):
        history.step()
    noon = timezone.make_aware(datetime.combine(START, time(12)))
    for case in Case.objects.all():
        history.clock_of(case)
        for clock in case.clocks.filter(ended_at=None):
            begun = noon + timedelta(days=history.chance.randrange(20))
            ended = history.chance.choice([None, begun + timedelta(days=history.chance.randrange(15))])
            if history.chance.random() < 0.7:
                ClockPause.objects.create(clock=clock, subject=uuid.uuid4(), first_at=begun, last_at=ended)
    tallies.tallies_run()
    start = START + timedelta(days=14)
    told = select.statement(board, select.Period(code="dates", start=start, end=start + timedelta(days=2)), TODAY)
    day = start - timedelta(days=1)
    found: Counter[str] = Counter(late=0, at_risk=0, week=0, paused=0)
    for case in Case.objects.filter(received_on__lte=day):
        if case.closed_at and timezone.localdate(case.closed_at) <= day:
            continue
        left, clocks = (case.due_on - day).days, case.clocks.filter(ended_at=None)
        still = [any(_covers(pause, day) for pause in clock.pauses.all()) for clock in clocks]
        if still and all(still):
            found["paused"] += 1
        else:
            found.update(late=left < 0, at_risk=0 <= left <= 3, week=0 <= left <= 7)
    assert {code: told.figures[code].before for code in found} == dict(found)
    assert sum(found.values()) > 4 and told.figures["late"].before_of == told.figures["open"].before


def test_an_empty_house_measures_nothing(board: Actor) -> None:
    told = select.statement(board, select.period_of("90d", TODAY), TODAY)
    assert told.figures["open"].value == 0 and told.figures["answer_median"].value is None and told.forecast is None


def test_percentiles_are_those_of_the_textbook() -> None:
    counts = dict.fromkeys(range(1, 12), 1)
    assert [select.quantile(counts, share) for share in (0.1, 0.5, 0.9)] == [2, 6, 10]
    assert select.quantile({4: 2, 10: 2}, 0.5) == 7 and select.quantile({}, 0.5) is None


def test_the_forecast_is_the_textbooks_and_tells_how_it_did_before() -> None:
    mean, low, high = backlog.ahead([2, 4, 6, 2, 4, 6])
    half = 1.476 * statistics.stdev([2, 4, 6, 2, 4, 6]) * (4 + 16 / 6) ** 0.5
    assert (mean, low, high) == (16, pytest.approx(16 - half), pytest.approx(16 + half))


@pytest.mark.parametrize(
    ("code", "start", "end", "before"),
    [
        ("90d", date(2026, 2, 15), date(2026, 5, 15), date(2025, 11, 17)),
        ("quarter", date(2026, 4, 1), date(2026, 5, 15), date(2026, 2, 15)),
        ("last_quarter", date(2026, 1, 1), date(2026, 3, 31), date(2025, 10, 3)),
        ("last_year", date(2025, 1, 1), date(2025, 12, 31), date(2024, 1, 2)),
        ("nonsense", date(2026, 2, 15), date(2026, 5, 15), date(2025, 11, 17)),
    ],
)
def test_periods_and_the_one_before(code: str, start: date, end: date, before: date) -> None:
    period = select.period_of(code, date(2026, 5, 15))
    assert (period.start, period.end, period.before.start) == (start, end, before)
    assert period.before.days == period.days and period.before.end == start - timedelta(days=1)


def test_more_cases_ask_no_more_queries(board: Actor) -> None:
    history = History(5)
    for number in (3, 30):
        for _step in range(number):
            history.step()
        tallies.tallies_run()
        with CaptureQueriesContext(connection) as found:
            select.statement(board, select.period_of("90d", TODAY), TODAY)
        assert len(found) <= 16


def test_the_figures_ask_the_policy_themselves() -> None:
    with pytest.raises(NotAllowed):
        select.statement(Actor.of(member("l@house.example", role=Role.LEGAL)), select.period_of("90d", TODAY), TODAY)
