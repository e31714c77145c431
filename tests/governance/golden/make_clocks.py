"""Works the golden dates of the clocks out without the product: day numbers, a leap-year rule, holidays as facts.

`python tests/governance/golden/make_clocks.py` writes clocks.csv beside it. The official and statutory examples
(official.json) carry the date that their source names, or that follows from its words by hand; the script stops where
its own arithmetic does not find it.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from facts import holidays_of

EXAMPLES = json.loads((Path(__file__).parent / "official.json").read_text())

FIELDS = (
    "id", "basis", "law", "kind", "relation", "received", "country", "pauses", "extend", "identified", "confirm_by",
    "due", "extended_due", "refusal", "source", "reasoning",
)  # fmt: skip
#: law -> (months, days, working days to confirm, extension in months, extension in days, moves to a working day)
TERMS = {
    "gdpr": (1, 0, 0, 2, 0, True), "uk_gdpr": (1, 0, 0, 2, 0, True), "ccpa": (0, 45, 10, 0, 45, False),
    "us_va": (0, 45, 0, 0, 45, False), "us_co": (0, 45, 0, 0, 45, False), "lgpd": (0, 15, 0, 0, 0, False),
    "quebec": (0, 30, 0, 0, 0, False), "gpai": (0, 30, 5, 0, 0, False), "house": (0, 30, 5, 0, 0, False),
    "us_va/appeal": (0, 60, 0, 0, 0, False), "us_co/appeal": (0, 45, 0, 0, 60, False),
    "uk_gdpr/complaint": (0, 30, 0, 0, 0, True),
}  # fmt: skip
SOURCES = {
    "gdpr": "GDPR Art. 12(3); Regulation 1182/71 Art. 3(2)(c), 3(4)",
    "uk_gdpr": "UK GDPR Art. 12(3), 12A; ICO, Right of access: How do we calculate a month?",
    "ccpa": "11 CCR § 7021(a), (b)", "us_va": "Va. Code § 59.1-577(B)(1), (C)",
    "us_co": "C.R.S. § 6-1-1306(2), (3); § 2-4-108(1)", "lgpd": "LGPD Art. 19, II (policy: every request)",
    "quebec": "CQLR c. P-39.1, s. 32", "gpai": "GPAI Code of Practice, Measure 1.5 (policy: 30 days)",
    "house": "the house's policy of 30 days",
}  # fmt: skip


def month_length(year: int, month: int) -> int:
    """Thirty days hath September."""
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def months_later(number: int, months: int) -> int:
    """The same date, else the month's last day."""
    day = date.fromordinal(number)
    year, month = day.year, day.month + months
    while month > 12:
        year, month = year + 1, month - 12
    return date(year, month, min(day.day, month_length(year, month))).toordinal()


def free(number: int, place: str) -> bool:
    """Day number 1 was a Monday, so 6 and 0 modulo 7 are the weekend."""
    return number % 7 in (6, 0) or number in holidays_of(place, date.fromordinal(number).year)


def first_working(number: int, place: str) -> int:
    """Forward over weekends and holidays."""
    while free(number, place):
        number += 1
    return number


def said(number: int) -> str:
    """`Mon 2 Mar 2026`."""
    day = date.fromordinal(number)
    return f"{day:%a} {day.day} {day:%b %Y}"


def work_out(row: dict[str, Any]) -> dict[str, str]:
    """confirm_by, due, extended_due of a row, with the reasoning."""
    key = f"{row['law']}/{row['relation']}" if row.get("relation") in ("appeal", "complaint") else row["law"]
    months, days, confirm, more_months, more_days, moves = TERMS.get(key, TERMS[row["law"]])
    place, start = row["country"], date.fromisoformat(row["local"]).toordinal()
    why = [f"Received on {said(start)} there."]
    confirm_by = ""
    if confirm:
        day, left = start, confirm
        while left:
            day += 1
            left -= not free(day, place)
        confirm_by = date.fromordinal(day).isoformat()
        why.append(f"{confirm} working days on: {said(day)}.")
    if key == "uk_gdpr/complaint":
        confirm_by = date.fromordinal(first_working(start + 30, place)).isoformat()
    if row.get("identified"):
        start = max(start, date.fromisoformat(row["identified"][:10]).toordinal())
        why.append(f"The month begins on {said(start)}, when identity was shown.")
    out = days_out(row)
    why += [f"{out} days are left out."] if out else []
    raw = (months_later(start, months) if months else start + days) + out
    due = first_working(raw, place) if moves else raw
    why.append(f"{'One month' if months else f'{days} days'} on: {said(raw)}{_moved(raw, due)}.")
    extended = ""
    if row.get("extend"):
        second = (months_later(start, months + more_months) if more_months else start + days + more_days) + out
        last = first_working(second, place) if moves else second
        extended = date.fromordinal(last).isoformat()
        why.append(f"Extended: {said(second)}{_moved(second, last)}.")
    return {
        "confirm_by": confirm_by, "due": date.fromordinal(due).isoformat(), "extended_due": extended,
        "reasoning": " ".join(why),
    }  # fmt: skip


def _moved(raw: int, moved: int) -> str:
    return "" if raw == moved else f", not a working day; then {said(moved)}"


def days_out(row: dict[str, Any]) -> int:
    """The days that pauses leave out, by counting them into a set."""
    out: set[int] = set()
    both = row["law"] == "uk_gdpr" and row["kind"] == "access" and row["local"] >= "2026-02-05"
    for pause in filter(None, row.get("pauses", "").split()):
        first, last = (date.fromisoformat(text).toordinal() for text in pause.split("/"))
        out |= set(range(first, last + 1 if both else last))
    return len(out)


