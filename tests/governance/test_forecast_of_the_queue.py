"""Will the GPU queue make the date? Jobs ahead, the case's own runs, against the last lawful day."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from governance.models import Case, Job, Kind, Role, Status
from governance.selectors import queue_forecast
from governance.web import case_words, clock_marks
from tests.governance.conftest import TODAY, file_case

pytestmark = pytest.mark.database

HOUR = timedelta(hours=1)


@pytest.fixture
def case() -> Case:
    """An opt-out that waits for a decision, due in four days."""
    made = file_case(kind=Kind.COPYRIGHT)
    Case.objects.filter(pk=made.pk).update(status=Status.DECISION, due_on=TODAY + timedelta(days=4))
    made.refresh_from_db()
    return made


def job(n: int, state: str, *, kind: str = "engine.unlearn", hours: int = 0, case: Case | None = None) -> Job:
    """One job of the engine; a finished one took so many hours."""
    now = timezone.now()
    started = now - HOUR * (hours + 1) if state == "succeeded" else now if state == "running" else None
    finished = now - HOUR if state == "succeeded" else None
    return Job.objects.create(
        key=f"job {n}", kind=kind, queue="gpu", state=state, started_at=started, finished_at=finished, case=case
    )


def test_without_any_run_nothing_is_promised(case: Case) -> None:
    found = queue_forecast.of_case(case)
    assert found and found.ready_at is None and "nothing has run here yet" in clock_marks.forecast_words(case, found)


def test_a_short_queue_makes_the_date(case: Case) -> None:
    job(1, "succeeded", hours=2)
    job(2, "succeeded", kind="engine.verify", hours=1)
    job(3, "queued")
    found = queue_forecast.of_case(case)
    assert found and found.jobs_ahead == 1 and found.makes_it
    assert found.seconds == pytest.approx((2 + 2 + 1) * 3600, abs=5)
    assert "in time" in clock_marks.forecast_words(case, found)


def test_a_long_queue_does_not_and_the_list_says_so(case: Case) -> None:
    job(1, "succeeded", hours=20)
    for n in range(2, 8):
        job(n, "queued")
    found = queue_forecast.of_case(case)
    assert found and not found.makes_it and "does not make" in clock_marks.forecast_words(case, found)
    case_words.attach([case])
    assert case_words.row(case, TODAY, url="/")["marks"] == ("GPU queue too long",)


def test_what_waits_behind_the_case_does_not_count(case: Case) -> None:
    job(1, "succeeded", hours=3)
    Case.objects.filter(pk=case.pk).update(status=Status.UNLEARNING)
    case.refresh_from_db()
    job(2, "queued", case=case)
    for n in range(3, 30):
        job(n, "queued")
    found = queue_forecast.of_case(case)
    assert found and found.jobs_ahead == 0 and found.seconds == pytest.approx(6 * 3600, abs=5)


def test_two_jobs_that_run_side_by_side_halve_the_wait(case: Case) -> None:
    job(1, "succeeded", hours=4)
    for n in (2, 3):
        job(n, "running")
    job(4, "queued")
    found = queue_forecast.of_case(case)
    assert found and found.seconds == pytest.approx((12 / 2 + 8) * 3600, abs=10)


def test_a_case_that_the_engine_is_done_with_has_no_forecast(case: Case) -> None:
    Case.objects.filter(pk=case.pk).update(status=Status.RELEASE)
    case.refresh_from_db()
    assert queue_forecast.of_case(case) is None


def test_the_queue_shows_alarm_and_forecast_in_a_bounded_number_of_queries(
    case: Case, people: Any, client: Any, django_assert_max_num_queries: Any
) -> None:
    job(1, "succeeded", hours=200)
    case.clocks.get().alarms.create(step="3", day=case.due_on)
    other = file_case()
    with django_assert_max_num_queries(6):
        case_words.attach([case, other])
    client.force_login(people[Role.LEGAL].user)
    assert case_words.row(case, TODAY, url="/")["marks"] == ("legal told", "GPU queue too long")
