"""The people of the walk and the pages as they use them: labels, buttons and headings, never addresses of parts."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import struct
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, Response, expect

from tests.e2e.browser import WIDE, Inspector, Window
from tests.e2e.house import House

WORK_SECONDS = 300.0


def totp(secret: str, moment: float | None = None) -> str:
    """The six digits of RFC 6238 (SHA-1, 30 s)."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    counter = int((time.time() if moment is None else moment) // 30)
    mac = hmac.new(key, struct.pack(">Q", counter), hashlib.sha1).digest()
    start = mac[-1] & 15
    return f"{(int.from_bytes(mac[start : start + 4]) & 0x7FFFFFFF) % 10**6:06d}"


class Visitor:
    """Somebody at a window."""

    def __init__(self, house: House, browser: Browser, inspector: Inspector, size: tuple[int, int] = WIDE) -> None:
        self.house, self.inspector = house, inspector
        self.window = Window(browser, size)
        self.page: Page = self.window.page

    def visit(self, path: str, *, status: int = 200) -> None:
        """Load an address of the house."""
        response: Response | None = self.page.goto(path if path.startswith("http") else self.house.url + path)
        assert response and response.status == status, f"{path}: {response and response.status}\n{self.house.said()}"

    def look(self, name: str) -> None:
        """Hold the page that is shown to what every page is held to."""
        self.inspector.look(self.window, name)

    def press(self, name: str, within: Locator | None = None) -> None:
        """Press a button by its words."""
        (within or self.page).get_by_role("button", name=name, exact=True).click()

    def tick(self, words: str, within: Locator | None = None) -> None:
        """Tick a box or choose one of several, by its words: the whole line is to be pressed."""
        line = (within or self.page).locator("label").filter(has_text=words).first
        line.click()
        expect(self.page.locator(f"[id='{line.get_attribute('for')}']")).to_be_checked()

    def follow(self, name: str | re.Pattern[str]) -> None:
        """Follow a link by its words."""
        self.page.get_by_role("link", name=name).first.click()

    def reads(self, text: str) -> None:
        """The page says this somewhere that a reader sees."""
        expect(self.page.get_by_text(text).first).to_be_visible()

    def title(self) -> str:
        """The page's conclusion."""
        return self.page.locator("h1").inner_text()


class Claimant(Visitor):
    """The artist on a telephone."""

    def file_opt_out(self) -> str:
        """From the front page to the receipt; returns the case's number."""
        self.visit("/")
        self.look("front page")
        self.follow(re.compile("opt-out", re.I))
        self.look("opt-out")
        self.press("Save and continue")
        expect(self.page.locator(".error-summary")).to_be_focused()
        self.look("opt-out with errors")
        self.page.get_by_label("Your name").fill(self.house.artist)
        self.page.get_by_label("Your e-mail address").fill(self.house.email)
        self.press("Save and continue")
        self.look("works")
        self.page.get_by_label("Your files").set_input_files([str(work) for work in self.house.works])
        self.press("Save and continue")
        self.look("the whole request")
        self.tick("I declare that these works are mine")
        self.press("File the opt-out")
        expect(self.page.locator("h1")).to_contain_text("We have your request")
        self.look("receipt")
        found = re.search(r"LT-[0-9A-Z]{5}-[0-9A-Z]{3}", self.page.locator("main").inner_text())
        assert found
        return found.group()

    def confirm(self) -> None:
        """The link in the letter asks, the button confirms, the page of the case follows."""
        self.visit(self.house.link(self.house.email, "confirm"))
        self.look("confirm the address")
        self.press("Yes, I filed this request")
        expect(self.page.locator("h1")).to_have_text("Your address is confirmed.")
        self.look("address confirmed")
        self.follow("To the page of your case")
        assert "/status/" in self.page.url

    def download_report(self, folder: Path) -> Path:
        """The PDF from the page of the case."""
        with self.page.expect_download() as started:
            self.page.locator("a[href$='report.pdf']").click()
        place = folder / started.value.suggested_filename
        started.value.save_as(place)
        return place

    def check_report(self, name: str, data: bytes) -> str:
        """Upload a file to the public check; returns its conclusion."""
        self.visit("/verify/")
        self.look("check of a report")
        field = self.page.get_by_label("The report", exact=True)
        field.set_input_files({"name": name, "mimeType": "application/pdf", "buffer": data})
        self.press("Check it")
        expect(self.page.locator(".checks")).to_be_visible()
        return self.title()


