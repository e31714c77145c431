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
from tests.e2e.browser import Window
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
