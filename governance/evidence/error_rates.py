"""How often the verdict itself errs: the confusion matrix of `make zoo` (docs/zoo.json), for every report's appendix.

Each row is a family of honest models or of cheats that were put before the verdict, with its counts and exact bounds.
The numbers hold for the policy named with them, and for the micro models on which they were taken.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from governance.evidence import said
from governance.evidence.numerals import level, number, percent

MATRIX = Path(__file__).parents[2] / "docs" / "zoo.json"
OUTCOMES = ("pass", "inconclusive", "fail", "damaged", "bad_input")


def measured(path: Path = MATRIX) -> dict[str, Any] | None:
    """The part of the matrix that a report rests on; None where nothing was published."""
    if not path.is_file():
        return None
    found = json.loads(path.read_text(encoding="utf-8"))
    return {
        "policy_digest": found["policy_digest"],
        "code_digest": found["code_digest"],
        "confidence": found["confidence"],
        "corpora": len(found["corpora"]),
        "families": [_family(one) for one in found["families"]],
    }


def _family(one: Mapping[str, Any]) -> dict[str, Any]:
    honest = one["kind"] == "honest"
    return {
        "name": one["family"],
        "kind": one["kind"],
        "trials": one["trials"],
        "outcomes": {name: one["outcomes"][name] for name in OUTCOMES},
        "pass": one["intervals"]["pass"] if honest else [0.0, one["pass_at_most"]],
        "fail_at_most": one["intervals"]["fail"][1] if honest else None,
    }


def words(rates: Mapping[str, Any], policy_digest: str) -> list[str]:
    """What the matrix counts, in sentences; `policy_digest` is that of the policy behind the report's verdict."""
    cheats = [one for one in rates["families"] if one["kind"] != "honest"]
    honest = [one for one in rates["families"] if one["kind"] == "honest"]
    told = [
        _("Trials of cheating models: %(n)s, of which passed: %(passed)s. Trials of honest models: %(honest)s, of "
          "which failed: %(failed)s.")
        % {
            "n": number(sum(one["trials"] for one in cheats)),
            "passed": number(sum(one["outcomes"]["pass"] for one in cheats)),
            "honest": number(sum(one["trials"] for one in honest)),
            "failed": number(sum(one["outcomes"]["fail"] for one in honest)),
        },
        _(
            "The models are small and were made for the purpose (made-up corpora: %(n)d); the bounds are exact, with "
            "%(confidence)s confidence, and hold for these recipes."
        )
        % {"n": rates["corpora"], "confidence": level(rates["confidence"])},
        _("They were run before this case, by the program as it was then: later changes to it are not counted in."),
    ]  # fmt: skip
    if rates["policy_digest"] == policy_digest:
        return [*told, _("They were judged under the very policy of this case.")]
    return [*told, _("They were judged under another policy than this case: under its own the numbers may differ.")]


def table(rates: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows for print: a family's counts in the order of `OUTCOMES`, and its bound."""
    return [
        {
            "name": said.printed(one["name"]),
            "trials": number(one["trials"]),
            "counts": [number(one["outcomes"][name]) for name in OUTCOMES],
            "bound": _bound(one),
        }
        for one in rates["families"]
    ]


def _bound(one: Mapping[str, Any]) -> str:
    low, high = map(percent, one["pass"])
    if one["kind"] != "honest":
        return _("pass at most %(high)s") % {"high": high}
    values = {"low": low, "high": high, "fail": percent(one["fail_at_most"])}
    return _("pass %(low)s to %(high)s, fail at most %(fail)s") % values
