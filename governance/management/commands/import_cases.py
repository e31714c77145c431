"""`manage.py import_cases FILE --by ADDRESS`: cases of another system from a CSV file."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from governance.errors import GovernanceError
from governance.models import User
from governance.policies import Actor
from governance.services.imports import cases_import


class Command(BaseCommand):
    """The page's twin for large files."""

    help = "Take over cases from a CSV file; the whole file is checked first, and a second run files only what is new."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """File, on whose account, a look, receipts."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--by", required=True, help="address of the officer on whose account the cases are entered")
        parser.add_argument("--dry-run", action="store_true", help="check the file and say what would be filed")
        parser.add_argument("--tell", action="store_true", help="write a receipt to every claimant")

    def handle(self, *args: Any, **options: Any) -> None:
        """One line per case, then the count."""
        user = User.objects.filter(email=options["by"]).first()
        if user is None:
            raise CommandError(f"No account has the address {options['by']}.")
        try:
            data = options["file"].read_bytes()
            found = cases_import(data=data, actor=Actor.of(user), tell=options["tell"], dry=options["dry_run"])
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}.") from error
        except GovernanceError as error:
            raise CommandError("\n".join(error.messages)) from error
        for number in found.filed:
            self.stdout.write(number)
        verb = "would be taken over" if options["dry_run"] else "taken over"
        self.stdout.write(f"{len(found.filed)} cases {verb}, {found.known} here already.")
