"""Statutory deadlines by day: last lawful days of answers, and days by which a receipt must be confirmed.

A range of days is read along its index, and of a day only the first cases are fetched, however many fall due on it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Window
from django.db.models.functions import RowNumber

from governance.models import Case, CaseClock, Letter, Status, User
from governance.policies import Actor, Permission, demand

#: Receipts to be confirmed that are read for one range.
CONFIRMED = 200
#: Letters by which somebody hears of their open case: filed, beside another, contesting one, or opened by the house.
RECEIPTS = ("received", "added", "complaint", "reopened", "put_back")


@dataclass(frozen=True, kw_only=True)
class Deadline:
    """One day of one case. `confirm`: by it the receipt must be confirmed, not the request answered."""

    day: date
    case: Case
    law: str
    confirm: bool = False


@dataclass(kw_only=True)
class Day:
    """How many answers fall due on a day, and its first deadlines."""

    total: int = 0
    shown: list[Deadline] = field(default_factory=list)


def _answers(first: date, last: date, officer: User | None) -> QuerySet[Case]:
    open_now = ~Q(status=Status.CLOSED) & Q(paused_on=None, due_on__gte=first, due_on__lte=last)
    whose = Q(officer=officer) | Q(officer=None) if officer else Q()
    return Case.objects.filter(open_now & whose)


def _receipts(first: date, last: date, officer: User | None) -> list[Deadline]:
    """Receipts that a law wants confirmed and whose letter has not left."""
    sent = Letter.objects.filter(case=OuterRef("case"), template__in=RECEIPTS, sent_at__isnull=False)
    rows = CaseClock.objects.filter(
        ended_at=None, confirm_by__isnull=False, confirm_by__gte=first, confirm_by__lte=last
    )
    rows = rows.exclude(case__status=Status.CLOSED).exclude(Exists(sent))
    if officer:
        rows = rows.filter(Q(case__officer=officer) | Q(case__officer=None))
    found = rows.select_related("case").order_by("confirm_by", "id")[:CONFIRMED]
    return [Deadline(day=one.confirm_by, case=one.case, law=one.law, confirm=True) for one in found if one.confirm_by]


def between(actor: Actor, first: date, last: date, *, shown: int, desk: bool) -> dict[date, Day]:
    """The days of a range that have a deadline, with the first `shown` cases of each; without `desk` those of the
    reader and those of nobody. Clocks that stand still have no day and are not among them.

    Raises:
        NotAllowed: the actor may not see cases.
    """
    demand(actor, Permission.SEE_CASES)
    officer = None if desk else actor.user
    rows = _answers(first, last, officer)
    days = {row["due_on"]: Day(total=row["n"]) for row in rows.order_by().values("due_on").annotate(n=Count("id"))}
    place = Window(RowNumber(), partition_by=F("due_on"), order_by=F("id").asc())
    for case in rows.annotate(place=place).filter(place__lte=shown).order_by("due_on", "id"):
        # A case that came between the two looks may be the first of its day.
        day = days.setdefault(case.due_on, Day())
        day.shown.append(Deadline(day=case.due_on, case=case, law=case.law))
        day.total = max(day.total, len(day.shown))
    for one in _receipts(first, last, officer):
        day = days.setdefault(one.day, Day())
        day.total += 1
        if len(day.shown) < shown + 1:
            day.shown.append(one)
    return days


def paused(actor: Actor, *, desk: bool) -> int:
    """Open cases whose clocks stand still, up to a thousand and one."""
    demand(actor, Permission.SEE_CASES)
    rows = Case.objects.filter(~Q(status=Status.CLOSED) & Q(paused_on__isnull=False))
    if not desk:
        rows = rows.filter(Q(officer=actor.user) | Q(officer=None))
    return rows[:1001].count()


def listed(person: User, first: date, last: date, *, desk: bool, limit: int) -> list[Deadline]:
    """The deadlines of a range in their order, the first `limit`: for a calendar outside of the house."""
    officer = None if desk else person
    rows = _answers(first, last, officer).order_by("due_on", "id")[:limit]
    found = [Deadline(day=case.due_on, case=case, law=case.law) for case in rows]
    return sorted([*found, *_receipts(first, last, officer)], key=lambda one: (one.day, one.case.pk))[:limit]
