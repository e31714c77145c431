"""How often the search for a claimant's works errs: counts of `python -m tests.bench.matching_errors`, in
docs/matching.json, for every report that rests on a search.

A miss is a changed work that the search does not find; a false match is a text of somebody else that it finds. Both
are counted by the way of searching and by what was done to the work, with exact bounds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from governance.evidence import said
from governance.evidence.numerals import interval, level, number, percent

MEASURED = Path(__file__).parents[2] / "docs" / "matching.json"
#: What of the file goes into a document of evidence.
_MEMBERS = ("seed", "scheme", "threshold", "code_digest", "confidence", "works", "words", "misses", "matches",
            "not_tried")  # fmt: skip
#: Of how many words the works were before the file said so.
_WORDS = (80, 600)


def measured(path: Path = MEASURED) -> dict[str, Any] | None:
    """What a report rests on; None where nothing was published."""
    if not path.is_file():
        return None
    found = json.loads(path.read_text(encoding="utf-8"))
    return {name: found[name] for name in _MEMBERS}


def context(rates: Mapping[str, Any], searches: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """What `report/_matching.html` prints; whether the `searches` of the case were made as those trials were, too."""
    shortest, longest = rates.get("words", _WORDS)
    return {
        "words": _(
            "Measured by the issuer on made-up English texts with the seed %(seed)d: %(works)d works of "
            "%(shortest)d to %(longest)d words, each changed in the ways below and put among texts of others. Found is "
            "what shares at least %(threshold)s of the shorter text's runs of five words. The bounds are exact, with "
            "%(confidence)s confidence; they hold for such changes and such texts, not for the data sets of this case."
        )
        % {
            "seed": rates["seed"], "works": rates["works"], "threshold": percent(rates["threshold"], 0),
            "confidence": level(rates["confidence"]), "shortest": shortest, "longest": longest,
        },
        "otherwise": _otherwise(rates, searches),
        "misses": [_row(one, one["missed"]) for one in rates["misses"]],
        "matches": [_row(one, one["matched"]) for one in rates["matches"]],
        "not_tried": [said.printed(one) for one in rates["not_tried"]],
    }  # fmt: skip


def _otherwise(rates: Mapping[str, Any], searches: Sequence[Mapping[str, Any]]) -> str:
    tried = {"near_threshold": rates["threshold"], "scheme": rates["scheme"]}
    if all(one.get(name, value) == value for one in searches for name, value in tried.items()):
        return ""
    return _(
        "The search of this case compared otherwise, by another likeness or another scheme, so that under its own the "
        "numbers may differ."
    )


def _row(one: Mapping[str, Any], hits: int) -> dict[str, str]:
    return {
        "way": said.printed(one["way"]),
        "what": said.printed(one["what"]),
        "trials": number(one["trials"]),
        "hits": number(hits),
        "share": percent(hits / one["trials"]),
        "bounds": interval(one),
    }
