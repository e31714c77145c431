"""What the one who checks believes. It comes from outside of the file: told by the issuer in another way."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from lethe_verify import note

FORMAT = "lethe-trust/1"
MAX = 1024 * 1024
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----\s(.+?)-----END CERTIFICATE-----", re.S)


class TrustError(ValueError):
    """What was given to believe cannot be read."""


@dataclass(frozen=True)
class Trust:
    """Fingerprints of seals, and verifier keys of ledgers (empty: the ledger named in the sealed evidence)."""

    seals: frozenset[str] = field(default=frozenset())
    ledgers: frozenset[str] = field(default=frozenset())


def fingerprint(text: str) -> str:
    """64 lower-case hexadecimal digits from the ways in which people write a fingerprint."""
    plain = re.sub(r"[:\s-]", "", text.strip().lower().removeprefix("sha256:"))
    if not re.fullmatch(r"[0-9a-f]{64}", plain):
        raise TrustError(f"{text!r} is neither a file nor a fingerprint (64 hexadecimal digits)")
    return plain


def load(given: str) -> Trust:
    """From a fingerprint, a PEM certificate or a trust file as the issuer publishes it."""
    path = Path(given)
    try:
        inside = path.read_bytes() if path.is_file() else b""
    except OSError as error:
        raise TrustError(str(error)) from error
    if not path.is_file():
        return Trust(frozenset({fingerprint(given)}))
    if len(inside) > MAX:
        raise TrustError(f"{given} is too large")
    return read(inside.decode("utf-8", "replace"))


def read(text: str) -> Trust:
    """From the text of a trust file, certificates or fingerprints (one a line, `#` for remarks)."""
    if "-----BEGIN" in text:
        return Trust(frozenset(_certificate(found) for found in _PEM.findall(text)))
    if text.lstrip().startswith("{"):
        try:
            document = json.loads(text)
            if document["format"] != FORMAT:
                raise TrustError(f"the trust file is not of the form {FORMAT}")
            seals = frozenset(fingerprint(one) for one in document["seals"])
            ledgers = frozenset(str(one) for one in document["ledgers"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise TrustError(f"the trust file cannot be read ({error})") from error
        for one in ledgers:
            note.key(one)
        return Trust(seals, ledgers)
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    return Trust(frozenset(fingerprint(line) for line in lines if line))


def _certificate(encoded: str) -> str:
    try:
        return hashlib.sha256(base64.b64decode("".join(encoded.split()), validate=True)).hexdigest()
    except binascii.Error as error:
        raise TrustError(f"the certificate cannot be read ({error})") from error
