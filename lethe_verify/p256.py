"""ECDSA over NIST P-256 with SHA-256: verifying only (FIPS 186-5, 6.4.2). Nothing secret is handled here.

One signature, one form: DER with minimal integers and s in the lower half. The twin (r, n - s) is refused, since it
would make a second file of the same content.
"""

from __future__ import annotations

import hashlib

from lethe_verify import der
from lethe_verify.errors import Refused

P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
GENERATOR = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
#: Jacobian coordinates; z = 0 is the point at infinity.
Point = tuple[int, int, int]
INFINITY: Point = (1, 1, 0)


def point(encoded: bytes) -> Point:
    """An uncompressed point of the curve (SEC 1, 2.3.4)."""
    if len(encoded) != 65 or encoded[0] != 4:
        raise Refused("seal", "The seal's key is not an uncompressed point of P-256.")
    x, y = int.from_bytes(encoded[1:33], "big"), int.from_bytes(encoded[33:], "big")
    if x >= P or y >= P or (y * y - (x * x * x - 3 * x + B)) % P:
        raise Refused("seal", "The seal's key does not lie on the curve P-256.")
    return x, y, 1


def verify(key: Point, message: bytes, signature: bytes) -> bool:
    """Whether `signature` (DER) over `message` is by `key`, and in the one form that is accepted."""
    node = der.parse(signature)
    if node.tag != der.SEQUENCE or len(node.children) != 2:
        return False
    r, s = (der.integer(child) for child in node.children)
    if not (0 < r < N and 0 < s <= N // 2):
        return False
    e = int.from_bytes(hashlib.sha256(message).digest(), "big")
    w = pow(s, -1, N)
    x, _y, z = _sum(e * w % N, r * w % N, key)
    return z != 0 and (x * pow(z, -2, P) % P) % N == r


def _sum(u: int, v: int, key: Point) -> Point:
    """u*G + v*key by Shamir's trick."""
    base: Point = (*GENERATOR, 1)
    table = {(1, 0): base, (0, 1): key, (1, 1): _add(base, key)}
    total = INFINITY
    for bit in range(max(u.bit_length(), v.bit_length()) - 1, -1, -1):
        total = _double(total)
        pair = (u >> bit & 1, v >> bit & 1)
        if pair in table:
            total = _add(total, table[pair])
    return total


def _double(one: Point) -> Point:
    x, y, z = one
    if not z or not y:
        return INFINITY
    delta, gamma = z * z % P, y * y % P
    beta = x * gamma % P
    alpha = 3 * (x - delta) * (x + delta) % P
    new_x = (alpha * alpha - 8 * beta) % P
    new_z = ((y + z) ** 2 - gamma - delta) % P
    return new_x, (alpha * (4 * beta - new_x) - 8 * gamma * gamma) % P, new_z


def _add(one: Point, two: Point) -> Point:
    if not one[2]:
        return two
    if not two[2]:
        return one
    (x1, y1, z1), (x2, y2, z2) = one, two
    square1, square2 = z1 * z1 % P, z2 * z2 % P
    u1, u2 = x1 * square2 % P, x2 * square1 % P
    s1, s2 = y1 * square2 * z2 % P, y2 * square1 * z1 % P
    if u1 == u2:
        return _double(one) if s1 == s2 else INFINITY
    h, r = (u2 - u1) % P, (s2 - s1) % P
    cube = h * h % P * h % P
    v = u1 * h % P * h % P
    new_x = (r * r - cube - 2 * v) % P
    return new_x, (r * (v - new_x) - s1 * cube) % P, h * z1 % P * z2 % P
