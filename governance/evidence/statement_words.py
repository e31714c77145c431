"""The codes of the statement's figures and tables as people read them; an unknown code is printed as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

FIGURES: Mapping[str, Any] = {
    "received": _("Requests received"),
    "closed": _("Requests answered"),
    "kept": _("Answered inside the clock"),
    "missed": _("Answered late"),
    "open": _("Open at the time of counting"),
    "late": _("Open and late"),
    "at_risk": _("Open, last days of the clock"),
    "week": _("Open, due within a week"),
    "paused": _("Open, clock paused"),
    "answer_median": _("To the answer, median"),
    "answer_p90": _("To the answer, nine in ten within"),
    "proof_median": _("To the signed report, median"),
    "proof_p90": _("To the signed report, nine in ten within"),
    "forecast": _("Open in four weeks, forecast"),
}
TABLES: Mapping[str, Any] = {
    "kinds": _("By what was asked"),
    "regions": _("By country of the law"),
    "laws": _("By regime"),
    "stages": _("Where open cases stand"),
    "endings": _("How cases ended"),
    "weeks": _("By week"),
}
FIRST: Mapping[str, Any] = {
    "kinds": _("Asked"), "regions": _("Country"), "laws": _("Regime"), "stages": _("Stage"), "endings": _("Ending"),
}  # fmt: skip
COLUMNS: Mapping[str, Any] = {
    "received": _("Received"),
    "received_before": _("Period before"),
    "closed": _("Answered"),
    "closed_before": _("Period before"),
    "open": _("Open"),
    "late": _("Late"),
    "kept": _("Inside the clock"),
    "missed": _("Late"),
    "answer_p10": _("Days, 10%"),
    "answer_median": _("Median"),
    "answer_p90": _("90%"),
}
UNITS: Mapping[str, Any] = {
    "cases": "", "days": _("days"), "hours": _("hours"), "kwh": _("kWh"), "money": "", "places": _("places"),
    "runs": _("runs"),
}  # fmt: skip
KEYS: Mapping[str, Any] = {
    "exact": _("Fulfilled, exact"),
    "certified": _("Fulfilled, certified"),
    "approximate": _("Fulfilled, approximate"),
    "fulfilled": _("Fulfilled"),
    "partly_fulfilled": _("Partly fulfilled: suppressed, recoverable"),
    "excluded": _("Excluded from future training only"),
    "no_data_found": _("No data found"),
    "not_fulfilled": _("Not fulfilled"),
    "refused": _("Refused"),
    "withdrawn": _("Withdrawn"),
    "copyright": _("Copyright opt-out"),
    "privacy": _("Erasure of personal data"),
    "objection": _("Objection"),
    "safety": _("Safety"),
    "correction": _("Correction"),
}


def _word(words: Mapping[str, Any], code: str) -> str:
    return str(words.get(code, code.replace("_", " ")))


def figure(code: str) -> str:
    """What a figure counts."""
    return _word(FIGURES, code)


def table(code: str) -> str:
    """A table's title."""
    return _word(TABLES, code)


def first_column(code: str) -> str:
    """What the rows of a table are."""
    return _word(FIRST, code)


def column(code: str) -> str:
    """What a column counts."""
    return _word(COLUMNS, code)


def unit(code: str) -> str:
    """The unit behind a number."""
    return _word(UNITS, code)


def key(code: str) -> str:
    """What a row is about; codes of laws and countries stay as they are."""
    return str(KEYS.get(code, code.replace("_", " ")))
