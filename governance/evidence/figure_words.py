"""The words of the statement: what each figure is called, how it is counted, and how its number is written.

Page, table, CSV and PDF take names and numbers from here, so that a figure reads the same wherever it stands. What is
marked `desk` stands on pages of staff alone and is not translated.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as desk
from django.utils.translation import gettext_lazy as lazy

from governance.clocks import LAWS
from governance.evidence import numerals
from governance.evidence.printing import day, short_day
from governance.evidence.said import printed
from governance.statement_figures import Figure, Period


class Words(NamedTuple):
    """Name of a figure, and how it is counted."""

    name: Any
    how: Any


#: Every figure in the order of the statement.
FIGURES: Mapping[str, Words] = MappingProxyType(
    {
        "open": Words(lazy("Open cases"), desk(
            "Cases that are not closed, now. Before: received until the end of the period before, less closed until "
            "then.")),
        "late": Words(lazy("Past their last lawful day"), desk(
            "Open cases whose clock runs and whose last lawful day is over. Before: at the end of the period before, "
            "by the last lawful day as it is reckoned now.")),
        "at_risk": Words(lazy("At risk"), desk(
            "Open cases whose clock runs and whose last lawful day is today or one of the next three days. "
            "Before: counted from the end of the period before.")),
        "week": Words(lazy("Due within a week"), desk(
            "Open cases whose clock runs and whose last lawful day is today or one of the next seven days. "
            "Before: counted from the end of the period before.")),
        "paused": Words(lazy("Paused"), desk(
            "Open cases whose clock lawfully stands still. Before: each of their clocks stood still at the end of the "
            "period before.")),
        "kept": Words(lazy("Answered inside the clock"), desk(
            "Cases closed in the period on or before their last lawful day, of all closed in the period but those that "
            "were withdrawn: these needed no answer. Pauses and extensions are part of that day.")),
        "missed": Words(lazy("Answered late"), desk(
            "Cases closed in the period after their last lawful day, of all closed in the period but those that were "
            "withdrawn.")),
        "answer_median": Words(lazy("Median time to an answer"), desk(
            "Days from receipt to closing of the cases closed in the period; half took no longer.")),
        "answer_p90": Words(lazy("Nine in ten answered within"), desk(
            "Days from receipt to closing; ninetieth percentile, type 7 of Hyndman and Fan.")),
        "proof_median": Words(lazy("Median time to the proof"), desk(
            "Days from receipt to the signed report, of reports signed in the period; half took no longer.")),
        "proof_p90": Words(lazy("Nine in ten proved within"), desk(
            "Days from receipt to the signed report; ninetieth percentile, type 7 of Hyndman and Fan.")),
        "received": Words(lazy("Requests received"), desk("Cases whose day of receipt lies in the period.")),
        "closed": Words(lazy("Cases closed"), desk("Cases that were closed in the period, however they ended.")),
        "forecast": Words(lazy("Open in four weeks"), desk(
            "Estimate: open now plus four times the mean weekly balance (received less closed) of up to 26 full "
            "weeks. Interval of 80 %: Student's t times the spread of the balances. It knows no seasons.")),
        "runs": Words(lazy("Runs of the engine"), desk(
            "Of the cases closed in the period: runs that ended well. What failed is not in it.")),
        "hours": Words(lazy("Computing"), desk(
            "Of the cases closed in the period: hours of their runs, as the engine measured them. A pass that several "
            "cases share counts for the case that led it.")),
        "hours_case": Words(lazy("Computing for each case"), desk(
            "Those hours divided by the closed cases that had a run.")),
        "energy": Words(lazy("Energy"), desk(
            "Kilowatt-hours of those runs by the machine's counters; an estimate where it has none (10 W for each busy "
            "core), and too low where a run told nothing.")),
        "energy_case": Words(lazy("Energy for each case"), desk(
            "Those kilowatt-hours divided by the closed cases that had a run.")),
        "money": Words(lazy("Money"), desk(
            "Estimate: hours times the configured price of an hour, plus kilowatt-hours times that of a kilowatt-hour. "
            "People's time is not in it.")),
        "money_case": Words(lazy("Money for each case"), desk(
            "That sum divided by the closed cases that had a run.")),
        "old_places": Words(lazy("Places with old weights"), desk(
            "Places not known to be replaced that answer, or may answer, from a version other than the released one; "
            "of all places in use.")),
        "old_weights": Words(lazy("Old weights past their day"), desk(
            "Files of replaced versions whose day of deletion is over and that are still there. Before: that were "
            "there at the end of the period before.")),
    }
)  # fmt: skip
#: Lists behind numbers that are no figures of the statement by themselves.
LISTS: Mapping[str, Words] = MappingProxyType(
    {
        "applied": Words(desk("Requests applied"), desk("Cases whose release two people signed.")),
        "waiting": Words(desk("Requests that wait"), desk("Cases whose plan is proposed or running.")),
        "places": Words(desk("Places in use"), desk("Places that are neither replaced nor withdrawn.")),
    }
)
#: Title of a table, and the word for its first column.
TABLES: Mapping[str, tuple[Any, Any]] = MappingProxyType(
    {
        "kinds": (lazy("Requests by kind"), lazy("Kind")),
        "regions": (lazy("Requests by region"), lazy("Region")),
        "stages": (lazy("Open cases by stage"), lazy("Stage")),
        "endings": (lazy("How cases ended"), lazy("Ending")),
        "laws": (lazy("Time to an answer by law"), lazy("Law")),
        "weeks": (lazy("Week by week"), lazy("Week from")),
        "models": (lazy("Models and old weights"), lazy("Model")),
    }
)
COLUMNS: Mapping[str, Any] = MappingProxyType(
    {
        "received": lazy("received"),
        "received_before": lazy("period before"),
        "closed": lazy("closed"),
        "closed_before": lazy("period before"),
        "open": lazy("open now"),
        "late": lazy("past their day"),
        "kept": lazy("inside the clock"),
        "missed": lazy("late"),
        "answer_p10": lazy("one in ten within, days"),
        "answer_median": lazy("median, days"),
        "answer_p90": lazy("nine in ten within, days"),
        "applied": lazy("requests applied"),
        "waiting": lazy("waiting"),
        "places": lazy("places in use"),
        "old_places": lazy("with old weights"),
        "old_weights": lazy("files past their day"),
    }
)
#: Rows of the tables by table and code; the labels of the models, which are not there where a paper is set again.
ROWS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "kinds": {
            "copyright": lazy("Copyright opt-out"), "privacy": lazy("Privacy request: erasure"),
            "objection": lazy("Objection"), "safety": lazy("Unsafe or toxic content"),
            "correction": lazy("Correction or outdated information"),
        },
        "stages": {
            "received": lazy("Received"), "proof": lazy("Proof"), "review": lazy("Review"),
            "information": lazy("Waiting for information"), "matching": lazy("Matching"),
            "decision": lazy("Decision"), "planning": lazy("Planning"), "unlearning": lazy("Unlearning"),
            "verification": lazy("Verification"), "release": lazy("Release"), "reporting": lazy("Reporting"),
            "notification": lazy("Notification"), "closed": lazy("Closed"),
        },
        "endings": {
            "exact": lazy("Fulfilled: exact deletion"), "certified": lazy("Fulfilled: certified"),
            "approximate": lazy("Fulfilled: approximate"), "fulfilled": lazy("Fulfilled"),
            "partly_fulfilled": lazy("Partly fulfilled: suppressed, recoverable"),
            "excluded": lazy("Excluded from future training only"), "no_data_found": lazy("No data found"),
            "not_fulfilled": lazy("Not fulfilled"), "refused": lazy("Refused"), "withdrawn": lazy("Withdrawn"),
        },
    }
)  # fmt: skip
_PERIODS: Mapping[str, Any] = MappingProxyType(
    {
        "30d": desk("Last 30 days"),
        "90d": desk("Last 90 days"),
        "365d": desk("Last 365 days"),
        "quarter": desk("This quarter"),
        "last_quarter": desk("Last quarter"),
        "year": desk("This year"),
        "last_year": desk("Last year"),
    }
)
_REGIONS: Mapping[str, Any] = MappingProxyType(
    {
        "EU": lazy("European Union"), "GB": lazy("United Kingdom"), "US": lazy("United States"), "BR": lazy("Brazil"),
        "CA": lazy("Canada"), "CH": lazy("Switzerland"), "AU": lazy("Australia"), "NZ": lazy("New Zealand"),
        "JP": lazy("Japan"), "IN": lazy("India"), "SG": lazy("Singapore"), "IL": lazy("Israel"),
        "KR": lazy("South Korea"), "AT": lazy("Austria"), "BE": lazy("Belgium"), "BG": lazy("Bulgaria"),
        "CY": lazy("Cyprus"), "CZ": lazy("Czechia"), "DE": lazy("Germany"), "DK": lazy("Denmark"),
        "EE": lazy("Estonia"), "ES": lazy("Spain"), "FI": lazy("Finland"), "FR": lazy("France"), "GR": lazy("Greece"),
        "HR": lazy("Croatia"), "HU": lazy("Hungary"), "IE": lazy("Ireland"), "IS": lazy("Iceland"),
        "IT": lazy("Italy"), "LI": lazy("Liechtenstein"), "LT": lazy("Lithuania"), "LU": lazy("Luxembourg"),
        "LV": lazy("Latvia"), "MT": lazy("Malta"), "NL": lazy("Netherlands"), "NO": lazy("Norway"),
        "PL": lazy("Poland"), "PT": lazy("Portugal"), "RO": lazy("Romania"), "SE": lazy("Sweden"),
        "SI": lazy("Slovenia"), "SK": lazy("Slovakia"),
    }
)  # fmt: skip
#: Unit -> decimals of a value that is no count, and the word behind it; any other unit is a currency.
_UNITS: Mapping[str, tuple[int, Any]] = MappingProxyType(
    {"days": (1, lazy("days")), "hours": (2, "h"), "kwh": (3, "kWh"), "money": (2, ""), "cases": (0, ""),
     "places": (0, ""), "files": (0, ""), "runs": (0, "")}
)  # fmt: skip


def name(code: str) -> str:
    """What a figure is called; a code of an older statement that is no longer counted stands as it is."""
    return str(FIGURES[code].name) if code in FIGURES else code.replace("_", " ")


def list_title(code: str) -> str:
    """What the list behind a number is called."""
    return str((FIGURES.get(code) or LISTS[code]).name)


def list_how(code: str) -> str:
    """How the number of a list is counted."""
    return str((FIGURES.get(code) or LISTS[code]).how)


def title(table: str) -> tuple[str, str]:
    """The title of a table and the word for its first column."""
    found, first = TABLES.get(table, (table.replace("_", " "), ""))
    return str(found), str(first)


def number(value: float | int | None, unit: str = "cases") -> str:
    """A number as it stands everywhere: counts grouped, measures with the decimals of their unit, `–` for none."""
    if value is None:
        return "–"
    decimals = 0 if float(value).is_integer() and unit in ("cases", "days") else _unit(unit)[0]
    return numerals.number(value, decimals)


def _unit(unit: str) -> tuple[int, Any]:
    return _UNITS.get(unit, (2, unit))


def unit_word(unit: str) -> str:
    """The word behind a number; for money its currency."""
    return str(_unit(unit)[1])


def shown(figure: Figure) -> str:
    """The figure with its unit, what it is of, and its interval: `611 of 613`, `6.5 days`, `118 (97 to 139)`."""
    told = " ".join(filter(None, [number(figure.value, figure.unit), unit_word(figure.unit) if figure.value is not None
                                  else ""]))  # fmt: skip
    if figure.low is not None and figure.high is not None:
        return _("%(value)s (%(low)s to %(high)s)") % {
            "value": number(round(figure.value or 0)), "low": number(round(figure.low)),
            "high": number(round(figure.high)),
        }  # fmt: skip
    if figure.of is None:
        return told
    if figure.unit in ("cases", "places"):
        return _("%(value)s of %(of)s") % {"value": told, "of": number(figure.of)}
    return _("%(value)s, n = %(of)s") % {"value": told, "of": number(figure.of)}


def of(figure: Figure) -> str:
    """What a figure is of: `of 613` of counts, `n = 613` of measures; empty where it is of nothing."""
    if figure.of is None:
        return ""
    said = _("of %(n)s") if figure.unit in ("cases", "places") else _("n = %(n)s")
    return said % {"n": number(figure.of)}


def shown_before(figure: Figure) -> str:
    """The same of the period before; empty where that was not kept."""
    if figure.before is None:
        return ""
    then = Figure(code=figure.code, unit=figure.unit, value=figure.before, of=figure.before_of)
    return shown(then)


def column(code: str) -> str:
    """The head of a table's column."""
    return str(COLUMNS.get(code, code.replace("_", " ")))


def unit_of(column: str) -> str:
    """In what a table's column is told."""
    return "days" if column.startswith("answer") else "cases"


def key(table: str, code: str) -> str:
    """The name of a table's row."""
    if table == "regions":
        return region(code)
    if table == "laws":
        return law(code)
    if table == "weeks":
        return short_day(code)
    return str(ROWS.get(table, {}).get(code, code))


def region(code: str) -> str:
    """A country by name."""
    return str(_REGIONS.get(code, code)) or _("unknown")


def law(code: str, title: str = "") -> str:
    """The law, short; `title` is the one that an older statement gave it."""
    return printed((title or (str(LAWS[code].title) if code in LAWS else code)).split(",")[0])


def ending(code: str) -> str:
    """How a case ended: the guarantee where it was fulfilled, else the disposition."""
    return key("endings", code)


def period_name(code: str) -> str:
    """The name of a period; empty for days that somebody named."""
    return str(_PERIODS.get(code, ""))


def period_days(period: Period) -> str:
    """`1 July 2026 to 28 September 2026`."""
    return _("%(start)s to %(end)s") % {"start": day(period.start.isoformat()), "end": day(period.end.isoformat())}
