"""The process that reads a stranger's PDF or bundle: `-m governance.web.verify_child SEALS LEDGER_KEY ROOTS < FILE`.

No settings, no database, no secret; bounds on memory and processor time, since a small file may unpack to a huge one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import resource
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.x509 import load_der_x509_certificate, load_pem_x509_certificates

from governance.evidence.bundle_check import MAGIC, check_files, unpack
from governance.evidence.errors import EvidenceError
from governance.evidence.leaf import parse_leaf
from governance.evidence.merkle import leaf_hash
from governance.evidence.schema import EVIDENCE_ACTION
from governance.evidence.standalone import prepare

MEMORY = 2 * 2**30
CPU_SECONDS = 30


def judge(data: bytes, trusted: str, ledger_key: str, roots: str) -> dict[str, Any]:
    """The result of the check as plain values.

    Args:
        trusted: JSON: `seals` by fingerprint, those that `ended` (seal, at, reason), and `time_authorities`, of which
            some may be our own.
        roots: PEM file of the time stamp authority's roots, or empty.
    """
    from governance.evidence.check import check

    authority = load_pem_x509_certificates(Path(roots).read_bytes()) if roots else []
    files: dict[str, bytes] = {}
    if data.startswith(MAGIC):
        try:
            files = unpack(data)
        except EvidenceError as error:
            return _refused(data, error)
    told = json.loads(trusted)
    ended = {one["seal"]: (datetime.fromisoformat(one["at"]), one["reason"]) for one in told["ended"]}
    own = [load_der_x509_certificate(base64.b64decode(one["certificate"]))
           for one in told["time_authorities"] if one["own"]]  # fmt: skip
    result = check(
        files.get("report.pdf", data), told["seals"], ledger_key=ledger_key, timestamp_roots=authority, ended=ended,
        own=own,
    )  # fmt: skip
    findings = [{"code": one.code, "good": one.good, "text": one.text} for one in result.findings]
    outcome = result.outcome.value
    if files and result.genuine:
        try:
            size = check_files(files, result.evidence or {}, ledger_key, roots=authority)
            text = f"The ledger of {size} entries holds the digests of all files of the bundle, and it only grew."
            findings.append({"code": "bundle", "good": True, "text": text})
        except EvidenceError as error:
            findings.append({"code": "bundle", "good": False, "text": " ".join(error.problems)})
            outcome = "altered"
    return {
        "outcome": outcome,
        "findings": findings,
        "sha256": result.sha256,
        "fingerprint": result.fingerprint,
        "level": result.level,
        "sealed_at": result.sealed_at,
        "report": (result.evidence or {}).get("report"),
        "proof": _proof(result.evidence) if outcome == "genuine" else None,
    }


def _proof(evidence: dict[str, Any] | None) -> dict[str, Any] | None:
    """The proof that the evidence is in the ledger, found to hold by then, as numbers to draw."""
    told: dict[str, Any] = (evidence or {}).get("ledger") or {}
    found = [one for one in told.get("entries", ()) if one["leaf"]["action"] == EVIDENCE_ACTION]
    if not found:
        return None
    leaf, size = parse_leaf(found[-1]["leaf"]), int(told["checkpoint"].split("\n")[1])
    hashed = leaf_hash(leaf.to_bytes()).hex()
    return {"leaf": hashed, "index": leaf.index, "size": size, "proof": found[-1]["proof"]}


def _refused(data: bytes, error: EvidenceError) -> dict[str, Any]:
    """A ZIP that is no bundle of ours."""
    finding = {"code": "bundle", "good": False, "text": " ".join(error.problems)}
    return {"outcome": "not_a_bundle", "findings": [finding], "sha256": hashlib.sha256(data).hexdigest()}


def main() -> int:
    """Bounds first, then the file."""
    prepare()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    json.dump(judge(sys.stdin.buffer.read(), *sys.argv[1:4]), sys.stdout)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
