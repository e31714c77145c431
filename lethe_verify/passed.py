"""Whether a pass in the evidence is one by its own numbers, and by the thresholds that it names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from lethe_verify.errors import Refused

VERDICTS: Final = ("none", "bad_input", "damaged", "fail", "inconclusive", "pass")
#: Probes of this family, which their names begin with, are ratios that must stay above a floor; all others are
#: differences inside a margin.
UTILITY: Final = "utility"
#: What a policy calls the floor of each ratio, and of all taken together.
_FLOORS: Final = {"utility_pooled": "pooled_utility_floor"}
_FLOOR: Final = "utility_floor"
#: Running texts are only probed where there are any.
_OPTIONAL: Final = "verbatim_text"

#: Attacks that the engine leaves out where a model has not what they work on; every other can always be made.
MODEL_BOUND: Final = frozenset({"steering"})

Found = Mapping[str, Any]


def hold(verification: Found | None, policy: Found | None) -> None:
    """Refuse a pass that its own outcomes, numbers or policy contradict.

    Args:
        verification: of one attempt; None where nothing was verified.
        policy: the thresholds that judged it, where the evidence holds their text.
    """
    if verification is None:
        return
    verdict, probes = verification["verdict"], verification["probes"]
    if verdict not in VERDICTS:
        raise Refused("evidence", "The evidence has a verdict that this version does not know.")
    for probe in probes:
        if probe["outcome"] == "pass" and (problem := next(_beyond(probe, policy), "")):
            raise Refused("evidence", f"The evidence lets the probe {probe['name']} pass, though {problem}.")
    if verdict != "pass":
        return
    outcomes = {probe["outcome"] for probe in probes} - {"reported"}
    found = {one["outcome"] for one in verification["findings"]} - {"pass", "reported"}
    if outcomes != {"pass"} or found:
        raise Refused("evidence", "The evidence calls a verification a pass whose own outcomes are none.")
    if missing := _missing(verification, policy):
        raise Refused("evidence", f"The evidence calls a verification a pass that lacks a probe: {missing}.")


def _beyond(probe: Found, policy: Found | None) -> Iterator[str]:
    """Why a probe cannot have passed."""
    if (probe["family"] == UTILITY) != probe["name"].startswith(f"{UTILITY}_"):
        yield "it is not of the family that its name says"
    if probe["family"] == UTILITY:
        floor = probe["limit"]
        if floor is None or not probe["candidate"]["low"] >= floor:
            yield "its lower bound lies below its floor"
        wanted = (policy or {}).get(_FLOORS.get(probe["name"], _FLOOR))
    else:
        floor, inside = probe["margin"], probe["difference"]
        if floor is None or inside is None or not inside["high"] < floor:
            yield "the upper bound of its difference is not inside the margin"
        elif probe["bounds"] == "both" and not inside["low"] > -floor:
            yield "the lower bound of its difference is not inside the margin"
        wanted = (policy or {}).get("margins", {}).get(probe["name"])
    if wanted is not None and wanted != floor:
        yield "the policy that was recorded names another limit"


def _missing(verification: Found, policy: Found | None) -> str:
    """A probe without which nothing passes; empty where none is missing."""
    decided = {one["name"]: one for one in verification["probes"] if one["outcome"] == "pass"}
    if all(one["family"] == UTILITY for one in decided.values()):
        return "none asks whether anything was forgotten"
    rules = policy or {}
    # Whoever issues the evidence says which attacks could not be made: that excuses the probes of such attacks alone.
    unfit = tuple(f"{one}_" for one in verification.get("attacks_not_applicable", ()) if one in MODEL_BOUND)
    wanted = [name for name in rules.get("margins", {}) if name != _OPTIONAL and not name.startswith(unfit)]
    wanted += [f"{UTILITY}_{part}" for part in rules.get("required_utility", ())]
    wanted += [name for name, floor in _FLOORS.items() if floor in rules]
    return next((str(name) for name in wanted if name not in decided), "")


def thresholds(text: str) -> Found:
    """The policy from its text."""
    try:
        found = json.loads(text)
        if not isinstance(found, dict):
            raise ValueError
        if not (isinstance(found.get("margins", {}), dict) and isinstance(found.get("required_utility", []), list)):
            raise ValueError
    except (ValueError, RecursionError) as error:
        raise Refused("evidence", "The thresholds in the evidence have not the form that they should have.") from error
    return found
