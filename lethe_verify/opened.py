"""What opened entries of the ledger say, held against what the evidence tells of plans and searches."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lethe_verify.errors import Refused

#: The action of the entry by which the second of two people signs a plan, before its run.
CONFIRMED: Final = "plan.confirmed"
#: That of the entry which is written when a search ended, before anybody decides.
SEARCHED: Final = "matching.finished"
#: What is called ended of a plan -> the action of the entry that was written then, and what it tells of.
_ENDED: Final = {"made": ("unlearning.finished", "version"), "judged": ("verification.finished", "verdict")}
#: What the signing of a plan commits to -> as it is called here.
_SIGNED: Final = {
    "method": "method", "config": "configuration", "seed": "seed", "reference": "reference", "controls": "controls",
    "base": "version to be changed", "records": "number of records",
}  # fmt: skip
_COMPARED: Final = {"method", "seed", "config", "reference", "controls"}


@dataclass(frozen=True)
class Entry:
    """An entry of the ledger that was opened: where it stands, what happened, and what it commits to."""

    index: int
    at: str
    action: str
    body: dict[str, Any]
    case: str = ""


def hold(document: Mapping[str, Any], entries: Iterable[Entry], case: str) -> None:
    """Plans are as they were signed, searches as they ended; entries of other kinds say nothing of that.

    Args:
        case: what the entry of this evidence says whose it is.
    """
    known = {one.index: one for one in entries}
    final = _final(document)
    for one in document.get("attempts", ()):
        entry = known[one["thresholds_recorded"]["index"]]
        if entry.action == CONFIRMED:
            _plan(document if one is final else None, one, entry, case)
        _ends(one, known, case)
    if "searches" in (document.get("matching") or {}):
        _searches(document["matching"], known, case)


def _final(document: Mapping[str, Any]) -> Any:
    """The attempt that the report is about: whose result was released, else the last."""
    after = ((document.get("models") or {}).get("after") or {}).get("digest")
    return next((one for one in reversed(document.get("attempts", ())) if after in (None, one["candidate"])), None)


def _plan(document: Mapping[str, Any] | None, attempt: Mapping[str, Any], entry: Entry, case: str) -> None:
    if entry.case != case:
        raise Refused("plan", f"Entry {entry.index} of the ledger signed a plan of another case.")
    told = {"method": attempt["method"], **_configured(attempt["config"])}
    if "compared" in attempt:
        told |= {name: attempt["compared"][name] or "" for name in ("reference", "controls")}
    if document is not None:
        models, counts = document["models"], document["matching"]["counts"]
        told |= {"base": models["before"]["digest"], "records": counts["erase"]}
        named = (models["reference"] or {"digest": ""})["digest"]
        if told.setdefault("reference", named) != named:
            raise Refused("plan", "The evidence names two references for one plan.")
    for name, value in told.items():
        if entry.body.get(name, value) != value:
            raise Refused("plan", f"The evidence says of plan {attempt['number']} another {_SIGNED[name]} than entry "
                                  f"{entry.index} of the ledger, by which it was signed.")  # fmt: skip


def _ends(attempt: Mapping[str, Any], known: Mapping[int, Entry], case: str) -> None:
    """Version and verdict are those of which the ledger was told as run and verification ended, after the signing."""
    ended, judged = attempt.get("ended", {}), attempt["verification"] or {}
    told = {
        "made": {"method": attempt["method"], "candidate": attempt["candidate"]},
        "judged": {"verdict": judged.get("verdict"), "document": judged.get("document_digest"),
                   "policy": attempt["policy_digest"]},
    }  # fmt: skip
    before = attempt["thresholds_recorded"]["index"]
    for name, (action, word) in _ENDED.items():
        if name not in ended:
            continue
        point = ended[name]
        entry = known.get(point["index"]) if type(point["index"]) is int else None
        said = {"attempt": attempt["number"], **told[name]}
        right = entry is not None and (entry.action, entry.case, entry.at) == (action, case, point["at"])
        if entry is None or not right or entry.index <= before or said != {one: entry.body.get(one) for one in said}:
            raise Refused("plan", f"The evidence says of plan {attempt['number']} another {word} than the ledger was "
                                  f"told when it was {name}, or another time of that.")  # fmt: skip
        before = entry.index


def _configured(text: str) -> dict[str, Any]:
    """Seed and digest of a configuration, which stands in one form, without the seed."""
    try:
        config = json.loads(text)
        if _written(config) != text:
            raise ValueError
        return {"seed": config.pop("seed"), "config": "sha256:" + hashlib.sha256(_written(config).encode()).hexdigest()}
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise Refused("plan", "The configuration of a plan has not the form that it should have.") from error


def _written(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _searches(matching: Mapping[str, Any], known: Mapping[int, Entry], case: str) -> None:
    """Each search is an entry of its own, and what was searched and found is what these say."""
    searches = matching["searches"]
    counted: dict[str, Any] = {}
    for one in searches:
        entry = known.get(one["index"]) if type(one["index"]) is int else None
        if entry is None or (entry.action, entry.case) != (SEARCHED, case):
            raise Refused("search", "The evidence names a search that no entry of the ledger for this case tells of.")
        if {"index": entry.index, "at": entry.at, **entry.body} != one:
            raise Refused("search", f"The evidence says something else of a search than entry {entry.index} of the "
                                    f"ledger, written when it ended.")  # fmt: skip
        counted[one["dataset"]] = one.get("records")
    if len({one["index"] for one in searches}) != len(searches):
        raise Refused("search", "The evidence names a search twice.")
    for one in matching["data_sets"]:
        if one["digest"] not in counted or counted[one["digest"]] not in (None, one["records"]):
            raise Refused("search", "The evidence calls a data set searched that no entry of the ledger calls so.")
    if matching.get("searched") != sum(one["records"] for one in matching["data_sets"]):
        raise Refused("search", "The evidence counts another number of records as searched than its data sets hold.")
    hits, found = sum(one["hits"] for one in searches), matching["counts"]["found"]
    if found > hits or (hits and not found):
        raise Refused("search", f"The evidence counts {found} records as found; its searches found {hits}.")


def unjudged(document: Mapping[str, Any]) -> list[int] | None:
    """Plans whose verdict no entry of the ledger is opened for; None where there is no verdict at all."""
    judged = [one for one in document.get("attempts", ()) if one["verification"]]
    return [one["number"] for one in judged if "judged" not in one.get("ended", {})] if judged else None


def told(document: Mapping[str, Any], entries: Iterable[Entry]) -> tuple[list[int], bool]:
    """Plans of which evidence or signing do not say what they were to be compared with; whether the ends of searches
    are opened."""
    signed = {one.index for one in entries if one.action == CONFIRMED and set(one.body) >= _COMPARED}
    silent = [
        one["number"]
        for one in document.get("attempts", ())
        if "compared" not in one or one["thresholds_recorded"]["index"] not in signed
    ]
    return silent, "searches" in (document.get("matching") or {})
