"""`manage.py ledger check | prove CASE|INDEX | consistency OLD NEW`: proofs by hand, and the whole ledger compared."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from governance.evidence import bundle, ledger
from governance.evidence.errors import ProofError
from governance.evidence.ledger_check import ledger_check
from governance.models import LedgerEntry, LedgerOpening, SigningKey
from governance.services import checkpoints, known_keys, lost_keys


class Command(BaseCommand):
    """`check` ends with 1 on a finding."""

    help = "Prove entries of the ledger, prove that it only grew, or compare all of it with what was signed."

    def add_arguments(self, parser: CommandParser) -> None:
        """Three verbs."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        check = verbs.add_parser("check", help="compare every entry with every checkpoint; exits with 1 on a finding")
        check.add_argument("--checkpoint", action="append", default=[], metavar="FILE", help="one kept outside")
        prove = verbs.add_parser("prove", help="the proof that an entry, or all of a case, is in the signed ledger")
        prove.add_argument("what", metavar="CASE|INDEX")
        grew = verbs.add_parser("consistency", help="the proof that the ledger of NEW entries begins with that of OLD")
        grew.add_argument("old", type=int)
        grew.add_argument("new", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        """The verb."""
        getattr(self, f"_{options['verb']}")(options)

    def _check(self, options: dict[str, Any]) -> None:
        try:
            verifiers = known_keys.known(SigningKey.Purpose.LEDGER)
            unknown = [one for purpose in known_keys.present() for one in known_keys.strangers(purpose)]
            kept = {name: Path(name).read_text() for name in options["checkpoint"]}
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(str(error)) from error
        told = ledger_check(verifiers, kept)
        told.findings += [f"The database lists a key that no key of ours took the place of: {one}." for one in unknown]
        told.findings += lost_keys.unsaid()
        if wanted := checkpoints.commits_are_durable(whole_server=True):
            told.findings.append(f"The database may lose commits that it has told: set {wanted}.")
        for finding in told.findings:
            self.stdout.write(f"FOUND: {finding}")
        self.stdout.write(
            f"{told.entries} entries, {told.openings} openings, {told.checkpoints} checkpoints and {told.cosignatures} "
            f"cosignatures compared, {len(told.findings)} findings. Root {told.root.hex()}."
        )
        if told.findings:
            sys.exit(1)

    def _prove(self, options: dict[str, Any]) -> None:
        what = options["what"].strip()
        signed = checkpoints.last_signed()
        if signed is None:
            raise CommandError("Nothing of the ledger is signed yet: the signing worker does it every minute.")
        rows = LedgerEntry.objects.filter(index=int(what)) if what.isdecimal() else LedgerEntry.objects.filter(
            index__in=LedgerOpening.objects.filter(case__number=what.upper()).values("entry_id"))  # fmt: skip
        found = list(rows.order_by("index"))
        if not found:
            raise CommandError(f"No entry and no case is called {what}.")
        tree = ledger.tree(signed.size)
        late = [entry.index for entry in found if entry.index >= signed.size]
        proofs = [
            {"leaf": ledger.as_json(entry), "proof": [node.hex() for node in tree.inclusion_proof(entry.index)]}
            for entry in found
            if entry.index < signed.size
        ]
        self.stdout.write(json.dumps({"checkpoint": checkpoints.cosigned(signed), "entries": proofs}, indent=1))
        if late:
            self.stderr.write(f"Not signed yet: {', '.join(map(str, late))}. Ask again in a minute.")

    def _consistency(self, options: dict[str, Any]) -> None:
        old, new = options["old"], options["new"]
        try:
            proof = ledger.tree(min(new, ledger.size())).consistency_proof(old, new)
        except ProofError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(bundle.consistency_file(old=old, new=new, proof=proof).decode())
