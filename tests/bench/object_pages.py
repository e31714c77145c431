"""The pages about one thing (a case, a run, a report, a letter ...) of an installation that exists, with who sees them.

The addresses come from the tables of addresses, the things from the installation; what a demonstration does not hold
(an agent, a subscription, a sample ...) is made as the tests of every address make it. Wants Django set up; since it
writes, give it a copy of an installation (`copied`).
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from django.urls import reverse

Args = list[Any]
#: Pages that a closed case does not have.
OPEN = ("case_works",)
#: What a copy needs none of: queues and logs of processes that do not run there, and databases, which are copied whole.
LEFT = shutil.ignore_patterns("broker", "log", "*.sqlite3*", "*.pid")


def copied(home: Path, to: Path) -> Path:
    """A copy of an installation on SQLite, which may run meanwhile."""
    shutil.copytree(home, to, ignore=LEFT, symlinks=True)
    for database in home.glob("*.sqlite3"):
        with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(to / database.name)) as target:
            source.backup(target)
    return to


def things() -> dict[str, list[Args]]:
    """By the kind of thing that an address names: the arguments of each that looks different, the richest first."""
    return {name: list(find()) for name, find in FOUND.items()}


def _cases() -> Iterable[Args]:
    """The newest at every stage; a closed one that has a report comes first."""
    from governance.models import Case, Status

    done = Case.objects.filter(report__isnull=False, status=Status.CLOSED).order_by("-pk").first()
    rows = [done, *(Case.objects.filter(status=status).order_by("-pk").first() for status in Status)]
    return [[pk] for pk in dict.fromkeys(row.public_id for row in rows if row)]


def _jobs() -> Iterable[Args]:
    """The newest runs of unlearning and of verification, the newest that failed, and the newest of all."""
    from governance.models import Job

    rows = [Job.objects.filter(kind=kind, state="succeeded") for kind in ("engine.unlearn", "engine.verify")]
    found = [one.order_by("-created_at").first() for one in (*rows, Job.objects.filter(state="failed"), Job.objects)]
    return [[pk] for pk in dict.fromkeys(row.pk for row in found if row)]


def _versions() -> Iterable[Args]:
    from governance.models import ModelVersion

    rows = ModelVersion.objects.select_related("model").order_by("-pk")[:1]
    return [[row.model.public_id, row.revision] for row in rows]


def _public(model: str) -> Callable[[], Iterable[Args]]:
    """The newest of a kind whose addresses hold their public name."""

    def find() -> Iterable[Args]:
        from django.apps import apps

        rows = apps.get_model("governance", model).objects.order_by("-pk")[:1]
        return [[row.public_id] for row in rows]

    return find


def _actor(role: str) -> Any:
    from governance.models import User
    from governance.policies import Actor
    from tests.governance.staff import member

    found = User.objects.filter(role=role, is_active=True).first()
    return Actor.of(found or member(f"{role}@lighthouse.example", role=role))


def _made(find: Callable[[], Iterable[Args]], make: Callable[[], Any]) -> Callable[[], Iterable[Args]]:
    """What is there; else what is made now."""

    def found() -> Iterable[Args]:
        rows = list(find())
        if not rows:
            make()
        return rows or find()

    return found


def _agent() -> None:
    from tests.governance.agents import known

    known(_actor("legal"))


def _reservation() -> None:
    from tests.governance.duty_doors import reservations_world

    reservations_world()


def _sample() -> None:
    from django.conf import settings
    from django.test import override_settings

    from governance.secrets import home
    from tests.governance.audits import drawn_sample

    with override_settings(SEAL_FOLDER=settings.SEAL_FOLDER or str(home() / "seal")):
        drawn_sample(_actor("auditor"))


def _webhook() -> None:
    from tests.governance.message_doors import messages_world

    messages_world()


def _reports() -> Iterable[Args]:
    from governance.models import Report

    return [[row.number] for row in Report.objects.order_by("-pk")[:1]]


def _entries() -> Iterable[Args]:
    from governance.models import LedgerEntry

    return [[row.index] for row in LedgerEntry.objects.order_by("-index")[:1]]


def _people() -> Iterable[Args]:
    from governance.models import User

    return [[row.pk] for row in User.objects.filter(is_active=True).order_by("-pk")[:1]]


def _topics() -> Iterable[Args]:
    from governance.web.help_words import TOPICS

    return [[topic.name] for topic in TOPICS[:1]]


def _figures() -> Iterable[Args]:
    from governance.selectors.drill import CODES

    return [[code] for code in CODES[:1]]


FOUND: dict[str, Callable[[], Iterable[Args]]] = {
    "case": _cases,
    "model": _public("AiModel"),
    "version": _versions,
    "dataset": _public("Dataset"),
    "job": _jobs,
    "report": _reports,
    "entry": _entries,
    "sample": _made(_public("AuditSample"), _sample),
    "person": _people,
    "message": _public("Message"),
    "letter": lambda: [["refused", "ar"]],
    "webhook": _made(_public("Subscription"), _webhook),
    "agent": _made(_public("Agent"), _agent),
    "reservation": _made(_public("ReservedAddress"), _reservation),
    "topic": _topics,
    "figure": _figures,
    "places": lambda: [["places"]],
    "stage": lambda: [["review"]],
}


def pages() -> list[tuple[str, str]]:
    """(role, path) of every page about one thing; the role is empty where a private link opens the page."""
    from tests.e2e.test_every_page_fits import NO_PAGES, PAGES, role_for
    from tests.governance.test_policy_urls import DOORS

    found = things()
    rows = []
    for name in PAGES:
        kind = DOORS[name].args
        if kind and name not in NO_PAGES:
            seen = found[kind] if name in (kind, f"{kind}_cases", f"help_{kind}") else found[kind][:1]
            if name in OPEN:
                seen = found[kind][1:2] or seen
            rows += [(role_for(name).value, reverse(name, args=args)) for args in seen]
    return [*rows, *_parts(found), *_compared(), *_private(found)]


def _parts(found: dict[str, list[Args]]) -> list[tuple[str, str]]:
    """The tabs of the richest case."""
    from governance.web.case_tabs import TABS

    return [("legal", f"{reverse('case', args=args)}?tab={tab}") for args in found["case"][:1] for tab in TABS]


def _compared() -> list[tuple[str, str]]:
    """Two runs of the engine beside each other."""
    from governance.models import Job

    runs = (
        Job.objects.filter(kind="engine.unlearn", plan__isnull=False)
        .order_by("-created_at")
        .values_list("pk", flat=True)[:2]
    )
    return [("engineer", f"{reverse('jobs_compare')}?{'&'.join(f'job={pk}' for pk in runs)}")] if len(runs) > 1 else []


def _private(found: dict[str, list[Args]]) -> list[tuple[str, str]]:
    """What the person of the richest case sees, and how far a batch is.

    Works and proof of an open case are measured among the public pages.
    """
    from governance.models import Batch
    from governance.services import links
    from governance.tokens import link_token

    rows = [("", reverse("status", args=[link_token(args[0], "status")])) for args in found["case"][:1]]
    batches = Batch.objects.order_by("-pk")[:1]
    return [*rows, *(("", reverse("batch_progress", args=[links.batch_token(b), b.public_id])) for b in batches)]
