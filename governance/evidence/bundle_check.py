"""Checks a public bundle: its files are those of one report, the ledger holds their digests, and it only grew."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from cryptography import x509

from governance.evidence import bundle, cosignature
from governance.evidence.check_time import check_checkpoint
from governance.evidence.checkpoint import verify_checkpoint
from governance.evidence.errors import DocumentError, ProofError
from governance.evidence.leaf import canonical, open_leaf, parse_leaf
from governance.evidence.merkle import leaf_hash, verify_consistency, verify_inclusion
from governance.evidence.schema import digest

MAGIC: Final = b"PK\x03\x04"
#: Files are stored, not compressed: what the bundle announces is what it holds.
LIMITS: Final = {"README.txt": 2**16, "report.pdf": 25 * 2**20, "evidence.json": 8 * 2**20, "ledger.json": 4 * 2**20}
_DIGESTS: Final = {"pdf": "report.pdf", "evidence": "evidence.json", "readme": "README.txt"}


def unpack(data: bytes) -> dict[str, bytes]:
    """The four files. Nothing compressed is read, so a small bundle cannot become a large one.

    Raises:
        DocumentError: not exactly the bundle that these files make.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            listed = archive.infolist()
            stored = all(one.compress_type == zipfile.ZIP_STORED for one in listed)
            if [one.filename for one in listed] != list(LIMITS) or not stored:
                raise DocumentError("The bundle does not hold exactly the files of one.")
            if any(one.file_size > LIMITS[one.filename] for one in listed):
                raise DocumentError("A file in the bundle is larger than any of ours.")
            files = {one.filename: archive.read(one) for one in listed}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, ValueError, EOFError) as error:
        raise DocumentError("The bundle cannot be read.") from error
    readme, pdf, evidence, ledger = files.values()
    if bundle.pack(readme=readme, pdf=pdf, evidence=evidence, ledger=ledger) != data:
        raise DocumentError("The bundle holds something beside its files.")
    return files


#: Form of the bundle -> the members of its ledger file.
_MEMBERS: Final = {"format", "verifier_key", "checkpoint", "entries", "consistency"}
_FORMS: Final = {bundle.FIRST_FORMAT: _MEMBERS, bundle.FORMAT: {*_MEMBERS, "witnesses"},
                 bundle.TIMED_FORMAT: {*_MEMBERS, "witnesses", "time"}}  # fmt: skip


def check_files(
    files: dict[str, bytes],
    evidence: dict[str, Any],
    ledger_key: str,
    *,
    roots: Sequence[x509.Certificate] = (),
    at: datetime | None = None,
) -> int:
    """README, evidence and ledger proofs belong to the report whose evidence was found genuine; size of the ledger.

    Args:
        roots: of time stamp authorities that are believed, for a bundle whose checkpoint has an outside time.
        at: judge as if at this moment; now without it.

    Raises:
        DocumentError: a file has not its form. ProofError: a proof does not hold, or is about other files.
    """
    if canonical(evidence) != files["evidence.json"]:
        raise ProofError("The evidence beside the report is not the one inside of it.")
    try:
        told = json.loads(files["ledger.json"])
        if canonical(told) != files["ledger.json"] or set(told) != _FORMS.get(told["format"]):
            raise DocumentError("The bundle's proofs have not the form of ours.")
        [entry] = told["entries"]
        checkpoint = verify_checkpoint(told["checkpoint"], ledger_key)
        cosignature.verify_all(told["checkpoint"], told.get("witnesses", []))
        if "time" in told:
            check_checkpoint(base64.b64decode(told["time"], validate=True), told["checkpoint"], roots, at)
        leaf, proof = parse_leaf(entry["leaf"]), [bytes.fromhex(node) for node in entry["proof"]]
        verify_inclusion(leaf=leaf_hash(leaf.to_bytes()), index=leaf.index, size=checkpoint.size, proof=proof,
                         root=checkpoint.root)  # fmt: skip
        if not open_leaf(leaf, entry["body"], bytes.fromhex(entry["salt"])):
            raise ProofError("The ledger's entry does not commit to what is given for it.")
        inner = verify_checkpoint(evidence["ledger"]["checkpoint"], ledger_key)
        grown = [bytes.fromhex(node) for node in told["consistency"]]
        verify_consistency(old=inner.size, new=checkpoint.size, old_root=inner.root, new_root=checkpoint.root,
                           proof=grown)  # fmt: skip
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise DocumentError("The bundle's proofs cannot be read.") from error
    expected = {name: digest(files[file]) for name, file in _DIGESTS.items()}
    if leaf.action != bundle.SEALED_ACTION or entry["body"] != expected:
        raise ProofError("The ledger does not hold the digests of the files in this bundle.")
    return checkpoint.size
