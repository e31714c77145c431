"""The arithmetic of a clock: from a moment of receipt, a place, pauses and a notice to dates, each step "
"in a sentence."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from governance.clocks.places import Place, add_working_days, next_working_day
from governance.clocks.rules import More, Rule, Span, Stop
from governance.errors import Unfit

_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Pause:
    """From the day of asking to the day of the answer; `last` is None while the answer is awaited."""

    first: date
    last: date | None
    cause: str = ""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Everything from which a clock's dates follow."""

    rule: Rule
    kind: str
    received: datetime
    place: Place
    pauses: tuple[Pause, ...] = ()
    notice: date | None = None
    identified: datetime | None = None
    #: How far an open pause has run; the day of its beginning where nothing is said.
    today: date | None = None


@dataclass(frozen=True, kw_only=True)
class Reckoning:
    """The dates of one clock and every step by which they were worked out."""

    rule: Rule
    place: Place
    start: date
    due: date
    confirm_by: date | None = None
    extended_due: date | None = None
    paused_days: int = 0
    open: bool = False
    steps: tuple[str, ...] = ()
    warnings: tuple[str, ...] = field(default=())

    @property
    def governing(self) -> date:
        """The last lawful day as things stand."""
        return self.extended_due or self.due

    @property
    def until(self) -> datetime:
        """The moment at which the last lawful day is over."""
        return datetime.combine(self.governing + _DAY, time(), tzinfo=self.place.zone)


def add_months(start: date, months: int) -> date:
    """The same date `months` later, else the last day of that month (31 Aug plus one is 30 Sep)."""
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    return date(year, month + 1, min(start.day, calendar.monthrange(year, month + 1)[1]))


def words(day: date) -> str:
    """`Saturday 28 February 2026`."""
    return f"{day:%A} {day.day} {day:%B %Y}"


class _Steps(list[str]):
    def say(self, sentence: str) -> None:
        self.append(sentence)


def local_day(moment: datetime, place: Place) -> date:
    """The calendar day of a moment at a place.

    Raises:
        Unfit: a moment without an offset; a guess could cost a day.
    """
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise Unfit(
            f"{moment.isoformat()} has no offset from UTC; write for example "
            f"{moment.isoformat(timespec='minutes')}+01:00."
        )
    return moment.astimezone(place.zone).date()


def reckon(asked: Asked) -> Reckoning:
    """Work a clock out.

    Raises:
        Unfit: a kind that the law does not cover, a pause or an extension that it does not allow, with the citation.
    """
    rule, place, steps = asked.rule, asked.place, _Steps()
    if asked.kind not in rule.kinds:
        raise Unfit(f"{rule.law} covers no {asked.kind} request ({rule.citation}); {', '.join(sorted(rule.kinds))}.")
    received = local_day(asked.received, place)
    steps.say(f"Received on {words(received)}, {place.zone.key}.")
    start = _start(asked, received, steps)
    confirm = _confirm(rule, received, place, steps)
    first = _after(start, rule.answer)
    steps.say(f"{rule.answer.words()} later, {rule.article}: {words(first)}.")
    pauses = sorted(asked.pauses, key=lambda pause: pause.first)
    days = _paused(asked, start, pauses, steps)
    due = _moved(first + timedelta(days=days), rule, place, steps)
    extended = _extended(asked, start, pauses, days, steps) if asked.notice else None
    steps.say(f"Rule set {rule.law}, version {rule.version}, in force since {words(rule.applies_from)}.")
    return Reckoning(
        rule=rule, place=place, start=start, due=due, confirm_by=confirm, extended_due=extended, paused_days=days,
        open=any(pause.last is None for pause in pauses), steps=tuple(steps), warnings=_warnings(pauses, start),
    )  # fmt: skip


def _start(asked: Asked, received: date, steps: _Steps) -> date:
    """From when the period runs: receipt, or the day on which what was needed to know the person had come."""
    if asked.identified is None:
        return received
    rule, came = asked.rule, local_day(asked.identified, asked.place)
    if not rule.restarts:
        raise Unfit(f"{rule.law}: the period does not begin anew when identity is shown ({rule.article}).")
    if came <= received:
        return received
    steps.say(f"What was asked to know the person came on {words(came)}; the period begins then, {rule.restarts}.")
    return came


def _confirm(rule: Rule, received: date, place: Place, steps: _Steps) -> date | None:
    if rule.confirm is None:
        return None
    if rule.confirm.working_days:
        day = add_working_days(received, rule.confirm.working_days, place)
        steps.say(f"Receipt is confirmed within {rule.confirm} ({place}), {rule.confirm_article}: {words(day)}.")
        return day
    raw = _after(received, rule.confirm)
    day = next_working_day(raw, place) if rule.next_working_day else raw
    steps.say(f"Receipt is confirmed within {rule.confirm}, {rule.confirm_article}: {words(day)}.")
    return day


def _after(start: date, span: Span) -> date:
    return add_months(start, span.months) if span.months else start + timedelta(days=span.days)


