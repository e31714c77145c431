"""RSA signatures: verifying only (RFC 8017, PKCS#1 v1.5 and PSS). Nothing secret is handled here."""

from __future__ import annotations

import hashlib

from lethe_verify import der

MIN_BITS, MAX_BITS = 2048, 8192
#: Object identifiers of the digests, as values.
DIGESTS = {
    "sha256": der.oid("2.16.840.1.101.3.4.2.1"),
    "sha384": der.oid("2.16.840.1.101.3.4.2.2"),
    "sha512": der.oid("2.16.840.1.101.3.4.2.3"),
}


def _opened(key: bytes, signature: bytes) -> tuple[bytes, int]:
    """The signature to the power of the public exponent, and the modulus' length in bits; empty where it is unfit."""
    modulus, exponent = (der.integer(one) for one in der.parse(key).children)
    bits = modulus.bit_length()
    size, number = (bits + 7) // 8, int.from_bytes(signature, "big")
    if not MIN_BITS <= bits <= MAX_BITS or not 2 < exponent < 2**64 or not exponent & 1 or not modulus & 1:
        return b"", bits
    if len(signature) != size or number >= modulus:
        return b"", bits
    return pow(number, exponent, modulus).to_bytes(size, "big"), bits


def verify_pkcs1(key: bytes, digest_name: str, message: bytes, signature: bytes) -> bool:
    """RSASSA-PKCS1-v1_5 (8.2.2): the padding is written anew and compared whole. `key`: RSAPublicKey (DER)."""
    opened, _bits = _opened(key, signature)
    digest = hashlib.new(digest_name, message).digest()
    info = der.make(
        der.SEQUENCE,
        der.make(der.SEQUENCE, DIGESTS[digest_name], der.make(der.NULL)),
        der.make(der.OCTETS, digest),
    )
    filling = len(opened) - len(info) - 3
    return filling >= 8 and opened == b"\x00\x01" + b"\xff" * filling + b"\x00" + info


def verify_pss(key: bytes, digest_name: str, salt_size: int, message: bytes, signature: bytes) -> bool:
    """RSASSA-PSS (8.1.2, 9.1.2) with MGF1 over the same digest."""
    opened, bits = _opened(key, signature)
    size = hashlib.new(digest_name).digest_size
    em_bits = bits - 1
    length = (em_bits + 7) // 8
    if not opened or any(opened[: len(opened) - length]) or length < size + salt_size + 2 or salt_size < 0:
        return False
    encoded = opened[len(opened) - length :]
    masked, hashed = encoded[: length - size - 1], encoded[length - size - 1 : -1]
    unused = 8 * length - em_bits
    if encoded[-1:] != b"\xbc" or masked[0] >> (8 - unused):
        return False
    mask = _mask(digest_name, hashed, len(masked))
    block = bytearray(a ^ b for a, b in zip(masked, mask, strict=True))
    block[0] &= 0xFF >> unused
    zeros = len(block) - salt_size - 1
    if any(block[:zeros]) or block[zeros] != 1:
        return False
    inner = bytes(8) + hashlib.new(digest_name, message).digest() + bytes(block[zeros + 1 :])
    return hashlib.new(digest_name, inner).digest() == hashed


def _mask(digest_name: str, seed: bytes, length: int) -> bytes:
    """MGF1 (B.2.1)."""
    size = hashlib.new(digest_name).digest_size
    rounds = range((length + size - 1) // size)
    return b"".join(hashlib.new(digest_name, seed + one.to_bytes(4, "big")).digest() for one in rounds)[:length]
