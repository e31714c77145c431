"""The ruled scale in its forms: clock, stages, share, interval. Pure functions from values to inline SVG."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from django.utils.formats import date_format, number_format
from django.utils.safestring import SafeString
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from governance import day_words
from governance.templatetags import svg

#: Marker and hue of the series of an interval chart and of the lines of a chart, in their order.
SERIES: Sequence[tuple[str, str]] = (
    ("series-2", "dot"),
    ("series-3", "diamond"),
    ("series-1", "square"),
    ("series-4", "triangle"),
)
TONES = {"waiting": "line", "working": "working", "pass": "sound", "inconclusive": "doubt", "at_risk": "doubt",
         "fail": "fault", "paused": "line", "decision": "ink", "late": "fault", "running": "sound"}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Clock:
    """A statutory clock. `due` is the last lawful day, `pauses` are (first, last) days, `tone` one of
    running, at_risk, paused, late."""

    received: dt.date
    due: dt.date
    today: dt.date
    pauses: tuple[tuple[dt.date, dt.date], ...] = ()
    extension: dt.date | None = None
    tone: str = "running"

    @property
    def days_left(self) -> int:
        """Days from today to the last lawful day; negative when it has passed."""
        return (self.due - self.today).days

    def sentence(self) -> str:
        """What the drawing says, in words."""
        parts = [_("Received %(day)s") % {"day": day_words.whole(self.received)}]
        for first, last in self.pauses:
            span = {"first": day_words.of_year(first), "last": day_words.of_year(last)}
            parts.append(_("paused from %(first)s to %(last)s") % span)
        parts.append(_("due %(day)s") % {"day": day_words.whole(self.due)})
        parts.append(days_phrase(self.days_left))
        if self.extension:
            parts.append(_("may be extended to %(day)s") % {"day": day_words.whole(self.extension)})
        return ", ".join(parts) + "."


def days_phrase(days: int) -> str:
    """`7 days left`, `due today`, `3 days late`."""
    if days == 0:
        return _("due today")
    if days < 0:
        return ngettext("%(n)s day late", "%(n)s days late", -days) % {"n": -days}
    return ngettext("%(n)s day left", "%(n)s days left", days) % {"n": days}


def _day_axis(first: dt.date, last: dt.date, width: float | None = None) -> svg.Axis:
    return svg.Axis(low=first.toordinal(), high=max(last.toordinal(), first.toordinal() + 1), width=width)


def _days(
    clock: Clock, span: tuple[dt.date, dt.date], base: float, ticks: tuple[float, float], hatch: float, every: int = 1
) -> SafeString:
    """One tick a day, a larger one each week from receipt; each pause hatched instead, one stroke for `every` days.

    `span` is the first and the last day of the drawing; `ticks` and `hatch` are heights.
    """
    (first, last), (small, large) = span, ticks
    axis = _day_axis(first, last, svg.STRETCH)
    marks: dict[str, list[tuple[str, float, str, float]]] = {"line": [], "ink": []}
    for day in range((clock.due - clock.received).days + 1):
        date = clock.received + dt.timedelta(days=day)
        if not first <= date <= last or any(begun <= date < over for begun, over in clock.pauses):
            continue
        place, top = axis.at(date.toordinal()), base - (large if day % 7 == 0 else small)
        marks["ink" if date <= clock.today else "line"].append((place, top, place, base))
    for begun, over in clock.pauses:
        start, days = begun.toordinal(), max(1, (over - begun).days)
        for day in range(0, days, every):
            end = min(start + day + every, start + days)
            if first.toordinal() <= start + day and end <= last.toordinal():
                marks["line"].append((axis.at(start + day), base, axis.at(end), base - hatch))
    return svg.stretched([svg.strokes(marks["line"], "line"), svg.strokes(marks["ink"], "ink", 1.25)], base)


def clock_row(clock: Clock, calendar: tuple[dt.date, dt.date], height: int = 64) -> SafeString:
    """A clock in a list: all rows share one calendar and a dotted today."""
    axis, base = _day_axis(*calendar), height * 0.62
    tone = TONES.get(clock.tone, "sound")
    today, due = axis.at(clock.today.toordinal()), axis.at(clock.due.toordinal())
    parts = [
        svg.line(axis.at(clock.received.toordinal()), base, due, base, "line", 1),
        _days(clock, calendar, base, ticks=(5, 9), hatch=8, every=2),
        svg.line(today, 6, today, height - 6, "ink", 1, "1.5 2"),
        svg.line(due, base - 14, due, base + 1.5, tone, 3),
    ]
    return svg.drawing(parts, height=height, sentence=clock.sentence())


def calendar_head(calendar: tuple[dt.date, dt.date], today: dt.date, every: int = 14) -> SafeString:
    """The dates above a column of clocks, counted from today so that no date runs into it."""
    axis = _day_axis(*calendar)
    parts = [svg.text(axis.at(today.toordinal()), 14, _("today"), "ink", anchor="middle", bold=True)]
    steps = range(-((today - calendar[0]).days // every), (calendar[1] - today).days // every + 1)
    for step in steps:
        date = today + dt.timedelta(days=step * every)
        if step and calendar[0] < date < calendar[1] - dt.timedelta(days=3):
            place = axis.at(date.toordinal())
            parts.append(svg.text(place, 14, day_words.short(date), "ink-2", anchor="middle"))
    words = _("Calendar from %(first)s to %(last)s") % {
        "first": day_words.of_year(calendar[0]), "last": day_words.whole(calendar[1])}  # fmt: skip
    return svg.drawing(parts, height=18, sentence=words)


def _anchor(share: float) -> str:
    return "start" if share < 0.1 else "end" if share > 0.9 else "middle"


def clock_full(clock: Clock) -> SafeString:
    """The case's own clock: receipt, pauses, today, due date, possible extension, each with its date."""
    last = max(clock.extension or clock.due, clock.due, clock.today)
    axis, base = _day_axis(clock.received, last), 56.0
    tone = TONES.get(clock.tone, "sound")
    today, due = axis.at(clock.today.toordinal()), axis.at(clock.due.toordinal())
    span = max(1, (last - clock.received).days)
    parts = [
        svg.line(axis.at(clock.received.toordinal()), base, due, base, "line"),
        _days(clock, (clock.received, last), base, ticks=(7, 14), hatch=14),
        svg.line(today, 18, today, base, "ink", 1.5),
        svg.text(today, 11, _("today, %(day)s") % {"day": day_words.short(clock.today)}, "ink",
                 anchor=_anchor((clock.today - clock.received).days / span), bold=True),
        svg.line(due, base - 26, due, base + 3, tone, 3.5),
        svg.text(due, base + 22, day_words.short(clock.due), tone if tone != "doubt" else "ink",
                 anchor=_anchor((clock.due - clock.received).days / span), bold=True),
    ]  # fmt: skip
    if (clock.today - clock.received).days / span > 0.28:
        words = _("received %(day)s") % {"day": day_words.short(clock.received)}
        parts.append(svg.text(axis.at(clock.received.toordinal()), 32, words, "ink-3"))
    if clock.extension and clock.extension > clock.due:
        parts.append(svg.line(due, base, axis.at(last.toordinal()), base, "line", 1, "2 3"))
        for day in range(7, (clock.extension - clock.due).days, 7):
            place = axis.at(clock.due.toordinal() + day)
            parts.append(svg.line(place, base - 13, place, base, "line"))
        end = axis.at(clock.extension.toordinal())
        parts += [
            svg.line(end, base - 18, end, base, tone, 1.5),
            svg.text(end, base + 22, date_format(clock.extension, "j M Y"), "ink-3", anchor="end"),
        ]
    return svg.drawing(parts, height=84, sentence=clock.sentence())


