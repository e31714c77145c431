"""The strongest true sentence about a deletion from a lineage, as data and in English.

Exactness follows from the construction: no stage that is served trained on the records, and each began with a
checkpoint that never saw them. The claim shrinks to what is true:

- something outside the shards saw the records, or may have (a frozen base, a tokenizer's text, a scaler): it holds
  for the rest only, also where an operator declares that it did not;
- the stages were not all made by the same code, libraries, processor and threads, or this machine was not found to
  repeat itself: then it holds for what was trained on, not bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from unlearning_engine.contracts import digest
from unlearning_engine.sisa.fingerprint import entries_that_differ
from unlearning_engine.sisa.lineage import Meta, ShardManifest
from unlearning_engine.sisa.workload import DECLARED

#: Codes of a claim by what it covers: all that learned; the adapters, the weights, or what is not named besides.
#: Whether it holds bit for bit is a fact of its own.
EVERYTHING, ADAPTERS, WEIGHTS, REST = "exact", "exact_for_adapters", "exact_for_weights", "exact_but_components"
NO_DELETION = "no_deletion"


def claim(meta: Meta, manifests: Mapping[int, ShardManifest]) -> dict[str, Any]:
    """The claim that a lineage carries after its deletions, as JSON: `code`, `sentence`, `facts`.

    Facts: `lineage` (its digest), `records` (deleted in all), `bit_identical` and the `reasons` why not, `components`
    that saw the records or may have.
    """
    records = sum(int(entry["records"]) for entry in meta.history)
    facts: dict[str, Any] = {"lineage": meta.digest, "records": records}
    if not meta.history:
        count = _count(sum(map(sum, meta.counts)))
        sentence = f"Lineage {meta.digest} was trained on {count}; none was deleted from it."
        return {"code": NO_DELETION, "sentence": sentence, "facts": facts}
    seen = [c for c in meta.components if c["saw_records"] is not False or _declared(c)]
    reasons = bit_reasons(meta, manifests)
    code = _scope(meta.kind, [str(c["name"]) for c in seen])
    facts |= {
        "bit_identical": not reasons,
        "reasons": reasons,
        "components": [{name: c[name] for name in ("name", "saw_records", "note")} for c in seen],
    }
    return {"code": code, "sentence": _sentence(code, meta, seen, reasons), "facts": facts}


def _declared(component: Mapping[str, Any]) -> bool:
    """Whether it rests on somebody's word that it saw no record."""
    return component["saw_records"] is False and str(component["note"]).startswith(DECLARED)


def _scope(kind: str, seen: Sequence[str]) -> str:
    if not seen:
        return EVERYTHING
    if kind == "adapters" and "base" in seen:
        return ADAPTERS
    return WEIGHTS if list(seen) == ["tokenizer"] else REST


def bit_reasons(meta: Meta, manifests: Mapping[int, ShardManifest]) -> list[str]:
    """Why bit identity is not claimed; none where it is."""
    stages = [s for manifest in manifests.values() for s in manifest.slices if s.checkpoint]
    other = entries_that_differ([s.fingerprint for s in stages])
    reasons = [f"its stages were made with different {', '.join(other)}"] if other else []
    checks = [entry.get("determinism", {}) for entry in meta.history]
    checked = [c for c in checks if c.get("checked")]
    if any(not c["identical"] for c in checked):
        reasons.append("the same steps, taken twice, gave different bits on this machine")
    retrained = any(int(entry["passes"]) for entry in meta.history)
    here = {digest(s.fingerprint) for s in stages}
    if retrained and not (checked and {c["fingerprint"] for c in checked} == here):
        reasons.append("the machine that it was trained on was not checked to repeat itself")
    return reasons


# ---------------------------------------------------------------- words


def _sentence(code: str, meta: Meta, seen: Sequence[Mapping[str, Any]], reasons: Sequence[str]) -> str:
    records = _count(sum(int(e["records"]) for e in meta.history))
    scope = {EVERYTHING: "", ADAPTERS: " for the adapters only", WEIGHTS: " for the weights"}.get(
        code, " for all but what is named below"
    )
    bits = ", bit for bit" if not reasons else ""
    what = "the adapters" if code == ADAPTERS else "the weights"
    text = f"Exact{scope}{bits}, by lineage {meta.digest}: "
    if reasons:
        text += f"nothing in {what} was trained on the {records} that were deleted; not bit-identical, because "
        text += " and ".join(reasons)
    else:
        text += f"{what} are those that the same training without the {records} gives, with the same code, libraries, "
        text += "processor and threads"
    return text + "." + "".join(f" {_component(c)}" for c in seen)


def _component(component: Mapping[str, Any]) -> str:
    subject = {"base": "The frozen base", "tokenizer": "The tokenizer's text"}.get(
        str(component["name"]), f"The {component['name']}"
    )
    verb = {
        True: "contains or saw records",
        None: "may contain or have seen the records",
        False: "is said not to have seen them, which nothing shows",
    }[component["saw_records"]]
    note = f" ({component['note']})" if component["note"] else ""
    return f"{subject} {verb}{note}."


def _count(records: int) -> str:
    return "1 record" if records == 1 else f"{records} records"
