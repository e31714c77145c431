"""Chromium, and what every page that it shows is held to: no script errors, no axe violations, a fit at any size."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

if TYPE_CHECKING:
    from governance.models import User

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
#: Whoever loads a page with another status than 200 sees this in the console; the walk asserts statuses itself.
EXPECTED = "Failed to load resource: the server responded with a status of"
WIDE, NARROW, PHONE = (1280, 900), (320, 800), (390, 844)
#: A window of 1280 x 800 at a zoom of 200 %; and the browser's own size of letters, and twice that.
ZOOMED, LETTERS = (640, 400), (16, 32)
#: Colours change with the scheme alone and the rest with the width alone: each rule runs where it can fail.
ALL = {"resultTypes": ["violations"]}
COLOURS = {**ALL, "runOnly": ["color-contrast", "link-in-text-block"]}
SHAPES = {**ALL, "rules": {"color-contrast": {"enabled": False}}}
FITS = (Path(__file__).parent / "fits.js").read_text()


@contextmanager
def chromium() -> Iterator[Browser]:
    """The machine's own browser."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("service: Chromium is not installed (looked for " + ", ".join(NAMES) + ")")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


class Window:
    """One person's browser window: their cookies, the page that they see, and what its console said."""

    def __init__(self, browser: Browser, size: tuple[int, int] = WIDE) -> None:
        self.size = size
        self.context: BrowserContext = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce", color_scheme="light"
        )
        self.context.set_default_timeout(30_000)
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", lambda message: self._note(message.type, message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(f"{self.page.url}: {error}"))

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not text.startswith(EXPECTED):
            self.complaints.append(f"{self.page.url}: {text}")

    def hold_still(self) -> None:
        """A page about running work loads itself again, but not while somebody writes in its search field."""
        find = self.page.locator("body[data-refresh] #find")
        if find.count():
            find.focus()

    def letters(self, size: int) -> None:
        """The size that a reader gave to text in the settings of the browser."""
        session = self.context.new_cdp_session(self.page)
        session.send("Page.setFontSizes", {"fontSizes": {"standard": size}})
        self.page.wait_for_function(f"getComputedStyle(document.documentElement).fontSize === '{size}px'")


def signed_in(browser: Browser, address: str, user: User) -> Window:
    """A window of a member of staff who may decide: second factor, password a moment ago."""
    from django.test import Client

    from tests.governance.staff import sign_in_to_decide

    client, window = Client(), Window(browser)
    sign_in_to_decide(client, user)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": address}
    window.context.add_cookies([cookie])  # type: ignore[list-item]
    return window


class Inspector:
    """Checks each kind of page once and keeps what it found, so that one walk tells of every fault."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.faults: list[str] = []

    def look(self, window: Window, name: str) -> None:
        """Light and dark at the window's width, then at 320 pixels, and whether it fits; a name is looked at once."""
        if name in self.seen:
            return
        window.hold_still()
        page = window.page
        self._axe(page, ALL, f"{name}, {window.size[0]} px")
        page.emulate_media(color_scheme="dark")
        self._axe(page, COLOURS, f"{name}, dark")
        page.emulate_media(color_scheme="light")
        self._sized(page, NARROW)
        self._axe(page, SHAPES, f"{name}, {NARROW[0]} px")
        self._sized(page, window.size)
        self.fits(window, name)

    def fits(self, window: Window, name: str) -> None:
        """Nothing is cut, covered or beyond the window: at 320 pixels, at 200 %, with letters twice as large."""
        if name in self.seen:
            return
        self.seen.add(name)
        window.hold_still()
        for size, words in ((window.size, f"{window.size[0]} px"), (NARROW, f"{NARROW[0]} px"), (ZOOMED, "200 %")):
            self._sized(window.page, size)
            self._measure(window.page, f"{name}, {words}")
        self._sized(window.page, WIDE)
        window.letters(LETTERS[1])
        self._measure(window.page, f"{name}, letters twice as large")
        window.letters(LETTERS[0])
        self._sized(window.page, window.size)

    def _sized(self, page: Page, size: tuple[int, int]) -> None:
        page.set_viewport_size({"width": size[0], "height": size[1]})

    def _axe(self, page: Page, rules: dict[str, Any], where: str) -> None:
        if not page.evaluate("'axe' in window"):  # half a megabyte: once a page, and only what is wrong comes back
            page.evaluate(AXE_SCRIPT)
        for violation in page.evaluate("rules => axe.run(rules).then(found => found.violations)", rules):
            nodes = "; ".join(str(node["html"])[:160] for node in violation["nodes"][:3])
            self.faults.append(f"{where}: {violation['id']} ({violation['help']}): {nodes}")

    def _measure(self, page: Page, where: str) -> None:
        self.faults += [f"{where}: {fault}" for fault in page.evaluate(FITS)]
