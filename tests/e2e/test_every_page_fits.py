"""Every page of the tables of addresses fits, in a house at work and in an empty one, and so does every error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, reverse
from playwright.sync_api import Browser

from governance import urls
from governance.models import Case, Role, User
from governance.policies import GRANTS, Actor
from governance.selectors import today
from governance.web import case_tabs
from tests.bench.lighthouse import public_pages
from tests.e2e.browser import Inspector, Window, signed_in
from tests.e2e.test_cases_are_decided_by_keyboard import address, browser, shared
from tests.governance.conftest import case, catalogue, house, people, walk, walk_with
from tests.governance.test_policy_urls import DOORS, World, world

__all__ = ["address", "browser", "case", "catalogue", "house", "people", "shared", "walk", "walk_with", "world"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(databases=["default", "keyring"])]
#: The pages among the addresses of the staff: what is read, and no file.
ROUTES = {str(one.pattern): str(one.name) for one in urls.staff if isinstance(one, URLPattern)}
PAGES = [name for route, name in ROUTES.items() if route.endswith("/") and not DOORS[name].post]
NO_PAGES = {"filter_list", "reservation_bytes", "upload_file", "upload_shown", "job_log", "ledger_entry"}


class Walk:
    """Opens pages as whoever may enter them, and holds each to what every page is held to."""

    def __init__(self, browser: Browser, address: str, people: dict[Role, Actor]) -> None:
        self._browser, self._address, self._people = browser, address, people
        self._windows: dict[Role | None, Window] = {}
        self.inspector = Inspector()

    def window(self, role: Role | None) -> Window:
        """The window of somebody with this role; None: of a visitor."""
        if role not in self._windows:
            user = self._people[role].user if role else None
            opened = signed_in(self._browser, self._address, user) if isinstance(user, User) else Window(self._browser)
            self._windows[role] = opened
        return self._windows[role]

    def see(self, role: Role | None, path: str, name: str, status: int = 200) -> None:
        """Open a page and look at it."""
        window = self._open(role, path, name, status)
        self.inspector.look(window, name)

    def see_empty(self, role: Role, path: str, name: str) -> None:
        """A page of which the full one is seen too: whether it fits, and says what will stand there."""
        window = self._open(role, path, name, 200)
        self.inspector.fits(window, name)
        mute = window.page.locator(".empty:not(:has(.empty__next))").all_inner_texts()
        self.inspector.faults += [f"{name}: “{said}” does not say what comes next" for said in mute]

    def _open(self, role: Role | None, path: str, name: str, status: int) -> Window:
        window = self.window(role)
        answer = window.page.goto(self._address + path)
        assert answer and answer.status == status, (name, answer and answer.status)
        bare = window.page.locator("main table:not(:has(tbody :is(td, th)))").count()
        self.inspector.faults += [f"{name}: a table without a row"] * bool(bare)
        return window

    def end(self) -> None:
        """Every fault of every page at once."""
        said = [one for window in self._windows.values() for one in window.complaints]
        assert not self.inspector.faults and not said, "\n".join([*self.inspector.faults, *said])


@pytest.fixture
def look(browser: Browser, address: str, people: dict[Role, Actor]) -> Iterator[Walk]:
    """The walk through the house; what it found is told at the end."""
    walk = Walk(browser, address, people)
    yield walk
    walk.end()


def role_for(name: str) -> Role:
    """Somebody who may enter there."""
    return next(role for role in Role if GRANTS[role].intersection(DOORS[name].to))


def test_every_page_of_the_staff_fits_in_a_house_at_work(look: Walk, world: World) -> None:
    for name in PAGES:
        if name not in NO_PAGES:
            look.see(role_for(name), reverse(name, args=world[DOORS[name].args]), name)
    for tab in case_tabs.TABS:
        look.see(Role.LEGAL, f"{reverse('case', args=world['case'])}?tab={tab}", f"case, {tab}")


def test_every_page_of_the_staff_fits_in_an_empty_house(look: Walk) -> None:
    for name in PAGES:
        if not DOORS[name].args and name not in NO_PAGES:
            look.see_empty(role_for(name), reverse(name), f"{name}, empty")


def test_every_page_for_everybody_fits(look: Walk, case: Case) -> None:
    for path, _found in public_pages():
        look.see(None, path, "/".join(part if len(part) < 20 else "…" for part in path.split("/")))


def routes(patterns: list[URLPattern | URLResolver], before: str = "") -> Iterator[str]:
    """Addresses that name nobody and nothing, down through what is included."""
    for one in patterns:
        route = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from routes(one.url_patterns, route)
        elif "<" not in route:
            yield f"/{route}"


@pytest.mark.parametrize("role", [None, Role.LEGAL], ids=["visitor", "legal"])
def test_every_page_of_an_account_fits(look: Walk, role: Role | None) -> None:
    page = look.window(role).page
    seen = set()
    for path in routes(urls.accounts):
        answer = page.request.get(look._address + path)
        place = answer.url.partition("?")[0]
        if answer.status == 200 and "text/html" in answer.headers["content-type"] and place not in seen:
            seen.add(place)
            look.see(role, path, f"{path}, {role or 'visitor'}")
    assert len(seen) > 3


def lost_cookie(page: Any) -> None:
    page.context.clear_cookies()


def too_many_fields(page: Any) -> None:
    page.evaluate("""() => { for (let n = 0; n < 1100; n++) {
        const field = document.createElement("input");
        field.type = "hidden"; field.name = "x" + n;
        document.querySelector("main form").append(field);
    } }""")


@pytest.mark.parametrize(
    ("status", "spoil"), [(403, lost_cookie), (400, too_many_fields), (413, None), (429, None)]
)  # fmt: skip
def test_a_form_that_is_refused_is_told_so_on_a_page_that_fits(
    look: Walk, settings: Any, monkeypatch: pytest.MonkeyPatch, status: int, spoil: Callable[[Any], None] | None
) -> None:
    window = look.window(None)
    page = window.page
    page.goto(f"{look._address}/opt-out/")
    if status == 413:
        settings.UPLOAD_LIMIT_BYTES = -(2**20)
    if status == 429:
        monkeypatch.setattr("governance.web.limits.PageThrottle.get_rate", lambda *_a: "0/hour")
    if spoil:
        spoil(page)
    page.get_by_label("Your name").fill("Vel Marun")
    page.get_by_label("Your e-mail address").fill("vel@marun.example")
    with page.expect_navigation() as loaded:
        page.get_by_role("button", name="Save and continue").click()
    assert loaded.value and loaded.value.status == status
    look.inspector.look(window, f"{status}")
    assert page.get_by_role("link", name="To the front page").is_visible()


def test_the_other_pages_of_errors_fit(look: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    look.see(None, "/nowhere/", "404", 404)
    look.see(Role.EXECUTIVE, "/today/", "403", 403)
    look.see(Role.NONE, "/today/", "403 without a role", 403)

    def stop(*_arguments: Any, **_names: Any) -> Any:
        raise RuntimeError("stopped for a test")

    monkeypatch.setattr(today, "overdue", stop)
    look.see(Role.LEGAL, "/today/", "500", 500)
    assert "Something on our side stopped." in look.window(Role.LEGAL).page.locator("h1").inner_text()


UNFIT = """<!doctype html><html lang="en"><title>x</title><body style="margin: 0">
<p style="width: 2000px">wide</p>
<p style="width: 4em; overflow: hidden; white-space: nowrap">a line that is cut</p>
<p style="margin: 0">above</p><p style="margin: -1.1em 0 0">below</p>
<p style="position: absolute; clip-path: inset(50%)">hidden</p>
<div style="width: 9em; overflow-x: auto; white-space: nowrap">what scrolls by itself is no fault of the page</div>
<svg width="99" height="30"><text y="12" font-size="9">fine print</text>
<text y="28" font-size="1em">fair</text></svg>"""


def test_the_inspector_finds_what_does_not_fit(browser: Browser) -> None:
    window, inspector = Window(browser), Inspector()
    window.page.set_content(UNFIT)
    inspector._measure(window.page, "x")
    assert [fault.split(": ", 1)[1] for fault in inspector.faults] == [
        "720 pixels wider than the window", "drawn too small: fine print (9.0)", "cut off: a line that is cut",
        "upon each other: above | below",
    ]  # fmt: skip


def test_the_reader_s_own_size_of_letters_counts(browser: Browser, address: str) -> None:
    window = Window(browser)
    window.page.goto(address)
    size = "parseFloat(getComputedStyle(document.querySelector('h1')).fontSize)"
    before = window.page.evaluate(size)
    window.letters(32)
    narrow = window.page.evaluate("matchMedia('(max-width: 63.99em)').matches")
    # With letters twice as large 1280 pixels hold 40 of them: the house draws what it draws in 640.
    assert narrow and window.page.evaluate(size) > 1.5 * before
