"""Signed statements about models: in-toto Statement v1 in a DSSE envelope, in a Sigstore bundle v0.3 of a plain key.

The form is that of OpenSSF model-signing 1.1.1 in its local-key mode, so that its command verifies ours. ECDSA
signatures are in low-S form: one signature, one file.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from governance.evidence.errors import SealError
from governance.evidence.identity import low_s
from governance.evidence.leaf import canonical

KEY_FILE: Final = "models.key.pem"
BUNDLE_TYPE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"


class StatementSigner(Protocol):
    """Where the key that signs statements lives: a file now; what holds it elsewhere needs these two."""

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The P-256 public key."""
        ...

    def sign(self, data: bytes) -> bytes:
        """ECDSA over SHA-256 of `data`, in DER."""
        ...


class FileSigner:
    """A P-256 key in a PEM file that only the signing worker can read.

    Raises:
        SealError: missing, unreadable or of another kind.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / KEY_FILE
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as error:
            raise SealError(f"{path} cannot be read ({error}); run `python manage.py bootstrap`.") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise SealError(f"{path} is no EC P-256 key.")
        self._key = key

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The public key."""
        return self._key.public_key()

    def sign(self, data: bytes) -> bytes:
        """See `StatementSigner.sign`."""
        return self._key.sign(data, ec.ECDSA(hashes.SHA256()))


def create_key(folder: Path) -> None:
    """Write a new key, mode 0600; an existing one is never overwritten (FileExistsError)."""
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with os.fdopen(os.open(folder / KEY_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)


def public_pem(key: ec.EllipticCurvePublicKey) -> bytes:
    """The public key as strangers keep it."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def pem_fingerprint(pem: bytes) -> str:
    """Hex SHA-256 of a public key's DER form: what a stranger compares.

    Raises:
        SealError: no public key.
    """
    try:
        key = serialization.load_pem_public_key(pem)
    except ValueError as error:
        raise SealError(f"The key of the models' statements cannot be read ({error})") from error
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def statement(*, subjects: list[dict[str, Any]], kind: str, predicate: Mapping[str, Any]) -> bytes:
    """Canonical bytes of an in-toto statement."""
    return canonical(
        {"_type": STATEMENT_TYPE, "subject": subjects, "predicateType": kind, "predicate": dict(predicate)}
    )


def bundle(payload: bytes, signer: StatementSigner) -> bytes:
    """The signed bundle of a statement, as canonical JSON."""
    signed = b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)
    signature = low_s(signer.sign(signed))
    hint = hashlib.sha256(public_pem(signer.public_key)).hexdigest()
    return canonical(
        {
            "mediaType": BUNDLE_TYPE,
            "verificationMaterial": {"publicKey": {"hint": hint}, "tlogEntries": []},
            "dsseEnvelope": {
                "payload": base64.b64encode(payload).decode(),
                "payloadType": PAYLOAD_TYPE,
                "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
            },
        }
    )