def _moved(day: date, rule: Rule, place: Place, steps: _Steps | None = None) -> date:
    moved = next_working_day(day, place) if rule.next_working_day else day
    if moved != day and steps is not None:
        steps.say(f"{words(day)} is no working day in {place}; the next one is {words(moved)}.")
    return moved


def _paused(asked: Asked, start: date, pauses: Sequence[Pause], steps: _Steps) -> int:
    """The days that the law leaves out, each counted once; every pause must begin while the clock runs."""
    taken: list[Pause] = []
    for pause in pauses:
        stop = _allowed(asked, pause)
        _in_order(asked, start, pause, _deadline(asked, start, taken, pause.first))
        taken.append(pause)
        end = pause.last or _open_end(asked, pause)
        state = f"to {words(end)}" if pause.last else "and still waiting"
        steps.say(f"Paused from {words(pause.first)} {state}, {stop.article}.")
    days = _days_out(asked, taken)
    if days:
        steps.say(f"{days} {'day is' if days == 1 else 'days are'} left out.")
    return days


def _open_end(asked: Asked, pause: Pause) -> date:
    return max(pause.first, asked.today or pause.first)


def _allowed(asked: Asked, pause: Pause) -> Stop:
    rule, stop = asked.rule, asked.rule.stop_for(asked.kind, pause.cause)
    if stop is None:
        why = rule.no_stop or f"{rule.citation} know no pause of that cause for a {asked.kind} request."
        raise Unfit(f"{rule.law}: the clock of a {asked.kind} request does not pause. {why}")
    return stop


def _in_order(asked: Asked, start: date, pause: Pause, deadline: date) -> None:
    rule = asked.rule
    if pause.first < start:
        raise Unfit(f"A pause cannot begin on {words(pause.first)}: the clock runs since {words(start)}.")
    if pause.last is not None and pause.last < pause.first:
        raise Unfit(f"A pause from {words(pause.first)} cannot end on {words(pause.last)}.")
    if pause.first > deadline:
        raise Unfit(
            f"A pause cannot begin on {words(pause.first)}: the clock had run out on {words(deadline)} "
            f"({rule.article})."
        )


def _deadline(asked: Asked, start: date, taken: Sequence[Pause], on: date) -> date:
    """The last lawful day as it stood on a day, the extension included once its notice was sent."""
    days, rule = _days_out(asked, taken), asked.rule
    if asked.notice and asked.notice <= on and rule.extension:
        return _moved(_stretched(start, rule, rule.extension) + timedelta(days=days), rule, asked.place)
    return _moved(_after(start, rule.answer) + timedelta(days=days), rule, asked.place)


def _days_out(asked: Asked, pauses: Sequence[Pause]) -> int:
    """Length of the union of the pauses: days that two of them share are left out once."""
    total, reached = 0, date.min
    for pause in sorted(pauses, key=lambda one: one.first):
        stop = _allowed(asked, pause)
        end = (pause.last or _open_end(asked, pause)) + (_DAY if stop.whole_days else timedelta(0))
        total += max(0, (end - max(pause.first, reached)).days)
        reached = max(reached, end)
    return total


def _stretched(start: date, rule: Rule, more: More) -> date:
    """First and second period together, counted from the start as one."""
    if more.span.months:
        return add_months(start, rule.answer.months + more.span.months)
    whole = rule.answer.days + more.span.days
    return start + timedelta(days=min(whole, more.cap) if more.cap else whole)


def _extended(asked: Asked, start: date, pauses: Sequence[Pause], days: int, steps: _Steps) -> date:
    rule, notice, more = asked.rule, asked.notice, asked.rule.extension
    if notice is None:
        raise Unfit("No notice, no extension.")
    if more is None:
        raise Unfit(f"{rule.law} knows no extension. {rule.no_extension or rule.citation}")
    if notice < start:
        raise Unfit(f"The notice of {words(notice)} lies before the period, which runs since {words(start)}.")
    known = [pause for pause in pauses if pause.first <= notice]
    last = _moved(_after(start, rule.answer) + timedelta(days=_days_out(asked, known)), rule, asked.place)
    if notice > last:
        raise Unfit(
            f"Too late to extend: notice and reasons had to be sent by {words(last)} ({more.article}), "
            f"not on {words(notice)}."
        )
    raw = _stretched(start, rule, more) + timedelta(days=days)
    cap = f", {more.cap} days from receipt at most" if more.cap else ""
    steps.say(f"Extended by {more.span} with notice of {words(notice)}{cap}, {more.article}: {words(raw)}.")
    return _moved(raw, rule, asked.place, steps)


#: A question about identity after so many days was hardly put promptly.
PROMPT = 14


def _warnings(pauses: Sequence[Pause], start: date) -> tuple[str, ...]:
    return tuple(
        f"The question of {words(pause.first)} came {(pause.first - start).days} days after receipt; a pause presumes "
        "that it was put without undue delay."
        for pause in pauses
        if (pause.first - start).days > PROMPT
    )
