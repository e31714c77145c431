"""A ledger of a million entries: an entry in 2 ms beside its change, a proof in 5 ms, a page in 20, on both databases.

In a process of its own, since the databases are chosen before Django is loaded.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.bench, pytest.mark.services]
BARS = {
    "append": 2.0, "inclusion": 5.0, "consistency": 5.0, "page": 20.0, "page_from": 20.0, "page_of_a_kind": 20.0,
}  # fmt: skip


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_entries_and_proofs_keep_their_bars(database: str) -> None:
    command = [sys.executable, "-m", "tests.bench.ledger_at_a_million", database]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    sys.stdout.write(ended.stdout)
    assert ended.returncode == 0, ended.stderr[-3000:]
    found = json.loads(ended.stdout.splitlines()[-1])
    assert all(found[what]["median"] <= bar for what, bar in BARS.items()), found
