"""A legal officer decides ten cases without touching a mouse; the help of the keys opens, closes and traps nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core import signals
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, connections
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from governance.models import Case, Decision, Role, Status, User
from governance.policies import Actor
from tests.e2e.browser import Inspector, Window, chromium
from tests.governance.conftest import catalogue, file_case, people, walk, walk_with
from tests.governance.staff import sign_in_to_decide

__all__ = ["catalogue", "people", "walk", "walk_with"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(databases=["default", "keyring"])]
CASES = 10


class _Quiet(WSGIRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        """Nothing is written for a page that is found."""


@pytest.fixture
def shared(db: None, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The test's own connections, to be handed to whoever acts for it: the server's threads, and this thread once the
    browser's library keeps an event loop in it."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    return {alias: connections[alias] for alias in ("default", "keyring")}


def hand_over(shared: dict[str, Any]) -> None:
    """From here on this thread speaks over the test's connections."""
    for alias, connection in shared.items():
        connections[alias] = connection


@pytest.fixture
def address(shared: dict[str, Any], settings: Any) -> Iterator[str]:
    """The site in a thread of this process, which sees what the test's transaction wrote."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    settings.ALLOWED_HOSTS = ["127.0.0.1"]
    # They are in a transaction that the test rolls back; between two requests nobody closes them.
    ends = (signals.request_started, signals.request_finished)
    for end in ends:
        end.disconnect(close_old_connections)
    for connection in shared.values():
        connection.inc_thread_sharing()

    turn, site = threading.Lock(), StaticFilesHandler(get_wsgi_application())

    def one_by_one(environ: dict[str, Any], start: Any) -> Any:
        with turn:
            hand_over(shared)
            return site(environ, start)

    class Server(ThreadedWSGIServer):
        """A browser keeps connections open: each has a thread of its own."""

        daemon_threads = True

        def _close_connections(self) -> None:
            """They are the test's."""

    server = Server(("127.0.0.1", 0), _Quiet)
    server.set_app(one_by_one)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    for connection in shared.values():
        connection.dec_thread_sharing()
    for end in ends:
        end.connect(close_old_connections)


@pytest.fixture
def browser(shared: dict[str, Any]) -> Iterator[Browser]:
    with chromium() as opened:
        hand_over(shared)
        yield opened


@pytest.fixture
def cases(walk: Callable[..., Case]) -> list[Case]:
    """Cases that wait for a first signature."""
    return [walk(file_case(email=f"artist{n}@studio.example"), Status.DECISION) for n in range(CASES)]


@pytest.fixture
def window(browser: Browser, address: str, people: dict[Role, Actor]) -> Window:
    """The officer's window, signed in with a second factor and a fresh password."""
    user = people[Role.LEGAL].user
    assert isinstance(user, User)
    client = Client()
    sign_in_to_decide(client, user)
    opened = Window(browser)
    opened.context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": address}])
    return opened


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_ten_cases_are_decided_by_keyboard(window: Window, address: str, cases: list[Case]) -> None:
    page = window.page
    Case.objects.filter(pk=cases[0].pk).update(due_on=date.today() - timedelta(days=1))
    page.goto(f"{address}/desk/")
    expect(page.locator("h1")).to_contain_text("1 case is past its date")
    press(page, "j")
    expect(page.locator(".row-link").first).to_be_focused()
    expect(page.locator(".row-link").first).to_have_text(cases[0].number)
    with page.expect_navigation():
        press(page, "Enter")
    for number in range(CASES):
        # The second hit is left out of training, the first erased; then to the decision, and down to its reasons.
        press(page, "j", "j", "l")
        expect(page.locator("select[name^=hit_]").nth(1)).to_have_value("exclude")
        press(page, "d")
        expect(page.locator(".decision input[name=choice]:checked")).to_be_focused()
        press(page, "Tab", "Tab", "Tab")
        page.keyboard.type(f"Case {number + 1}: the second record only quotes a line.")
        press(page, "Tab")
        expect(page.get_by_role("button", name="Sign as first reviewer")).to_be_focused()
        with page.expect_navigation():
            press(page, "Enter")
        expect(page.get_by_text("A second person now decides.")).to_be_visible()
        if number < CASES - 1:
            with page.expect_navigation():
                press(page, "n")
    assert Decision.objects.filter(choice="exclude").count() == CASES
    assert Decision.objects.filter(choice="erase").count() == CASES
    assert not Case.objects.filter(proposed_by=None).exists()
    with page.expect_navigation():
        press(page, "q")
    expect(page.locator("h1")).to_contain_text("open cases")
    assert window.complaints == []


def test_cases_are_ticked_and_taken_to_one_step_by_keyboard(window: Window, address: str, cases: list[Case]) -> None:
    page = window.page
    page.goto(f"{address}/cases/")
    press(page, "j", "x", "j", "x", "j", "x", "k", "x")
    expect(page.locator("input[name=case]:checked")).to_have_count(2)
    press(page, "a")
    expect(page.get_by_role("button", name="Assign", exact=True)).to_be_focused()
    with page.expect_navigation():
        press(page, "Enter")
    expect(page.locator("h1")).to_have_text("Assign these cases: 2 cases")


def test_the_help_opens_closes_and_traps_nobody(window: Window, address: str, cases: list[Case]) -> None:
    page, inspector = window.page, Inspector()
    page.goto(f"{address}/cases/{cases[0].public_id}/")
    press(page, "?")
    help_ = page.get_by_role("dialog", name="Keys")
    expect(help_).to_be_visible()
    inspector.look(window, "help of the keys")
    press(page, "Escape")
    expect(help_).to_be_hidden()
    press(page, "/")
    expect(page.get_by_label("Find a case or record")).to_be_focused()
    page.keyboard.type("jx?")
    expect(help_).to_be_hidden()
    press(page, "Escape")
    expect(page.get_by_label("Find a case or record")).not_to_be_focused()
    assert inspector.faults == []


def test_single_keys_can_be_switched_off(window: Window, address: str, cases: list[Case]) -> None:
    page = window.page
    page.goto(f"{address}/cases/")
    press(page, "?")
    page.get_by_label("Single keys act on this device").focus()
    press(page, "Space", "Escape", "j")
    expect(page.locator(".row-link").first).not_to_be_focused()
    page.reload()
    press(page, "j")
    expect(page.locator(".row-link").first).not_to_be_focused()
    press(page, "?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()


def test_every_page_of_the_desk_is_without_fault(window: Window, address: str, cases: list[Case]) -> None:
    page, inspector = window.page, Inspector()
    case = f"/cases/{cases[0].public_id}/"
    paths = ("/today/?days=28", "/cases/calendar/", "/cases/calendar/?view=week", "/cases/workload/", "/cases/",
             "/cases/?kind=copyright&due_from=2026-01-01", case, f"{case}?tab=notes", f"{case}?tab=beside",
             f"{case}file/")  # fmt: skip
    for path in paths:
        page.goto(address + path)
        inspector.look(window, path.replace(str(cases[0].public_id), "case"))
    page.goto(f"{address}/cases/")
    page.locator("input[name=case]").first.check()
    page.get_by_role("button", name="Propose the same decision").click()
    inspector.look(window, "one step for many, asked")
    page.get_by_role("button", name="Propose the same decision").click()
    inspector.look(window, "one step for many, done")
    assert inspector.faults == [] and window.complaints == []
