"""What is stated about a model version or an unlearning patch, as in-toto predicates that others' tools know.

Pure: facts in, documents out. No predicate names a person, a case or a record; the forget set is a keyed commitment,
which nobody can guess back from and which means nothing once its key is destroyed.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from governance.evidence.vocabulary import Verdict

MODEL_SIGNATURE: Final = "https://model_signing/signature/v1.0"
PROVENANCE: Final = "https://slsa.dev/provenance/v1"
TEST_RESULT: Final = "https://in-toto.io/attestation/test-result/v0.1"
SIMPLE_VERIFICATION: Final = "https://in-toto.io/attestation/svr/v0.1"
REFERENCE: Final = "https://in-toto.io/attestation/reference/v0.1"
#: How a version comes about; docs/signed-models.md describes its parameters.
BUILD_TYPES: Final = {
    "unlearning": "urn:lethe:build:unlearning:1",
    "registration": "urn:lethe:build:registration:1",
    "rollback": "urn:lethe:build:rollback:1",
    "patch": "urn:lethe:build:patch:1",
}
#: What a verdict is in a Test Result; the verdict itself stands beside it in the Simple Verification Result.
_RESULTS: Final = {Verdict.PASS: "PASSED", Verdict.INCONCLUSIVE: "WARNED"}
FORGET_DOMAIN: Final = b"lethe/forget-set/1"


@dataclass(frozen=True, kw_only=True)
class Test:
    """One verification: verdict, guarantee of the method, policy as recorded before the run, probes as measured.

    `proven` tells whether the lineage of a reference is; `left_out` names attacks of the policy that were not possible.
    """

    verdict: Verdict
    guarantee: str
    policy_digest: str
    recorded_index: int
    recorded_at: str
    finished_at: str
    comparison: str
    probes: tuple[Mapping[str, Any], ...]
    findings: tuple[Mapping[str, Any], ...] = ()
    proven: bool = False
    left_out: tuple[str, ...] = ()
    confidence: float = 0.95

    @property
    def compared(self) -> str:
        """What the probes were compared with, as a property of a statement: a reference of no record says so."""
        unproven = self.comparison == "retrained" and not self.proven
        return "REFERENCE_OF_UNPROVEN_LINEAGE" if unproven else self.comparison.upper()


@dataclass(frozen=True, kw_only=True)
class Origin:
    """How the subject was made. `kind` is a key of BUILD_TYPES; digests are `sha256:<hex>`."""

    kind: str
    method: str
    parameters: Mapping[str, Any]
    materials: tuple[dict[str, Any], ...]
    code: Mapping[str, str]
    invocation: str
    started_at: str
    finished_at: str


@dataclass(frozen=True, kw_only=True)
class Thing:
    """A model version or a patch: its name, its files (path to `sha256:<hex>`), how it was made, what tests said.

    `weights` is the engine's digest of the weights that the statements are about (of a patch: of its result); empty
    where it is not known. `derived` tells whether the base's weights live on in it.
    """

    name: str
    kind: str
    model: str
    issuer: str
    issuer_url: str
    files: Mapping[str, str]
    origin: Origin
    made_at: str
    base: Mapping[str, str] | None = None
    derived: bool = True
    weights: str = ""
    tests: tuple[Test, ...] = ()
    datasets: tuple[Mapping[str, str], ...] = field(default=())

    @property
    def root(self) -> str:
        """Hex digest over the files, as model-signing computes it: SHA-256 over their digests in order of name."""
        return root(self.files)

    @property
    def subjects(self) -> list[dict[str, Any]]:
        """The files, and beside them the weights that the statements are about."""
        found: list[dict[str, Any]] = [{"name": self.name, "digest": {"sha256": self.root}}]
        if self.weights:
            found.append({"name": "weights", "digest": {"letheWeights": plain(self.weights)}})
        return found


def plain(digest: str) -> str:
    """The hexadecimal part of `sha256:<hex>`."""
    return digest.removeprefix("sha256:")


def root(files: Mapping[str, str]) -> str:
    """See `Thing.root`."""
    state = hashlib.sha256()
    for name in sorted(files):
        state.update(bytes.fromhex(plain(files[name])))
    return state.hexdigest()


def forget_commitment(key: bytes, record_ids: Iterable[str]) -> str:
    """Hex HMAC-SHA256 of a forget set under its subject's key: over the sorted ids, each with its length before it."""
    state = hmac.new(key, FORGET_DOMAIN, hashlib.sha256)
    for name in sorted(set(record_ids)):
        data = name.encode()
        state.update(len(data).to_bytes(8, "big") + data)
    return state.hexdigest()


