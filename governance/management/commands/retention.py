"""`manage.py retention`: what is kept until when, and what went; with --run, what the schedule may do now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from governance.models import Case
from governance.services import retention


class Command(BaseCommand):
    """The retention of the cases' own personal data."""

    help = "List closed cases with the day until which their person's data is kept; destroyed ones say what that means."

    def add_arguments(self, parser: CommandParser) -> None:
        """One case, or the schedule."""
        parser.add_argument("--case", default="", help="number of one case")
        parser.add_argument("--run", action="store_true", help="destroy now what the schedule may (LETHE_RETENTION)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a line a case."""
        if options["run"]:
            self.stdout.write(f"{retention.retention_run()} persons' data destroyed")
            return
        rows = Case.objects.filter(status="closed").select_related("claimant").order_by("closed_at", "id")
        if options["case"]:
            rows = Case.objects.filter(number=options["case"]).select_related("claimant")
            if not rows:
                raise CommandError(f"No case has the number {options['case']}.")
        for case in rows:
            self.stdout.write(f"{case.number}: {self._told(case)}")

    def _told(self, case: Case) -> str:
        if gone := retention.erased(case):
            return gone
        return " ".join(retention.problems(case.claimant, by_people=True)) or "may be destroyed."
