"""Whether what a verification calls a pass is one by its own numbers, and by the thresholds that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

Found = Mapping[str, Any]
_UTILITY: Final = "utility"
#: Running texts are only probed where there are any.
_OPTIONAL: Final = "verbatim_text"
#: What a policy calls the floor of all ratios taken together; each alone has the other.
_POOLED: Final = ("utility_pooled", "pooled_utility_floor")
#: Attacks that the engine leaves out where a model has not what they work on; every other can always be made.
_MODEL_BOUND: Final = frozenset({"steering"})


def problems(verification: Found, policy: Found) -> Iterator[tuple[str, str]]:
    """Path within the verification, and what contradicts it there; `policy` is empty where its text is not known."""
    verdict, probes = verification["verdict"], verification["probes"]
    outcomes = {probe["outcome"] for probe in probes} - {"reported"}
    if verdict == "none":
        yield "verdict", "a verification cannot have the verdict none"
    if verdict == "pass" and outcomes != {"pass"}:
        yield "verdict", f"pass, but the probes' outcomes are {sorted(outcomes) or 'none at all'}"
    elif verdict == "pass" and (missing := _missing(verification, policy)):
        yield "verdict", f"pass, but {missing}"
    for place, one in enumerate(verification["attacks"]):
        if one.get("plain_facts", 0) > one.get("forget_facts", 0):
            yield f"attacks.{place}.plain_facts", f"{one['plain_facts']} of {one['forget_facts']} facts"
    for place, probe in enumerate(probes):
        here = f"probes.{place}"
        for name in ("candidate", "reference", "original", "difference"):
            estimate = probe[name]
            if estimate and not estimate["low"] <= estimate["value"] <= estimate["high"]:
                yield f"{here}.{name}", "the value lies outside its own interval"
        if probe["outcome"] == "pass" and (beyond := _beyond(probe, policy)):
            yield f"{here}.outcome", f"pass, but {beyond}"


def _margins(policy: Found) -> Found:
    """By name of a probe; a policy in another form names none."""
    found = policy.get("margins")
    return found if isinstance(found, Mapping) else {}


def _beyond(probe: Found, policy: Found) -> str:
    """Why a probe cannot have passed; empty where it can."""
    if (probe["family"] == _UTILITY) != probe["name"].startswith(f"{_UTILITY}_"):
        return "it is not of the family that its name says"
    if probe["family"] == _UTILITY:
        limit, pooled = probe["limit"], probe["name"] == _POOLED[0]
        fixed = policy.get(_POOLED[1] if pooled else "utility_floor", limit)
        inside = limit is not None and probe["candidate"]["low"] >= limit
    else:
        limit, gap = probe["margin"], probe["difference"]
        fixed = _margins(policy).get(probe["name"], limit)
        inside = limit is not None and gap is not None and gap["high"] < limit
        inside = inside and (probe["bounds"] != "both" or gap["low"] > -limit)
    if not inside:
        return "its bound is not inside of its limit"
    return "" if fixed == limit else "the policy names another limit"


def _missing(verification: Found, policy: Found) -> str:
    """What was not measured though nothing passes without it; empty where nothing is missing."""
    passed = {probe["name"] for probe in verification["probes"] if probe["outcome"] == "pass"}
    if all(probe["family"] == _UTILITY for probe in verification["probes"] if probe["name"] in passed):
        return "no probe asks whether anything was forgotten"
    unfit = tuple(f"{one}_" for one in verification.get("attacks_not_applicable", ()) if one in _MODEL_BOUND)
    wanted = [name for name in _margins(policy) if name != _OPTIONAL and not name.startswith(unfit)]
    parts = policy.get("required_utility")
    wanted += [f"{_UTILITY}_{part}" for part in parts] if isinstance(parts, list) else []
    wanted += [_POOLED[0]] if _POOLED[1] in policy else []
    return ", ".join(f"{name} was not measured" for name in wanted if name not in passed)
