"""A whole, coherent evidence document about a fictitious case, and its ledger; tests change it."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from governance.evidence import schema
from governance.evidence.checkpoint import make_checkpoint, verifier_key
from governance.evidence.leaf import Leaf, case_commitment, commit_body, record_commitment
from governance.evidence.merkle import Tree, leaf_hash

ORIGIN = "ledger.demo.example"
LEDGER_KEY = Ed25519PrivateKey.from_private_bytes(b"l" * 32)
VERIFIER = verifier_key(ORIGIN, LEDGER_KEY.public_key())
COMMITMENT_KEY = b"c" * 32


def sha(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


POLICY_TEXT = json.dumps({"name": "lethe-default", "version": 1, "confidence": 0.95, "margins": {"exact_value": 0.1}})
POLICY_DIGEST = sha(POLICY_TEXT)
MADE = {"fresh_weights": True, "records_left_out": 4, "tokenizer_independent": True}


def estimate(value: float, half: float, n: int) -> dict[str, Any]:
    return {"value": value, "low": max(0.0, value - half), "high": value + half, "n": n}


def probe(name: str, family: str, value: float, reference: float, margin: float | None, outcome: str) -> dict[str, Any]:
    difference = None if margin is None else {
        "value": round(value - reference, 6), "low": round(value - reference - 0.03, 6),
        "high": round(value - reference + 0.03, 6), "n": 150,
    }  # fmt: skip
    return {
        "name": name, "family": family, "candidate": estimate(value, 0.03, 150),
        "reference": estimate(reference, 0.03, 150), "original": estimate(0.97, 0.02, 150), "difference": difference,
        "margin": margin, "limit": None if margin is None else round(reference + margin, 6), "bounds": "upper",
        "outcome": outcome, "p_value": 0.41, "items_needed": None,
    }  # fmt: skip


def verification(verdict: str, values: tuple[float, ...], comparison: str = "retrained") -> dict[str, Any]:
    outcome = "pass" if verdict == "pass" else "fail"
    names = (("exact_value", "memorisation"), ("answer_probability", "memorisation"),
             ("paraphrase_value", "memorisation"), ("multiple_choice", "knowledge"), ("membership_loss", "membership"),
             ("relearning_value", "robustness"), ("relearning_choice", "robustness"))  # fmt: skip
    references = (0.01, 0.02, 0.01, 0.17, 0.51, 0.21, 0.24)
    probes = [
        probe(name, family, value, reference, 0.1, outcome if value > reference + 0.1 else "pass")
        for (name, family), value, reference in zip(names, values, references, strict=True)
    ]
    probes.append(probe("forget_quality", "distribution", 0.48, 0.47, None, "reported"))
    utility = probe("utility_retain", "utility", 0.98, 1.0, None, "pass") | {
        "reference": None, "original": None, "limit": 0.9, "bounds": "lower"
    }  # fmt: skip
    findings = [{"code": "beyond_margin", "outcome": "fail", "data": {"probe": p["name"]}} for p in probes
                if p["outcome"] == "fail"]  # fmt: skip
    return {
        "verdict": verdict, "comparison": comparison, "probes": [*probes, utility], "findings": findings,
        "attacks": [{"name": "relearning", "description": "3 epochs on 30 of 150 items, learning rate 0.001"}],
        "attacks_not_named": ["sampling"],
        **({"reference_lineage": "proven"} if comparison == "retrained" else {}),
        "document_digest": sha(f"verification {values}"),
    }  # fmt: skip


def error_rates() -> dict[str, Any]:
    counts = {"inconclusive": 0, "fail": 0, "damaged": 0, "bad_input": 0}
    return {
        "policy_digest": sha("another policy"), "code_digest": sha("code"), "confidence": 0.95, "corpora": 14,
        "families": [
            {"name": "retrained", "kind": "honest", "trials": 120, "pass": [0.822, 0.941], "fail_at_most": 0.03,
             "outcomes": {**counts, "pass": 107, "inconclusive": 13}},
            {"name": "steering (RMU)", "kind": "cheat", "trials": 40, "pass": [0.0, 0.072], "fail_at_most": None,
             "outcomes": {**counts, "pass": 0, "fail": 40}},
        ],
    }  # fmt: skip


def attempt(number: int, method: str, guarantee: str, checked: dict[str, Any], candidate: str) -> dict[str, Any]:
    config = json.dumps({"seed": number, "learning_rate": 1e-05})
    exact = guarantee == "exact"
    return {
        "number": number, "method": method, "guarantee": guarantee,
        "title": "Retraining without the forget set" if exact else "Gradient ascent with a retain term",
        "paper": "Bourtoule et al. 2021, Machine Unlearning (arXiv:1912.03817)" if exact else "Maini et al. 2024, TOFU",
        "config": config, "config_digest": sha(config), "policy_digest": POLICY_DIGEST,
        "thresholds_recorded": {"index": 3, "at": "2026-11-18T09:00:00.000Z"},
        "started_at": f"2026-11-{18 + number}T10:00:00.000Z", "finished_at": f"2026-11-{18 + number}T10:04:10.000Z",
        "candidate": sha(candidate),
        "construction": dict(MADE) if exact else None,
        "verification": checked, "note": "",
    }  # fmt: skip


def bare() -> dict[str, Any]:
    """Fulfilled by retraining after an approximate plan failed; without ledger."""
    records = [
        {"commitment": record_commitment(COMMITMENT_KEY, f"r-{i}"), "method": "exact" if i < 3 else "near_duplicate",
         "score": 1.0 if i < 3 else 0.83, "decision": "erase", "ground": "reservation"}
        for i in range(4)
    ]  # fmt: skip
    hiding = verification("fail", (0.01, 0.02, 0.02, 0.44, 0.55, 0.84, 0.9))
    clean = verification("pass", (0.01, 0.02, 0.01, 0.18, 0.51, 0.22, 0.25))
    return {
        "schema": schema.SCHEMA,
        "report": {"number": "LR-2026-0381", "issued_at": "2026-11-23T09:00:00.000Z", "language": "en",
                   "audience": "claimant", "issuer": "Meridian Loom AG", "verify_at": "https://lethe.example/verify"},
        "case": {"number": "LT-7Q2MD-4KX", "kind": "copyright", "received_on": "2026-11-02", "disposition": "fulfilled",
                 "reason": "", "laws": [{"citation": "Directive (EU) 2019/790, Art. 4(3)",
                                         "title": "Reservation against mining; under the company's policy",
                                         "version": "2026-11"}],
                 "asked": "That the works no longer serve to train or run the models of the issuer.",
                 "proof": [{"level": "P3", "shown": "Control of the claimant's domain, or a signed challenge"}],
                 "items_count": 2, "items": [{"title": "The Salt Orchard"}, {"title": "Nine Winters \u2014 a cycle"}]},
        "matching": {"searched": 1824, "records": records,
                     "counts": {"found": 4, "erase": 4, "exclude": 0, "refuse": 0, "undecided": 0}},
        "policy": {"digest": POLICY_DIGEST, "text": POLICY_TEXT,
                   "recorded": {"index": 3, "at": "2026-11-18T09:00:00.000Z"}},
        "attempts": [attempt(1, "graddiff", "approximate", hiding, "candidate one"),
                     attempt(2, "retrain", "exact", clean, "candidate two")],
        "models": {"name": "Lumen 1B", "before": {"revision": 31, "digest": sha("before")},
                   "after": {"revision": 32, "digest": sha("candidate two")},
                   "reference": {"digest": sha("reference"), "made": "Retrained by the laboratory with its own seed"}},
        "deployments": [{"place": "api.meridian.example", "revision": 31, "state": "replaced",
                         "since": "2026-11-22T06:00:00.000Z"}],
        "disposals": [{"what": "weights", "digest": sha("before"), "due_on": "2026-12-22", "deleted_at": None},
                      {"what": "checkpoints", "digest": sha("ck"), "due_on": "2026-11-23",
                       "deleted_at": "2026-11-23T01:00:00.000Z"}],
        "recipients": [{"name": "Harbour Research", "received_on": "2026-05-04", "told_at": "2026-11-22T08:00:00.000Z"},
                       {"name": "Port Archive", "received_on": "2026-06-11", "told_at": None}],
        "signatures": [{"name": "Hanneke Okafor-Lind", "role": "Legal officer", "act": "Proposed the decision",
                        "at": "2026-11-17T08:51:00.000Z"},
                       {"name": "Jonas Brandt", "role": "Approver", "act": "Approved the decision",
                        "at": "2026-11-17T08:58:00.000Z"},
                       {"name": "Ines Aalto", "role": "Release manager", "act": "Released revision 32",
                        "at": "2026-11-22T05:40:00.000Z"}],
        "ledger": None,
        "software": {"lethe": "0.1.0", "weasyprint": "70.0", "torch": "2.13.0"},
        "fonts": {"Source Serif 4": "5.3.1", "IBM Plex Sans": "5.3.0", "IBM Plex Mono": "5.3.0"},
    }  # fmt: skip


def approximate() -> dict[str, Any]:
    """Partly fulfilled by an approximate method that passed; one old deployment cannot be reached."""
    document = bare()
    passed = verification("pass", (0.01, 0.02, 0.01, 0.18, 0.51, 0.22, 0.25), comparison="controls")
    document["attempts"] = [attempt(1, "graddiff", "approximate", passed, "candidate one")]
    document["models"]["after"]["digest"] = sha("candidate one")
    document["models"]["reference"] = None
    document["case"]["disposition"] = "partly_fulfilled"
    document["deployments"].append({"place": "edge box 7", "revision": 31, "state": "unreachable",
                                    "since": "2026-11-22T06:00:00.000Z"})  # fmt: skip
    return document


def refused() -> dict[str, Any]:
    """A refusal: nothing was matched, tried or changed."""
    document = bare()
    document["case"] |= {"disposition": "refused", "reason": "The works are in the public domain.", "proof": []}
    document["matching"] = {"searched": 0, "records": [],
                            "counts": {"found": 0, "erase": 0, "exclude": 0, "refuse": 0, "undecided": 0}}  # fmt: skip
    document |= {"policy": None, "attempts": [], "models": None, "deployments": [], "disposals": [], "recipients": []}
    return document


Kept = tuple[Leaf, bytes, dict[str, Any]]
Told = tuple[str, dict[str, Any]]


def ledger_of(document: dict[str, Any], other: Mapping[int, Told] = {}) -> tuple[Tree, list[Kept]]:
    """A ledger of 8 entries that recorded the thresholds and the document; `other` entries stand in their places."""
    tree, kept = Tree(), []
    for index in range(8):
        action, body = "case.advanced", {"to": f"state {index}"}
        if index == 3:
            action, body = "policy.recorded", {"policy": POLICY_DIGEST}
        elif index == 6:
            action, body = schema.EVIDENCE_ACTION, {"evidence": schema.core_digest(document)}
        action, body = other.get(index, (action, body))
        salt = hashlib.sha256(b"salt %d" % index).digest()
        leaf = Leaf(index=index, at="2026-11-18T09:00:00.000Z", action=action,
                    case=case_commitment(COMMITMENT_KEY, "case"), actor="system:test",
                    body=commit_body(body, salt))  # fmt: skip
        tree.append(leaf_hash(leaf.to_bytes()))
        kept.append((leaf, salt, body))
    return tree, kept


def with_ledger(document: dict[str, Any], other: Mapping[int, Told] = {}) -> dict[str, Any]:
    """The same document with the proofs of its ledger, and of the `other` entries in it."""
    document = copy.deepcopy(document)
    tree, kept = ledger_of(document, other)
    document["ledger"] = {
        "verifier_key": VERIFIER,
        "checkpoint": make_checkpoint(origin=ORIGIN, size=len(tree), root=tree.root(), key=LEDGER_KEY),
        "entries": [opened(kept[i], tree) for i in sorted({3, 6, *other})],
    }
    return document


def opened(kept: Kept, tree: Tree) -> dict[str, Any]:
    """An entry with its opening and its proof in that tree."""
    leaf, salt, body = kept
    return {"leaf": leaf.to_json(), "salt": salt.hex(), "body": body,
            "proof": [h.hex() for h in tree.inclusion_proof(leaf.index)]}  # fmt: skip


def example() -> dict[str, Any]:
    return with_ledger(bare())
