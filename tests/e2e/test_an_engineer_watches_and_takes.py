"""An engineer finds why a run failed, watches one that runs without the page being loaded again, and takes weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from governance import dispatch
from governance.models import Job, Role, User
from governance.policies import Actor
from governance.services import jobs
from governance.web import job_view
from tests.e2e.browser import Inspector, Window, signed_in
from tests.e2e.test_cases_are_decided_by_keyboard import address, browser, shared
from tests.governance.conftest import catalogue, people, walk, walk_with
from tests.governance.test_job_pages import running

__all__ = ["address", "browser", "catalogue", "people", "running", "shared", "walk", "walk_with"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(databases=["default", "keyring"])]


@pytest.fixture
def engineer(browser: Browser, address: str, people: dict[Role, Actor]) -> Window:
    user = people[Role.ENGINEER].user
    assert isinstance(user, User)
    return signed_in(browser, address, user)


def test_an_engineer_watches_a_run_and_finds_why_it_failed(
    engineer: Window, address: str, running: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_view, "REFRESH", 1)
    page, inspector = engineer.page, Inspector()
    page.goto(f"{address}/jobs/{running.pk}/")
    page.evaluate("window.kept = 'the same page'")
    page.get_by_text("as a table").first.click()
    page.locator("figure.is-drawn").first.wait_for()
    assert "135 of 300" in page.locator("main").inner_text()
    jobs.job_beat(
        job_id=str(running.pk), attempt=0, events=[{"stage": "unlearn", "step": 190, "total": 300, "loss": 1}]
    )
    page.get_by_text("190 of 300").first.wait_for()
    assert page.evaluate("window.kept") == "the same page"
    assert page.locator("figure details[open]").count() == 1
    said = {"messages": ["The device ran out of memory; give the run a smaller batch."]}
    error = {"type": "OutOfMemory", "retryable": False, "detail": dispatch.put_bytes(json.dumps(said).encode()),
             "log": dispatch.put_bytes(b"step 190\nout of memory\n")}  # fmt: skip
    jobs.engine_fail(job_id=str(running.pk), attempt=0, error=error, then={})
    page.goto(f"{address}/jobs/?state=failed")
    page.locator("main tbody th a").first.click()
    page.get_by_text("give the run a smaller batch").first.wait_for()
    page.get_by_role("link", name="What the engine said").click()
    assert "out of memory" in page.locator("pre").inner_text()
    page.get_by_role("link", name="Help").click()
    assert page.get_by_role("heading", name="Find out why a run failed").is_visible()
    inspector.look(engineer, "help on runs")
    assert not engineer.complaints and not inspector.faults


def test_an_engineer_takes_the_weights_of_the_version_in_service(
    engineer: Window, address: str, catalogue: dict[str, Any], tmp_path: Path
) -> None:
    page, inspector = engineer.page, Inspector()
    page.goto(f"{address}/models/")
    page.get_by_role("link", name="Lumen").click()
    inspector.look(engineer, "a model's descent")
    page.locator(".tree a").last.click()
    with page.expect_download() as taken:
        page.get_by_role("button", name="Download the weights").click()
    assert taken.value.suggested_filename == "lumen-rev-1.zip"
    assert Path(taken.value.path()).stat().st_size > 0
    assert not engineer.complaints and not inspector.faults
