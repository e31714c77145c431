"""Two administrators let somebody in: one makes the account, the other signs its role; an auditor compares."""

from __future__ import annotations

import pytest
from django.core import mail
from playwright.sync_api import Browser, expect

from governance.models import Role, User
from tests.e2e.browser import Inspector, signed_in
from tests.e2e.test_cases_are_decided_by_keyboard import address, browser, shared
from tests.governance.staff import administrators, member

__all__ = ["address", "browser", "shared"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(databases=["default", "keyring"])]


def test_one_makes_the_account_and_another_signs_its_role(browser: Browser, address: str) -> None:
    auditor = member("ledger@house.example", role=Role.AUDITOR)
    one, other = (signed_in(browser, address, user) for user in administrators())
    inspector = Inspector()
    one.page.goto(f"{address}/people/")
    one.page.get_by_text("Make an account", exact=True).click()
    for name, text in (("first_name", "Nora"), ("last_name", "Vance"), ("email", "nora@house.example")):
        one.page.fill(f"input[name={name}]", text)
    one.page.locator("details[open] label", has_text=str(Role.ENGINEER.label)).click()
    one.page.get_by_role("button", name="Make the account").click()
    one.page.get_by_text("The invitation is on its way").first.wait_for()
    assert mail.outbox[-1].to == ["nora@house.example"]
    person = User.objects.get(email="nora@house.example")
    assert person.role == Role.NONE
    other.page.goto(f"{address}/people/{person.pk}/")
    inspector.look(other, "a role that waits for a second administrator")
    other.page.get_by_role("button", name="Sign the role").click()
    other.page.wait_for_load_state()
    assert User.objects.get(pk=person.pk).role == Role.ENGINEER
    watch = signed_in(browser, address, auditor)
    watch.page.goto(f"{address}/ledger/")
    watch.page.get_by_role("link", name="Compare every second signature").click()
    watch.page.wait_for_url("**?check=signatures")
    # The auditor's own role was given past the ledger, for this test; the two signatures on the page stand in it.
    told = watch.page.locator("main .notice")
    expect(told).to_contain_text("2 findings")
    expect(told).to_contain_text(f"account {auditor.pk}, approval")
    expect(told).not_to_contain_text(f"account {person.pk}")
    inspector.look(watch, "signatures compared")
    assert not any(window.complaints for window in (one, other, watch)) and not inspector.faults