class Member(Visitor):
    """A member of staff: a role, a password, and once it is set up an authenticator."""

    def __init__(self, house: House, browser: Browser, inspector: Inspector, role: str) -> None:
        super().__init__(house, browser, inspector)
        self.address, self.password = house.people[role]
        self.secret = ""

    def sign_in(self) -> None:
        """Password, then the code where an authenticator is set up; ends at the first room of the role."""
        self.visit("/desk/")
        self.look("sign-in")
        self.page.get_by_label(re.compile("e-?mail", re.I)).fill(self.address)
        self.page.get_by_label("Password").fill(self.password)
        self.press("Sign in")
        if self.secret:
            expect(self.page.locator("h1")).to_contain_text("second factor")
            self.look("second factor")
            self.page.get_by_label(re.compile("code", re.I)).fill(totp(self.secret))
            self.press("Sign in")
        expect(self.page.locator("details.menu summary")).to_be_visible()

    def sign_out(self) -> None:
        """By the menu."""
        self.page.locator("details.menu summary").click()
        self.press("Sign out")

    def decide(self, act: Callable[[], None]) -> None:
        """Do what counts. The house asks for the password again, and the first time for an authenticator."""
        before = self.page.url
        self._send(act)
        if "reauthenticate" in self.page.url:
            self.look("confirm that it is you")
            self.page.get_by_label("Password").fill(self.password)
            self._send(lambda: self.press("Confirm"))
        if not self.secret:
            self._set_up_authenticator()
            self.visit(before)
            self._send(act)

    def _send(self, act: Callable[[], None]) -> None:
        """Do something that loads a page, and wait for that page."""
        with self.page.expect_navigation():
            act()

    def _set_up_authenticator(self) -> None:
        self.reads("Decisions need a second factor.")
        self.look("set-up of an authenticator")
        self.secret = self.page.get_by_label("The key as text").input_value()
        self.page.get_by_label(re.compile("code", re.I)).fill(totp(self.secret))
        self._send(lambda: self.press("Switch it on"))
        assert "/totp/activate/" not in self.page.url, self.page.locator("main").inner_text()
        self.look("recovery codes")

    # ------------------------------------------------------------ the case

    def open_case(self, number: str) -> None:
        """By the search field, which leads from a whole number straight to its case."""
        field = self.page.get_by_label("Find a case or record")
        field.fill(number)
        field.press("Enter")
        expect(self.page.locator("#decision")).to_be_visible()

    @property
    def panel(self) -> Locator:
        """The one thing to do now."""
        return self.page.locator("section.decision")

    def wait_for(self, titles: Sequence[str], seconds: float = WORK_SECONDS) -> str:
        """Load the case again until its panel has one of the titles; returns it."""
        deadline = time.monotonic() + seconds
        while True:
            self.window.hold_still()
            title = self.panel.locator("h2").inner_text()
            if title in titles and not (title.startswith("Plan ") and not self.panel.locator("form").count()):
                return title
            assert time.monotonic() < deadline, f"“{title}” for {seconds:.0f} s\n{self.house.said()}"
            time.sleep(2)  # drawing the page again and again would take the processor from what is waited for
            self.page.reload()

    def watch_progress(self, label: str) -> None:
        """The bar moves on the open page, which loads itself again; nobody presses anything."""
        bar = self.page.locator("progress")
        expect(bar).to_have_attribute("aria-label", re.compile(label, re.I), timeout=60_000)
        moved = "first => document.querySelector('progress')?.getAttribute('value') !== first"
        self.page.wait_for_function(moved, arg=bar.get_attribute("value"), timeout=60_000)