def clock_plain(clock: Clock) -> SafeString:
    """The claimant's clock: wide ticks, a small pointer at today; the dates stand below as text."""
    last = max(clock.due, clock.today)
    axis, base, tone = _day_axis(clock.received, last), 24.0, TONES.get(clock.tone, "sound")
    due, share = axis.at(clock.due.toordinal()), (clock.today - clock.received).days
    span = max(1, (last - clock.received).days)
    today = axis.at(clock.today.toordinal())
    parts = [
        svg.line(axis.at(clock.received.toordinal()), base, due, base, "line"),
        _days(clock, (clock.received, last), base, ticks=(8, 14), hatch=12),
        svg.line(due, 0, due, base + 2, tone, 4),
        svg.marker(today, base + 7, "ink", "triangle"),
        svg.text(today, base + 25, _("today"), "ink", anchor=_anchor(share / span), size=13, bold=True),
    ]
    return svg.drawing(parts, height=52, sentence=clock.sentence())


def stages(step: int, total: int, *, wide: bool = False) -> SafeString:
    """Ticks for the stages of a way: those behind in ink, the present one tall, the rest pale."""
    return _stages(step, total, wide, get_language() or "")


@lru_cache(maxsize=256)
def _stages(step: int, total: int, wide: bool, _language: str) -> SafeString:
    gap, height = (21, 18) if wide else (9, 15)
    width = gap * (total - 1) + 4
    places = [str(2 + gap * number) for number in range(total)]
    left = 10 if wide else 6
    parts = [
        svg.line("1", height - 1, str(width - 1), height - 1, "line"),
        svg.strokes([(place, height - left, place, height) for place in places[step:]], "line", 1.25),
        svg.strokes([(place, height - 10, place, height) for place in places[: max(0, step - 1)]], "ink", 1.25),
        *(svg.line(place, 0, place, height, "ink", 3) for place in places[step - 1 : step]),
    ]
    words = _("Step %(step)s of %(total)s") % {"step": step, "total": total}
    return svg.drawing(parts, height=height, width=width, sentence=words)


