"""Signed checkpoints of the ledger: C2SP tlog-checkpoint in a signed note, Ed25519 (https://c2sp.org)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from lethe_verify import ed25519
from lethe_verify.errors import Refused

DASH = "\N{EM DASH} "
MAX = 8192
#: Kinds of keys: of a log (Ed25519), of a witness (Ed25519 cosignature/v1).
LOG, WITNESS = 1, 4


@dataclass(frozen=True)
class Seen:
    """A witness says: at this time (seconds since 1970) this was the largest checkpoint I saw, and it only grew."""

    witness: str
    at: int


@dataclass(frozen=True)
class Checkpoint:
    """A ledger of `size` entries had this root, says who signed it; and who else saw it."""

    origin: str
    size: int
    root: bytes
    seen: tuple[Seen, ...] = ()


def decode(text: str) -> bytes:
    """Base64 in its one form: standard alphabet, padded, no stray bits."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused("checkpoint", "A value in the checkpoint is not base64.") from error
    if base64.b64encode(data).decode() != text:
        raise Refused("checkpoint", "A value in the checkpoint is not in its one form.")
    return data


def key(text: str, kind: int = LOG) -> tuple[str, bytes, bytes]:
    """Name, identifier and Ed25519 key of a verifier key `name+hash+key`, of a log or of a witness."""
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise Refused("ledger_key", "A key is not of the form name+hash+key.")
    name, identifier, encoded = parts
    raw = decode(encoded)
    expected = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
    if len(raw) != 33 or raw[0] != kind or identifier != expected.hex() or not name:
        what = "the ledger's" if kind == LOG else "a witness's"
        raise Refused("ledger_key", f"The key is not {what} Ed25519 key, or its identifier is not its own.")
    return name, expected, raw[1:]


def verify(note: object, verifier: str, witnesses: Sequence[str] = (), *, strict: bool = True) -> Checkpoint:
    """Reads a checkpoint that must bear a signature by `verifier`, then one by each of the witnesses, and no other.

    Args:
        verifier: the log's verifier key.
        witnesses: the verifier keys of the witnesses, in the order of their lines.
        strict: without it, lines by anybody else are passed over, as the form of notes allows.
    """
    name, identifier, public = key(verifier)
    if not isinstance(note, str) or len(note) > MAX:
        raise Refused("checkpoint", "The checkpoint is no signed note.")
    lines = note.split("\n")
    if len(lines) < 6 or lines[3] or lines[-1]:
        raise Refused("checkpoint", "The checkpoint has not the form of a signed note.")
    origin, size, root = lines[:3]
    signed = [_line(line) for line in lines[4:-1]]
    if not strict:
        signed = [one for one in signed if one[0] == name and one[1][:4] == identifier][:1]
    if len(set(witnesses)) != len(witnesses):
        raise Refused("witness", "The checkpoint names a witness twice.")
    if len(signed) != 1 + len(witnesses) or signed[0][0] != name or origin != name:
        raise Refused("checkpoint", f"The checkpoint is not signed by {name}, or not by exactly those whom it names.")
    text = note[: note.index("\n\n") + 1].encode()
    signature = signed[0][1]
    if signature[:4] != identifier or not ed25519.verify(public, text, signature[4:]):
        raise Refused("checkpoint", "The checkpoint's signature is wrong.")
    if not (size.isascii() and size.isdecimal()) or len(size) > 18 or str(int(size)) != size or len(decode(root)) != 32:
        raise Refused("checkpoint", "The checkpoint's size or root has not its form.")
    seen = tuple(_cosigned(text, one, witness) for one, witness in zip(signed[1:], witnesses, strict=True))
    return Checkpoint(origin, int(size), decode(root), seen)


def _line(line: str) -> tuple[str, bytes]:
    signer, _, encoded = line.removeprefix(DASH).partition(" ")
    if not line.startswith(DASH) or not signer:
        raise Refused("checkpoint", "A signature of the checkpoint has not its form.")
    return signer, decode(encoded)


def _cosigned(text: bytes, line: tuple[str, bytes], witness: str) -> Seen:
    """A cosignature/v1 (https://c2sp.org/tlog-cosignature)."""
    name, identifier, public = key(witness, WITNESS)
    signer, raw = line
    if signer != name or raw[:4] != identifier or len(raw) != 4 + 8 + 64:
        raise Refused("witness", f"The checkpoint is not signed by the witness {name}.")
    at = int.from_bytes(raw[4:12], "big")
    if at >= 1 << 63 or not ed25519.verify(public, cosigned_text(text, at), raw[12:]):
        raise Refused("witness", f"The signature of the witness {name} is wrong.")
    return Seen(witness, at)


def cosigned_text(text: bytes, at: int) -> bytes:
    """What a witness signs over the text of a checkpoint."""
    return b"cosignature/v1\ntime %d\n" % at + text
