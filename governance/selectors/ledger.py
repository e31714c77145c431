"""The ledger and the reports, as auditors read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from governance.models import LedgerCosignature, LedgerEntry, LedgerOpening, LedgerWitness, Report
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


def entries_page(
    actor: Actor, *, action: str = "", case: str = "", before: int | None = None, since: int | None = None
) -> Page[LedgerEntry]:
    """Newest first, the entries from the index `since` on and below `before`; by action (or its first part) and by case
    number."""
    rows = entries(actor)
    if "\0" in action + case:  # no name of ours has one, and PostgreSQL refuses the question
        rows = rows.none()
    if action:
        rows = rows.filter(action__startswith=action)
    if case:
        rows = rows.filter(opening__case__number=case.strip().upper())
    if before is not None:
        rows = rows.filter(index__lt=before)
    if since is not None:
        rows = rows.filter(index__gte=since)
    return page(rows.order_by("-index"), SIZE)


def first_since(moment: datetime) -> int:
    """The index of the first entry at this moment or later; the ledger's size where there is none.

    Entries stand in the order of their time, so that it is found by halving instead of reading them all.
    """
    low, high = 0, size()
    while low < high:
        middle = (low + high) // 2
        at = LedgerEntry.objects.filter(index=middle).values_list("at", flat=True).first()
        low, high = (middle + 1, high) if at is None or at < moment else (low, middle)
    return low


def day_range(first: date | None, last: date | None) -> tuple[int | None, int | None]:
    """The first index of a day and the first after another day: what lies between them happened on these days."""
    bounds = (first, last + timedelta(days=1) if last else None)
    found = [first_since(timezone.make_aware(datetime.combine(day, time()))) if day else None for day in bounds]
    return found[0], found[1]


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


@dataclass(frozen=True)
class Standing:
    """A configured witness: the last checkpoint of ours that it signed, and how the last try went."""

    name: str
    signed: LedgerCosignature | None
    tried: LedgerWitness | None


def witnesses(actor: Actor, keys: Sequence[str]) -> list[Standing]:
    """How each of the configured witnesses stands to our newest checkpoint."""
    demand(actor, Permission.SEE_LEDGER)
    tried = {row.witness: row for row in LedgerWitness.objects.filter(witness__in=keys)}
    last = {key: LedgerCosignature.objects.filter(witness=key).order_by("-checkpoint_id").first() for key in keys}
    return [Standing(key.split("+", 1)[0], last[key], tried.get(key)) for key in keys]


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
