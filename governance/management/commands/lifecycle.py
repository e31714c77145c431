"""`manage.py lifecycle`: the states and steps of a case as a page of the documentation, drawn from the table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import translation

from governance.models import Status
from governance.transitions import TRANSITIONS, actors

HEAD = """# The life of a case

Written by `python manage.py lifecycle > docs/lifecycle.md` from `governance/transitions.py`; a test holds both
together. `advance()` is the only writer of a status: in one transaction it asks the policy, checks what must hold,
makes the conditional update, appends the entry `case.advanced` to the ledger and enqueues the next job. A step
that is not in the table does not exist. What two people must sign is refused by the database as well
(`governance/models/triggers.py`), and `python manage.py signatures` finds what an owner of the database did past
it.
"""


class Command(BaseCommand):
    """Prints Markdown."""

    help = "Print docs/lifecycle.md from the table of transitions."

    def handle(self, *args: Any, **options: Any) -> None:
        """The page, in English whatever the settings."""
        with translation.override("en"):
            self.stdout.write(page())


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_picture(), "", *_table()])


def _picture() -> Iterator[str]:
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield f"    [*] --> {Status.RECEIVED}"
    for (of, to), step in TRANSITIONS.items():
        yield f"    {of} --> {to}: {step.event}"
    yield f"    {Status.CLOSED} --> [*]"
    yield "```"


def _table() -> Iterator[str]:
    yield "| From | To | Event | By | Must hold | Written beside `case.advanced` | Then runs |"
    yield "|---|---|---|---|---|---|---|"
    for (of, to), step in TRANSITIONS.items():
        guard = step.guard.words if step.guard else ""
        outcome = "; ".join(filter(None, [str(guard), "the outcome is named" if step.needs_disposition else ""]))
        written = ", ".join(f"`{one}`" for one in step.evidence)
        yield (
            f"| {of} | {to} | {step.event} | {', '.join(actors(*step.by))} | {outcome} | {written} | "
            f"{f'`{step.job}`' if step.job else ''} |"
        )
