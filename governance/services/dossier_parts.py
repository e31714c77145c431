"""Parts of a case's evidence that every kind of report about it has: clocks, data sets searched, size of the sheet."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from governance.clocks import LAWS, rows
from governance.errors import KeyDestroyed
from governance.evidence import leaf
from governance.models import Case, CaseClock, Dataset, PatchPublication, Record
from governance.selectors import downstream as select

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


def downstream(case: Case) -> dict[str, Any]:
    """Whoever runs the version before elsewhere: which patch was published, and what each subscriber stated, with the
    signed statement itself; an empty part where nothing was released, or nobody subscribes and nothing was published.
    """
    before = case.release.version.parent if hasattr(case, "release") else None
    if before is None:
        return {}
    found = select.standing(before)
    if found.publication is None and not found.subscribers:
        return {}
    patch = _published(found.publication) if found.publication else None
    return {"downstream": {"patch": patch, "subscribers": [_standing(one) for one in found.subscribers]}}


def _published(row: PatchPublication) -> dict[str, Any]:
    gone = row.withdrawal
    ended = {"at": leaf.timestamp(gone.approved_at), "reason": gone.reason} if gone and gone.approved_at else None
    at = leaf.timestamp(row.approved_at) if row.approved_at else ""
    return {"digest": row.patch.digest, "base": row.base, "result": row.result, "published_at": at, "withdrawn": ended}


def _standing(one: select.Standing) -> dict[str, Any]:
    told = {"name": one.subscriber.name, "state": one.state, "since": leaf.timestamp(one.since) if one.since else None}
    return {**told, "statement": one.word.statement, "signature": one.word.signature} if one.word else told
