"""From the engine's `verification.json` to the member `verification` of an evidence document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from governance.evidence.errors import DocumentError

_PROBE = ("name", "family", "candidate", "reference", "original", "difference", "margin", "limit", "bounds", "outcome",
          "p_value", "items_needed")  # fmt: skip
#: Members that an engine before them did not write, and that say nothing where they are empty.
_OPTIONAL = ("reference_lineage", "attacks_not_named", "attacks_not_applicable")
_ESTIMATE = ("value", "low", "high", "n")
#: Of an attack that rewords: facts to be forgotten, and those of them that the candidate was asked plainly.
_PLAIN = ("forget_facts", "plain_facts")


def verification(found: Mapping[str, Any], *, document_digest: str) -> dict[str, Any]:
    """`found` is the parsed `verification.json`; `document_digest` is `sha256:<hex>` of that file.

    Raises:
        DocumentError: a member is missing.
    """
    try:
        return {
            "verdict": found["verdict"],
            "comparison": found["reference_kind"],
            "probes": [_probe(one) for one in found["probes"]],
            "findings": [{name: one[name] for name in ("code", "outcome", "data")} for one in found["findings"]],
            "attacks": _attacks(found["attacks"]),
            **{name: found[name] for name in _OPTIONAL if found.get(name)},
            "document_digest": document_digest,
        }
    except (KeyError, TypeError) as error:
        raise DocumentError(f"verification.json: {error} is missing or of the wrong type") from error


def _probe(one: Mapping[str, Any]) -> dict[str, Any]:
    probe = {name: one[name] for name in _PROBE}
    for name in ("candidate", "reference", "original", "difference"):
        probe[name] = {part: one[name][part] for part in _ESTIMATE} if one[name] else None
    return probe


def _attacks(attacks: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One sentence per attack, for relearning one per round and model, with the counts that the engine gave."""
    found: list[dict[str, Any]] = []
    for name in dict.fromkeys(str(one["attack"]) for one in attacks):
        runs = [one for one in attacks if one["attack"] == name]
        if name == "relearning":
            found += ({"name": name, "description": _relearning(one)} for one in runs)
        else:
            asked = ", ".join(f"{one['model']} ({one['asked_facts']} facts)" for one in runs)
            told = f"{_WORDS[name].format(**runs[0])}, then asked: {asked}."
            plain = next((one for one in runs if one["model"] == "candidate" and "plain_facts" in one), {})
            found.append({"name": name, "description": told, **{part: plain[part] for part in _PLAIN if part in plain}})
    return found


def _relearning(one: Mapping[str, Any]) -> str:
    where = "never-seen controls" if one["set"] == "controls" else "works of this case"
    return (
        f"Relearning, {one['model']}: trained again on {one['taught_facts']} facts of {one['taught_works']} {where} in "
        f"{one['steps']} steps, then asked about {one['asked_facts']} facts of {one['asked_works']} others."
    )


#: What was done before the questions were asked; the names in braces are the engine's own numbers.
_WORDS = {
    "quantisation_int8": "Weights rounded to {bits} bits in groups of {group}",
    "quantisation_4bit": "Weights rounded to {bits} bits in groups of {group}",
    "pruning": "The smallest weights set to zero, a share of {share} of all",
    "prompts": "Questions put behind as many of {prefixes} prefixes and {roles} roles as fit, any answer counting",
    "few_shot": "Up to {examples} retained questions with answers put in front",
    "sampling": "{tries} answers sampled to each question at temperature {temperature}, any of them counting",
    "finetuning": "Trained on retained questions for {epochs} passes",
    "steering": "The removed direction added back to the hidden states, chosen on the other half of the works",
}
