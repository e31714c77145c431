"""The process that reads a stranger's PDF, bundle or sample: `-m governance.web.verify_child TRUST < FILE`.

No settings, no database, no secret; bounds on memory and processor time, since a small file may unpack to a huge one.
"""

from __future__ import annotations

import hashlib
import json
import resource
import sys
from dataclasses import asdict
from typing import Any

from governance.evidence.bundle_check import MAGIC, check_files, in_hand, unpack
from governance.evidence.check_result import CheckResult, Outcome
from governance.evidence.errors import EvidenceError
from governance.evidence.findings import Finding, _
from governance.evidence.leaf import parse_leaf
from governance.evidence.lost_key import LostKeyError
from governance.evidence.merkle import leaf_hash
from governance.evidence.sample_check import check_sample, is_sample
from governance.evidence.schema import EVIDENCE_ACTION
from governance.evidence.standalone import prepare
from governance.evidence.trust_file import Believed, believed

MEMORY = 2 * 2**30
CPU_SECONDS = 30


def judge(data: bytes, trusted: Believed) -> dict[str, Any]:
    """The result of the check as plain values."""
    from governance.evidence.check import check

    if is_sample(data):
        return asdict(check_sample(data, trusted))
    files: dict[str, bytes] = {}
    if data.startswith(MAGIC):
        try:
            files = unpack(data)
        except EvidenceError as error:
            return _refused(data, error)
    result = check(
        files.get("report.pdf", data), trusted.seals, ledger_key=trusted.ledger_keys, timestamp_roots=trusted.roots,
        ended=trusted.ended, own=trusted.own, lost={} if files else trusted.lost,
    )  # fmt: skip
    findings = [asdict(one) for one in result.findings]
    outcome = result.outcome.value
    if files and result.genuine:
        outcome = _bundled(files, result, trusted, findings)
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


def _bundled(files: dict[str, bytes], result: CheckResult, trusted: Believed, findings: list[dict[str, Any]]) -> str:
    """What is found of the files around the report, and what the bundle is by that."""
    evidence = result.evidence or {}
    try:
        size, time = check_files(files, evidence, trusted.ledger_keys, roots=trusted.roots, own=trusted.own)
        words = _("The ledger of %(size)s entries holds the digests of all files of the bundle, and it only grew.")
        found = [Finding(code="bundle", good=True, sentence=words, values={"size": str(size)})]
        findings += [asdict(one) for one in (*found, *(time.findings(size) if time else ()))]
        hand = in_hand(files, evidence, trusted, moment=result.outside, time=time)
    except LostKeyError as error:
        sentence, values = error.words
        findings.append(asdict(Finding(code="lost_key", good=False, sentence=sentence, values=values)))
        return Outcome.LEDGER_LATE.value
    except EvidenceError as error:
        findings.append(_broken(error))
        return Outcome.ALTERED.value
    if hand:
        findings.append(asdict(hand))
    return (Outcome.GENUINE if hand is None or hand.good else Outcome.LEDGER_LOST).value


def _broken(error: EvidenceError) -> dict[str, Any]:
    words = _("The files of the bundle do not belong together, or something was changed.")
    return asdict(Finding(code="bundle", good=False, sentence=words, detail=" ".join(error.problems)))


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
    return {"outcome": "not_a_bundle", "findings": [_broken(error)], "sha256": hashlib.sha256(data).hexdigest()}


def main() -> int:
    """Bounds first, then the file."""
    prepare()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    json.dump(judge(sys.stdin.buffer.read(), believed(json.loads(sys.argv[1]))), sys.stdout)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
