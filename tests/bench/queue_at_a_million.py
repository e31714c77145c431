"""The queue and the case page over a million cases: `python -m tests.bench.queue_at_a_million`.

Finds or starts a PostgreSQL, makes a database of its own, fills it, and asks every page as a person of each role would:
lists, filters, saved filters, search, orders, pages deep in a list, cases at every stage, what is to be done today, the
calendar, the bottlenecks. Prints p50, p95 and n.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.services import servers

PAGE_MS, CASE_MS, DESK_MS = 100.0, 150.0, 500.0


@dataclass
class Timing:
    """What one kind of page took: whole, in the database alone, of this process's own time; and its most queries."""

    group: str
    name: str
    wall: list[float] = field(default_factory=list)
    database: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    #: Milliseconds of the processor that the database's process took for one page, on average.
    server: float = 0.0
    queries: int = 0


class Clock:
    """Counts and times what the database is asked."""

    def __init__(self) -> None:
        self.seconds, self.queries, self.slowest = 0.0, 0, (0.0, "")

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        start = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            took = time.perf_counter() - start
            self.seconds, self.queries = self.seconds + took, self.queries + 1
            if took > self.slowest[0]:
                self.slowest = (took, sql % tuple(params or ()) if params and "%s" in sql else sql)


def settle(home: Path, server: str) -> None:
    """Settings for databases of our own; before Django is loaded."""
    from governance.secrets import ensure_secrets

    name = f"lethe_bench_{secrets.token_hex(4)}"
    os.environ.update(
        LETHE_HOME=str(home), DJANGO_SETTINGS_MODULE="governance.settings",
        LETHE_DATABASE_URL=servers.create_database(server, name),
        LETHE_KEYRING_URL=servers.create_database(server, f"{name}_keys"),
    )  # fmt: skip
    ensure_secrets(home / "secrets")


def house(number: int) -> dict[str, Any]:
    """People, a catalogue, and the cases; returns the people by role."""
    from django.core.management import call_command

    from governance.models import AiModel, Dataset, ModelVersion, Role, SavedFilter, User
    from tests.bench.million_rows import fill
    from tests.governance.staff import member

    for alias in ("default", "keyring"):
        call_command("migrate", database=alias, verbosity=0)
    people: dict[str, Any] = {}
    for role in Role:
        for n in range(24 if role == Role.LEGAL else 4):
            made = member(f"{role}{n}@bench.example", role=role, first_name=role, last_name=str(n))
            people.setdefault(role.value, made)
    officers = list(User.objects.filter(role=Role.LEGAL).order_by("pk").values_list("pk", flat=True))
    dataset = Dataset.objects.create(name="Bench", purpose="training", artifact="sha256:0")
    version = ModelVersion.objects.create(
        model=AiModel.objects.create(name="Bench"), revision=1, artifact="sha256:1", method="train"
    )
    start = time.perf_counter()
    fill(number, officers, officers, version.pk, dataset.pk)
    sys.stdout.write(f"{number:,} cases in {time.perf_counter() - start:.0f} s\n")
    for n, query in enumerate(("kind=privacy&law=gdpr&stage=decision", "officer=none&state=late", "view=paused")):
        SavedFilter.objects.create(owner=people["legal"], name=f"Filter {n}", query=query, shared=bool(n))
    return people


