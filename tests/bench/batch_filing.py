"""How fast a batch is filed, and that every line is filed once though workers are killed:
`python -m tests.bench.batch_filing sqlite|postgresql`, with `--lines N`, `--part N` lines of a part, `--kill SECONDS`.

Without `--kill` one process files it as tasks do, twenty pieces each; its own processor time is told beside the wall
time. With it two workers file, and every so many seconds one of them is killed (SIGKILL).
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from tests.services import servers


def settle(database: str, home: Path) -> None:
    """An empty installation."""
    from governance.secrets import ensure_secrets

    os.environ.update(LETHE_HOME=str(home), DJANGO_SETTINGS_MODULE="governance.settings", OMP_NUM_THREADS="1")
    ensure_secrets(home / "secrets")
    if database == "postgresql":
        server, name = servers.postgresql(), f"lethe_filing_{secrets.token_hex(4)}"
        os.environ["LETHE_DATABASE_URL"] = servers.create_database(server, name)
        os.environ["LETHE_KEYRING_URL"] = servers.create_database(server, f"{name}_keys")


def ready() -> None:
    """Django with settings; tasks are run here, not told to anybody."""
    import django

    django.setup()
    from governance import dispatch
    from governance.services import batches

    dispatch.tell = lambda *_any: False
    batches.LEASE = timedelta(seconds=2)


def closed_batch(lines: int, part: int) -> int:
    """A batch of addresses whose parts are all there."""
    from django.core.management import call_command
    from django.utils import timezone

    from governance import dispatch
    from governance.models import Kind, Role
    from governance.policies import Actor
    from governance.services import agents, batches
    from tests.governance.staff import member

    for alias in ("default", "keyring"):
        call_command("migrate", database=alias, verbosity=0)
    legal, until = Actor.of(member("legal@bench.example", role=Role.LEGAL)), timezone.localdate() + timedelta(days=9)
    agent = agents.agent_enter(what="society", name="Bench", email="post@bench.example", actor=legal)
    mandate = agents.mandate_record(
        agent=agent, principal="All members", evidence="A contract.", kinds=["copyright"], until=until, actor=legal
    )
    batch = batches.batch_open(agent=agent, mandate=mandate, kind=Kind.COPYRIGHT, format="jsonl")
    for number, first in enumerate(range(0, lines, part), 1):
        works = ({"ref": f"W{n}", "url": f"https://bench.example/{n}"} for n in range(first, min(lines, first + part)))
        data = "\n".join(map(json.dumps, works)).encode()
        batches.part_take(batch=batch, number=number, data=data, digest=dispatch.bytes_digest(data))
    return int(batches.batch_close(batch=batch).pk)


def file_all(pk: int) -> None:
    """What tasks do, one after the other; another worker's lease is waited for."""
    from governance.services import batches

    while batches.batch_run(pk, pieces=batches.AT_ONCE).state == "running":
        if not batches.Batch.objects.filter(pk=pk, leased_until=None).exists():
            time.sleep(0.2)


def file_and_kill(pk: int, every: float) -> int:
    """Two workers, of which one is killed again and again; returns how often."""
    from governance.models import Batch

    workers: list[subprocess.Popen[bytes]] = []
    kills = 0
    while Batch.objects.get(pk=pk).state != "done":
        workers = [one for one in workers if one.poll() is None]
        while len(workers) < 2:
            workers.append(subprocess.Popen([sys.executable, "-m", "tests.bench.batch_filing", "worker", str(pk)]))
        time.sleep(every)
        if (one := secrets.choice(workers)).poll() is None:
            one.kill()
            kills += 1
    for one in workers:
        one.wait()
    return kills


def counted(pk: int) -> dict[str, object]:
    """What stands there; every line once, and the ledger's tree that of its entries."""
    from governance.evidence import ledger, merkle
    from governance.models import Batch, BatchItem, Case, ClaimedItem, LedgerEntry

    batch = Batch.objects.get(pk=pk)
    positions = BatchItem.objects.filter(batch=batch).values_list("position", flat=True).order_by("position")
    hashes = LedgerEntry.objects.order_by("index").values_list("hash", flat=True)
    return {
        "each line once": list(positions) == list(range(1, batch.lines + 1)),
        "works": ClaimedItem.objects.count(), "cases": Case.objects.count(), "entries": len(hashes),
        "tree right": ledger.tree().root() == merkle.Tree(bytes(one) for one in hashes).root(),
    }  # fmt: skip


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("database", choices=["sqlite", "postgresql", "worker"])
    parser.add_argument("batch", nargs="?", type=int)
    parser.add_argument("--lines", type=int, default=20_000)
    parser.add_argument("--part", type=int, default=10_000)
    parser.add_argument("--kill", type=float, default=0)
    asked = parser.parse_args()
    if asked.database == "worker":
        ready()
        file_all(asked.batch)
        return
    with tempfile.TemporaryDirectory(prefix="lethe-filing-") as home:
        settle(asked.database, Path(home))
        ready()
        pk = closed_batch(asked.lines, asked.part)
        wall, own = time.perf_counter(), time.process_time()
        kills = file_and_kill(pk, asked.kill) if asked.kill else file_all(pk)
        wall, own = time.perf_counter() - wall, time.process_time() - own
        told = {"kills": kills} if asked.kill else {"own processor s": round(own, 2)}
        found = {"lines": asked.lines, "wall s": round(wall, 1), **told, "load": os.getloadavg()[0], **counted(pk)}
        sys.stdout.write("".join(f"{name:16} {value}\n" for name, value in found.items()))


if __name__ == "__main__":
    main()
