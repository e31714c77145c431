"""How a case is told in a list: its title, stage, law, clock and what is left. Used by queue, case and dashboard."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.clocks import LAWS, reckon, rows
from governance.kinds import rule
from governance.models import Case, CaseClock, Kind, Status
from governance.selectors import clocks as select_clocks
from governance.selectors import queue_forecast
from governance.templatetags.scales import Clock, days_phrase
from governance.web import clock_marks

S = Status
#: The stages on the scale, in their order; "waiting for information" stands where it was asked.
WAY = (
    S.RECEIVED, S.PROOF, S.REVIEW, S.MATCHING, S.DECISION, S.PLANNING, S.UNLEARNING, S.VERIFICATION, S.RELEASE,
    S.REPORTING, S.NOTIFICATION,
)  # fmt: skip
AT_RISK = 3
#: A shared calendar shows at most so many days before and after today.
BEFORE, AFTER = timedelta(days=49), timedelta(days=42)


def title(case: Case, items: int) -> str:
    """What was asked, without a name: a list must not tell who asked."""
    counted: str = rule(case.kind).counted % {"n": items}
    return counted


def long_title(case: Case) -> str:
    """The headline of the case's own page."""
    return str(rule(case.kind).title)


def law_words(case: Case) -> str:
    """The ground on which it is asked, short."""
    law = LAWS[case.law]
    return _("Copyright policy") if law.policy_only and case.kind == Kind.COPYRIGHT else law.ground(case.kind)


def stage(case: Case) -> dict[str, Any]:
    """Step on the scale and its name."""
    at = case.return_to or S.PROOF if case.status == S.INFORMATION else case.status
    step = len(WAY) if at == S.CLOSED else WAY.index(S(at)) + 1
    label = case.get_disposition_display() if case.status == S.CLOSED else S(case.status).label
    return {"step": step, "total": len(WAY), "label": label, "state": "", "strong": case.status == S.INFORMATION}


def clocks_of(case: Case) -> list[CaseClock]:
    """The clocks that count, loaded once for as long as the case is in hand."""
    found: list[CaseClock] | None = getattr(case, "clocks_in_hand", None)
    if found is None:
        found = rows.active(case)
        case.clocks_in_hand = found  # type: ignore[attr-defined]
    return found


def due_now(case: Case, today: date) -> date:
    """The last lawful day; while every clock stands still it moves on with each day."""
    if case.paused_on is None:
        return case.due_on
    return min((rows.worked(clock, today).governing for clock in clocks_of(case)), default=case.due_on)


def tone(case: Case, today: date) -> str:
    """How the clock stands: running, at_risk, late, paused."""
    if case.paused_on:
        return "paused"
    left = (case.due_on - today).days
    return "late" if left < 0 else "at_risk" if left <= AT_RISK else "running"


def attach(cases: list[Case]) -> None:
    """Load what a list tells of clocks: those that move on with each day, alarms, forecasts; a few queries in all."""
    alarms, forecasts = select_clocks.alarms_of(cases), queue_forecast.of_cases(cases)
    for case in cases:
        case.marks_in_hand = clock_marks.marks(alarms.get(case.pk, ""), forecasts.get(case.pk))  # type: ignore[attr-defined]
    waiting = {case.pk: case for case in cases if case.paused_on}
    found = CaseClock.objects.filter(case__in=list(waiting), ended_at=None).select_related("case", "extension")
    for case in waiting.values():
        case.clocks_in_hand = []  # type: ignore[attr-defined]
    for clock_row in found.prefetch_related("pauses"):
        clocks_of(waiting[clock_row.case_id]).append(clock_row)


def clock(case: Case, today: date, *, whole: bool = False) -> Clock | None:
    """The case's clock; None when it runs no more. `whole`: with earlier pauses and the possible extension."""
    if not case.is_open:
        return None
    now = ((case.paused_on, today),) if case.paused_on else ()
    return Clock(
        received=case.received_on,
        due=due_now(case, today),
        today=today,
        pauses=(*past_pauses(case), *now) if whole else now,
        extension=extension(case) if whole else None,
        tone=tone(case, today),
    )


def past_pauses(case: Case) -> tuple[tuple[date, date], ...]:
    """The lawful pauses behind the clock that governs."""
    found = clocks_of(case)
    pauses = rows.governing(found).pauses.all() if found else ()
    return tuple(
        (timezone.localdate(pause.first_at), timezone.localdate(pause.last_at))
        for pause in pauses
        if pause.last_at and timezone.localdate(pause.last_at) > timezone.localdate(pause.first_at)
    )


def extension(case: Case) -> date | None:
    """The date to which the clock that governs may still be extended."""
    found = clocks_of(case)
    if not found:
        return None
    first = rows.governing(found)
    asked = rows.asked(first)
    late = rows.today_at(first) > (first.extended_due or first.due)
    if asked.notice or asked.rule.extension is None or late or rows.stands(first):
        return None
    return reckon(replace(asked, notice=rows.today_at(first))).extended_due


def left(case: Case, today: date) -> dict[str, str]:
    """The days left as words, with a state where it matters."""
    if not case.is_open:
        return {"state": "", "text": _("closed")}
    if case.paused_on:
        days = case.paused_days + (today - case.paused_on).days
        return {"state": "paused", "text": ngettext("paused %(n)d day", "paused %(n)d days", days) % {"n": days}}
    state = tone(case, today)
    return {"state": "" if state == "running" else state, "text": days_phrase((case.due_on - today).days)}


def due_words(case: Case, today: date) -> str:
    """The date below the days left."""
    if not case.is_open and case.closed_at:
        return date_format(timezone.localdate(case.closed_at), "j M Y")
    words = date_format(due_now(case, today), "j M")
    return _("not before %(day)s") % {"day": words} if case.paused_on else words


def calendar(cases: list[Case], today: date) -> tuple[date, date]:
    """First and last day of the calendar that all rows of a list share."""
    first = min((case.received_on for case in cases), default=today)
    last = max((due_now(case, today) for case in cases), default=today)
    return max(first, today - BEFORE), max(min(last + timedelta(days=3), today + AFTER), today + timedelta(days=7))


def row(case: Case, today: date, *, url: str) -> dict[str, Any]:
    """A line of the queue or of the dashboard. The case must bring `items_count`."""
    return {
        "number": case.number,
        "url": url,
        "title": title(case, getattr(case, "items_count", 0)),
        "law": law_words(case),
        "stage": stage(case),
        "clock": clock(case, today),
        "left": left(case, today),
        "due": due_words(case, today),
        "marks": getattr(case, "marks_in_hand", ()),
        "reviewer": case.officer or "",
        "unassigned": case.officer is None and case.is_open,
        "with_": case.officer or _("Unassigned"),
    }