def worked() -> Iterator[dict[str, Any]]:
    """Rows made by walking through calendars: month ends, holidays, leap years, pauses, extensions."""
    ends = ("01-29", "01-30", "01-31", "02-28", "03-31", "05-31", "08-31", "10-31", "12-31")
    near = (
        "03-03",
        "03-06",
        "04-01",
        "04-14",
        "04-25",
        "05-15",
        "06-25",
        "07-15",
        "09-26",
        "11-24",
        "11-25",
        "11-26",
        "12-06",
    )
    for place in ("DE", "DE-BY", "DE-NW", "DE-BE", "AT", "FR", "IT", "NL", "BE", "LU", "PL", "PT", "CZ", "IE", "EU"):
        for n, day in enumerate((*ends, *near)):
            year = 2024 + (n + len(place) * 2) % 3
            yield _row("gdpr", "privacy", place, f"{year}-{day}", n)
    for place in ("GB-ENG", "GB-SCT"):
        for n, day in enumerate((*ends, *near)):
            yield _row("uk_gdpr", ("privacy", "objection", "correction")[n % 3], place, f"{2025 + n % 3}-{day}", n)
    for law, kind, place in (
        ("ccpa", "privacy", "US-CA"), ("ccpa", "correction", "US"), ("us_va", "privacy", "US-VA"),
        ("us_co", "privacy", "US-CO"), ("lgpd", "privacy", "BR"), ("quebec", "privacy", "CA-QC"),
        ("gpai", "copyright", "DE"), ("house", "safety", "DE-BY"), ("house", "copyright", "FR"),
    ):  # fmt: skip
        for n, day in enumerate(
            ("01-15", "01-31", "02-28", "03-20", "06-17", "07-01", "08-31", "11-02", "11-20", "12-21")
        ):
            yield _row(law, kind, place, f"{2026 + (n % 2)}-{day}", n)
    for n, day in enumerate(("01-31", "02-15", "06-30", "07-04", "10-31", "11-30")):
        for law, place in (("us_va", "US-VA"), ("us_co", "US-CO")):
            yield {**_row(law, "privacy", place, f"2026-{day}", n), "relation": "appeal", "extend": ""}
        if day > "06-19":
            yield {**_row("uk_gdpr", "privacy", "GB-ENG", f"2026-{day}", n), "relation": "complaint", "extend": ""}
    yield from _paused()


def _row(law: str, kind: str, place: str, day: str, n: int) -> dict[str, Any]:
    """Every third row of a law that knows it is extended, with notice ten days after receipt."""
    notice = date.fromordinal(date.fromisoformat(day).toordinal() + 10).isoformat()
    known = law in ("gdpr", "uk_gdpr", "ccpa", "us_va", "us_co")
    return {
        "law": law, "kind": kind, "relation": "", "local": day, "received": f"{day}T12:00+00:00", "country": place,
        "extend": notice if known and n % 3 == 0 else "", "source": SOURCES[law], "basis": "worked",
    }  # fmt: skip


def _paused() -> Iterator[dict[str, Any]]:
    for n, day in enumerate(
        ("2025-03-03", "2025-05-12", "2025-08-11", "2026-01-12", "2026-03-09", "2026-09-01", "2026-11-16")
    ):
        start = date.fromisoformat(day).toordinal()

        def on(days: int, start: int = start) -> str:
            return date.fromordinal(start + days).isoformat()

        for pauses in (
            f"{on(2)}/{on(2)}",
            f"{on(2)}/{on(9)}",
            f"{on(1)}/{on(5)} {on(4)}/{on(8)}",
            f"{on(3)}/{on(30)} {on(40)}/{on(45)}",
        ):
            for place in ("DE-BY", "FR"):
                row = {**_row("gdpr", "privacy", place, day, n), "extend": "", "pauses": pauses}
                yield {**row, "source": f"{SOURCES['gdpr']}; GDPR Art. 12(6)"}
        extended = {**_row("gdpr", "correction", "IE", day, 0), "pauses": f"{on(2)}/{on(9)}"}
        yield extended
        yield {
            **_row("uk_gdpr", "access", "GB-ENG", day, 1),
            "pauses": f"{on(2)}/{on(9)}",
            "source": "UK GDPR Art. 12A(5); ICO",
        }
        yield {
            **_row("uk_gdpr", "privacy", "GB-ENG", day, 1),
            "identified": f"{on(9)}T12:00+00:00",
            "source": "UK GDPR Art. 12A(2)(b)",
        }


def rows() -> Iterator[dict[str, Any]]:
    """Every row with its dates; an official one whose date the arithmetic does not find stops the script."""
    for row in EXAMPLES["examples"]:
        found = work_out(row)
        for name in ("confirm_by", "due", "extended_due"):
            if row.get(name, found[name] if name == "confirm_by" else "") != found[name]:
                raise SystemExit(f"{row}: by hand {row.get(name)}, by arithmetic {found[name]}")
        yield {**found, **row, "reasoning": f"{row['reasoning']} {found['reasoning']}"}
    for row in worked():
        yield {**row, **work_out(row)}
    yield from ({**row, "basis": "refused"} for row in EXAMPLES["refusals"])


def main() -> None:
    """Write clocks.csv."""
    with (Path(__file__).parent / "clocks.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, extrasaction="ignore", restval="", lineterminator="\n")
        writer.writeheader()
        for number, row in enumerate(rows(), 1):
            writer.writerow({**row, "id": f"c{number:03}"})


if __name__ == "__main__":
    main()
