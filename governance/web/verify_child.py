"""The process that reads a stranger's PDF: `-m governance.web.verify_child FINGERPRINT LEDGER_KEY ROOTS < FILE > JSON`.

No settings, no database, no secret; bounds on memory and processor time, since a small file may unpack to a huge one.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Any

from cryptography.x509 import load_pem_x509_certificates

from governance.evidence.standalone import prepare

MEMORY = 2 * 2**30
CPU_SECONDS = 30


def judge(data: bytes, trusted: str, ledger_key: str, roots: str) -> dict[str, Any]:
    """The result of the check as plain values. `roots`: PEM file of the time stamp authority's roots, or empty."""
    from governance.evidence.check import check

    authority = load_pem_x509_certificates(Path(roots).read_bytes()) if roots else []
    result = check(data, [trusted], ledger_key=ledger_key, timestamp_roots=authority)
    return {
        "outcome": result.outcome.value,
        "findings": [{"code": one.code, "good": one.good, "text": one.text} for one in result.findings],
        "sha256": result.sha256,
        "fingerprint": result.fingerprint,
        "level": result.level,
        "sealed_at": result.sealed_at,
        "report": (result.evidence or {}).get("report"),
    }


def main() -> int:
    """Bounds first, then the file."""
    prepare()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    json.dump(judge(sys.stdin.buffer.read(), *sys.argv[1:4]), sys.stdout)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
