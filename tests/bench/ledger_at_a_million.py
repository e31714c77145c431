"""A ledger of a million entries on SQLite or PostgreSQL: what an entry and a proof cost.

`python -m tests.bench.ledger_at_a_million sqlite|postgresql`. Of each transaction only `ledger.append` is timed.
A proof is timed from the number of an entry to its hashes, a page from the question of the ledger's page to its rows:
the newest entries, those from any one on, and the only two of a kind, far from each other and from the end.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SIZE = 1_000_000
TRIES = 300
#: Entries of a kind that nearly none has.
RARE = (17, SIZE // 2)


def main() -> None:
    """Set up, fill, measure, print one line of JSON."""
    home = Path(tempfile.mkdtemp(prefix="lethe-bench-"))
    from governance.secrets import ensure_secrets

    os.environ.update(LETHE_HOME=str(home), DJANGO_SETTINGS_MODULE="governance.settings")
    ensure_secrets(home / "secrets")
    if sys.argv[1] == "postgresql":
        from tests.services import servers

        os.environ["LETHE_DATABASE_URL"] = servers.create_database(servers.postgresql(), f"lethe_ledger_{os.getpid()}")
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("migrate", database="keyring", verbosity=0)
    _fill()
    sys.stdout.write(json.dumps({"database": sys.argv[1], **_measure()}) + "\n")


def _fill() -> None:
    from django.db import transaction

    from governance.evidence import leaf, merkle, tiles
    from governance.models import LedgerEntry

    at, step = "2026-11-29T00:00:00.000Z", tiles.WIDTH * 40
    for start in range(0, SIZE, step):
        rows = []
        for n in range(start, min(start + step, SIZE)):
            action = "rare.written" if n in RARE else "case.advanced"
            data = leaf.leaf_bytes(index=n, at=at, action=action, case="a" * 64, actor="b" * 64, body=f"{n:064x}")
            rows.append(LedgerEntry(index=n, at=at, action=action, leaf=data, hash=merkle.leaf_hash(data)))
        with transaction.atomic():
            LedgerEntry.objects.bulk_create(rows, batch_size=2000)
            for end in range(start + tiles.WIDTH, start + len(rows) + 1, tiles.WIDTH):
                tiles.complete(end - 1)


def _measure() -> dict[str, Any]:
    from django.db import connection, transaction

    from governance.evidence import ledger
    from governance.models import Role, User
    from governance.policies import Actor
    from governance.selectors import ledger as select

    reader = Actor.of(User(email="bench@house.example", role=Role.AUDITOR))
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    rng, actor, appended = random.Random(1), Actor.system("bench"), []
    for number in range(TRIES):
        with transaction.atomic():
            start = time.perf_counter()
            ledger.append(action="bench.written", actor=actor, body={"number": number, "reason": "x" * 200})
            appended.append(time.perf_counter() - start)
    size = ledger.size()

    def page(before: int | None = None, **narrowed: str) -> int:
        return len(select.entries_page(select.entries_rows(reader, **narrowed), before=before).rows)  # type: ignore[arg-type]

    if page(kind="rare") != len(RARE):
        raise SystemExit("The entries of the rare kind are not found.")
    return {
        "entries": size,
        "append": told(appended),
        "inclusion": timed(lambda: ledger.tree(size).inclusion_proof(rng.randrange(size))),
        "consistency": timed(lambda: ledger.tree(size).consistency_proof(rng.randrange(1, size))),
        "root": timed(lambda: ledger.tree(size).root()),
        "page": timed(page),
        "page_from": timed(lambda: page(rng.randrange(1, size))),
        "page_of_a_kind": timed(lambda: page(kind="rare")),
    }


def timed(what: Callable[[], object]) -> dict[str, float]:
    """Milliseconds of so many calls."""
    found = []
    for _ in range(TRIES):
        start = time.perf_counter()
        what()
        found.append(time.perf_counter() - start)
    return told(found)


def told(seconds: list[float]) -> dict[str, float]:
    """Median and 95th percentile in milliseconds."""
    ordered = sorted(one * 1000 for one in seconds)
    return {"median": round(statistics.median(ordered), 2), "p95": round(ordered[int(len(ordered) * 0.95)], 2)}


if __name__ == "__main__":
    main()
