"""Tests that speak to the database itself carry the mark that runs them on PostgreSQL beside SQLite."""

from __future__ import annotations

import re

from tests.architecture.tree import ROOT

OWN_WORDS = re.compile(r"connections?\b.*\.cursor\(|\b(IntegrityError|DatabaseError|triggers|GUARDS)\b")


def test_who_writes_sql_or_expects_its_refusal_is_run_on_both_databases() -> None:
    speak = [path for path in (ROOT / "tests/governance").glob("test_*.py") if OWN_WORDS.search(path.read_text())]
    assert len(speak) > 15
    assert [path.name for path in speak if "pytest.mark.database" not in path.read_text()] == []
