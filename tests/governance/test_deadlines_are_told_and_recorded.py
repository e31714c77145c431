"""Escalations: 14, 7, 3 and 1 days before, each once, to the officer and then to legal; a miss is recorded."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from governance.models import Case, CaseClock, ClockAlarm, Kind, LedgerOpening, Role, Status
from governance.selectors import deadlines as select
from governance.services import additions, clocks, deadlines
from governance.services.deadlines import Step
from governance.services.intake import Item
from tests.governance.conftest import TODAY, file_case
from tests.governance.receivers import DOWN, refuse_mail
from tests.governance.staff import member


@pytest.fixture
def case(people: Any) -> Case:
    """A privacy request with an officer."""
    made = file_case(kind=Kind.PRIVACY)
    Case.objects.filter(pk=made.pk).update(officer=people[Role.LEGAL].user)
    member("second@house.example", role=Role.LEGAL)
    made.refresh_from_db()
    return made


def left(case: Case, days: int) -> None:
    """So many days before the last lawful one."""
    due = TODAY + timedelta(days=days)
    CaseClock.objects.filter(case=case).update(due=due)
    Case.objects.filter(pk=case.pk).update(due_on=due)


@pytest.mark.parametrize(
    ("days", "step"),
    [(15, None), (14, "14"), (8, "14"), (7, "7"), (4, "7"), (3, "3"), (2, "3"), (1, "1"), (0, "1"), (-1, "missed")],
)
def test_the_step_follows_the_days_left(days: int, step: str | None) -> None:
    assert deadlines.step_of(days) == step


def test_each_step_is_raised_once_and_the_next_one_anew(case: Case, mailoutbox: Any, on_commit: Any) -> None:
    for days in (14, 7, 3, 1, -1):
        left(case, days)
        with on_commit(execute=True):
            assert deadlines.deadlines_watch() == 1
            assert deadlines.deadlines_watch() == 0
    told = [sorted(mail.to) for mail in mailoutbox if "due" in mail.subject or "missed" in mail.subject]
    assert told[:2] == [["legal@house.example"]] * 2
    assert told[2:] == [["legal@house.example"], ["second@house.example"]] * 3
    assert LedgerOpening.objects.filter(case=case, entry__action="deadline.near").count() == 4
    missed = LedgerOpening.objects.get(case=case, entry__action="deadline.missed")
    assert missed.body == {"due_on": (TODAY - timedelta(days=1)).isoformat(), "law": "gdpr", "step": "missed"}


@pytest.fixture
def on_commit(django_capture_on_commit_callbacks: Any) -> Any:
    return django_capture_on_commit_callbacks


def test_a_second_worker_that_looks_at_the_same_moment_raises_nothing(case: Case, monkeypatch: Any) -> None:
    left(case, 3)
    clock = case.clocks.get()
    assert deadlines.clock_watch(clock) == 1
    # The second one looked before the first had written: only the unique row can stop it now.
    monkeypatch.setattr(clock, "_prefetched_objects_cache", {"alarms": ClockAlarm.objects.none()}, raising=False)
    assert deadlines.clock_watch(clock) == 0
    assert LedgerOpening.objects.filter(case=case, entry__action="deadline.near").count() == 1


@pytest.mark.parametrize("error", DOWN)
def test_a_mail_server_that_is_down_delays_the_mail_and_loses_nothing(
    case: Case, monkeypatch: Any, mailoutbox: Any, on_commit: Any, error: type[Exception]
) -> None:
    left(case, 1)
    with monkeypatch.context() as patch:
        refuse_mail(patch, error)
        with on_commit(execute=True):
            assert deadlines.deadlines_watch() == 1
    assert ClockAlarm.objects.get().mailed_at is None
    ClockAlarm.objects.update(raised_at=timezone.now() - timedelta(hours=1))
    before = len(mailoutbox)
    assert deadlines.alarms_mail() == 1 and deadlines.alarms_mail() == 0
    assert len(mailoutbox) == before + 2 and ClockAlarm.objects.get().mailed_at


def test_a_clock_that_stands_still_or_a_closed_case_raises_nothing(case: Case) -> None:
    left(case, 1)
    clock = case.clocks.get()
    clock.pauses.create(cause="identity", subject=case.claimant.subject, first_at=timezone.now())
    assert deadlines.deadlines_watch() == 0
    clock.pauses.update(last_at=timezone.now())
    Case.objects.filter(pk=case.pk).update(status="closed", disposition="refused")
    assert deadlines.deadlines_watch() == 0


def test_a_receipt_that_nobody_confirmed_is_told_before_the_day(people: Any) -> None:
    case = file_case(kind=Kind.PRIVACY, law="ccpa")
    case.letters.update(sent_at=None)
    CaseClock.objects.filter(case=case).update(confirm_by=TODAY + timedelta(days=1))
    assert deadlines.deadlines_watch() == 1
    assert ClockAlarm.objects.get().step == Step.UNCONFIRMED
    assert LedgerOpening.objects.filter(case=case, entry__action="deadline.unconfirmed").exists()
    case.letters.update(sent_at=timezone.now())
    assert deadlines.deadlines_watch() == 0


def test_closing_a_case_between_two_looks_does_not_hide_that_it_was_late(case: Case) -> None:
    left(case, -1)
    Case.objects.filter(pk=case.pk).update(status="closed", disposition="refused", closed_at=timezone.now())
    assert deadlines.deadlines_watch() == 1 and deadlines.deadlines_watch() == 0
    assert LedgerOpening.objects.filter(case=case, entry__action="deadline.missed").count() == 1


def test_a_case_that_was_closed_in_time_or_withdrawn_is_no_miss(case: Case) -> None:
    left(case, 0)
    Case.objects.filter(pk=case.pk).update(status="closed", disposition="refused", closed_at=timezone.now())
    assert deadlines.deadlines_watch() == 0
    left(case, -1)
    Case.objects.filter(pk=case.pk).update(disposition="withdrawn")
    assert deadlines.deadlines_watch() == 0


def test_a_notice_of_extension_that_waits_is_told_before_the_first_date(case: Case, people: Any) -> None:
    clocks.clock_extend(
        case=case, actor=people[Role.LEGAL], reasons="Three models are affected and each must be trained again."
    )
    case.letters.update(sent_at=None)
    CaseClock.objects.filter(case=case).update(due=TODAY + timedelta(days=1))
    assert deadlines.deadlines_watch() == 1
    assert ClockAlarm.objects.get().step == Step.UNTOLD
    case.letters.update(sent_at=timezone.now())
    assert deadlines.deadlines_watch() == 0


def test_the_watch_asks_the_database_a_bounded_number_of_times(case: Case, django_assert_max_num_queries: Any) -> None:
    for _n in range(12):
        left(file_case(kind=Kind.PRIVACY), 6)
    deadlines.deadlines_watch()
    with django_assert_max_num_queries(8):
        assert deadlines.deadlines_watch() == 0


def test_a_case_beside_another_is_confirmed_by_the_letter_about_its_works(walk: Any, people: Any) -> None:
    work = Item(form="text", title="Lantern", text="a lantern counts the ferries home")
    made = additions.works_add(case=walk(file_case(), Status.PLANNING), items=[work]).case
    CaseClock.objects.filter(case=made).update(confirm_by=TODAY + timedelta(days=1))
    days = (TODAY, TODAY + timedelta(days=1))

    def unconfirmed() -> list[Case]:
        found = select.between(people[Role.LEGAL], *days, shown=3, desk=True)
        return [one.case for day in found.values() for one in day.shown if one.confirm]

    made.letters.update(sent_at=None)
    assert unconfirmed() == [made]
    made.letters.update(sent_at=timezone.now())
    assert unconfirmed() == [] and deadlines.clock_watch(made.clocks.get()) == 0


def test_a_case_that_comes_between_two_looks_of_the_calendar_is_on_it(people: Any, monkeypatch: Any) -> None:
    case = file_case()
    rows = select._answers(TODAY, case.due_on, None)
    late = SimpleNamespace(order_by=lambda *names: rows.none(), annotate=rows.annotate)
    monkeypatch.setattr(select, "_answers", lambda *asked: late)
    day = select.between(people[Role.LEGAL], TODAY, case.due_on, shown=3, desk=True)[case.due_on]
    assert (day.total, [one.case for one in day.shown]) == (1, [case])
