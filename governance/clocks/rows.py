"""The clocks of a case as rows: opened at receipt, worked out again after every pause and extension.

The earliest date of the clocks that run governs; `Case.due_on` holds it for the queue. A clock that stands still cannot
expire, so it does not govern while another runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.utils import timezone

from governance.clocks.laws import home_of, law_get
from governance.clocks.places import UNION, Place, place_of
from governance.clocks.reckon import Asked, Pause, Reckoning, local_day, reckon
from governance.clocks.rules import Rule
from governance.models import Case, CaseClock, ClockPause, User
from governance.selectors import organisation


def place_for(rule: Rule, named: str = "") -> Place:
    """The place whose calendar counts: the one named, else the house's; the Union has the house's own time zone."""
    place = rule.place(named) if named else home_of(rule, organisation.current().place)
    return replace(place, zone_key=settings.TIME_ZONE) if place.country == UNION else place


def begin(
    case: Case, *, received: datetime | date, because: str, law: str = "", place: str = "", by: User | None = None
) -> CaseClock:
    """A clock for a case that may not be stored yet. `received` is a moment, or a day whose hour is not known.

    Raises:
        Unfit: the law does not cover the kind, did not apply yet, or counts by no such calendar.
    """
    law_row, relation = law_get(law or case.law), case.relation
    day = timezone.localdate(received) if isinstance(received, datetime) else received
    where = place_for(law_row.rule_on(day, relation), place)
    moment = received if isinstance(received, datetime) else datetime.combine(day, datetime.min.time(), where.zone)
    rule = law_row.rule_on(local_day(moment, where), relation)
    worked = reckon(Asked(rule=rule, kind=case.kind, received=moment, place=where))
    return CaseClock(
        law=rule.law, version=rule.version, relation=rule.relation, country=where.country,
        subdivision=where.subdivision, zone=where.zone.key, received_at=moment, confirm_by=worked.confirm_by,
        due=worked.due, because=because, added_by=by,
    )  # fmt: skip


def rule_of(clock: CaseClock) -> Rule:
    """The rule by which the clock was opened; one that is no longer in the table, by its day of receipt."""
    law = law_get(clock.law)
    found = law.version_of(clock.version, clock.relation)
    return found or law.rule_on(local_day(clock.received_at, place_in(clock)), clock.relation)


def place_in(clock: CaseClock) -> Place:
    """The place as it was when the clock was opened."""
    where = place_of(f"{clock.country}-{clock.subdivision}" if clock.subdivision else clock.country)
    return replace(where, zone_key=clock.zone)


def today_at(clock: CaseClock) -> date:
    """The date there, now."""
    return local_day(timezone.now(), place_in(clock))


def asked(clock: CaseClock, today: date | None = None) -> Asked:
    """What the rows of a clock say, for the arithmetic."""
    rule, place = rule_of(clock), place_in(clock)
    stopped, restarts = [], []
    for pause in clock.pauses.all():
        if rule.restarts and pause.cause == ClockPause.Cause.IDENTITY:
            restarts.append(pause.last_at or timezone.now())
        else:
            last = local_day(pause.last_at, place) if pause.last_at else None
            stopped.append(Pause(first=local_day(pause.first_at, place), last=last, cause=pause.cause))
    extension = getattr(clock, "extension", None)
    return Asked(
        rule=rule, kind=clock.case.kind, received=clock.received_at, place=place, pauses=tuple(stopped),
        notice=local_day(extension.notice_at, place) if extension else None,
        identified=max(restarts, default=None), today=today or today_at(clock),
    )  # fmt: skip


def worked(clock: CaseClock, today: date | None = None) -> Reckoning:
    """The clock's dates and steps, from its rows."""
    return reckon(asked(clock, today))


def stands(clock: CaseClock) -> bool:
    """Whether a pause of this clock is open."""
    return any(pause.last_at is None for pause in clock.pauses.all())


def governing(clocks: Iterable[CaseClock]) -> CaseClock:
    """The clock whose date comes first among those that run; among all, where none does.

    Raises:
        ValueError: no clock at all.
    """
    rows = list(clocks)
    running = [clock for clock in rows if not stands(clock)]
    return min(running or rows, key=lambda clock: (clock.extended_due or clock.due, clock.pk or 0))


def active(case: Case) -> list[CaseClock]:
    """The clocks that count, with their pauses and extensions."""
    rows = case.clocks.filter(ended_at=None).select_related("extension", "added_by", "case")
    return list(rows.prefetch_related("pauses"))


def ensure(case: Case) -> list[CaseClock]:
    """The clocks that count; a case from before there were clocks gets the one of its law, with the date it had."""
    found = active(case)
    if not found:
        first_of(case).save()
        found = active(case)
    return found


def first_of(case: Case) -> CaseClock:
    """The clock, not stored, of a case that has none."""
    clock = begin(case, received=case.received_on, because="Entered before the clocks were kept one by one.")
    clock.case = case
    return clock


def settle(case: Case) -> dict[str, Any]:
    """Work every clock out again and store its dates; returns the columns of the case that follow from them."""
    rows = ensure(case)
    for clock in rows:
        found = worked(clock)
        clock.due, clock.extended_due, clock.confirm_by = found.due, found.extended_due, found.confirm_by
        clock.save(update_fields=["due", "extended_due", "confirm_by"])
    first = governing(rows)
    opened = [pause for clock in rows for pause in clock.pauses.all() if pause.last_at is None]
    extended = [clock.extension.notice_at for clock in rows if hasattr(clock, "extension")]
    return {
        "due_on": first.extended_due or first.due,
        "paused_on": timezone.localdate(opened[0].first_at) if opened and all(map(stands, rows)) else None,
        "paused_days": worked(first).paused_days,
        "extended_on": timezone.localdate(min(extended)) if extended else None,
    }
