"""The migration gives every earlier case the clock of its law, with the dates, pauses and extension that it had."""

from __future__ import annotations

from datetime import date
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from governance.clocks import rows
from governance.models import Case, Kind
from tests.governance.conftest import file_case

pytestmark = pytest.mark.database

MIGRATION = import_module("governance.migrations.0011_house_policy")


class Editor:
    """All that the migration asks of a schema editor."""

    connection = connection


def earlier(**columns: Any) -> Case:
    """A case as it was before clocks were rows."""
    claimant = file_case(kind=Kind.PRIVACY).claimant
    known = {"kind": "privacy", "law": "gdpr", "channel": "post", "claimant": claimant, "received_on": date(2026, 9, 1)}
    number = str(Case.objects.count())
    return Case.objects.create(**{**known, "status_token": number, "confirm_token": number, **columns})


def test_dates_pauses_and_extensions_are_taken_over_as_they_were() -> None:
    plain = earlier(due_on=date(2026, 10, 1))
    policy = earlier(due_on=date(2026, 10, 1), law="copyright_policy", kind="copyright")
    paused = earlier(due_on=date(2026, 10, 8), paused_days=7)
    waiting = earlier(due_on=date(2026, 10, 1), paused_on=date(2026, 9, 4))
    extended = earlier(due_on=date(2026, 12, 1), extended_on=date(2026, 9, 20))
    MIGRATION.rename(apps, Editor)
    MIGRATION.open_clocks(apps, Editor)
    policy.refresh_from_db()
    assert policy.law == "house" and policy.clocks.get().version == 1
    assert plain.clocks.get().due == date(2026, 10, 1) and plain.clocks.get().because
    for case in (plain, paused, extended):
        before = case.due_on
        assert rows.settle(case)["due_on"] == before
    assert rows.settle(waiting)["paused_on"] == date(2026, 9, 4)
    MIGRATION.open_clocks(apps, Editor)
    assert plain.clocks.count() == 1
