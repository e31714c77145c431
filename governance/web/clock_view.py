"""The clock panel of a case: every law that runs on it, with its steps, pauses, extension, citation and version."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.clocks import law_get, rows
from governance.errors import KeyDestroyed, Unfit
from governance.models import Case, CaseClock, ClockPause
from governance.policies import Actor, Permission, may
from governance.selectors import queue_forecast
from governance.selectors.deadlines import RECEIPTS
from governance.services import clocks as service
from governance.web import case_words, clock_marks


def day(value: date) -> str:
    """`Monday 2 March 2026`."""
    return date_format(value, "l j F Y")


def context(case: Case, actor: Actor, today: date) -> dict[str, Any]:
    """What `casework/_clock.html` shows."""
    found = case_words.clocks_of(case)
    first = rows.governing(found) if found else None
    due = case_words.due_now(case, today)
    return {
        "clock_due_long": date_format(due, "l j F" if due.year == today.year else "l j F Y"),
        "clocks": [_clock(clock, actor, governs=clock is first, several=len(found) > 1) for clock in found],
        "clocks_note": _several(found, first),
        "clock_forecast": clock_marks.forecast_words(case, queue_forecast.of_case(case)),
        "clock_late": _late_from_the_start(found, case),
    }


def _several(found: list[CaseClock], first: CaseClock | None) -> str:
    if first is None or len(found) < 2:
        return ""
    words = ngettext("%(n)d law runs on this case.", "%(n)d laws run on this case.", len(found)) % {"n": len(found)}
    return f"{words} " + _("The earliest date governs: %(law)s.") % {"law": law_get(first.law).title}


def _late_from_the_start(found: list[CaseClock], case: Case) -> str:
    """A request that was entered after its date had passed says so for good."""
    late = [clock for clock in found if clock.due < timezone.localdate(case.created_at)]
    if not late:
        return ""
    return _("Late from the start: entered on %(entered)s, due on %(due)s. Recorded in the ledger as missed.") % {
        "entered": day(timezone.localdate(case.created_at)), "due": day(min(clock.due for clock in late))}  # fmt: skip


def _clock(clock: CaseClock, actor: Actor, *, governs: bool, several: bool) -> dict[str, Any]:
    rule, law = rows.rule_of(clock), law_get(clock.law)
    steps = _steps(clock)
    return {
        "title": law.title,
        "governs": governs and several,
        "due": day(clock.extended_due or clock.due),
        "state": _("stands still") if rows.stands(clock) else "",
        "steps": steps,
        "article": rule.article.split(";")[0],
        "citation": rule.citation,
        "rule": _("rule set %(code)s %(version)d, in force since %(day)s")
        % {"code": clock.law, "version": clock.version, "day": date_format(rule.applies_from, "j F Y")},
        "because": clock.because + (f" ({clock.added_by})" if clock.added_by else ""),
        "calendar": _("Counted in %(place)s, %(zone)s: %(calendar)s.")
        % {"place": rows.place_in(clock), "zone": clock.zone, "calendar": rule.calendar},
        "confirm": _confirm(clock),
        "pauses": [_pause(pause, rule.restarts, actor) for pause in clock.pauses.all()],
        "extension": _extension(clock, actor),
        "may_pause": service.refusal_to_pause(clock, ClockPause.Cause.IDENTITY),
        "may_extend": service.refusal_to_extend(clock) if clock.case.is_open else "",
    }


def _steps(clock: CaseClock) -> tuple[str, ...]:
    """How the date was worked out; a rule that no longer gives it must not explain it."""
    try:
        worked = rows.worked(clock)
    except Unfit as error:
        return tuple(error.messages)
    if not worked.open and (worked.due, worked.extended_due) != (clock.due, clock.extended_due):
        return (_("Worked out when the request was received, by the rule set of then."),)
    return (*worked.steps, *worked.warnings)


def _confirm(clock: CaseClock) -> str:
    if clock.confirm_by is None:
        return ""
    sent = clock.case.letters.filter(template__in=RECEIPTS, sent_at__isnull=False).order_by("sent_at").first()
    told = {"day": day(clock.confirm_by)}
    if sent is None or sent.sent_at is None:
        return _("Receipt to be confirmed by %(day)s; no letter has left yet.") % told
    return _("Receipt to be confirmed by %(day)s; confirmed on %(sent)s.") % {
        **told, "sent": day(timezone.localdate(sent.sent_at))}  # fmt: skip


def _pause(pause: ClockPause, restarts: str, actor: Actor) -> str:
    words = {
        "first": day(timezone.localdate(pause.first_at)),
        "last": day(timezone.localdate(pause.last_at)) if pause.last_at else _("the answer"),
        "cause": pause.get_cause_display(),
        "who": pause.asked_by or _("the machine"),
    }
    text = _("Paused from %(first)s to %(last)s: %(cause)s, asked by %(who)s.")
    if restarts and pause.cause == ClockPause.Cause.IDENTITY:
        text = _("Asked on %(first)s; the period begins anew with %(last)s: %(cause)s, asked by %(who)s.")
    return (text % words) + _reasons(pause, actor)


def _extension(clock: CaseClock, actor: Actor) -> str:
    found = getattr(clock, "extension", None)
    if found is None:
        return ""
    words = {"day": day(timezone.localdate(found.notice_at)), "who": found.by or _("the machine")}
    return _("Extended with notice and reasons of %(day)s, by %(who)s.") % words + _reasons(found, actor)


def _reasons(row: Any, actor: Actor) -> str:
    """The reasons were written to the claimant: they are read by whoever may read the claimant's name."""
    if not may(actor, Permission.REVEAL_PERSON):
        return ""
    try:
        return f" “{row.reasons}”" if row.reasons else ""
    except KeyDestroyed:
        return ""
