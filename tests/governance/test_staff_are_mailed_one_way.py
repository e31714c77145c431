"""Mail to people of the house goes one way, whatever the mail server or the provider raises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core import mail

from governance.models import Dataset, Role
from governance.notifications.errors import SendFailed
from governance.notifications.mail import Mail, send_each
from governance.policies import Actor
from governance.services import order_signing, rescans
from tests.governance.receivers import DOWN, refuse_mail

SERVICES = Path(__file__).resolve().parents[2] / "governance" / "services"


def test_no_service_knows_another_way() -> None:
    assert not [path.name for path in SERVICES.glob("*.py") if "send_mail" in path.read_text()]


@pytest.mark.parametrize("error", DOWN)
def test_what_was_done_stands_when_no_mail_is_taken(
    people: dict[Role, Actor], error: type[Exception], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    refuse_mail(monkeypatch, error)
    rescans._tell(Dataset(name="Works"), 3, ["LT-ABCDE-FGH"])
    order_signing._tell("One was put back", [])
    assert caplog.text.count("A mail to staff was not taken") == 2 and "@" not in caplog.text


def test_one_address_that_is_refused_for_good_keeps_nobody_from_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Mail] = []

    def server(one: Mail) -> str:
        if one.to.startswith("gone"):
            raise SendFailed("no such address", bounced=True)
        if one.to.startswith("later"):
            raise SendFailed("try again")
        taken.append(one)
        return one.key

    monkeypatch.setattr("governance.notifications.mail.send", server)
    assert send_each(["gone@house.example", "a@house.example"], "T", "B", key="k")
    assert not send_each(["later@house.example", "a@house.example"], "T", "B", key="k")
    assert [one.to for one in taken] == ["a@house.example"] * 2 and taken[0].key == taken[1].key


def test_each_has_a_mail_of_their_own() -> None:
    before: list[Any] = list(mail.outbox)
    assert send_each(["a@house.example", "b@house.example"], "Title", "Text")
    assert [letter.to for letter in mail.outbox[len(before) :]] == [["a@house.example"], ["b@house.example"]]
