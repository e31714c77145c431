"""The public pages in a browser: clicks of a request, a proof step by step, what a first visit loads, no scripts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.e2e.browser import PHONE, Inspector, Window, chromium
from tests.e2e.front import Front

pytestmark = pytest.mark.browser

CLICKS, SECONDS, BYTES = 12, 300, 150_000


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with Front(tmp_path_factory.mktemp("front")) as started:
        yield started


@pytest.fixture
def works(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{name}.txt" for name in ("The Salt Orchard", "Tide", "Nine Rows")]
    for path in paths:
        path.write_text(f"{path.stem}: nobody remembers the tide at its nine white rows.")
    return paths


class Hand:
    """Clicks and counts."""

    def __init__(self, page: Page) -> None:
        self.page, self.clicks = page, 0

    def click(self, role: Any, name: str) -> None:
        self.page.get_by_role(role, name=name).first.click()
        self.clicks += 1

    def fill(self, label: str, text: str) -> None:
        field = self.page.get_by_label(label)
        field.click()
        self.clicks += 1
        field.fill(text)


def file_three_works(page: Page, url: str, works: list[Path], look: Any = lambda name: None) -> Hand:
    """From the front page to the receipt."""
    hand = Hand(page)
    page.goto(url)
    look("front page")
    hand.click("link", "My work was copied")
    look("who asks")
    hand.fill("Your name", "Zoë Ängström-Nwosu 李 🎨")
    hand.fill("Your e-mail address", "zoe@example.org")
    hand.click("button", "Save and continue")
    look("works")
    page.get_by_label("Your files").set_input_files([str(path) for path in works])
    hand.clicks += 2  # the button of the browser, and the dialog's
    hand.click("button", "Save and continue")
    look("the whole request")
    page.locator("label", has_text="I declare that these works are mine").click()
    hand.clicks += 1
    hand.click("button", "File the opt-out")
    assert "We have your request" in page.locator("h1").inner_text()
    look("receipt")
    return hand


def test_three_works_take_less_than_five_minutes_and_twelve_clicks(
    browser: Browser, front: Front, works: list[Path]
) -> None:
    window, inspector, began = Window(browser, PHONE), Inspector(), time.monotonic()
    hand = file_three_works(window.page, front.url, works, lambda name: inspector.look(window, name))
    assert hand.clicks <= CLICKS and time.monotonic() - began < SECONDS
    assert front.cases()[-1][1] == 3
    assert not inspector.faults, "\n".join(inspector.faults)
    assert not window.complaints, "\n".join(window.complaints)


def test_a_proof_is_shown_step_by_step(browser: Browser, front: Front, works: list[Path]) -> None:
    window, inspector = Window(browser, PHONE), Inspector()
    hand = file_three_works(window.page, front.url, works)
    window.page.goto(front.link("confirm"))
    hand.click("button", "Yes, I filed this request")
    hand.click("link", "To the page of your case")
    hand.click("link", "Show that it is yours")
    inspector.look(window, "ways to show it")
    hand.click("link", "A code on your public profile")
    inspector.look(window, "one way")
    hand.fill("Address of your page", "https://127.0.0.1/vel")
    window.page.locator("label", has_text="I declare that I hold the rights").click()
    hand.click("button", "Continue")
    inspector.look(window, "what is to be done")
    hand.click("button", "It is there: look now")
    window.page.get_by_text("This address is not public").wait_for()
    inspector.look(window, "not shown yet")
    hand.click("link", "Another way is as good")
    inspector.look(window, "what was begun")
    assert not inspector.faults, "\n".join(inspector.faults)
    assert not window.complaints, "\n".join(window.complaints)


def test_it_works_without_scripts_and_the_back_button_files_nothing_twice(
    browser: Browser, front: Front, works: list[Path]
) -> None:
    context: BrowserContext = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    before = len(front.cases())
    file_three_works(page, front.url, works)
    number = front.cases()[-1][0]
    for _step in range(2):
        page.go_back()
    page.reload()
    assert number in page.content()
    assert len(front.cases()) == before + 1


def test_a_first_visit_loads_little(browser: Browser, front: Front) -> None:
    page = browser.new_context(viewport={"width": 390, "height": 844}).new_page()
    sizes: dict[str, int] = {}
    page.on("requestfinished", lambda done: sizes.update({done.url: done.sizes()["responseBodySize"]}))
    opened = page.goto(f"{front.url}/opt-out/")
    page.wait_for_load_state("networkidle")
    assert opened and opened.status == 200
    assert len(sizes) > 5 and sum(sizes.values()) <= BYTES, sizes
