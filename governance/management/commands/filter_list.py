"""`manage.py filter_list`: the next version of the filter list, or the key that opens it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from governance import dispatch
from governance.errors import GovernanceError
from governance.policies import Actor
from governance.services import fingerprints


class Command(BaseCommand):
    """Export the filter list for serving systems."""

    help = "Make the next version of the filter list and write it as JSON; with --key, print the key that opens lists."

    def add_arguments(self, parser: CommandParser) -> None:
        """File, or the key alone."""
        parser.add_argument("--out", default="-", help="file; standard output by default")
        parser.add_argument("--key", action="store_true", help="print the key; hand it over apart from the lists")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the list; its version and digest go to standard error."""
        if options["key"]:
            self.stdout.write(fingerprints.key().hex())
            return
        try:
            made = fingerprints.filter_list_make(actor=Actor.system("export"))
        except GovernanceError as error:
            raise CommandError(" ".join(error.messages)) from error
        data = dispatch.read_bytes(made.artifact)
        if options["out"] == "-":
            self.stdout.write(data.decode())
        else:
            Path(options["out"]).write_bytes(data)
        self.stderr.write(f"version {made.version}, {made.works} works, {made.artifact}")
