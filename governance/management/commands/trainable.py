"""`manage.py trainable DATASET`: ids of the records that may be trained on, one a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from governance.errors import GovernanceError
from governance.models import Dataset
from governance.policies import Actor
from governance.services.containment import records_export


class Command(BaseCommand):
    """Export a dataset's records without those that are held."""

    help = "Write the ids of a dataset's records that may be trained on (--held: those that may not), one a line."

    def add_arguments(self, parser: CommandParser) -> None:
        """Dataset and file."""
        parser.add_argument("dataset", help="digest (sha256:...) or exact name; the newest of that name")
        parser.add_argument("--held", action="store_true", help="the records that are held out instead")
        parser.add_argument("--out", default="-", help="file; standard output by default")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the list; its digest goes to standard error and into the ledger."""
        name = options["dataset"]
        column = "artifact" if name.startswith("sha256:") else "name"
        found = Dataset.objects.filter(**{column: name}).order_by("-created_at").first()
        if found is None:
            raise CommandError(f"No dataset is registered under {name!r}.")
        try:
            text, digest = records_export(dataset=found, actor=Actor.system("export"), held=options["held"])
        except GovernanceError as error:
            raise CommandError(" ".join(error.messages)) from error
        if options["out"] == "-":
            self.stdout.write(text, ending="")
        else:
            Path(options["out"]).write_text(text)
        self.stderr.write(f"{len(text.splitlines())} records, list {digest}")
