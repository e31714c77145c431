"""Checks a public bundle: its files are those of one report, the ledger holds their digests, and it only grew."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from governance.evidence import bundle, cosignature, lost_key, revoked
from governance.evidence.check_time import LedgerTime, check_checkpoint
from governance.evidence.checkpoint import Checkpoint, verify_checkpoint
from governance.evidence.errors import DocumentError, ProofError
from governance.evidence.findings import Finding
from governance.evidence.leaf import canonical, open_leaf, parse_leaf
from governance.evidence.merkle import leaf_hash, verify_consistency, verify_inclusion
from governance.evidence.reading import Reader
from governance.evidence.schema import digest
from governance.evidence.trust_file import Believed

MAGIC: Final = b"PK\x03\x04"
#: Files are stored, not compressed: what the bundle announces is what it holds.
LIMITS: Final = {"README.txt": 2**16, "report.pdf": 25 * 2**20, "evidence.json": 8 * 2**20, "ledger.json": 4 * 2**20}
#: How far the clock of a ledger may go ahead of an authority's.
AHEAD: Final = timedelta(minutes=10)
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
    ledger_keys: Collection[str],
    *,
    roots: Sequence[x509.Certificate] = (),
    own: Collection[x509.Certificate] = (),
    at: datetime | None = None,
) -> tuple[int, LedgerTime | None]:
    """README, evidence and ledger proofs belong to the report whose evidence was found genuine.

    Returns the size of the ledger and, where its checkpoint has one, its time.

    Args:
        roots: of time stamp authorities that are believed, for a bundle whose checkpoint has an outside time.
        own: those of the roots that are the issuer's own.
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
        inside = evidence["ledger"]
        if not {told["verifier_key"], inside["verifier_key"]} <= set(ledger_keys):
            raise ProofError("The checkpoints are signed by another key than the ledger's that is trusted.")
        checkpoint = verify_checkpoint(told["checkpoint"], told["verifier_key"])
        cosignature.verify_all(told["checkpoint"], told.get("witnesses", []))
        leaf = parse_leaf(entry["leaf"])
        verify_inclusion(leaf=leaf_hash(leaf.to_bytes()), index=leaf.index, size=checkpoint.size,
                         root=checkpoint.root, proof=[bytes.fromhex(node) for node in entry["proof"]])  # fmt: skip
        if not open_leaf(leaf, entry["body"], bytes.fromhex(entry["salt"])):
            raise ProofError("The ledger's entry does not commit to what is given for it.")
        _check_grown(verify_checkpoint(inside["checkpoint"], inside["verifier_key"]), checkpoint, told["consistency"])
        time = _time(told, files["report.pdf"], roots, own, at) if "time" in told else None
        if time and datetime.fromisoformat(leaf.at) > time.at + AHEAD:
            raise ProofError("The checkpoint's time stamp is older than the ledger's entry for this report.")
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise DocumentError("The bundle's proofs cannot be read.") from error
    expected = {name: digest(files[file]) for name, file in _DIGESTS.items()}
    if leaf.action != bundle.SEALED_ACTION or entry["body"] != expected:
        raise ProofError("The ledger does not hold the digests of the files in this bundle.")
    return checkpoint.size, time


def in_hand(
    files: dict[str, bytes],
    evidence: dict[str, Any],
    believed: Believed,
    *,
    moment: datetime | None,
    time: LedgerTime | None,
) -> Finding | None:
    """Whether the checkpoints of files that `check_files` found good are by the ledger's own hand; None where no key
    was lost.

    What the bundle's checkpoint is believed for holds for a smaller one inside of the evidence, which its tree was
    shown to begin with.

    Args:
        moment: the first time from outside over the report. time: that over the bundle's checkpoint.

    Raises:
        LostKeyError: those outside of the house who saw a checkpoint saw it after the key was lost.
    """
    told, inside = json.loads(files["ledger.json"]), evidence["ledger"]
    seen = cosignature.verify_all(told["checkpoint"], told.get("witnesses", []))
    times = [at for key, at in seen.items() if key in believed.witnesses]
    if time and time.proved:
        times.append(time.at)
    found = lost_key.judged(believed.lost.get(told["verifier_key"]), times)
    first, last = (int(one["checkpoint"].split("\n")[1]) for one in (inside, told))
    if first > last and (found is None or found.good):
        return lost_key.judged(believed.lost.get(inside["verifier_key"]), [moment])
    return found


def _check_grown(old: Checkpoint, new: Checkpoint, proof: list[str]) -> None:
    """The bundle's ledger is the one that the evidence names, some entries later."""
    if old.origin != new.origin:
        raise ProofError("The bundle's checkpoint is of another ledger than the one that the evidence names.")
    nodes = [bytes.fromhex(node) for node in proof]
    verify_consistency(old=old.size, new=new.size, old_root=old.root, new_root=new.root, proof=nodes)


def _time(
    told: dict[str, Any],
    pdf: bytes,
    roots: Sequence[x509.Certificate],
    own: Collection[x509.Certificate],
    at: datetime | None,
) -> LedgerTime:
    """The ledger's time, its authority judged by the data that the report brings along."""
    return check_checkpoint(
        base64.b64decode(told["time"], validate=True), told["checkpoint"], roots, at,
        own=[one.public_bytes(Encoding.DER) for one in own],
        data=revoked.data_of(Reader(io.BytesIO(pdf), strict=True)),
    )  # fmt: skip