def deep(view_sql: str, share: float, order: str = "due_on, id") -> str:
    """The public id of the case at this share of a list."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT public_id FROM governance_case WHERE {view_sql} ORDER BY {order} "
            f"OFFSET (SELECT (count(*) * {share})::bigint FROM governance_case WHERE {view_sql}) LIMIT 1"
        )
        return str(cursor.fetchone()[0])


def addresses(people: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(role, group, path) of everything that is asked of the queue."""
    from governance.models import Case, Match
    from governance.selectors.queue import SORTS, VIEWS
    from governance.tokens import email_mark

    opened = "status <> 'closed'"
    found = [("legal", "list", f"/cases/?view={view}") for view in VIEWS]
    found += [(role, "list, by role", f"/cases/?view={view}") for role in people for view in ("waiting", "open")
              if role in ("approver", "engineer", "release", "auditor")]  # fmt: skip
    officer = people["legal"].pk
    found += [("legal", "filter", f"/cases/?{query}") for query in (
        "kind=privacy", "law=ccpa", "stage=review", f"officer={officer}", "officer=none", "state=late", "state=at_risk",
        "state=paused", "state=extended", "state=held", "kind=privacy&law=gdpr&stage=decision",
        f"kind=copyright&law=lgpd&officer={officer}", f"law=uk_gdpr&stage=reporting&officer={officer}&state=extended",
        "received_from=2026-10-01&received_to=2026-10-02&stage=proof", "due_from=2026-12-24&due_to=2026-12-24",
        f"view=closed&law=lgpd&officer={officer}", f"view=waiting&law=lgpd&stage=release&officer={officer}",
        "view=closed&received_from=2024-02-01&received_to=2024-02-28&kind=copyright", "stage=closed",
        f"view=closed&officer={officer}&state=held",
    )]  # fmt: skip
    found += [("legal", "saved filter", f"/cases/?{row.query}") for row in people["legal"].saved_filters.all()]
    found += [("legal", "order", f"/cases/?sort={sort}{more}") for sort in SORTS
              for more in ("", "&view=closed", "&kind=copyright&stage=planning", "&q=LT-A")]  # fmt: skip
    number = Case.objects.order_by("pk")[5].number
    record = Match.objects.order_by("pk")[10].record.record_id
    mark = email_mark("person3@bench.example")
    found += [("legal", "search", f"/cases/?{query}") for query in (
        "q=LT-", "q=LT-A", f"q={number[:5]}", f"q={number[:7]}", f"q={number[3:8]}", f"q={record}", "q=bench/none",
        "q=nothing", f"person={mark}", f"q={number[:4]}&stage=release", f"q={number[:4]}&officer={officer}&law=lgpd",
    )]  # fmt: skip
    found += [("legal", "deep page", f"/cases/?{query}after={after}") for query, after in (
        ("", deep(opened, 0.5)), ("", deep(opened, 0.95)), ("view=closed&", deep("status = 'closed'", 0.5)),
        ("view=closed&", deep("status = 'closed'", 0.05)), ("stage=decision&", deep("status = 'decision'", 0.9)),
        ("sort=newest&", deep(opened, 0.3, "received_on, id")), ("sort=moved&", deep(opened, 0.5, "changed_at, id")),
        ("q=LT-&", deep("true", 0.5)), ("officer=none&", deep(f"{opened} AND officer_id IS NULL", 0.9)),
    )]  # fmt: skip
    return found


def desk_addresses(people: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(role, group, path) of the pages that look over the whole desk."""
    found = [(role, "today", f"/today/{query}") for role in ("legal", "approver")
             for query in ("", "?of=desk", "?of=desk&days=28")]  # fmt: skip
    found += [("legal", "calendar", f"/cases/calendar/{query}") for query in ("", "?of=desk", "?view=week&of=desk")]
    found += [("legal", "workload", f"/cases/workload/?days={days}") for days in (30, 90, 365)]
    return [*found, *(("legal", "stage", f"/cases/workload/{stage}/?days=365") for stage in ("proof", "review"))]


def case_addresses(people: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(role, group, path): cases of every stage whose claimants can be read, each role, each part, many hits."""
    from django.db import connection

    from governance.models import Status
    from tests.bench.million_rows import READABLE

    def some(where: str, limit: int) -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT public_id FROM governance_case WHERE claimant_id %% {READABLE} = 0 AND {where} "
                "ORDER BY hashint8(id) LIMIT %s",
                [limit],
            )
            return [str(row[0]) for row in cursor.fetchall()]

    found = []
    for status in Status:
        for pk in some(f"status = '{status}'", 6):
            found += [(role, f"case at {status}", f"/cases/{pk}/") for role in ("legal", "approver", "auditor")]
    for pk in some("status IN ('decision', 'release')", 5):
        for tab in ("request", "proof", "matches", "plan", "release", "report", "letters", "notes", "beside"):
            found.append(("legal", f"part {tab}", f"/cases/{pk}/?tab={tab}"))
    for pk in some("status = 'decision' AND id %% 500 = 1", 8):
        found.append(("legal", "a hundred hits", f"/cases/{pk}/"))
    return found


