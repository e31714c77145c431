"""Fixtures for all tests. Servers are in tests/services, the home of the run in tests/environment.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django.lazy_django import django_settings_is_configured


@pytest.fixture(autouse=True)
def locks_within_transactions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Rows are locked within a transaction of the code under test: the test's own is not there in an installation.

    Without this a page that locks rows outside of any would pass here and fail on PostgreSQL
    (`governance/strict_sqlite.py`).
    """
    if django_settings_is_configured() and request.node.get_closest_marker("django_db"):
        request.getfixturevalue("_django_db_helper")
        from django.db import connections

        for connection in connections.all(initialized_only=True):
            held = len(connection.savepoint_ids)
            monkeypatch.setattr(connection, "get_autocommit", lambda c=connection, n=held: len(c.savepoint_ids) <= n)
            # PostgreSQL would take this for no transaction to save a point in, and lose the test's own with a refusal.
            monkeypatch.setattr(connection, "_savepoint_allowed", lambda c=connection: c.in_atomic_block)
    yield
