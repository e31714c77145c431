"""An executive who never saw the page finds the overdue cases in two clicks, the second one by keyboard."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser

from governance.models import Case, Role, User
from governance.policies import Actor
from governance.services import tallies
from tests.e2e.browser import Window, signed_in
from tests.e2e.test_cases_are_decided_by_keyboard import address, browser, shared
from tests.governance.conftest import catalogue, file_case, people

__all__ = ["address", "browser", "catalogue", "people", "shared"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(databases=["default", "keyring"])]


def test_the_overdue_cases_are_two_clicks_away(browser: Browser, address: str, people: dict[Role, Actor]) -> None:
    user = people[Role.EXECUTIVE].user
    assert isinstance(user, User)
    client = Client()
    client.force_login(user)
    late, sound = file_case(), file_case()
    Case.objects.filter(pk=late.pk).update(due_on=timezone.localdate() - timedelta(days=2))
    tallies.tallies_run()
    window = Window(browser)
    window.context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": address}])
    page = window.page
    page.goto(f"{address}/models/")
    page.get_by_role("link", name="Compliance").click()
    assert page.locator("h1").inner_text().startswith("One deadline was missed.")
    page.get_by_role("link", name="See the overdue case").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/dashboard/cases/late/**")
    rows = page.locator("main tbody tr")
    assert rows.count() == 1 and late.number in rows.first.inner_text() and sound.number not in page.content()
    assert not window.complaints


def test_own_days_are_chosen_and_left_again(browser: Browser, address: str, people: dict[Role, Actor]) -> None:
    user = people[Role.EXECUTIVE].user
    assert isinstance(user, User)
    window, today = signed_in(browser, address, user), timezone.localdate()
    page = window.page
    page.goto(f"{address}/dashboard/")
    page.get_by_text("Dates", exact=True).click()
    page.get_by_role("textbox", name="From").fill((today - timedelta(days=9)).isoformat())
    page.get_by_role("textbox", name="To").fill(today.isoformat())
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url("**from=2*&to=2*")
    assert page.get_by_label("Period").input_value() == "dates"
    page.get_by_label("Period").select_option("365d")
    page.wait_for_url("**period=365d*")
    assert page.get_by_label("Period").input_value() == "365d"
    assert not page.get_by_role("textbox", name="From").is_visible() and not window.complaints
