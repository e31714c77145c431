"""Opens what `governance.evidence.age` closes, as the specification of age says; the product itself never opens it."""

from __future__ import annotations

import base64
import hashlib
import hmac

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

STEP = 64 * 1024 + 16


def opened(closed: bytes, passphrase: str) -> bytes:
    """The plain file. Raises InvalidTag or ValueError for another passphrase or a changed byte."""
    version, stanza, wrapped, rest = closed.split(b"\n", 3)
    mac, _, payload = rest.removeprefix(b"--- ").partition(b"\n")
    _arrow, kind, salt, work = stanza.split(b" ")
    if (version, kind) != (b"age-encryption.org/v1", b"scrypt"):
        raise ValueError("another format")
    salted = version + b"/scrypt" + _plain(salt)
    wrap = hashlib.scrypt(passphrase.encode(), salt=salted, n=2 ** int(work), r=8, p=1, maxmem=2**26, dklen=32)
    key = ChaCha20Poly1305(wrap).decrypt(bytes(12), _plain(wrapped), None)
    head = closed[: closed.index(b"\n---") + 4]
    if hmac.new(_derived(key, b"", b"header"), head, hashlib.sha256).digest() != _plain(mac):
        raise ValueError("the head was changed")
    cipher, sealed = ChaCha20Poly1305(_derived(key, payload[:16], b"payload")), payload[16:]
    chunks = [sealed[at : at + STEP] for at in range(0, len(sealed), STEP)]
    return b"".join(
        cipher.decrypt(number.to_bytes(11, "big") + bytes([number == len(chunks) - 1]), chunk, None)
        for number, chunk in enumerate(chunks)
    )


def _derived(key: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=salt, info=info).derive(key)


def _plain(text: bytes) -> bytes:
    return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