def model_signature(thing: Thing) -> dict[str, Any]:
    """Predicate of OpenSSF model-signing: every file of the folder, and no other."""
    return {
        "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False},
        "resources": [
            {"name": name, "algorithm": "sha256", "digest": plain(thing.files[name])} for name in sorted(thing.files)
        ],
    }


def provenance(thing: Thing) -> dict[str, Any]:
    """Predicate of SLSA Provenance v1."""
    made = thing.origin
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPES[made.kind],
            "externalParameters": {"method": made.method, **made.parameters},
            "internalParameters": {},
            "resolvedDependencies": [*made.materials, *_code(made.code)],
        },
        "runDetails": {
            "builder": {"id": thing.issuer_url, "version": dict(made.code)},
            "metadata": {
                "invocationId": made.invocation,
                "startedOn": made.started_at,
                "finishedOn": made.finished_at,
            },
        },
    }


def _code(versions: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {"name": name, "uri": f"pkg:generic/{name.lower()}@{version}"} for name, version in sorted(versions.items())
    ]


def test_result(test: Test) -> dict[str, Any]:
    """Predicate of a Test Result: the verdict of the whole, and each probe's own outcome."""
    outcomes: dict[str, list[str]] = {"pass": [], "fail": [], "inconclusive": []}
    for probe in test.probes:
        outcomes[probe["outcome"] if probe["outcome"] in outcomes else "inconclusive"].append(str(probe["name"]))
    for finding in test.findings:
        outcomes["fail" if finding["outcome"] in ("fail", "damaged", "bad_input") else "inconclusive"].append(
            f"finding:{finding['code']}"
        )
    return {
        "result": _RESULTS.get(test.verdict, "FAILED"),
        "configuration": [
            {
                "name": "verification policy, recorded before the run",
                "digest": {"sha256": plain(test.policy_digest)},
                "annotations": {"ledgerIndex": test.recorded_index, "recordedAt": test.recorded_at},
            }
        ],
        "passedTests": sorted(outcomes["pass"]),
        "warnedTests": sorted(outcomes["inconclusive"]),
        "failedTests": sorted(outcomes["fail"]),
    }


def simple_verification(thing: Thing, test: Test) -> dict[str, Any]:
    """Predicate of a Simple Verification Result. A verdict that is no pass is a property too, and said as such."""
    return {
        "verifier": {"id": thing.issuer_url},
        "timeCreated": test.finished_at,
        "properties": [
            f"UNLEARNING_VERDICT_{test.verdict.value.upper()}",
            f"UNLEARNING_GUARANTEE_{test.guarantee.upper()}",
            f"UNLEARNING_COMPARED_WITH_{test.compared}",
            *(f"UNLEARNING_ATTACK_LEFT_OUT_{name.upper()}" for name in test.left_out),
            "UNLEARNING_THRESHOLDS_RECORDED_BEFORE",
        ],
    }


def reference(thing: Thing, files: Mapping[str, bytes]) -> dict[str, Any]:
    """Predicate of a Reference: the whole set of documents by digest, so that none is swapped, added or left out."""
    return {
        "attester": {"id": thing.issuer_url},
        "references": [
            {"downloadLocation": name, "digest": {"sha256": hashlib.sha256(data).hexdigest()}}
            for name, data in sorted(files.items())
        ],
    }
