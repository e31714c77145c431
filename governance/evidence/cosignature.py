"""Witnesses' signatures under our checkpoints: C2SP tlog-cosignature (version 1, Ed25519), tlog-witness requests."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from governance.evidence.checkpoint import DASH
from governance.evidence.errors import ProofError

COSIGNATURE = b"\x04"
_KEY_BYTES, _TIME_BYTES, _SIGNATURE_BYTES = 4, 8, 64


@dataclass(frozen=True)
class Witness:
    """A witness's name and key."""

    name: str
    identity: bytes
    public: Ed25519PublicKey


def witness(text: str) -> Witness:
    """From a verifier key `name+hash+key` of type 0x04.

    Raises:
        ProofError: it is none, or its identifier is not its own.
    """
    try:
        name, identity, encoded = text.split("+", 2)
        raw = base64.b64decode(encoded, validate=True)
        own = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:_KEY_BYTES]
        if raw[:1] != COSIGNATURE or bytes.fromhex(identity) != own or not name:
            raise ProofError("witness key: no Ed25519 cosignature key, or its identifier is not its own")
        return Witness(name, own, Ed25519PublicKey.from_public_bytes(raw[1:]))
    except (ValueError, binascii.Error) as error:
        raise ProofError(f"witness key: not of the form name+hash+key ({error})") from error


def verify(note: str, line: str, key: str) -> datetime:
    """When the witness signed this checkpoint, by its own clock.

    Raises:
        ProofError: the line is not a cosignature of the note's text by this key.
    """
    one, text = witness(key), note.partition("\n\n")[0].encode() + b"\n"
    signer, _, encoded = line.removeprefix(DASH).partition(" ")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error) as error:
        raise ProofError(f"cosignature of {one.name}: not base64") from error
    if base64.b64encode(raw).decode() != encoded or len(raw) != _KEY_BYTES + _TIME_BYTES + _SIGNATURE_BYTES:
        raise ProofError(f"cosignature of {one.name}: not of its one form")
    at = int.from_bytes(raw[_KEY_BYTES:][:_TIME_BYTES], "big")
    try:
        if not line.startswith(DASH) or signer != one.name or raw[:_KEY_BYTES] != one.identity or at >= 1 << 63:
            raise ProofError(f"cosignature: not by {one.name}")
        one.public.verify(raw[_KEY_BYTES + _TIME_BYTES :], b"cosignature/v1\ntime %d\n" % at + text)
        return datetime.fromtimestamp(at, UTC)
    except (InvalidSignature, OverflowError, OSError, ValueError) as error:
        raise ProofError(f"cosignature of {one.name}: wrong") from error


def verify_all(note: str, keys: Sequence[str]) -> dict[str, datetime]:
    """Under the ledger's own signature stand exactly the lines of these witnesses, in this order.

    Returns when each of them, by its key, saw the checkpoint.

    Raises:
        ProofError: a line too many, too few, in another place, or wrong.
    """
    lines = note.rpartition("\n\n")[2].removesuffix("\n").split("\n")[1:]
    if len(lines) != len(keys) or len(set(keys)) != len(keys):
        raise ProofError(f"checkpoint: {len(lines)} cosignatures, {len(keys)} witnesses")
    return {key: verify(note, line, key) for line, key in zip(lines, keys, strict=True)}


def request(*, old: int, proof: Sequence[bytes], note: str) -> bytes:
    """The body of `add-checkpoint`: the size that the witness saw last, the proof from there, the checkpoint."""
    hashes = "".join(base64.b64encode(one).decode() + "\n" for one in proof)
    return f"old {old}\n{hashes}\n{note}".encode()
