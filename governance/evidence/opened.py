"""What opened entries of the ledger say, held against what a document says of its plans and searches.

The entries were written when two people signed a plan, before its run, when the run and the verification ended, and
when a search ended, before any decision.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from governance.evidence.errors import ProofError
from governance.evidence.leaf import Leaf

CONFIRMED: Final = "plan.confirmed"
SEARCHED: Final = "matching.finished"
#: Members of an attempt's `ended` -> the action of their entries.
ENDED: Final = {"made": "unlearning.finished", "judged": "verification.finished"}

Document = Mapping[str, Any]


class Opened(NamedTuple):
    """An entry, and what it commits to."""

    leaf: Leaf
    body: Mapping[str, Any]


Entries = Mapping[int, Opened]


def rests_on(document: Document) -> list[int]:
    """Indexes of the entries that a document rests on beside its own."""
    searches = (document.get("matching") or {}).get("searches", ())
    ends = (point["index"] for one in document.get("attempts", ()) for point in one.get("ended", {}).values())
    return sorted({*_recorded(document), *ends, *(one["index"] for one in searches)})


def hold(document: Document, entries: Entries, *, case: str, final: Document | None) -> None:
    """The document says no other than these entries; `case` is that of its own entry, `final` the attempt that counts.

    Raises:
        ProofError: an entry is missing, is of another case, or says something else.
    """
    for index, told in _recorded(document).items():
        if index not in entries:
            raise ProofError(f"entry {index}, by which thresholds were recorded, is not proved")
        leaf, body = entries[index]
        if any(policy not in body.values() or at != leaf.at for at, policy in told):
            raise ProofError(f"entry {index} did not record the thresholds that the document says it did")
    for one in document.get("attempts", ()):
        _hold_plan(document, one, entries[one["thresholds_recorded"]["index"]], case, last=one == final)
        _hold_ends(one, entries, case)
    if searches := (document.get("matching") or {}).get("searches"):
        _hold_searches(document["matching"], searches, entries, case)


def _recorded(document: Document) -> dict[int, list[tuple[str, str]]]:
    """Index of each entry that recorded thresholds -> when it says so, and digests of policies that it must hold."""
    found: dict[int, list[tuple[str, str]]] = {}
    points = [(one["thresholds_recorded"], one["policy_digest"]) for one in document.get("attempts", ())]
    policy = document.get("policy")
    for point, digest_of in (*points, *([(policy["recorded"], policy["digest"])] if policy else ())):
        found.setdefault(point["index"], []).append((point["at"], digest_of))
    return found


def _hold_plan(document: Document, attempt: Document, entry: Opened, case: str, *, last: bool) -> None:
    """Method, configuration, reference and controls are those that were signed; an entry of another kind has none."""
    leaf, body = entry
    if leaf.action != CONFIRMED:
        return
    if leaf.case != case:
        raise ProofError(f"entry {leaf.index} signed a plan of another case")
    told = {"attempt": attempt["number"], "method": attempt["method"], **_configured(attempt["config"])}
    if "compared" in attempt:
        told |= {name: digest or "" for name, digest in attempt["compared"].items()}
    for name, value in (*told.items(), *(_of_the_report(document) if last else ())):
        if body.get(name, value) != value:
            raise ProofError(f"plan {attempt['number']}: {name} is not what entry {leaf.index} says was signed")


def _hold_ends(attempt: Document, entries: Entries, case: str) -> None:
    """Version and verdict are those of which the ledger was told as run and verification ended, after the signing."""
    judged = attempt["verification"] or {"verdict": None, "document_digest": None}
    told = {
        "made": {"method": attempt["method"], "candidate": attempt["candidate"]},
        "judged": {"verdict": judged["verdict"], "document": judged["document_digest"],
                   "policy": attempt["policy_digest"]},
    }  # fmt: skip
    before = attempt["thresholds_recorded"]["index"]
    for name in filter(attempt.get("ended", {}).__contains__, ENDED):
        point = attempt["ended"][name]
        entry = entries.get(point["index"])
        if entry is None or (entry.leaf.action, entry.leaf.case, entry.leaf.at) != (ENDED[name], case, point["at"]):
            raise ProofError(f"plan {attempt['number']}: entry {point['index']} is not the end that it is called")
        said = {"attempt": attempt["number"], **told[name]}
        if point["index"] <= before or any(entry.body.get(key) != value for key, value in said.items()):
            raise ProofError(f"plan {attempt['number']}: {name} otherwise than entry {point['index']} says")
        before = point["index"]


def _of_the_report(document: Document) -> Iterator[tuple[str, Any]]:
    """What the report says once, of the attempt that counts."""
    models = document["models"]
    yield "base", models["before"]["digest"]
    yield "reference", (models["reference"] or {"digest": ""})["digest"]
    yield "records", document["matching"]["counts"]["erase"]


def _configured(text: str) -> dict[str, Any]:
    """Seed and digest of a configuration as the signing of a plan names them."""
    try:
        config = json.loads(text)
        seed = config.pop("seed")
        plain = json.dumps(config, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise ProofError("the configuration of a plan cannot be read") from error
    return {"seed": seed, "config": "sha256:" + hashlib.sha256(plain.encode()).hexdigest()}


def _hold_searches(matching: Document, searches: list[Document], entries: Entries, case: str) -> None:
    """Each search is an entry of its own, each data set was searched, and what was found is what the searches found."""
    if len({one["index"] for one in searches}) != len(searches):
        raise ProofError("a search is named twice")
    for one in searches:
        entry = entries.get(one["index"])
        said = {name: value for name, value in one.items() if name not in ("index", "at")}
        if entry is None or (entry.leaf.action, entry.leaf.case) != (SEARCHED, case):
            raise ProofError(f"entry {one['index']} is no end of a search of this case")
        if entry.leaf.at != one["at"] or dict(entry.body) != said:
            raise ProofError(f"entry {one['index']} says something else of its search than the document")
    if problem := next(_uncovered(matching, searches), ""):
        raise ProofError(problem)


def _uncovered(matching: Document, searches: list[Document]) -> Iterator[str]:
    counted = {one["dataset"]: one.get("records") for one in searches}
    for one in matching.get("data_sets", ()):
        if one["digest"] not in counted:
            yield f"the data set {one['name']} is called searched, and no entry says so"
        elif counted[one["digest"]] not in (None, one["records"]):
            yield f"the data set {one['name']} had another number of records when it was searched"
    if matching["searched"] != (there := sum(one["records"] for one in matching.get("data_sets", ()))):
        yield f"{matching['searched']} records are called searched; the data sets hold {there}"
    hits, found = sum(one["hits"] for one in searches), matching["counts"]["found"]
    if found > hits or (hits and not found):
        yield f"{found} records are called found; the searches found {hits}"
