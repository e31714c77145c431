"""The dashboard over a million cases, asked by twenty people at once: `python -m tests.bench.dashboard_at_a_million`.

Finds or starts a PostgreSQL, fills a database of its own, has every case counted (and counted anew), starts gunicorn
with two workers that share a Redis, and lets twenty people, each signed in, ask for the page, each anew as soon as the
last answer is there (`--pause`: so many seconds after it). Meanwhile cases change and are counted as the scheduler does
it, three times as often. Prints p50 and p95; server, database and people share the cores.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.bench.queue_at_a_million import house, p95, settle, told_load
from tests.services import servers

BAR_MS = 150.0
THREADS = 3  # of the Procfile
PATHS = ("/dashboard/", "/dashboard/", "/dashboard/", "/dashboard/?period=365d", "/dashboard/?period=last_quarter")


def counted() -> dict[str, float]:
    """Seconds of the first count, of a count of everything, and of two thousand changed cases."""
    from governance.models import Case, TallyTouch
    from governance.services import tallies

    with_notes = TallyTouch.objects.count()
    TallyTouch.objects.all().delete()  # a house that was there before the triggers has none
    took: dict[str, float] = {"notes of the fill": with_notes}
    start = time.perf_counter()
    tallies.tallies_recount()
    took["first count, s"] = time.perf_counter() - start
    start = time.perf_counter()
    assert tallies.tallies_recount() == 0
    took["count anew, s"] = time.perf_counter() - start
    open_ids = list(Case.objects.filter(status="review").values_list("pk", flat=True)[:2000])
    Case.objects.filter(pk__in=open_ids).update(status="matching")
    start = time.perf_counter()
    assert tallies.tallies_update() == len(open_ids)
    took["2,000 changes, s"] = time.perf_counter() - start
    return took


class People:
    """Those who ask for the page, one session and one connection each."""

    def __init__(self, port: int, cookies: list[str], pause: float = 0) -> None:
        self.port, self.cookies, self.pause = port, cookies, pause
        self.took: list[float] = []
        self.over = threading.Event()

    def one(self, who: int) -> None:
        """Ask until it is over."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        turn = who
        while not self.over.is_set():
            turn += 1
            start = time.perf_counter()
            line.request(
                "GET", PATHS[turn % len(PATHS)], headers={"Cookie": self.cookies[who], "Accept-Encoding": "gzip"}
            )
            answer = line.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
            self.took.append((time.perf_counter() - start) * 1000)
            self.over.wait(self.pause)

    def ask(self, seconds: float, change: Any) -> list[float]:
        """All of them for so long, while cases change every few seconds."""
        threads = [threading.Thread(target=self.one, args=(who,)) for who in range(len(self.cookies))]
        for thread in threads:
            thread.start()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(5)
            change()
        self.over.set()
        for thread in threads:
            thread.join()
        return self.took


def executive(number: int) -> Any:
    """A person who may see the page."""
    from governance.models import Role
    from tests.governance.staff import member

    return member(f"board{number}@bench.example", role=Role.EXECUTIVE, first_name="Board", last_name=str(number))


def signed_in(person: Any) -> str:
    """The cookie of somebody who is signed in."""
    from django.conf import settings
    from django.test import Client

    client = Client()
    client.force_login(person)
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


def options_of() -> argparse.Namespace:
    """How many cases, how many people, for how long."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--pause", type=float, default=0)
    parser.add_argument("--threads", type=int, default=THREADS)
    return parser.parse_args()


def main() -> None:
    """Fill, count, ask, tell; the last line is JSON."""
    options = options_of()
    with tempfile.TemporaryDirectory(prefix="lethe-bench-") as folder:
        settle(Path(folder), servers.postgresql())
        port = servers.free_port()
        os.environ.update(LETHE_URL=f"http://127.0.0.1:{port}", DJANGO_ALLOW_ASYNC_UNSAFE="1")
        os.environ["LETHE_CACHE"] = cache = servers.claim_redis_database(servers.redis_server())
        import django

        django.setup()
        from django.core.management import call_command

        from governance.models import Case
        from governance.services import tallies

        call_command("collectstatic", interactive=False, verbosity=0)
        house(options.cases)
        told_load("before")
        took = counted()
        for name, value in took.items():
            sys.stdout.write(f"{name:28}{value:12.2f}\n")
        ids = iter(Case.objects.filter(status="matching").values_list("pk", flat=True)[:4000])

        def change() -> None:
            Case.objects.filter(pk__in=[next(ids) for _n in range(20)]).update(status="decision")
            tallies.tallies_update()

        server = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "governance.wsgi", "-b", f"127.0.0.1:{port}", "-w", "2", "--threads",
             str(options.threads), "--log-level", "warning"]
        )  # fmt: skip
        try:
            wait_until_up(port)
            cookies = [signed_in(executive(n)) for n in range(options.people)]
            change()
            alone = People(port, cookies[:1]).ask(1, change)
            told_load("while they ask")
            found = People(port, cookies, options.pause).ask(options.seconds, change)
        finally:
            server.terminate()
            server.wait()
            servers.empty_redis_database(cache)
        told_load("after")
        result = {
            "cases": options.cases, "people": options.people, "n": len(found), "p50": statistics.median(found),
            "p95": p95(found), "most": max(found), "alone_first": alone[0], "bar": BAR_MS,
            **{name: round(value, 2) for name, value in took.items()},
        }  # fmt: skip
        sys.stdout.write(json.dumps(result) + "\n")


def wait_until_up(port: int) -> None:
    """Until the server answers."""
    for _try in range(100):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
            return
        except OSError:
            time.sleep(0.3)
    raise RuntimeError("The server did not come up.")


if __name__ == "__main__":
    main()
