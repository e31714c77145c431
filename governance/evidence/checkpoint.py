"""Checkpoints: the C2SP `tlog-checkpoint` text as an Ed25519 `signed-note` (https://c2sp.org, v1.0.0 of both).

lethe.example/ledger        origin, also the key's name
182604                      size
zjuM...=                    base64 of the root
                            empty line
— lethe.example/ledger AAAA...=     base64 of 4 bytes of key id || 64 bytes of signature
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from governance.evidence.errors import ProofError
from governance.evidence.merkle import HASH_BYTES

ED25519 = b"\x01"
DASH = "\N{EM DASH} "
MAX_BYTES = 8192


class NoteSigner(Protocol):
    """Whoever signs checkpoints, wherever its key lies: `cryptography`'s own private key in a file, or a token.

    Ed25519 alone (type 0x01). The form of notes knows ECDSA too (0x02), and asks implementations to choose one:
    witnesses, stock tools and `lethe_verify` read Ed25519.
    """

    def public_key(self) -> Ed25519PublicKey:
        """The public half."""
        ...

    def sign(self, data: bytes, /) -> bytes:
        """64 bytes (RFC 8032).

        Raises:
            SealUnavailable, SealError: the token cannot be had now, or refuses.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The ledger of `origin` had `size` entries and this `root` (32 bytes)."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The signed text, with its final newline."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def _check_name(name: str) -> str:
    if not name or "+" in name or not name.isprintable() or any(c.isspace() for c in name):
        raise ProofError(f"checkpoint origin {name!r}: must be non-empty, without spaces or plus signs")
    return name


def key_id(name: str, public_key: bytes) -> bytes:
    """First 4 bytes of SHA-256(name || LF || 0x01 || key)."""
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + public_key).digest()[:4]


def verifier_key(name: str, key: Ed25519PublicKey) -> str:
    """The public half in note form, `name+<8 hex>+<base64>`: what a stranger is given beforehand."""
    raw = key.public_bytes_raw()
    return f"{_check_name(name)}+{key_id(name, raw).hex()}+{base64.b64encode(ED25519 + raw).decode()}"


def _parse_verifier_key(text: str) -> tuple[str, bytes, Ed25519PublicKey]:
    try:
        name, identity, encoded = text.split("+", 2)
        raw = base64.b64decode(encoded, validate=True)
        if raw[:1] != ED25519 or len(raw) != 33 or bytes.fromhex(identity) != key_id(name, raw[1:]):
            raise ProofError("verifier key: not Ed25519, or its identifier is not its own")
        return name, key_id(name, raw[1:]), Ed25519PublicKey.from_public_bytes(raw[1:])
    except (ValueError, binascii.Error) as error:
        raise ProofError(f"verifier key: not of the form name+hash+key ({error})") from error


def verifier_public(text: str) -> Ed25519PublicKey:
    """The public key in note form, read.

    Raises:
        ProofError: not of that form.
    """
    return _parse_verifier_key(text)[2]


def make_checkpoint(*, origin: str, size: int, root: bytes, key: NoteSigner) -> str:
    """A signed note over the ledger's size and root."""
    if size < 0 or len(root) != HASH_BYTES:
        raise ProofError(f"checkpoint: size {size} and a root of {len(root)} bytes")
    text = Checkpoint(origin=_check_name(origin), size=size, root=root).text()
    identity = key_id(origin, key.public_key().public_bytes_raw())
    return f"{text}\n{DASH}{origin} {base64.b64encode(identity + key.sign(text.encode())).decode()}\n"


def verify_checkpoint(note: str, verifier: str) -> Checkpoint:
    """Reads a note that must bear a good signature by `verifier` (as `verifier_key` writes it).

    Signatures of others are skipped, as signed-note demands; a bad one by this key is an error.

    Raises:
        ProofError: malformed, or no good signature by this key.
    """
    name, identity, key = _parse_verifier_key(verifier)
    if len(note.encode()) > MAX_BYTES or not note.endswith("\n") or "\n\n" not in note:
        raise ProofError("checkpoint: not a signed note")
    body, _, signatures = note.rpartition("\n\n")
    text, found = body + "\n", False
    for line in signatures.removesuffix("\n").split("\n"):
        if not line.startswith(DASH):
            raise ProofError("checkpoint: a signature line does not begin with a dash")
        signer, _, encoded = line.removeprefix(DASH).partition(" ")
        try:
            raw = base64.b64decode(encoded, validate=True)
        except binascii.Error as error:
            raise ProofError("checkpoint: a signature is not base64") from error
        if signer != name or raw[:4] != identity:
            continue
        try:
            key.verify(raw[4:], text.encode())
        except InvalidSignature as error:
            raise ProofError(f"checkpoint: the signature of {name} is wrong") from error
        found = True
    if not found:
        raise ProofError(f"checkpoint: not signed by {name}")
    return _parse_text(text, name)


def _parse_text(text: str, origin: str) -> Checkpoint:
    lines = text.split("\n")
    if len(lines) < 4 or lines[0] != origin or not lines[1].isascii() or not lines[1].isdigit():
        raise ProofError("checkpoint: origin, size and root are not in the first three lines")
    if lines[1] != str(int(lines[1])):
        raise ProofError("checkpoint: the size has leading zeros")
    try:
        root = base64.b64decode(lines[2], validate=True)
    except binascii.Error as error:
        raise ProofError("checkpoint: the root is not base64") from error
    if len(root) != HASH_BYTES:
        raise ProofError(f"checkpoint: a root of {len(root)} bytes")
    return Checkpoint(origin=origin, size=int(lines[1]), root=root)
