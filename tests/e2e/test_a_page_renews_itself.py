"""A page about running work renews itself: focus and scroll stay, news is told aloud once, and silence is admitted."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from governance.models import Job, Role, User
from governance.policies import Actor
from governance.services import jobs
from governance.web import job_view
from tests.e2e.browser import Window, signed_in
from tests.e2e.test_cases_are_decided_by_keyboard import address, browser, shared
from tests.governance.conftest import catalogue, people, walk, walk_with
from tests.governance.test_job_pages import running

__all__ = ["address", "browser", "catalogue", "people", "running", "shared", "walk", "walk_with"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(databases=["default", "keyring"])]


@pytest.fixture
def page(
    browser: Browser, address: str, people: dict[Role, Actor], running: Job, monkeypatch: pytest.MonkeyPatch
) -> Page:
    """An engineer before a run at 135 of 300."""
    monkeypatch.setattr(job_view, "REFRESH", 1)
    user = people[Role.ENGINEER].user
    assert isinstance(user, User)
    window: Window = signed_in(browser, address, user)
    window.page.goto(f"{address}/jobs/{running.pk}/")
    return window.page


def at(job: Job, step: int) -> None:
    """The engine tells how far it is."""
    jobs.job_beat(job_id=str(job.pk), attempt=0, events=[{"stage": "unlearn", "step": step, "total": 300, "loss": 1}])


def test_focus_and_scroll_stay_and_quarters_are_told_aloud(page: Page, running: Job) -> None:
    voice = page.locator("#live[role=status]")
    assert voice.inner_text() == ""
    page.get_by_role("button", name="Cancel the job").focus()
    page.evaluate("scrollTo(0, 300)")
    at(running, 140)
    page.get_by_text("140 of 300").first.wait_for()
    assert voice.inner_text() == ""  # still the same quarter
    at(running, 190)
    page.get_by_text("190 of 300").first.wait_for()
    assert voice.inner_text() == "Unlearning: running, more than 50 % done"
    assert page.evaluate("document.activeElement.textContent") == "Cancel the job"
    assert page.evaluate("scrollY") == 300


def test_what_nobody_sees_asks_nothing_and_asks_at_once_when_it_is_seen_again(page: Page, running: Job) -> None:
    page.evaluate("Object.defineProperty(document, 'hidden', { get: () => window.away, configurable: true })")
    page.evaluate("window.away = true")
    asked: list[str] = []
    # A font of the page itself may still be on its way.
    page.on("request", lambda request: None if request.resource_type == "font" else asked.append(request.url))
    page.wait_for_timeout(2500)
    assert not asked
    at(running, 230)
    page.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
    page.get_by_text("230 of 300").first.wait_for(timeout=5000)


def test_answers_that_stay_away_are_admitted_on_the_page(page: Page) -> None:
    stale: Any = page.locator("#live-stale")
    assert stale.is_hidden()
    page.route("**/jobs/**", lambda route: route.abort())
    stale.wait_for(state="visible", timeout=10_000)
    assert "Shown is how things stood at" in stale.inner_text()
    page.unroute("**/jobs/**")
    stale.wait_for(state="hidden", timeout=10_000)
