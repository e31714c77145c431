"""A passkey is added and signs in, in the browser itself: its virtual authenticator answers as a device would."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from governance.models import Role
from tests.e2e.browser import Inspector, Window
from tests.e2e.test_cases_are_decided_by_keyboard import address, browser, shared
from tests.governance.staff import member

__all__ = ["address", "browser", "shared"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(databases=["default", "keyring"])]
PASSWORD = "a long and quiet river"
#: A device with a screen lock that is unlocked: it keeps the key and says that its owner was there.
DEVICE = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
    "isUserVerified": True, "automaticPresenceSimulation": True,
}  # fmt: skip


@pytest.fixture
def place(address: str, settings: Any) -> str:
    """The site under a name: no passkey is made for a bare number."""
    settings.ALLOWED_HOSTS = ["localhost"]
    return address.replace("127.0.0.1", "localhost")


def device(window: Window) -> None:
    tools = window.context.new_cdp_session(window.page)
    tools.send("WebAuthn.enable")
    tools.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def test_a_passkey_is_added_signs_in_without_a_password_and_lets_its_owner_decide(browser: Browser, place: str) -> None:
    member("passkey@house.example", PASSWORD, role=Role.ENGINEER)
    window, inspector = Window(browser), Inspector()
    page = window.page
    device(window)
    page.goto(f"{place}/accounts/login/?next=/accounts/2fa/webauthn/add/")
    page.fill("input[name=login]", "passkey@house.example")
    page.fill("input[name=password]", PASSWORD)
    press(page, "Sign in")
    page.wait_for_url("**/accounts/reauthenticate/**")
    page.fill("input[name=password]", PASSWORD)
    press(page, "Confirm")
    page.fill("input[name=name]", "This laptop")
    page.locator("label[for=id_passwordless]").click()
    inspector.look(window, "adding a passkey")
    press(page, "Add it")
    page.wait_for_url(lambda url: not url.endswith("/add/"))
    page.goto(f"{place}/accounts/own/")
    assert "Your account has a second factor" in page.locator("main").inner_text()
    page.goto(f"{place}/accounts/2fa/webauthn/")
    assert page.locator("h1").inner_text() == "1 passkey or security key"
    inspector.look(window, "list of passkeys")
    page.goto(f"{place}/accounts/logout/")
    press(page, "Sign out")
    page.goto(f"{place}/accounts/login/?next=/policies/propose/")
    press(page, "Sign in with a passkey")
    # A decision asks once more who is there, and the key answers. The sign-in's own address ends in the same words.
    page.wait_for_url(f"{place}/accounts/reauthenticate/**")
    page.get_by_text("Use a security key").click()
    press(page, "Use a passkey or security key")
    page.wait_for_url(f"{place}/policies/propose/")
    assert page.locator("h1").count() == 1 and not window.complaints and not inspector.faults


def test_without_the_device_nobody_signs_in(browser: Browser, place: str) -> None:
    window = Window(browser)
    device(window)
    window.page.goto(f"{place}/accounts/login/?next=/models/")
    press(window.page, "Sign in with a passkey")
    window.page.wait_for_timeout(500)
    assert "/accounts/login/" in window.page.url
