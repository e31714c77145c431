"""The clocks agree with a second implementation over random requests, and keep what must always hold."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from governance.clocks import LAWS, Asked, Pause, Reckoning, place_of, reckon
from governance.clocks.places import is_working_day
from governance.errors import Unfit
from tests.governance import second_clock as second

#: Random requests of each test.
MANY = settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
SOME = settings(MANY, max_examples=400)
DAYS = st.dates(date(2021, 2, 1), date(2031, 6, 30))
MONTHLY = st.sampled_from(["DE", "DE-BY", "DE-SN", "FR", "EU"])
#: law -> (place, days, days of the extension); the first rules that fit every day drawn are used.
DAILY = {
    "ccpa": ("US", 45, 45), "us_va": ("US", 45, 45), "us_co": ("US", 45, 45), "lgpd": ("BR", 15, 0),
    "quebec": ("CA-QC", 30, 0), "gpai": ("EU", 30, 0), "house": ("DE-BY", 30, 0),
}  # fmt: skip
ANY = st.sampled_from([*DAILY, "gdpr", "uk_gdpr"])


def asked(law: str, day: date, place: str, *, pauses: tuple[Pause, ...] = (), notice: date | None = None) -> Asked:
    """A request of the law's commonest kind, received at noon."""
    rule = LAWS[law].rules[-1] if law not in ("uk_gdpr", "us_va", "us_co") else LAWS[law].newest
    where = place_of(place)
    moment = datetime.combine(day, time(12), where.zone)
    kind = next(iter(LAWS[law].grounds))
    return Asked(rule=rule, kind=kind, received=moment, place=where, pauses=pauses, notice=notice)


def place_for(law: str) -> str:
    return {"gdpr": "DE-BY", "uk_gdpr": "GB-ENG"}.get(law) or DAILY[law][0]


@MANY
@given(day=DAYS, place=MONTHLY)
def test_a_month_ends_on_the_same_day_by_both(day: date, place: str) -> None:
    assert reckon(asked("gdpr", day, place)).due == second.last_day(day, place, months=1, moves=True)


@MANY
@given(day=DAYS)
def test_the_united_kingdom_agrees(day: date) -> None:
    assume(day < date(2028, 6, 1))
    found = reckon(asked("uk_gdpr", day, "GB-ENG", notice=day))
    assert found.due == second.last_day(day, "GB-ENG", months=1, moves=True)
    assert found.extended_due == second.last_day(day, "GB-ENG", months=3, moves=True)


@MANY
@given(day=DAYS, law=st.sampled_from(list(DAILY)))
def test_days_end_on_the_same_day_by_both(day: date, law: str) -> None:
    place, days, more = DAILY[law]
    found = reckon(asked(law, day, place, notice=day if more else None))
    assert found.due == second.last_day(day, "EU", days=days, moves=False)
    if more:
        assert found.extended_due == second.last_day(day, "EU", days=days + more, moves=False)
    if law in ("ccpa", "gpai", "house"):
        assert found.confirm_by == second.working_days_on(day, place, 10 if law == "ccpa" else 5)


@MANY
@given(
    day=DAYS, place=MONTHLY, extend=st.booleans(),
    gaps=st.lists(st.tuples(st.integers(0, 25), st.integers(0, 30)), max_size=3),
)  # fmt: skip
def test_pauses_and_extensions_together_agree(day: date, place: str, extend: bool, gaps: list[tuple[int, int]]) -> None:
    spans = [(day + timedelta(days=first), day + timedelta(days=first + length)) for first, length in gaps]
    pauses = tuple(Pause(first=first, last=last) for first, last in spans)
    found = reckon(asked("gdpr", day, place, pauses=pauses, notice=day if extend else None))
    out = second.left_out(spans)
    assert found.paused_days == out
    assert found.due == second.last_day(day, place, months=1, out=out, moves=True)
    if extend:
        assert found.extended_due == second.last_day(day, place, months=3, out=out, moves=True)


@SOME
@given(day=DAYS, later=st.integers(0, 60), law=ANY)
def test_who_asks_later_is_never_answered_earlier(day: date, later: int, law: str) -> None:
    first, then = (reckon(asked(law, one, place_for(law))) for one in (day, day + timedelta(days=later)))
    assert first.due <= then.due
    assert first.confirm_by is None or then.confirm_by is None or first.confirm_by <= then.confirm_by


@SOME
@given(day=DAYS, law=ANY)
def test_a_date_lies_after_receipt_and_on_a_working_day_where_the_rule_moves_it(day: date, law: str) -> None:
    found = reckon(asked(law, day, place_for(law)))
    assert day < found.due and (found.confirm_by is None or day < found.confirm_by <= found.due)
    if found.rule.next_working_day:
        assert is_working_day(found.due, found.place)
    assert found.confirm_by is None or is_working_day(found.confirm_by, found.place)


@SOME
@given(day=DAYS, law=st.sampled_from(["gdpr", "uk_gdpr", "ccpa", "us_va", "us_co"]), sent=st.integers(0, 60))
def test_an_extension_never_shortens_and_never_comes_too_late(day: date, law: str, sent: int) -> None:
    plain = reckon(asked(law, day, place_for(law)))
    notice = day + timedelta(days=sent)
    if notice > plain.due:
        with pytest.raises(Unfit, match="Too late"):
            reckon(asked(law, day, place_for(law), notice=notice))
        return
    longer = reckon(asked(law, day, place_for(law), notice=notice))
    assert longer.extended_due is not None and longer.extended_due > plain.due == longer.due
    if law == "ccpa":
        assert (longer.extended_due - day).days == 90


def with_pause(day: date, first: int, length: int) -> Reckoning:
    start = day + timedelta(days=first)
    pause = Pause(first=start, last=start + timedelta(days=length))
    return reckon(asked("gdpr", day, "DE-BY", pauses=(pause,)))


@SOME
@given(day=DAYS, first=st.integers(0, 27), length=st.integers(0, 40), more=st.integers(0, 20))
def test_a_pause_never_shortens_and_a_longer_one_never_less(day: date, first: int, length: int, more: int) -> None:
    plain = reckon(asked("gdpr", day, "DE-BY"))
    assert plain.due <= with_pause(day, first, length).due <= with_pause(day, first, length + more).due


@SOME
@given(day=DAYS, law=st.sampled_from(list(DAILY)), first=st.integers(0, 10), length=st.integers(0, 20))
def test_a_law_without_a_pause_refuses_every_one(day: date, law: str, first: int, length: int) -> None:
    start = day + timedelta(days=first)
    with pytest.raises(Unfit, match="does not pause"):
        reckon(asked(law, day, place_for(law), pauses=(Pause(first=start, last=start + timedelta(days=length)),)))


@SOME
@given(moment=st.datetimes(datetime(2026, 2, 6), datetime(2030, 1, 1)), offset=st.integers(-12, 14), law=ANY)
def test_the_same_instant_has_one_date_however_it_is_written(moment: datetime, offset: int, law: str) -> None:
    from dataclasses import replace
    from datetime import timezone

    instant = moment.replace(tzinfo=UTC)
    other = instant.astimezone(timezone(timedelta(hours=offset)))
    plain = asked(law, moment.date(), place_for(law))
    first, second_ = (reckon(replace(plain, received=one)) for one in (instant, other))
    assert (first.due, first.confirm_by, first.until) == (second_.due, second_.confirm_by, second_.until)


def test_the_second_reading_imports_nothing_of_the_first() -> None:
    from pathlib import Path

    text = (Path(__file__).parent / "second_clock.py").read_text()
    assert "import governance" not in text and "from governance" not in text and "import holidays" not in text
