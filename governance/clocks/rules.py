"""One rule set per law: how long, from when, which calendar, what may pause or extend it. Each cites its source.

A rule set is a fact with a date and a version. A case keeps its law's code and its date, not the version: a clock that
changes gets a new code, so that the date of a case never moves under it.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta

import holidays


@dataclass(frozen=True, kw_only=True)
class Law:
    """One clock. `months` or `days` after receipt; `next_working_day` as Reg. (EEC, Euratom) 1182/71 Art. 3(4)."""

    code: str
    title: str
    article: str
    kinds: frozenset[str]
    applies_from: date
    version: int
    months: int = 0
    days: int = 0
    extension_months: int = 0
    extension_days: int = 0
    next_working_day: bool = False
    holidays_of: str = ""
    pause_for_identity: bool = False
    erasure_ground: str = ""
    citation: str = ""
    policy_only: bool = False


@dataclass(frozen=True, kw_only=True)
class Worked:
    """A deadline and every step by which it was worked out."""

    due: date
    steps: tuple[str, ...]
    law: Law


def _law(**fields: object) -> tuple[str, Law]:
    law = Law(**fields)  # type: ignore[arg-type]
    return law.code, law


LAWS: dict[str, Law] = dict(
    [
        _law(
            code="copyright_policy",
            title="Copyright opt-out, the company's policy",
            article="30-day policy; Directive (EU) 2019/790 Art. 4(3) reserves rights and sets no clock",
            kinds=frozenset({"copyright", "safety", "correction"}),
            applies_from=date(2025, 8, 2),
            version=1,
            days=30,
            erasure_ground="Company policy on opt-outs",
            citation="Directive (EU) 2019/790 Art. 4(3); Regulation (EU) 2024/1689 Art. 53(1)(c)",
            policy_only=True,
        ),
        _law(
            code="gdpr",
            title="GDPR, erasure",
            article="GDPR Art. 12(3)",
            kinds=frozenset({"privacy", "objection", "correction"}),
            applies_from=date(2018, 5, 25),
            version=3,
            months=1,
            extension_months=2,
            next_working_day=True,
            holidays_of="ECB",
            pause_for_identity=True,
            erasure_ground="GDPR Art. 17(1)",
            citation="Regulation (EU) 2016/679 Art. 12(3), 12(6), 17; Regulation (EEC, Euratom) 1182/71 Art. 3",
        ),
        _law(
            code="uk_gdpr",
            title="UK GDPR, erasure",
            article="UK GDPR Art. 12A",
            kinds=frozenset({"privacy", "objection", "correction"}),
            applies_from=date(2026, 2, 5),
            version=1,
            months=1,
            extension_months=2,
            next_working_day=True,
            holidays_of="GB",
            pause_for_identity=True,
            erasure_ground="UK GDPR Art. 17(1)",
            citation="UK GDPR Art. 12A, 17",
        ),
        _law(
            code="ccpa",
            title="CCPA, deletion",
            article="11 CCR § 7021(b)",
            kinds=frozenset({"privacy", "correction"}),
            applies_from=date(2023, 3, 29),
            version=1,
            days=45,
            extension_days=45,
            erasure_ground="Cal. Civ. Code § 1798.105",
            citation="Cal. Civ. Code § 1798.105; 11 CCR § 7021(b)",
        ),
        _law(
            code="lgpd",
            title="LGPD, deletion",
            article="LGPD Art. 19",
            kinds=frozenset({"privacy", "correction"}),
            applies_from=date(2020, 9, 18),
            version=1,
            days=15,
            erasure_ground="LGPD Art. 18, VI",
            citation="Lei 13.709/2018 Art. 18, VI, Art. 19",
        ),
    ]
)


def laws_for(kind: str) -> list[Law]:
    """The laws that a request of this kind may rest on."""
    return [law for law in LAWS.values() if kind in law.kinds]


def add_months(start: date, months: int) -> date:
    """The same date `months` later, else the last day of that month (31 Aug plus one is 30 Sep)."""
    index = start.year * 12 + start.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(start.day, calendar.monthrange(year, month + 1)[1]))


def is_working_day(day: date, calendar_code: str) -> bool:
    """Neither a weekend nor a public holiday of the calendar."""
    if day.weekday() >= 5:
        return False
    if not calendar_code:
        return True
    if calendar_code == "ECB":
        # The calendar of the European Central Bank: the days on which no EU institution's payments move.
        return day not in holidays.financial_holidays("XECB", years=day.year)
    return day not in holidays.country_holidays(calendar_code, years=day.year)


def due_date(code: str, received: date, *, paused_days: int = 0, extended: bool = False) -> Worked:
    """The last lawful day to answer, with every step.

    `paused_days` are days already lawfully excluded; they move the date where the law knows the pause.
    """
    law = LAWS[code]
    steps = [f"Received on {received:%d %B %Y}."]
    if law.months:
        due = add_months(received, law.months)
        span = "One month" if law.months == 1 else f"{law.months} months"
        steps.append(f"{span} later, {law.article}: {due:%d %B %Y}.")
    else:
        due = received + timedelta(days=law.days)
        steps.append(f"{law.days} days later, {law.article}: {due:%d %B %Y}.")
    if extended and law.extension_months:
        due = add_months(received, law.months + law.extension_months)
        steps.append(f"Extended by {law.extension_months} months, with reasons: {due:%d %B %Y}.")
    elif extended and law.extension_days:
        due += timedelta(days=law.extension_days)
        steps.append(f"Extended by {law.extension_days} days, with reasons: {due:%d %B %Y}.")
    if paused_days and law.pause_for_identity:
        due += timedelta(days=paused_days)
        steps.append(f"Paused for {paused_days} days while identity was in doubt: {due:%d %B %Y}.")
    if law.next_working_day:
        moved = due
        while not is_working_day(moved, law.holidays_of):
            moved += timedelta(days=1)
        if moved != due:
            steps.append(f"{due:%A %d %B} is no working day; the next one is {moved:%A %d %B %Y}.")
        due = moved
    steps.append(f"Rule set {law.code}, version {law.version}, in force since {law.applies_from:%d %B %Y}.")
    return Worked(due=due, steps=tuple(steps), law=law)
