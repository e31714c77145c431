"""The ledger and the reports, as auditors read them."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from governance.models import LedgerEntry, LedgerOpening, Report
from governance.policies import Actor, Permission, demand
from governance.selectors.paging import Page, page

SIZE = 50


def entries(actor: Actor) -> QuerySet[LedgerEntry]:
    """Every entry with its opening.

    Raises:
        NotAllowed: the actor may not see the ledger.
    """
    demand(actor, Permission.SEE_LEDGER)
    return LedgerEntry.objects.select_related("opening__case", "opening__actor")


def entries_page(actor: Actor, *, action: str = "", case: str = "", before: int | None = None) -> Page[LedgerEntry]:
    """Newest first, the entries below the index `before`; by action (or its first part) and by case number."""
    rows = entries(actor)
    if action:
        rows = rows.filter(action__startswith=action)
    if case:
        rows = rows.filter(opening__case__number=case.strip().upper())
    if before is not None:
        rows = rows.filter(index__lt=before)
    return page(rows.order_by("-index"), SIZE)


def entry_get(actor: Actor, index: int) -> LedgerEntry:
    """One entry.

    Raises:
        LedgerEntry.DoesNotExist: no such index.
    """
    return entries(actor).get(index=index)


def opening_of(entry: LedgerEntry) -> LedgerOpening | None:
    """What the entry commits to; None where it was destroyed."""
    return LedgerOpening.objects.filter(entry=entry).first()


def size() -> int:
    """How many entries there are: the last index and one."""
    last = LedgerEntry.objects.order_by("-index").values_list("index", flat=True).first()
    return 0 if last is None else last + 1


def reports_page(actor: Actor, *, after: str = "") -> Page[Report]:
    """Newest first, those after the report with the number `after`."""
    demand(actor, Permission.SEE_REPORTS)
    rows = Report.objects.select_related("case").order_by("-created_at", "-id")
    mark = Report.objects.filter(number=after).first() if after else None
    if mark:
        rows = rows.filter(Q(created_at__lt=mark.created_at) | Q(created_at=mark.created_at, id__lt=mark.pk))
    return page(rows, SIZE)


def report_get(actor: Actor, number: str) -> Report:
    """One report.

    Raises:
        Report.DoesNotExist: no such number.
    """
    demand(actor, Permission.SEE_REPORTS)
    return Report.objects.select_related("case").get(number=number)
