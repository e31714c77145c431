"""`manage.py check_reservation URL`: what an address reserves, since when, and the digests of what was fetched."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from governance.errors import Unfit
from governance.services import reservations


class Command(BaseCommand):
    """The reservations of an address."""

    help = "Read the machine-readable reservations of a public address, archive the bytes and record the reading."

    def add_arguments(self, parser: CommandParser) -> None:
        """The address, and whether it is read again."""
        parser.add_argument("url")
        parser.add_argument("--every", type=int, metavar="DAYS", help="read it again every so many days; 0 ends that")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what was found, strictest first in words, then each statement and each source."""
        try:
            check = reservations.reservation_check(
                url=options["url"], actor=reservations.SYSTEM, every_days=options["every"]
            )
        except Unfit as error:
            raise CommandError(" ".join(error.messages)) from error
        self.stdout.write(f"training: {check.stance} since {check.since:%Y-%m-%d %H:%M} UTC (first seen so)")
        for use, stance in check.uses.items():
            self.stdout.write(f"  {use}: {stance}")
        for one in check.findings:
            note = f" ({one['note']})" if one["note"] else ""
            self.stdout.write(
                f"{one['standard']}: {one['use']} {one['stance']}: {one['quote']}{note}\n  {one['where']}"
            )
        if not check.findings:
            self.stdout.write("No standard states anything: unknown, not allowed.")
        for source in check.sources:
            told = f"{source['status']} {source['digest']}" if "digest" in source else source["why"]
            self.stdout.write(f"{source['url']}  {told}")
