"""Files closed by a passphrase in the format `age-encryption.org/v1`, which the stock tool `age` opens.

    age -d -o bundle.zip LR-….zip.age        asks for the passphrase

One scrypt recipient; the payload in chunks of 64 KiB under ChaCha20-Poly1305 (https://c2sp.org/age, v1.0.0).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION: Final = b"age-encryption.org/v1"
#: scrypt with N = 2^15: 32 MiB and a tenth of a second. The passphrase has 125 bits; nobody guesses it.
WORK: Final = 15
CHUNK: Final = 64 * 1024
ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"


def new_passphrase() -> str:
    """Five groups of five characters that are hard to mistake for one another: 125 bits."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(5)) for _ in range(5))


def encrypt(data: bytes, passphrase: str) -> bytes:
    """The closed file."""
    key, salt, nonce = secrets.token_bytes(16), secrets.token_bytes(16), secrets.token_bytes(16)
    wrapped = ChaCha20Poly1305(_wrap_key(passphrase, salt, WORK)).encrypt(bytes(12), key, None)
    head = VERSION + b"\n-> scrypt " + _encode(salt) + b" %d\n" % WORK + _encode(wrapped) + b"\n---"
    cipher = ChaCha20Poly1305(_derive(key, nonce, b"payload"))
    chunks = [data[at : at + CHUNK] for at in range(0, len(data), CHUNK)] or [b""]
    last = len(chunks) - 1
    body = [cipher.encrypt(_nonce(number, number == last), chunk, None) for number, chunk in enumerate(chunks)]
    return b"".join([head, b" ", _encode(_mac(key, head)), b"\n", nonce, *body])


def _wrap_key(passphrase: str, salt: bytes, work: int) -> bytes:
    return hashlib.scrypt(
        passphrase.encode(), salt=VERSION + b"/scrypt" + salt, n=2**work, r=8, p=1, maxmem=2**26, dklen=32
    )


def _derive(key: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=salt, info=info).derive(key)


def _mac(key: bytes, head: bytes) -> bytes:
    return hmac.new(_derive(key, b"", b"header"), head, hashlib.sha256).digest()


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def _encode(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")
