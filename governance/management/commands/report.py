"""`manage.py report --rebuild NUMBER ...`: set sealed reports again from their evidence and compare every byte."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from governance import dispatch
from governance.evidence import pdf
from governance.evidence.errors import EvidenceError
from governance.models import Paper, Report


class Command(BaseCommand):
    """Ends with 1 where a report cannot be rebuilt."""

    help = "Rebuild reports and papers from their evidence; exits with 1 unless each is the same to the last byte."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which ones."""
        parser.add_argument(
            "--rebuild", nargs="*", metavar="NUMBER", required=True, help="all of them where none is named"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """One line each."""
        wanted = set(options["rebuild"])
        rows: list[Report | Paper] = [*Report.objects.order_by("id"), *Paper.objects.order_by("id")]
        found = [row for row in rows if not wanted or row.number in wanted]
        lines = {row.number: _compared(row) for row in found}
        lines |= dict.fromkeys(wanted - set(lines), "no report has this number")
        for number, line in lines.items():
            self.stdout.write(f"{number}: {line}")
        if any(line != SAME for line in lines.values()):
            sys.exit(1)


SAME = "the same to the last byte"


def _compared(row: Report | Paper) -> str:
    if not dispatch.exists(row.evidence) or not dispatch.exists(row.pdf):
        return "cannot be rebuilt: its person's data was destroyed"
    try:
        base = pdf.render(dispatch.read_bytes(row.evidence))
    except EvidenceError as error:
        return f"cannot be set again: {'; '.join(error.problems)[:300]}"
    return SAME if dispatch.read_bytes(row.pdf).startswith(base) else "DIFFERS; compare the versions in its evidence"
