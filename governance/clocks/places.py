"""Where a clock is read: country and subdivision, their time zone, and which days are working days there.

Public holidays come from the library `holidays` (its category "public", with the days on which they are observed).
Which place a law means is a stated policy of each rule; a place that names no subdivision knows only the holidays of
the whole country, so that a day is never thought free that is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

from governance.errors import Unfit

#: Member states of the European Union, and the three states of the EEA in which the GDPR applies as well.
EEA = frozenset(
    {
        "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT", "LI",
        "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
    }
)  # fmt: skip
#: No member state is known: only weekends are free.
UNION = "EU"
#: Days that the library lists and on which the offices of the state are open (Cal. Gov. Code § 19853).
_OPEN = {("US", "CA"): frozenset({"Susan B. Anthony Day", "Diwali"})}
_DAY = timedelta(days=1)

_ZONES = {
    "EU": "Europe/Brussels", "AT": "Europe/Vienna", "BE": "Europe/Brussels", "BG": "Europe/Sofia",
    "CY": "Asia/Nicosia", "CZ": "Europe/Prague", "DE": "Europe/Berlin", "DK": "Europe/Copenhagen",
    "EE": "Europe/Tallinn", "ES": "Europe/Madrid", "ES-CN": "Atlantic/Canary", "FI": "Europe/Helsinki",
    "FR": "Europe/Paris", "FR-971": "America/Guadeloupe", "FR-972": "America/Martinique",
    "FR-973": "America/Cayenne", "FR-974": "Indian/Reunion", "FR-976": "Indian/Mayotte", "FR-MF": "America/Marigot",
    "GR": "Europe/Athens", "HR": "Europe/Zagreb", "HU": "Europe/Budapest", "IE": "Europe/Dublin",
    "IS": "Atlantic/Reykjavik", "IT": "Europe/Rome", "LI": "Europe/Vaduz", "LT": "Europe/Vilnius",
    "LU": "Europe/Luxembourg", "LV": "Europe/Riga", "MT": "Europe/Malta", "NL": "Europe/Amsterdam",
    "NO": "Europe/Oslo", "PL": "Europe/Warsaw", "PT": "Europe/Lisbon", "PT-20": "Atlantic/Azores",
    "PT-30": "Atlantic/Madeira", "RO": "Europe/Bucharest", "SE": "Europe/Stockholm", "SI": "Europe/Ljubljana",
    "SK": "Europe/Bratislava", "GB": "Europe/London", "CH": "Europe/Zurich",
    "US": "America/New_York", "US-CA": "America/Los_Angeles", "US-VA": "America/New_York", "US-CO": "America/Denver",
    "US-WA": "America/Los_Angeles", "US-OR": "America/Los_Angeles", "US-TX": "America/Chicago",
    "US-IL": "America/Chicago", "US-HI": "Pacific/Honolulu", "US-AK": "America/Anchorage", "US-AZ": "America/Phoenix",
    "BR": "America/Sao_Paulo", "BR-AC": "America/Rio_Branco", "BR-AM": "America/Manaus", "BR-RR": "America/Boa_Vista",
    "BR-RO": "America/Porto_Velho", "BR-MT": "America/Cuiaba", "BR-MS": "America/Campo_Grande",
    "CA": "America/Toronto", "CA-QC": "America/Toronto", "CA-ON": "America/Toronto", "CA-BC": "America/Vancouver",
    "CA-AB": "America/Edmonton", "CA-MB": "America/Winnipeg", "CA-SK": "America/Regina", "CA-NS": "America/Halifax",
    "CA-NB": "America/Moncton", "CA-NL": "America/St_Johns", "CA-PE": "America/Halifax",
    "AU": "Australia/Sydney", "NZ": "Pacific/Auckland", "JP": "Asia/Tokyo", "IN": "Asia/Kolkata",
    "SG": "Asia/Singapore", "IL": "Asia/Jerusalem", "KR": "Asia/Seoul",
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A country (ISO 3166-1, or EU) and a subdivision as `holidays` names it; empty for the whole country.

    `zone_key` names the time zone where the country's own is not meant.
    """

    country: str
    subdivision: str = ""
    zone_key: str = ""

    def __str__(self) -> str:
        return f"{self.country}-{self.subdivision}" if self.subdivision else self.country

    @property
    def zone(self) -> ZoneInfo:
        """The time zone by whose midnight a day ends."""
        return ZoneInfo(self.zone_key or _ZONES.get(str(self)) or _ZONES[self.country])


def known_countries() -> list[str]:
    """Every country whose time zone and holidays are known here."""
    return sorted(code for code in _ZONES if "-" not in code)


@lru_cache(maxsize=1024)  # every reading of a clock asks, and the subdivisions cost a whole calendar
def place_of(text: str) -> Place:
    """`DE`, `DE-BY` or `EU` as a place; `UK` is read as `GB`.

    Raises:
        Unfit: a country or a subdivision that does not exist here, with those that do.
    """
    country, _, subdivision = text.strip().partition("-")
    country = {"UK": "GB"}.get(country.upper(), country.upper())
    if country not in _ZONES:
        raise Unfit(f"Country {text.strip()!r} is not known; one of {', '.join(known_countries())}.")
    if not subdivision:
        return Place(country)
    subdivisions = () if country == UNION else holidays.country_holidays(country).subdivisions
    found = next((one for one in subdivisions if one.casefold() == subdivision.casefold()), None)
    if found is None:
        known = ", ".join(subdivisions) or "none"
        raise Unfit(f"{country} has no subdivision {subdivision!r}; known are: {known}.")
    return Place(country, found)


@lru_cache(maxsize=4096)
def public_holidays(country: str, subdivision: str, year: int) -> frozenset[date]:
    """The public holidays of one year."""
    if country == UNION:
        return frozenset()
    found = holidays.country_holidays(country, subdiv=subdivision or None, years=year)
    works = _OPEN.get((country, subdivision), frozenset())
    return frozenset(day for day, name in found.items() if day.year == year and not set(name.split("; ")) <= works)


def is_working_day(day: date, place: Place) -> bool:
    """Neither Saturday nor Sunday nor a public holiday there (Regulation 1182/71 Art. 2(2))."""
    return day.weekday() < 5 and day not in public_holidays(place.country, place.subdivision, day.year)


def next_working_day(day: date, place: Place) -> date:
    """The day itself where it is a working day, else the next one."""
    while not is_working_day(day, place):
        day += _DAY
    return day


def add_working_days(start: date, count: int, place: Place) -> date:
    """The `count`-th working day after `start`, which itself does not count."""
    day = start
    while count:
        day += _DAY
        count -= is_working_day(day, place)
    return day
