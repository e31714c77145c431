"""The bill of materials of a model version or a patch: CycloneDX 1.6, with what it was made from as its ancestors."""

from __future__ import annotations

import uuid
from typing import Any, Final

from governance.evidence.leaf import canonical
from governance.evidence.model_card import LIMITS
from governance.evidence.statements import Test, Thing, plain

SPEC: Final = "1.6"
_NAMESPACE: Final = uuid.UUID("5b8f7a52-8a4a-5c07-9d1e-3a5b8f1f7f10")


def bom(thing: Thing) -> bytes:
    """Canonical bytes; the serial number follows from the subject and the moment."""
    component: dict[str, Any] = {
        "type": "machine-learning-model" if thing.kind == "model" else "data",
        "bom-ref": "subject",
        "name": thing.name,
        "publisher": thing.issuer,
        "hashes": [{"alg": "SHA-256", "content": thing.root}],
        "properties": _properties(thing),
    }
    if thing.base:
        component["pedigree"] = {
            "ancestors": [_ancestor(thing)],
            "notes": "" if thing.derived else "Trained from fresh weights; the ancestor was replaced, not changed.",
        }
    if thing.kind == "model":
        component["modelCard"] = _card(thing)
    components = [
        {
            "type": "data",
            "bom-ref": f"dataset-{number}",
            "name": f"training data {number + 1}",
            "hashes": [{"alg": "SHA-256", "content": plain(one["digest"])}],
        }
        for number, one in enumerate(thing.datasets)
    ]
    return canonical(
        {
            "bomFormat": "CycloneDX",
            "specVersion": SPEC,
            "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, thing.root + thing.made_at)}",
            "version": 1,
            "metadata": {
                "timestamp": thing.made_at,
                "component": component,
                "manufacturer": {"name": thing.issuer},
            },
            "components": components,
        }
    )


def _properties(thing: Thing) -> list[dict[str, str]]:
    found = {"lethe:method": thing.origin.method, "lethe:weights": thing.weights}
    for number, test in enumerate(thing.tests, 1):
        found[f"lethe:verdict:{number}"] = test.verdict.value
        found[f"lethe:guarantee:{number}"] = test.guarantee
    if not thing.tests:
        found["lethe:verdict"] = "not tested"
    return [{"name": name, "value": value} for name, value in found.items() if value]


def _ancestor(thing: Thing) -> dict[str, Any]:
    base = dict(thing.base or {})
    found: dict[str, Any] = {"type": "machine-learning-model", "bom-ref": "base", "name": base["name"]}
    if base.get("root"):
        found["hashes"] = [{"alg": "SHA-256", "content": base["root"]}]
    known = {"lethe:artifact": base.get("artifact", ""), "lethe:weights": base.get("weights", "")}
    found["properties"] = [{"name": name, "value": value} for name, value in known.items() if value]
    return found


def _card(thing: Thing) -> dict[str, Any]:
    metrics = [metric for test in thing.tests for metric in _metrics(test)]
    card: dict[str, Any] = {
        "modelParameters": {
            "task": "text-generation",
            "datasets": [{"ref": f"dataset-{number}"} for number in range(len(thing.datasets))],
        },
        "considerations": {"technicalLimitations": list(LIMITS)},
    }
    if metrics:
        card["quantitativeAnalysis"] = {"performanceMetrics": metrics}
    return card


def _metrics(test: Test) -> list[dict[str, Any]]:
    return [
        {
            "type": str(probe["name"]),
            "value": repr(probe["candidate"]["value"]),
            "slice": str(probe["family"]),
            "confidenceInterval": {
                "lowerBound": repr(probe["candidate"]["low"]),
                "upperBound": repr(probe["candidate"]["high"]),
            },
        }
        for probe in test.probes
        if probe.get("candidate")
    ]
