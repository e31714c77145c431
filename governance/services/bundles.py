"""Bundles of a report, for those who do not trust us: the public one was fixed when the report was sealed."""

from __future__ import annotations

from governance import dispatch
from governance.errors import KeyDestroyed, Unfit
from governance.evidence import bundle, ledger
from governance.models import Report
from governance.services.retention import erased


def public_bundle(report: Report) -> bytes:
    """The one public bundle of a report: always the same bytes. Who may see the report may have it.

    Raises:
        KeyDestroyed: the house's copies went with the person's key.
        Unfit: the report is older than bundles, or its job still proves its entry.
    """
    if gone := erased(report.case):
        raise KeyDestroyed(gone)
    if not report.proofs:
        raise Unfit("This report has no bundle: its ledger proofs were not written yet.")
    return bundle.pack(
        readme=dispatch.read_bytes(report.readme),
        pdf=dispatch.read_bytes(report.pdf),
        evidence=dispatch.read_bytes(report.evidence),
        ledger=dispatch.read_bytes(report.proofs),
    )


def consistency(*, old: int, new: int) -> bytes | None:
    """The proof between two sizes of the ledger; None where it never had them."""
    if not 0 < old <= new <= ledger.size():
        return None
    return bundle.consistency_file(old=old, new=new, proof=ledger.tree(new).consistency_proof(old))
