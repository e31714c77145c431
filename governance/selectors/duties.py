"""Reads of the duties: what is held out of training, and which filter lists exist."""

from __future__ import annotations

from django.db.models import Count, QuerySet

from governance.models import Case, Dataset, FilterList, Job, Quarantine, WorkFingerprint
from governance.policies import Actor, Permission, demand

SHOWN = 100


def held_by_case(actor: Actor) -> list[Case]:
    """Cases that hold records, those that hold for longest last, with `held_count`."""
    demand(actor, Permission.SEE_DUTIES)
    holding = Quarantine.objects.filter(ended_at=None).values("case").annotate(n=Count("pk")).order_by("-case")
    counts = {row["case"]: row["n"] for row in holding[:SHOWN]}
    cases = list(Case.objects.filter(pk__in=counts).order_by("-pk"))
    for case in cases:
        case.held_count = counts[case.pk]  # type: ignore[attr-defined]
    return cases


def returned(actor: Actor) -> QuerySet[Quarantine]:
    """Records in which an opted-out work came back and that are still held, newest first."""
    demand(actor, Permission.SEE_DUTIES)
    rows = Quarantine.objects.filter(cause=Quarantine.Cause.RETURNED, ended_at=None)
    return rows.select_related("case", "record__dataset", "lift_asked_by").order_by("-id")


def lifts_asked(actor: Actor) -> QuerySet[Quarantine]:
    """Those of which somebody asked that they be let back."""
    return returned(actor).filter(lift_asked_by__isnull=False)


def filter_lists(actor: Actor) -> QuerySet[FilterList]:
    """Every filter list, newest first."""
    demand(actor, Permission.SEE_DUTIES)
    return FilterList.objects.select_related("made_by").order_by("-version")


def totals() -> dict[str, int]:
    """Records held, cases that hold them, works that are known by fingerprint."""
    held = Quarantine.objects.filter(ended_at=None)
    return {
        "records": held.values("record").distinct().count(),
        "cases": held.values("case").distinct().count(),
        "works": WorkFingerprint.objects.count(),
    }


def rescan_of(dataset: Dataset, kind: str) -> Job | None:
    """The search for earlier works in this dataset; None where none was due."""
    return Job.objects.filter(key=f"{kind}:{dataset.pk}").first()
