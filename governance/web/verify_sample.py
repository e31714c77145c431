"""A sample of cases drawn for an audit, as the page that checks files tells it; and its number with its seed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from governance.evidence import figure_words as words
from governance.evidence.printing import day, moment
from governance.services import samples

#: So many cases are named; the file holds all.
NAMED = 100

OUTCOMES: Mapping[str, Callable[[], tuple[str, str, str]]] = {
    "sample_genuine": lambda: (
        "pass",
        _("This sample was drawn as it was stated."),
        _("Statement, list, text, seed and cases belong together, and our ledger holds the statement."),
    ),
    "sample_unregistered": lambda: (
        "inconclusive",
        _("This sample rests on our ledger, but we do not know its draw."),
        _("The statement is ours, yet no sample with this seed was drawn here. Ask us before you rely on it."),
    ),
    "sample_altered": lambda: (
        "fail",
        _("This sample is not as it was stated."),
        _(
            "Something in it was changed, or never belonged together. Do not rely on it; ask for the file as we gave "
            "it."
        ),
    ),
    "sample_unknown_signer": lambda: (
        "inconclusive",
        _("This sample rests on the ledger of somebody else."),
        _("It is whole in itself, but the ledger is not ours. Ask the house in which it was drawn."),
    ),
}


def outcome(checked: dict[str, Any]) -> str:
    """The code of what a sample is."""
    found, sample = str(checked["outcome"]), checked["sample"]
    if found in {"ledger_lost", "ledger_late"}:
        return f"{found}_alone"
    if found == "genuine" and samples.drawn_at(sample["sample"], sample["seed"]) is None:
        return "sample_unregistered"
    return f"sample_{found}"


def facts(sample: dict[str, Any]) -> list[dict[str, Any]]:
    """What the file says of itself; the root is there to be compared with the one that was noted."""
    if not sample:
        return []
    return [
        {"label": _("Sample"), "value": str(sample["sample"])},
        {"label": _("Stated"), "value": moment(sample["at"])},
        {"label": _("Which cases"), "value": _which(sample)},
        {"label": _("Cases drawn"), "value": _("%(drawn)s of %(all)s") % {
            "drawn": words.number(len(sample["drawn"])), "all": words.number(sample["cases"])}},
        {"label": _("Root of the ledger up to the statement"), "value": sample["root"], "mono": True},
        {"label": _("Seed"), "value": sample["seed"], "mono": True},
        {"label": _("The cases"), "value": _numbers(sample["drawn"]), "mono": True},
    ]  # fmt: skip


def _which(sample: dict[str, Any]) -> str:
    """By which days, and what else was asked for, as it was stated."""
    asked = {str(name): str(value) for name, value in sample["narrowed"].items()}
    dates = {"received_on": _("received %(first)s to %(last)s"), "closed_at": _("closed %(first)s to %(last)s")}
    days = {"first": asked.pop("from", ""), "last": asked.pop("to", "")}
    said = dates.get(asked.pop("date", ""), "%(first)s / %(last)s") % days
    return ", ".join([said, *(asked[name] for name in sorted(asked))])


def _numbers(drawn: list[list[str]]) -> str:
    named = ", ".join(number for number, _stratum in drawn[:NAMED])
    return f"{named} …" if len(drawn) > NAMED else named


def cannot() -> list[str]:
    """What no check of the file can say."""
    return [
        _("Whether this house knew the auditor’s text when it entered the statement: that rests on how it was kept."),
        _("Whether it entered several statements and shows the one that pleases it: compare the root above with the "
          "one that was noted before the text was told."),
        _("Whether the list of cases is complete: compare it with what you know from elsewhere."),
    ]  # fmt: skip


def number_of(text: str) -> int | None:
    """The number of a sample, of `Sample 3` in any language or `sample-3`; None where another sheet is meant."""
    found = re.fullmatch(r"(?:SAMPLE-|[^\W\d_]{4,}\s+)([0-9]{1,9})(?:\.JSON)?", text.upper())
    return int(found[1]) if found else None


def known(number: int, code: str) -> tuple[str, str, datetime | None]:
    """What our register says of a sample's number and the first digits of its seed."""
    at = samples.drawn_at(number, code)
    if at is None:
        return (
            _("Our register does not know this sample with this seed."),
            _("Compare both once more. If they are typed right, do not rely on it: ask for the file of the sample."),
            None,
        )
    return (
        _("Our register knows this sample and this seed."),
        _("It was drawn on %(day)s. Which cases it drew stands in its file alone: ask for it and upload it here.")
        % {"day": day(at.isoformat())},
        at,
    )
