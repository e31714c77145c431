"""Reports whose time stamp comes near its end are stamped anew: by the signing worker, daily, oldest first.

The file that people hold stays genuine and known; the new one begins with its very bytes and has an entry of its own.
"""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from governance import dispatch
from governance.errors import GovernanceError
from governance.evidence import bundle, ledger, renewal
from governance.evidence.errors import SealUnavailable
from governance.models import EarlierReport, Erasure, Paper, Report
from governance.policies import Actor
from governance.services import reporting, seals, unclaimed

log = logging.getLogger(__name__)
SYSTEM = Actor.system("reporting")
TASK = "governance.renew_stamps"
#: In one run of the task, so that reports to be sealed need not wait behind it for long.
BATCH = 200


def stamps_renew() -> int:
    """Stamp anew what is due; returns how many. What cannot be done now is due again tomorrow."""
    reports = Report.objects.exclude(case__claimant__in=Erasure.claimants())
    due = reports.filter(renew_at__lte=timezone.now()).order_by("renew_at", "pk")
    done = 0
    for report in reports.filter(renew_at__isnull=False, proofs="")[:BATCH]:
        try:
            _prove(report)
        except GovernanceError as error:
            log.warning("report %s has no proofs yet: %s", report.number, error)
    for report in due[:BATCH]:
        try:
            report_renew(report)
        except SealUnavailable as error:
            log.warning("time stamps wait to be renewed: %s", error)
            break
        except GovernanceError as error:
            log.error("report %s was not stamped anew: %s", report.number, error)
            continue
        done += 1
    return done


def report_renew(report: Report) -> None:
    """One time stamp more over a report's file.

    Raises:
        Unfit: this worker has no seal's folder, or no authority is configured.
        SealUnavailable, SealError: see `renewal.renew`.
    """
    seals.folder()
    authority = seals.time_authority()
    if authority is None:
        raise SealUnavailable("No time stamp authority is configured: set LETHE_TSA_URL.")
    renewed = renewal.renew(dispatch.read_bytes(report.pdf), authority=authority)
    made = unclaimed.store(pdf=renewed)
    refs = {**made, "evidence": report.evidence, "readme": report.readme}
    with transaction.atomic():
        unclaimed.claim(made)
        # `keys renew` may have put others in the place of those that were read above, and deleted these.
        proofs = Report.objects.select_for_update().get(pk=report.pk).proofs
        EarlierReport.objects.create(report=report, pdf=report.pdf, proofs=proofs)
        Report.objects.filter(pk=report.pk).update(pdf=refs["pdf"], proofs="", renew_at=renewal.due_at(renewed))
        ledger.append(action=bundle.SEALED_ACTION, actor=SYSTEM, case=report.case, body=refs)
    _prove(report)


def _prove(report: Report) -> None:
    """The proofs of the new file's entry; they come after its transaction and may have to wait for witnesses."""
    report.refresh_from_db()
    made = unclaimed.store(proofs=reporting.bundle_proofs(report))
    with transaction.atomic():
        Report.objects.filter(pk=report.pk).update(**made)
        unclaimed.claim(made)


def sealed_entry(digest: str) -> int | None:
    """The ledger's entry that holds this digest of a report, as its bundle proves; None where there is none."""
    report = Report.objects.filter(pdf=digest).exclude(proofs="").first()
    return int(dispatch.read_json(report.proofs)["entries"][0]["leaf"]["index"]) if report else None


def registered_sheet(number: str, code: str) -> datetime | None:
    """When the file was sealed that prints this number, or that of its case, and these hexadecimal digits of its
    evidence: its first ones, or the first and last eight, as first pages shorten it. None where there is none."""
    named = Q(number=number) | Q(case__number=number)
    printed = Q(evidence__startswith=f"sha256:{code}")
    if len(code) == 16:
        printed |= Q(evidence__startswith=f"sha256:{code[:8]}", evidence__endswith=code[8:])
    for kind in (Report, Paper):
        found = kind.objects.filter(named, printed).order_by("created_at").first()
        if found:
            return found.created_at
    return None


def is_registered(digest: str) -> bool:
    """Whether a file of this digest was ever handed out as a report, certificate, letter, statement or register."""
    return any(kind.objects.filter(pdf=digest).exists() for kind in (Report, EarlierReport, Paper))
