"""The demonstration's passwords are kept nowhere: they are printed before anything can stop the first run."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command

from governance.management.commands import demo
from governance.management.demo import people
from governance.management.demo.people import SignIn
from governance.models import Role


def stopped(*_: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(("password", "told"), [("open-sesame", True), ("", False)])
def test_whoever_stops_the_first_run_can_sign_in(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], password: str, told: bool
) -> None:
    monkeypatch.setattr(demo, "check_machine", lambda port: None)
    monkeypatch.setattr(demo, "call_command", lambda *_, **__: None)
    monkeypatch.setattr(people, "accounts", lambda: [SignIn(Role.AUDITOR, "auditor@lethe.example", password)])
    monkeypatch.setattr(demo, "Group", stopped)
    call_command("demo")
    said = capsys.readouterr().out
    assert ("auditor@lethe.example" in said) == told and ("open-sesame" in said) == told
    assert "Nothing is lost" in said
