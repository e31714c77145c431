"""Signed checkpoints of the ledger: C2SP tlog-checkpoint in a signed note, Ed25519 (https://c2sp.org)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from lethe_verify import ed25519
from lethe_verify.errors import Refused

DASH = "\N{EM DASH} "
MAX = 8192


@dataclass(frozen=True)
class Checkpoint:
    """A ledger of `size` entries had this root, says who signed it."""

    origin: str
    size: int
    root: bytes


def decode(text: str) -> bytes:
    """Base64 in its one form: standard alphabet, padded, no stray bits."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused("checkpoint", "A value in the checkpoint is not base64.") from error
    if base64.b64encode(data).decode() != text:
        raise Refused("checkpoint", "A value in the checkpoint is not in its one form.")
    return data


def key(text: str) -> tuple[str, bytes, bytes]:
    """Name, identifier and Ed25519 key of a verifier key `name+hash+key`."""
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise Refused("ledger_key", "The ledger's key is not of the form name+hash+key.")
    name, identifier, encoded = parts
    raw = decode(encoded)
    expected = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
    if len(raw) != 33 or raw[0] != 1 or identifier != expected.hex() or not name:
        raise Refused("ledger_key", "The ledger's key is not an Ed25519 key, or its identifier is not its own.")
    return name, expected, raw[1:]


def verify(note: object, verifier: str) -> Checkpoint:
    """Reads a checkpoint that must bear exactly one signature, by `verifier`."""
    name, identifier, public = key(verifier)
    if not isinstance(note, str) or len(note) > MAX:
        raise Refused("checkpoint", "The checkpoint is no signed note.")
    lines = note.split("\n")
    if len(lines) != 6 or lines[3] or lines[5]:
        raise Refused("checkpoint", "The checkpoint has not the form of a signed note with one signature.")
    origin, size, root, _empty, line, _end = lines
    signer, _, encoded = line.removeprefix(DASH).partition(" ")
    if not line.startswith(DASH) or signer != name or origin != name:
        raise Refused("checkpoint", f"The checkpoint is not signed by {name}.")
    signature = decode(encoded)
    if signature[:4] != identifier or not ed25519.verify(
        public, note[: note.index("\n\n") + 1].encode(), signature[4:]
    ):
        raise Refused("checkpoint", "The checkpoint's signature is wrong.")
    if not (size.isascii() and size.isdecimal()) or len(size) > 18 or str(int(size)) != size or len(decode(root)) != 32:
        raise Refused("checkpoint", "The checkpoint's size or root has not its form.")
    return Checkpoint(origin, int(size), decode(root))
