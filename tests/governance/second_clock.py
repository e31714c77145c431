"""A second reading of the clocks, written apart from the first: it walks the calendar day by day and counts.

It knows neither `governance.clocks` nor the library of holidays: Easter is computed (Meeus, Jones, Butcher), the rest
are rules of one line. It covers the places and laws that the random tests draw from.
"""

from __future__ import annotations

from datetime import date, timedelta

DAY = timedelta(days=1)
MON, SAT = 0, 5


def easter(year: int) -> date:
    """Easter Sunday."""
    a, b, c = year % 19, year // 100, year % 100
    h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    m = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
    n = h + m - 7 * ((a + 11 * h + 22 * m) // 451) + 114
    return date(year, n // 31, n % 31 + 1)


def nth(year: int, month: int, weekday: int, n: int) -> date:
    """The n-th weekday of a month; n = -1 is the last."""
    days = [date(year, month, 1) + DAY * i for i in range(31)]
    found = [day for day in days if day.month == month and day.weekday() == weekday]
    return found[n - 1 if n > 0 else n]


def germany(year: int, land: str) -> set[date]:
    """The holidays of the federation and, for Bavaria and Saxony, of the land."""
    pasch = easter(year)
    found = {pasch + DAY * n for n in (-2, 1, 39, 50)}
    found |= {date(year, m, d) for m, d in ((1, 1), (5, 1), (10, 3), (12, 25), (12, 26))}
    if land == "BY":
        found |= {pasch + DAY * 60, date(year, 1, 6), date(year, 11, 1)}
    if land == "SN":
        repentance = date(year, 11, 22)
        while repentance.weekday() != 2:
            repentance -= DAY
        found |= {date(year, 10, 31), repentance}
    return found


def england(year: int) -> set[date]:
    """Bank holidays of England and Wales with their substitutes, and what was proclaimed."""
    pasch = easter(year)
    found = {pasch - DAY * 2, pasch + DAY, nth(year, 5, MON, 1), nth(year, 5, MON, -1), nth(year, 8, MON, -1)}
    if year == 2022:
        found = (found - {date(2022, 5, 30)}) | {date(2022, 6, 2), date(2022, 6, 3), date(2022, 9, 19)}
    if year == 2023:
        found |= {date(2023, 5, 8)}
    for fixed in (date(year, 1, 1), date(year, 12, 25), date(year, 12, 26)):
        day = fixed
        while day.weekday() >= SAT or day in found:
            day += DAY
        found |= {day}
    return found


def federal(year: int) -> set[date]:
    """5 U.S.C. § 6103, moved from Saturday to Friday and from Sunday to Monday."""
    found = {
        nth(year, 1, MON, 3), nth(year, 2, MON, 3), nth(year, 5, MON, -1), nth(year, 9, MON, 1), nth(year, 10, MON, 2),
        nth(year, 11, 3, 4),
    }  # fmt: skip
    for fixed in (
        date(year, 1, 1), date(year, 6, 19), date(year, 7, 4), date(year, 11, 11), date(year, 12, 25),
        date(year + 1, 1, 1),
    ):  # fmt: skip
        found.add({5: fixed - DAY, 6: fixed + DAY}.get(fixed.weekday(), fixed))
    return {day for day in found if day.year == year}


def france(year: int) -> set[date]:
    """Code du travail L3133-1."""
    pasch = easter(year)
    fixed = ((1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25))
    return {date(year, m, d) for m, d in fixed} | {pasch + DAY * n for n in (1, 39, 50)}


CALENDARS = {
    "DE": lambda year: germany(year, ""),
    "DE-BY": lambda year: germany(year, "BY"),
    "DE-SN": lambda year: germany(year, "SN"),
    "FR": france,
    "GB-ENG": england,
    "US": federal,
    "EU": lambda year: set(),
}


def works(day: date, place: str) -> bool:
    """Monday to Friday, and no holiday."""
    return day.weekday() < SAT and day not in CALENDARS[place](day.year)


def walk_months(day: date, months: int) -> date:
    """Step from month to month; a day that does not exist steps back until one does."""
    wanted, year, month = day.day, day.year, day.month
    for _ in range(months):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    while True:
        try:
            return date(year, month, wanted)
        except ValueError:
            wanted -= 1


def last_day(start: date, place: str, *, months: int = 0, days: int = 0, out: int = 0, moves: bool) -> date:
    """Walk to the end of the period, add the days left out, walk on to a day on which people work."""
    day = walk_months(start, months)
    for _ in range(days + out):
        day += DAY
    while moves and not works(day, place):
        day += DAY
    return day


def working_days_on(start: date, place: str, count: int) -> date:
    """The n-th working day after a day."""
    day = start
    for _ in range(count):
        day += DAY
        while not works(day, place):
            day += DAY
    return day


def left_out(pauses: list[tuple[date, date]]) -> int:
    """How many days lie in a pause: from the day of asking up to the day before the answer."""
    if not pauses:
        return 0
    day, end, count = min(first for first, _ in pauses), max(last for _, last in pauses), 0
    while day < end:
        count += any(first <= day < last for first, last in pauses)
        day += DAY
    return count
