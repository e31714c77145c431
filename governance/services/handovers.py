"""A key names the one whose place it took, so that a row of the database alone makes no key believed.

The new key signs, not the old one: which key is in use is told by a file outside of the database, and whoever brings a
key of their own can let it name any successor, but has no signature by the one in that file.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from governance.evidence import dsse
from governance.evidence.checkpoint import verifier_public
from governance.evidence.errors import ProofError, SealError
from governance.evidence.leaf import canonical
from governance.models import SigningKey

P = SigningKey.Purpose
#: No checkpoint, feed or statement about a model begins so: what is signed here is good for nothing else.
FORM: Final = b"lethe-key-handover/1\n"


def statement(*, purpose: str, old: str, new: str, at: datetime) -> bytes:
    """What the new key signs."""
    return FORM + canonical({"purpose": purpose, "old": old, "new": new, "at": at.astimezone(UTC).isoformat()})


def successor(row: SigningKey) -> str:
    """The key that proves to have taken this one's place, as the trust file tells it; empty where none does."""
    if row.ended_at is None or not row.successor:
        return ""
    try:
        new = dsse.pem_fingerprint(row.successor.encode()) if row.purpose == P.MODELS else row.successor
        signed = statement(purpose=row.purpose, old=row.public, new=new, at=row.ended_at)
        _verify(row, base64.b64decode(row.handover, validate=True), signed)
    except (InvalidSignature, ProofError, SealError, ValueError):
        return ""
    return new


def _verify(row: SigningKey, signature: bytes, signed: bytes) -> None:
    if row.purpose == P.MODELS:
        key = load_pem_public_key(row.successor.encode())
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise ProofError("hand-over: no key of statements about models")
        key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
    elif row.purpose == P.LEDGER:
        verifier_public(row.successor).verify(signature, signed)
    else:
        raw = base64.b64decode(row.successor, validate=True)
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, signed)
