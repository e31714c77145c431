"""How a day is written on pages: as the house writes it in English, else as the reader's language has it."""

from __future__ import annotations

from datetime import date

from django.utils.formats import get_format
from django.utils.translation import get_language

from governance.evidence.numerals import date_form, dated


def whole(day: date) -> str:
    """`2 November 2026`, `2. November 2026`, `2 de noviembre de 2026`."""
    return dated(day, date_form())


def of_year(day: date) -> str:
    """`2 November`, without the year."""
    return dated(day, "j F" if _english() else str(get_format("MONTH_DAY_FORMAT")))


def short(day: date) -> str:
    """`2 Nov` where there is little room; other languages keep the month whole: each has its own way to cut it."""
    return dated(day, "j M") if _english() else of_year(day)


def _english() -> bool:
    return (get_language() or "en").startswith("en")