def _ruler(number: int, large: float, small: float, base: float) -> SafeString:
    """So many equal steps over the whole width, every fifth mark a large one."""
    axis = svg.Axis(low=0, high=number, width=svg.STRETCH)
    marks = [(axis.at(n), large if n % 5 == 0 else small, axis.at(n), base) for n in range(number + 1)]
    return svg.stretched([svg.strokes(marks, "line")], base)


def share_ruler(parts: Sequence[tuple[str, float]], total: float) -> SafeString:
    """How a total divides: one coloured stretch per state, in the order given. `parts` are (tone, count)."""
    axis = svg.Axis(low=0, high=total or 1)
    drawn, done = [_ruler(40, 0, 3, 7)], 0.0
    for tone, count in parts:
        drawn.append(svg.rect(axis.at(done), 6, axis.distance(done, done + count), 5, TONES.get(tone, "sound")))
        done += count
    return svg.drawing(drawn, height=12, sentence="")


def value_ruler(value: float, *, high: float, band: tuple[float, float] | None, limit: float | None) -> SafeString:
    """One value on a ruler from zero, with a grey band for the usual range and a tall mark for the limit."""
    axis = svg.Axis(low=0, high=high)
    ticks = max(2, min(60, math.ceil(high)))
    drawn = []
    if band:
        drawn.append(svg.rect(axis.at(band[0]), 8, axis.distance(*band), 4, "band"))
    drawn.append(_ruler(ticks, 2, 7, 12))
    drawn.append(svg.line("0%", 12, "100%", 12, "line"))
    drawn.append(svg.line(axis.at(value), -2, axis.at(value), 13, "sound", 3))
    if limit is not None:
        drawn.append(svg.line(axis.at(limit), -2, axis.at(limit), 13, "ink", 3))
    return svg.drawing(drawn, height=14, sentence="")


def quantity(value: float, unit: str = "", decimals: int | None = None) -> str:
    """A number in the reader's language, with as many decimals as it needs (at most 3), and its unit."""
    if decimals is None:
        decimals = 0 if float(value).is_integer() or abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return number_format(value, decimal_pos=decimals) + unit


def describe(title: str, estimates: Iterable[Mapping[str, object]], limit: float | None, unit: str) -> str:
    """The sentence of an interval row: each estimate with interval and n, then the limit."""
    parts = []
    for item in estimates:
        words = f"{item.get('name') or ''} {quantity(_number(item, 'value'), unit)}".strip()
        if item.get("low") is not None:
            words += _(" (%(low)s to %(high)s)") % {
                "low": quantity(_number(item, "low"), unit), "high": quantity(_number(item, "high"), unit)}  # fmt: skip
        parts.append(words + (f", n = {item['n']}" if item.get("n") else ""))
    if limit is not None:
        parts.append(_("limit %(limit)s") % {"limit": quantity(limit, unit)})
    return f"{title}: " + "; ".join(parts) + "." if title else "; ".join(parts) + "."


def _number(item: Mapping[str, object], key: str) -> float:
    return float(str(item[key]))
