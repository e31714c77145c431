"""Ed25519, verifying only (RFC 8032, 5.1.7). Nothing secret is handled here."""

from __future__ import annotations

import hashlib

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)
#: Extended homogeneous coordinates (X, Y, Z, T).
Point = tuple[int, int, int, int]
BASE_Y = 4 * pow(5, -1, P) % P


def verify(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` over `message` is by `key`. Encodings that are not canonical, and weak keys, are refused."""
    if len(key) != 32 or len(signature) != 64:
        return False
    public, commitment = _decode(key), _decode(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if public is None or commitment is None or s >= ORDER or _is_zero(_times(8, public)):
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    return _equal(_times(s, _base()), _add(commitment, _times(k, public)))


def _base() -> Point:
    found = _decode(BASE_Y.to_bytes(32, "little"))
    if found is None:
        raise ArithmeticError("the base point")
    return found


def _decode(encoded: bytes) -> Point | None:
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def _add(one: Point, two: Point) -> Point:
    a = (one[1] - one[0]) * (two[1] - two[0]) % P
    b = (one[1] + one[0]) * (two[1] + two[0]) % P
    c, d = 2 * one[3] * two[3] * D % P, 2 * one[2] * two[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(factor: int, one: Point) -> Point:
    total: Point = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            total = _add(total, one)
        one = _add(one, one)
        factor >>= 1
    return total


def _equal(one: Point, two: Point) -> bool:
    return (one[0] * two[2] - two[0] * one[2]) % P == 0 and (one[1] * two[2] - two[1] * one[2]) % P == 0


def _is_zero(one: Point) -> bool:
    return _equal(one, (0, 1, 1, 0))
