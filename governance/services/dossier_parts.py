"""Parts of a case's evidence that every kind of report about it has: clocks, data sets searched, size of the sheet."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from governance.clocks import LAWS, rows
from governance.errors import KeyDestroyed
from governance.models import Case, CaseClock, Dataset, Record

#: Laws of places where paper is US Letter.
LETTER_LAWS = ("ccpa", "us_", "quebec")


def sheet(case: Case) -> str:
    """The size of paper of the place whose law runs."""
    return "Letter" if case.law.startswith(LETTER_LAWS) else "A4"


def clocks(case: Case) -> list[dict[str, Any]]:
    """Each clock of the case: its dates and what moved them."""
    found = list(case.clocks.select_related("extension").prefetch_related("pauses")) or [rows.first_of(case)]
    return [_clock(one) for one in found]


def _clock(clock: CaseClock) -> dict[str, Any]:
    pauses = list(clock.pauses.all()) if clock.pk else []
    spans = [(one.last_at or timezone.now()) - one.first_at for one in pauses]
    return {
        "law": LAWS[clock.law].title,
        "received_on": timezone.localtime(clock.received_at).date().isoformat(),
        "due": clock.due.isoformat(),
        "extended_due": clock.extended_due.isoformat() if clock.extended_due else None,
        "extended_why": _why(clock),
        "paused_days": sum(spans, timedelta()).days,
        "pauses": len(pauses),
        "ended_because": clock.ended_because,
    }


def _why(clock: CaseClock) -> str:
    """The reasons that the claimant was told; empty where there was no extension or its words are gone."""
    extension = getattr(clock, "extension", None) if clock.pk else None
    try:
        return str(extension.reasons) if extension else ""
    except KeyDestroyed:
        return ""


def data_sets() -> list[dict[str, Any]]:
    """Every training data set that a search goes through."""
    rows_ = Dataset.objects.filter(purpose=Dataset.Purpose.TRAINING).order_by("id")
    return [
        {"name": one.name, "digest": one.artifact, "records": Record.objects.filter(dataset=one).count()}
        for one in rows_
    ]
