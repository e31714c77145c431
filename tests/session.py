"""A pytest plugin, loaded before Django's settings: the database of the run, and an honest end.

`LETHE_TEST_DATABASE=postgresql` runs the tests on PostgreSQL. A skip whose reason begins with "service:" is
a failure when `CI` is true; every skip is said aloud before the closing line.
"""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Generator
from typing import Any

import pytest

from tests.services import servers

IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}
PREFIX = "service:"
_missing = ""


def _use_postgresql() -> str:
    """Point the settings at a PostgreSQL, once for all test processes; returns why that is impossible."""
    try:
        server = servers.postgresql()
    except servers.Missing as error:
        return str(error)
    os.environ["LETHE_DATABASE_URL"] = f"{server}/lethe_{os.getpid()}"
    os.environ["LETHE_KEYRING_URL"] = f"{server}/lethe_keyring_{os.getpid()}"
    return ""


if os.environ.get("PYTEST_XDIST_WORKER") is None:
    for name in ("LETHE_DATABASE_URL", "LETHE_KEYRING_URL"):
        os.environ.pop(name, None)
    if os.environ.get("LETHE_TEST_DATABASE") == "postgresql":
        _missing = os.environ["LETHE_TEST_MISSING"] = _use_postgresql()
else:
    _missing = os.environ.get("LETHE_TEST_MISSING", "")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """Modules live as long as the process: the collector of cycles need not look through them, now or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without the database that was asked for, nothing may run on another."""
    for item in items:
        if _missing:
            item.add_marker(pytest.mark.skip(reason=_missing))


def pytest_report_header() -> str:
    """Say which database the run uses."""
    return f"database: {os.environ.get('LETHE_DATABASE_URL', 'SQLite')}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In continuous integration a missing server is a failure, not a skip."""
    report = yield
    reason = _reason(report)
    if IN_CI and reason.startswith(PREFIX):
        report.outcome = "failed"
        report.longrepr = f"{reason}\nWith CI=true this is a failure: every test must run there."
    return report


def _reason(report: Any) -> str:
    if getattr(report, "outcome", "") != "skipped" or not isinstance(report.longrepr, tuple):
        return ""
    return str(report.longrepr[2]).removeprefix("Skipped: ")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What could not run, each reason once, before the closing line."""
    reasons = Counter(_reason(report) for report in terminalreporter.stats.get("skipped", []))
    terminalreporter.section("What could not run")
    if not reasons:
        terminalreporter.line("Nothing: every selected test ran.")
    for reason, count in sorted(reasons.items()):
        terminalreporter.line(f"{count} test{'s' if count > 1 else ''}: {reason or 'expected to fail'}")
