"""How numbers and days are printed: in the form of the page's language, the figures being those of the document.

The form comes from Django's own tables and never from a setting, so that whoever sets a report again gets the same
characters.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.utils.dateformat import format as format_date
from django.utils.formats import get_format, number_format
from django.utils.translation import get_language, get_language_bidi
from django.utils.translation import gettext as _

_ISOLATE, _END = "\N{FIRST STRONG ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"


def apart(text: object) -> str:
    """A name or number within a sentence: where the sentence runs from the right, kept in an order of its own."""
    return f"{_ISOLATE}{text}{_END}" if get_language_bidi() else str(text)


def date_form() -> str:
    """How a day is written out; without the zero that Django's table has for Italian."""
    english = (get_language() or "en").startswith("en")
    return "j F Y" if english else str(get_format("DATE_FORMAT")).replace("d F", "j F")


def dated(when: date, form: str) -> str:
    """A day in that form. Months have small letters where the language writes them so and Django's table does not."""
    told = format_date(when, form)
    return told.lower() if (get_language() or "").startswith(("it", "pt")) else told


def number(value: float, decimals: int = 0) -> str:
    """`1,824` or `9.5` in the language of the page; `decimals` are always there."""
    return apart(str(number_format(f"{value:.{decimals}f}", decimals, force_grouping=True)))


def percent(value: float, decimals: int = 1) -> str:
    """A share as a percentage: `1.0%`. Never rounds a non-zero share to nothing without saying so."""
    least = 0.5 / 10 ** (decimals + 2)
    if 0 < abs(value) < least:
        bound = number_format(f"{2 * 100 * least:.{decimals}f}", decimals)
        return apart(("<" if value > 0 else ">\N{MINUS SIGN}") + _("%(n)s%%") % {"n": bound})
    digits = str(number_format(f"{100 * value:.{decimals}f}", decimals)).replace("-", "\N{MINUS SIGN}")
    return apart(_("%(n)s%%") % {"n": digits})


def interval(estimate: Mapping[str, Any]) -> str:
    """`0.0% to 4.0%`, which stays readable where a bound is negative."""
    return _("%(low)s to %(high)s") % {"low": percent(estimate["low"]), "high": percent(estimate["high"])}


def level(value: float) -> str:
    """A level of confidence, `95%` or `97.5%`: without decimals where it has none."""
    return percent(value, 0 if round(100 * value, 6).is_integer() else 1)
