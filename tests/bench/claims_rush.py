"""A rush of claims beside a batch, with a worker killed and the broker restarted: `python -m tests.bench.claims_rush`.

Real processes over PostgreSQL and a Redis of our own: gunicorn with two workers, two Celery workers, the scheduler.
Claims come by the interface at the rate of 4,000 in 6 minutes, each from an address of its own, answered or not the one
before.
Prints times of acknowledgement and what the database holds afterwards; ends with 1 where anything was lost or doubled.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.services import servers

RATE = 4000 / 360
BAR_SECONDS = 1.0
PART = 10_000
_WORKER = ["-m", "celery", "-A", "governance.celery", "worker", "-Q", "default", "--pool", "solo", "--without-gossip",
           "--without-mingle", "--loglevel", "warning"]  # fmt: skip


@dataclass
class House:
    """The processes of one installation."""

    env: dict[str, str]
    folder: Path
    port: int
    redis_port: int
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str) -> None:
        """Start one by its name."""
        commands = {
            "redis": ["redis-server", "--port", str(self.redis_port), "--bind", "127.0.0.1", "--save", "",
                      "--dir", str(self.folder)],
            "web": [sys.executable, "-m", "gunicorn", "governance.wsgi", "--bind", f"127.0.0.1:{self.port}",
                    "--threads", "3", "--timeout", "60", "--log-level", "warning"],
            "worker-1": [sys.executable, *_WORKER, "-n", "one@bench"],
            "worker-2": [sys.executable, *_WORKER, "-n", "two@bench"],
            "beat": [sys.executable, "-m", "celery", "-A", "governance.celery", "beat", "--schedule",
                     str(self.folder / "beat"), "--pidfile=", "--loglevel", "warning"],
        }  # fmt: skip
        log = (self.folder / f"{name}.log").open("ab")
        self.running[name] = subprocess.Popen(commands[name], env=self.env, stdout=log, stderr=log)

    def end(self, name: str, how: int = signal.SIGTERM) -> None:
        """End one, or kill it."""
        process = self.running.pop(name)
        process.send_signal(how)
        process.wait(timeout=30)

    def end_all(self) -> None:
        """The last started first."""
        for name in reversed(list(self.running)):
            self.end(name, signal.SIGKILL)

    def python(self, code: str) -> Any:
        """Run code within the installation; its last line is JSON."""
        command = [sys.executable, "-c", f"import django; django.setup()\n{code}"]
        ended = subprocess.run(command, env=self.env, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise SystemExit(ended.stderr[-3000:])
        return json.loads(ended.stdout.splitlines()[-1])


ENTER = """
import json
from datetime import timedelta
from django.utils import timezone
from governance.models import Role
from governance.policies import Actor
from governance.services import agents
from tests.governance.staff import member
legal = Actor.of(member("legal@bench.example", role=Role.LEGAL))
agent = agents.agent_enter(what="society", name="Bench", email="post@bench.example", actor=legal)
until = timezone.localdate() + timedelta(days=9)
mandate = agents.mandate_record(agent=agent, principal="All members", evidence="A contract.", kinds=["copyright"],
                                until=until, actor=legal)
