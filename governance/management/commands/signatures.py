"""`manage.py signatures`: whether every second signature is in the ledger, and every trigger in its place."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from governance.evidence.signatures import audit


class Command(BaseCommand):
    """Ends with 1 where something is missing."""

    help = "Compare every signature of the database with the ledger; exits with 1 on a finding."

    def handle(self, *args: Any, **options: Any) -> None:
        """One line per finding, then the count."""
        found = audit()
        for finding in found.findings:
            self.stdout.write(f"FOUND: {finding}")
        self.stdout.write(f"{found.checked} signatures compared with the ledger, {len(found.findings)} findings.")
        if found.findings:
            sys.exit(1)