def worked() -> float:
    """Seconds of the processor that the database's process of this connection has taken so far."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        ticks = Path(f"/proc/{cursor.fetchone()[0]}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def measure(people: dict[str, Any], wanted: list[tuple[str, str, str]], times: int) -> list[Timing]:
    """Ask each address `times` times after one that is not counted (it fills caches as a working day does)."""
    from django.db import connections
    from django.test import Client

    clients = {role: Client() for role in people}
    for role, client in clients.items():
        client.force_login(people[role])
    found: list[Timing] = []
    for role, group, path in wanted:
        timing = Timing(group, f"{role} {path}")
        for turn in range(times + 1):
            clock = Clock()
            with connections["default"].execute_wrapper(clock), connections["keyring"].execute_wrapper(clock):
                start, own = time.perf_counter(), time.process_time()
                answer = clients[role].get(path)
                took, own = time.perf_counter() - start, time.process_time() - own
            assert answer.status_code == 200, f"{role} {path}: {answer.status_code}"
            if not turn:
                begun = worked()
            else:
                timing.wall.append(took * 1000)
                timing.database.append(clock.seconds * 1000)
                timing.own.append(own * 1000)
                timing.queries = max(timing.queries, clock.queries)
        timing.server = (worked() - begun) * 1000 / times
        if EXPLAIN and statistics.median(timing.database) > EXPLAIN:
            explain(timing, clock.slowest)
        found.append(timing)
    return found


EXPLAIN = 0.0


def explain(timing: Timing, slowest: tuple[float, str]) -> None:
    """The plan of the slowest query of a page, by the parameters that it was asked with."""
    sys.stdout.write(f"--- {timing.name}: {slowest[0] * 1000:.0f} ms\n{slowest[1][:3000]}\n")


def p95(values: list[float]) -> float:
    """The value that 95 of 100 stay below."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]


def told(title: str, timings: list[Timing], bar: float) -> dict[str, Any]:
    """Print a table by group; returns the sums."""
    groups: dict[str, list[Timing]] = {}
    for timing in timings:
        groups.setdefault(timing.group, []).append(timing)
    sys.stdout.write(
        f"\n{title}\n{'':28}{'n':>6}{'p50 ms':>9}{'p95 ms':>9}{'database p95':>14}{'own p95':>9}{'its own':>9}"
        f"{'queries':>9}\n"
    )
    rows = [*groups.items(), ("all", timings)]
    for name, members in rows:
        wall = [value for member in members for value in member.wall]
        data = [value for member in members for value in member.database]
        own = p95([value for member in members for value in member.own])
        most = max(member.queries for member in members)
        server = statistics.fmean(member.server for member in members)
        sys.stdout.write(
            f"{name:28}{len(wall):6}{statistics.median(wall):9.1f}{p95(wall):9.1f}{p95(data):14.1f}{own:9.1f}{server:9.1f}"
            f"{most:9}\n"
        )
    worst = sorted(timings, key=lambda timing: -p95(timing.wall))[:8]
    for timing in worst:
        sys.stdout.write(
            f"  slowest: {p95(timing.wall):7.1f} ms, database {p95(timing.database):6.1f}  {timing.name}\n"
        )
    every = [value for timing in timings for value in timing.wall]
    return {"n": len(every), "p50": statistics.median(every), "p95": p95(every), "bar": bar,
            "queries": max(timing.queries for timing in timings)}  # fmt: skip


def told_load(when: str) -> None:
    """What else the machine does: wall times mean little where more runs than there are cores."""
    sys.stdout.write(f"load {when}: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")


def main() -> None:
    """Fill, measure, tell; the last line is JSON."""
    global EXPLAIN
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=8)
    parser.add_argument("--only", choices=("queue", "case", "desk"), default="")
    parser.add_argument("--explain", type=float, default=0.0, help="print queries of pages slower than so many ms")
    options = parser.parse_args()
    EXPLAIN = options.explain
    with tempfile.TemporaryDirectory(prefix="lethe-bench-") as folder:
        settle(Path(folder), servers.postgresql())
        import django
        from django.conf import settings

        django.setup()
        plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
        settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
        settings.ALLOWED_HOSTS = ["testserver"]
        settings.SECURE_SSL_REDIRECT = False
        people = house(options.cases)
        told_load("before")
        parts = {"queue": (addresses, PAGE_MS), "case": (case_addresses, CASE_MS), "desk": (desk_addresses, DESK_MS)}
        found = {
            name: told(f"The {name}", measure(people, wanted(people), options.times), bar)
            for name, (wanted, bar) in parts.items()
            if name in (options.only or name)
        }
        told_load("after")
        sys.stdout.write(json.dumps({"cases": options.cases, **found}) + "\n")


if __name__ == "__main__":
    main()
