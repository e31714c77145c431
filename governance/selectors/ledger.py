"""The ledger and the reports, as auditors read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Q, QuerySet

from governance.models import Erasure, LedgerCosignature, LedgerEntry, LedgerOpening, LedgerWitness, Paper, Report
from governance.models.ledger import ActionKind
from governance.policies import Actor, Permission, demand
from governance.selectors.paging import Page, moments, named, newest, of_days

SIZE = 50


def entries(actor: Actor) -> QuerySet[LedgerEntry]:
    """Every entry with its opening.

    Raises:
        NotAllowed: the actor may not see the ledger.
    """
    demand(actor, Permission.SEE_LEDGER)
    return LedgerEntry.objects.select_related("opening__case", "opening__actor")


@dataclass(frozen=True)
class Leaves:
    """Entries, the newest first, and whether newer and older ones answer to the same question."""

    rows: list[LedgerEntry]
    newer: bool
    older: bool


def entries_rows(
    actor: Actor, *, kind: str = "", case: str = "", since: int | None = None, until: int | None = None
) -> QuerySet[LedgerEntry]:
    """Entries from the index `since` on and below `until`, by the first part of their action and by case number."""
    rows = entries(actor)
    if "\0" in kind + case:  # no name of ours has one, and PostgreSQL refuses the question
        rows = rows.none()
    if kind:
        rows = rows.alias(kind=ActionKind("action")).filter(kind=kind)
    if case:
        rows = rows.filter(opening__case__number=case.strip().upper())
    if until is not None:
        rows = rows.filter(index__lt=until)
    if since is not None:
        rows = rows.filter(index__gte=since)
    return rows


def entries_page(rows: QuerySet[LedgerEntry], *, before: int | None = None, after: int | None = None) -> Leaves:
    """Of these entries the last ones, those next `before` an index, or those next `after` one."""
    if after is not None:
        found = list(reversed(rows.filter(index__gt=after).order_by("index")[:SIZE]))
    else:
        found = list((rows if before is None else rows.filter(index__lt=before)).order_by("-index")[:SIZE])
    if not found:
        return Leaves(found, newer=False, older=False)
    # In their order, since a database that may take any row that fits reads the table from its beginning.
    beside = rows.values_list("index", flat=True)
    newer = beside.filter(index__gt=found[0].index).order_by("index").first()
    older = beside.filter(index__lt=found[-1].index).order_by("-index").first()
    return Leaves(found, newer=newer is not None, older=older is not None)


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
    start, end = moments(first, last)
    return first_since(start) if start else None, first_since(end) if end else None


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


def reports(
    actor: Actor, *, words: str = "", kind: str = "", outcome: str = "", erased: bool | None = None,
    first: date | None = None, last: date | None = None,
) -> QuerySet[Report]:  # fmt: skip
    """Reports by their number, that of their case or of another sheet of it (`words`: how it begins), by kind of
    request, outcome, days of signing, and whether the person's data was destroyed.
    """
    demand(actor, Permission.SEE_REPORTS)
    rows = of_days(Report.objects.select_related("case"), "created_at", first, last)
    if "\0" in words:
        return rows.none()
    if words:
        sheets = Paper.objects.filter(number__startswith=words.upper()).exclude(case=None)
        named = Q(number__startswith=words.upper()) | Q(case__number__startswith=words.upper())
        rows = rows.filter(named | Q(case__in=sheets.values("case")))
    if kind:
        rows = rows.filter(case__kind=kind)
    if outcome:
        rows = rows.filter(case__disposition=outcome)
    if erased is not None:
        gone = Q(case__claimant__in=Erasure.objects.exclude(done_at=None).values("claimant"))
        rows = rows.filter(gone if erased else ~gone)
    return rows


def reports_page(rows: QuerySet[Report], *, after: str = "") -> Page[Report]:
    """Of these reports those after the one with the number `after`, newest first."""
    return newest(rows, named(Report.objects.all(), number=after), SIZE)


def report_get(actor: Actor, number: str) -> Report:
    """One report.

    Raises:
        Report.DoesNotExist: no such number.
    """
    demand(actor, Permission.SEE_REPORTS)
    return Report.objects.select_related("case").get(number=number)
