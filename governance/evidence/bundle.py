"""The public bundle of a report: everything that a stranger needs to check it offline, and nothing that names anybody.

Its bytes follow from its files alone (not compressed, no dates), and its one ledger entry holds the digest of each of
them, so that no other bundle of the same report exists. `lethe_verify` reads it; it shares no code with this package.
"""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any, Final

from governance.evidence.leaf import canonical

FORMAT: Final = "lethe-bundle/2"
#: With an outside time over the checkpoint. A verifier of before this form refuses it, so it is taken for those alone.
TIMED_FORMAT: Final = "lethe-bundle/3"
#: Without witnesses; those that were made so stay good.
FIRST_FORMAT: Final = "lethe-bundle/1"
CONSISTENCY: Final = "lethe-consistency/1"
TRUST: Final = "lethe-trust/2"
SEALED_ACTION: Final = "report.sealed"
#: Of every entry, so that the same files give the same bytes.
EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_UNIX: Final = 3

_README: Final = """Compliance report {number}, issued by {issuer}

What lies here
  report.pdf      the sealed report
  evidence.json   the evidence that the report is made from (the same bytes are inside of the PDF)
  ledger.json     the entry of the ledger that holds the digests of these files, the proof that it is in the ledger,
                  the ledger's signed checkpoint, and the proof that the ledger only grew since the evidence was entered

Records are named by commitments only: digests under a secret key. Nobody can guess back from them. Neither the name nor
the address of the person who asked is in any of the files.

How to check it, without us
  1. Take the verifier, lethe-verify.pyz. It needs Python 3.11 and nothing else. {trust_at}
     links to it. If you do not trust us, do not take it from us: build it from the source of the software Lethe
     (python3 scripts/verifier.py). The same source gives the same bytes: compare the SHA-256 that it prints.
  2. Take our trust file, lethe-trust.json, from our own site: {trust_at}
     links to it. Do not take it from whoever gave you this bundle: who forges a bundle brings their own.
  3. python3 lethe-verify.pyz THIS_FILE.zip --trust lethe-trust.json

  It ends with code 0 only where everything holds and the seal is one that the trust file names.

What a check can and cannot show
  It shows that we stated this, that nothing was changed since, and that it stands in our ledger.
  It does not show that our measurements are right. The time is our own clock unless the report says otherwise.
  Keep the checkpoint in ledger.json: with it you can show later whether we rewrote the ledger.
"""


def readme(document: Mapping[str, Any]) -> bytes:
    """The words of the bundle, for people."""
    report = document["report"]
    trust_at = report["verify_at"]
    return _README.format(number=report["number"], issuer=report["issuer"], trust_at=trust_at).encode()


def ledger_file(
    *,
    verifier_key: str,
    checkpoint: str,
    entry: Mapping[str, Any],
    consistency: list[bytes],
    witnesses: Sequence[str] = (),
    time: bytes = b"",
) -> bytes:
    """`ledger.json`: the entry `report.sealed`, and the proof from the evidence's checkpoint to this one.

    Args:
        witnesses: the verifier keys of those whose lines stand under the checkpoint, in their order.
        time: an RFC 3161 token over the checkpoint as the ledger alone signed it; empty without an authority.
    """
    timed = {"time": base64.b64encode(time).decode()} if time else {}
    return canonical(
        {
            "format": TIMED_FORMAT if time else FORMAT,
            "verifier_key": verifier_key,
            "checkpoint": checkpoint,
            "entries": [dict(entry)],
            "consistency": [node.hex() for node in consistency],
            "witnesses": list(witnesses),
            **timed,
        }
    )


def consistency_file(*, old: int, new: int, proof: list[bytes]) -> bytes:
    """The proof that the ledger of `new` entries begins with that of `old`, as a stranger fetches it."""
    return canonical({"format": CONSISTENCY, "old": old, "new": new, "proof": [node.hex() for node in proof]})


def trust_file(told: Mapping[str, Any]) -> bytes:
    """What a stranger takes from outside (`services.seal_ends.trusted`)."""
    return canonical(dict(told))


def pack(*, readme: bytes, pdf: bytes, evidence: bytes, ledger: bytes) -> bytes:
    """The bundle."""
    files = {"README.txt": readme, "report.pdf": pdf, "evidence.json": evidence, "ledger.json": ledger}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, EPOCH)
            info.create_system, info.external_attr = _UNIX, 0o600 << 16
            archive.writestr(info, data)
    return buffer.getvalue()
