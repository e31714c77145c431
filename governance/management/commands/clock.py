"""Work a clock out: `clock --law gdpr --received 2026-01-31T10:00+01:00 --country DE-BY --json`."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import date, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from governance.clocks import KINDS, LAWS, Asked, Pause, Place, Reckoning, law_get, local_day, place_of, reckon
from governance.clocks.table import as_markdown
from governance.errors import GovernanceError, Unfit


class Command(BaseCommand):
    """Prints the dates of one clock and how they were worked out; nothing is stored."""

    help = "Work out the dates of a request under a law."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The facts of the request."""
        parser.add_argument("--table", action="store_true", help="print the table of clocks for docs/clocks.md")
        parser.add_argument("--law", default="", help=f"one of {', '.join(LAWS)}")
        parser.add_argument("--received", default="", help="moment of receipt with its offset from UTC")
        parser.add_argument("--country", default="", help="whose calendar counts: DE, DE-BY, US-CA, EU")
        parser.add_argument("--kind", default="", help=f"one of {', '.join(KINDS)}; by default the law's commonest")
        parser.add_argument("--relation", default="", help="appeal or complaint, where the law has a clock for it")
        parser.add_argument(
            "--pause", nargs="+", action="extend", default=[], metavar="FROM/TO", help="from the question to the answer"
        )
        parser.add_argument("--extend", default="", metavar="DATE", help="when notice and reasons were sent")
        parser.add_argument(
            "--identified", default="", metavar="MOMENT", help="when what was asked to know the person came"
        )
        parser.add_argument("--json", action="store_true", help="print a JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Work it out, or say what is wrong.

        Raises:
            CommandError: with every problem of the input.
        """
        if options["table"]:
            self.stdout.write(as_markdown())
            return
        if missing := [f"--{name}" for name in ("law", "received", "country") if not options[name]]:
            raise CommandError(f"The following arguments are required: {', '.join(missing)}")
        try:
            worked = _worked(options)
        except GovernanceError as error:
            raise CommandError(" ".join(error.messages)) from error
        if options["json"]:
            self.stdout.write(json.dumps(_facts(worked), indent=2, ensure_ascii=False))
            return
        self.stdout.write("\n".join([*worked.steps, *worked.warnings, worked.rule.citation]))


def _worked(options: dict[str, Any]) -> Reckoning:
    law = law_get(options["law"])
    kind = options["kind"] or next(iter(law.grounds))
    if kind not in KINDS:
        raise Unfit(f"Kind {kind!r} is not known; one of {', '.join(KINDS)}.")
    received = _moment("--received", options["received"])
    rule = law.rule_on(local_day(received, place_of(options["country"])), options["relation"])
    place = rule.place(options["country"])
    asked = Asked(
        rule=rule,
        kind=kind,
        received=received,
        place=place,
        pauses=tuple(_pause(text, place) for text in options["pause"]),
        notice=_day("--extend", options["extend"], place) if options["extend"] else None,
        identified=_moment("--identified", options["identified"]) if options["identified"] else None,
    )
    return reckon(asked)


def _moment(name: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Unfit(f"{name} {text!r} is no moment; write for example 2026-01-31T10:00+01:00.") from error
    if moment.tzinfo is None:
        raise Unfit(f"{name} {text!r} has no offset from UTC; write for example 2026-01-31T10:00+01:00.")
    return moment


def _day(name: str, text: str, place: Place) -> date:
    """A date as it stands, or the local day of a moment with its offset."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return local_day(_moment(name, text), place)


def _pause(text: str, place: Place) -> Pause:
    first, slash, last = text.partition("/")
    if not slash:
        raise Unfit(f"--pause {text!r}: write FROM/TO, for example 2026-02-03/2026-02-10, or FROM/ while it lasts.")
    return Pause(first=_day("--pause", first, place), last=_day("--pause", last, place) if last else None)


def _facts(worked: Reckoning) -> dict[str, Any]:
    rule = worked.rule
    return {
        "law": rule.law,
        "confirm_by": worked.confirm_by.isoformat() if worked.confirm_by else None,
        "due": worked.due.isoformat(),
        "extended_due": worked.extended_due.isoformat() if worked.extended_due else None,
        "rule": f"{rule.law}{'/' + rule.relation if rule.relation else ''}: {rule.article}",
        "citation": rule.citation,
        "version": rule.version,
        "in_force_since": rule.applies_from.isoformat(),
        "place": str(worked.place),
        "zone": worked.place.zone.key,
        "until": worked.until.isoformat(),
        "paused_days": worked.paused_days,
        "still_paused": worked.open,
        "steps": list(worked.steps),
        "warnings": list(worked.warnings),
    }