made = agents.key_issue(agent=agent, label="bench", scopes=["file", "read", "bulk"], days=9, actor=legal)
print(json.dumps({"key": made.text, "mandate": str(mandate.public_id)}))
"""
COUNT = """
import json
from governance.models import AgentCase, Batch, BatchItem, Case, ClaimedItem, LedgerEntry
from django.db.models import Count
batched = AgentCase.objects.values("case")
single = Case.objects.exclude(pk__in=batched)
batch = Batch.objects.first()
print(json.dumps({
    "claims": single.count(), "numbers": sorted(single.values_list("number", flat=True)),
    "claims_items": ClaimedItem.objects.filter(case__in=single).count(),
    "batch_cases": AgentCase.objects.count(), "batch_works": ClaimedItem.objects.filter(case__in=batched).count(),
    "results": BatchItem.objects.count(),
    "positions": BatchItem.objects.aggregate(n=Count("position", distinct=True))["n"],
    "batch": [batch.state, batch.lines, batch.done, batch.accepted] if batch else [],
    "received": LedgerEntry.objects.filter(action="case.received").count(),
}))
"""


def house(folder: Path) -> House:
    """An installation of its own, all processes up."""
    server, name = servers.postgresql(), f"lethe_rush_{secrets.token_hex(4)}"
    port, redis_port = servers.free_port(), servers.free_port()
    env = {
        **os.environ, "LETHE_HOME": str(folder), "DJANGO_SETTINGS_MODULE": "governance.settings",
        "LETHE_DATABASE_URL": servers.create_database(server, name),
        "LETHE_KEYRING_URL": servers.create_database(server, f"{name}_keys"),
        "LETHE_BROKER": f"redis://127.0.0.1:{redis_port}/0", "LETHE_BEHIND_PROXY": "1", "PORT": str(port),
        "LETHE_CACHE": f"redis://127.0.0.1:{redis_port}/1", "WEB_CONCURRENCY": "2", "LETHE_SSL_REDIRECT": "0",
        "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    made = House(env, folder, port, redis_port)
    secret = "from governance.secrets import ensure_secrets, secrets_folder; ensure_secrets(secrets_folder())"
    subprocess.run([sys.executable, "-c", secret], env=env, check=True)
    made.start("redis")
    subprocess.run([sys.executable, "manage.py", "bootstrap"], env=env, check=True, stdout=subprocess.DEVNULL)
    for one in ("web", "worker-1", "worker-2", "beat"):
        made.start(one)
    for _second in range(60):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/robots.txt", timeout=2).close()  # noqa: S310
            return made
        except OSError:
            time.sleep(1)
    raise SystemExit("the web process did not come up")


def claim(base: str, number: int) -> tuple[float, int, str]:
    """One claim: seconds to its acknowledgement, status, case number."""
    body = {
        "kind": "copyright", "name": f"Artist {number}", "email": f"artist{number}@bench.example", "declared": True,
        "items": [{"form": "url", "text": f"https://bench.example/{number}/{n}"} for n in range(3)],
    }  # fmt: skip
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    headers = {"Content-Type": "application/json", "X-Forwarded-For": address, "Idempotency-Key": f"rush-{number}"}
    request = urllib.request.Request(f"{base}/api/v1/requests/", json.dumps(body).encode(), headers)  # noqa: S310
    began = time.perf_counter()
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return time.perf_counter() - began, answer.status, json.loads(answer.read())["number"]
    except urllib.error.HTTPError as error:
        return time.perf_counter() - began, error.code, ""
    except OSError:
        return time.perf_counter() - began, 0, ""


def rush(made: House, claims: int) -> list[tuple[float, int, str]]:
    """Claims at their rate: each begins at its time, however long the others take."""
    base, start = f"http://127.0.0.1:{made.port}", time.perf_counter()
    with ThreadPoolExecutor(64) as pool:
        waiting = []
        for number in range(claims):
            time.sleep(max(0.0, start + number / RATE - time.perf_counter()))
            waiting.append(pool.submit(claim, base, number))
        return [one.result() for one in waiting]


def send_batch(made: House, works: int, known: dict[str, str]) -> float:
    """A batch in parts by the client of the documentation; seconds until it was acknowledged."""
    sys.path.insert(0, str(Path("docs/examples").resolve()))
    from lethe_client import Client

    client, began = Client(f"http://127.0.0.1:{made.port}", known["key"]), time.perf_counter()
    line = '{{"ref": "W{0}", "url": "https://bench.example/w/{0}"}}'
    firsts = range(0, works, PART)
    parts = ["\n".join(line.format(n) for n in range(at, min(at + PART, works))).encode() for at in firsts]
    client.send_batch(mandate=known["mandate"], parts=parts)
    return time.perf_counter() - began


def disturb(made: House, seconds: float) -> None:
    """Kill a worker and restart the broker while everything runs."""
    time.sleep(seconds / 3)
    made.end("worker-1", signal.SIGKILL)
    time.sleep(seconds / 6)
    made.end("redis", signal.SIGKILL)
    time.sleep(2)
    made.start("redis")
    time.sleep(seconds / 6)
    made.start("worker-1")


def wait_for_batch(made: House, patience: float) -> float:
    """Seconds until the batch has all its results, at most `patience`."""
    began = time.perf_counter()
    while time.perf_counter() - began < patience:
        if made.python(COUNT)["batch"][:1] == ["done"]:
            break
        time.sleep(5)
    return time.perf_counter() - began


def main() -> int:
    """Run it and print what was found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--claims", type=int, default=4000)
    parser.add_argument("--works", type=int, default=1_000_000)
    parser.add_argument("--patience", type=float, default=7200.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = house(Path(folder))
        try:
            known = made.python(ENTER)
            batch: list[float] = []
            sender = threading.Thread(target=lambda: batch.append(send_batch(made, options.works, known)))
            trouble = threading.Thread(target=disturb, args=(made, options.claims / RATE))
            sender.start()
            trouble.start()
            answers = rush(made, options.claims)
            sys.stdout.write(json.dumps(_times(answers)) + "\n")  # told now: the batch may take much longer
            sys.stdout.flush()
            sender.join()
            trouble.join()
            waited = wait_for_batch(made, options.patience)
            found = made.python(COUNT)
        finally:
            made.end_all()
    return report(options, answers, batch, waited, found)


def _tenths(answers: list[Any]) -> list[float]:
    """The 95th of 100 in each tenth of the time: what the kill and the restart did to it."""
    size = -(-len(answers) // 10)
    found = [sorted(row[0] for row in answers[at : at + size]) for at in range(0, len(answers), size)]
    return [round(times[int(len(times) * 0.95) - 1], 3) for times in found]


def _times(answers: list[Any]) -> dict[str, Any]:
    """How long claimants waited for their acknowledgement."""
    times = sorted(seconds for seconds, _status, _number in answers)
    return {
        "p50_s": round(statistics.median(times), 3), "p95_s": round(times[int(len(times) * 0.95) - 1], 3),
        "worst_s": round(times[-1], 3), "p95_by_tenth_s": _tenths(answers), "bar_s": BAR_SECONDS,
    }  # fmt: skip


def report(options: Any, answers: list[Any], batch: list[float], waited: float, found: dict[str, Any]) -> int:
    """One JSON line, and whether anything was lost or doubled."""
    numbers = sorted(number for _seconds, status, number in answers if status == 201)
    lost, unknown = set(numbers) - set(found["numbers"]), set(found["numbers"]) - set(numbers)
    works = [found["results"], found["positions"], found["batch_works"], found["batch"][-1]]
    sound = (
        len(numbers) == options.claims and not lost and not unknown and works == [options.works] * 4
        and found["claims_items"] == 3 * options.claims and found["batch_cases"] == -(-options.works // 200)
        and found["received"] == found["claims"] + found["batch_cases"]
    )  # fmt: skip
    line = {
        "claims": options.claims, "works": options.works, "acknowledged": len(numbers), "lost": len(lost),
        **_times(answers),
        "batch_taken_s": round(batch[0], 1) if batch else None, "batch_filed_after_s": round(waited, 1),
        "found": {name: value for name, value in found.items() if name != "numbers"}, "sound": sound,
    }  # fmt: skip
    sys.stdout.write(json.dumps(line) + "\n")
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
