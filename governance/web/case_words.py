"""How a case is told in a list: its title, stage, law, clock and what is left. Used by queue, case and dashboard."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.clocks import LAWS, due_date
from governance.clocks.rules import Worked
from governance.kinds import rule
from governance.models import Case, Status
from governance.templatetags.scales import Clock, days_phrase

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
    return _("Copyright policy") if law.policy_only else law.erasure_ground


def stage(case: Case) -> dict[str, Any]:
    """Step on the scale and its name."""
    at = case.return_to or S.PROOF if case.status == S.INFORMATION else case.status
    step = len(WAY) if at == S.CLOSED else WAY.index(S(at)) + 1
    label = case.get_disposition_display() if case.status == S.CLOSED else S(case.status).label
    return {"step": step, "total": len(WAY), "label": label, "state": "", "strong": case.status == S.INFORMATION}


def worked(case: Case) -> Worked:
    """How the case's date is worked out by the rules of today."""
    return due_date(case.law, case.received_on, paused_days=case.paused_days, extended=case.extended_on is not None)


def due_now(case: Case, today: date) -> date:
    """The last lawful day; while the clock stands still it moves on with every day."""
    if case.paused_on is None:
        return case.due_on
    paused = case.paused_days + (today - case.paused_on).days
    return due_date(case.law, case.received_on, paused_days=paused, extended=case.extended_on is not None).due


def tone(case: Case, today: date) -> str:
    """How the clock stands: running, at_risk, late, paused."""
    if case.paused_on:
        return "paused"
    left = (case.due_on - today).days
    return "late" if left < 0 else "at_risk" if left <= AT_RISK else "running"


def clock(case: Case, today: date, *, pauses: tuple[tuple[date, date], ...] = ()) -> Clock | None:
    """The case's clock; None when it runs no more."""
    if not case.is_open:
        return None
    now = ((case.paused_on, today),) if case.paused_on else ()
    return Clock(
        received=case.received_on,
        due=due_now(case, today),
        today=today,
        pauses=(*pauses, *now),
        extension=extension(case),
        tone=tone(case, today),
    )


def extension(case: Case) -> date | None:
    """The date to which the law still lets the clock be extended."""
    law = LAWS[case.law]
    if case.extended_on or not (law.extension_months or law.extension_days) or case.due_on < timezone.localdate():
        return None
    return due_date(case.law, case.received_on, paused_days=case.paused_days, extended=True).due


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
        "reviewer": case.officer or "",
        "unassigned": case.officer is None and case.is_open,
        "with_": case.officer or _("Unassigned"),
    }
