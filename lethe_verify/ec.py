"""ECDSA over NIST P-256 and P-384: verifying only (FIPS 186-5, 6.4.2). Nothing secret is handled here.

One signature, one form: DER with minimal integers and s in the lower half. The twin (r, n - s) is refused, since it
would make a second file of the same content.
"""

from __future__ import annotations

from dataclasses import dataclass

from lethe_verify import der
from lethe_verify.errors import Refused

#: Jacobian coordinates; z = 0 is the point at infinity.
Point = tuple[int, int, int]
INFINITY: Point = (1, 1, 0)


@dataclass(frozen=True)
class Curve:
    """y^2 = x^3 - 3x + b over the integers modulo p; `n` is the order of the base point (SP 800-186, 3.2.1)."""

    name: str
    p: int
    n: int
    b: int
    base: Point

    @property
    def size(self) -> int:
        """Bytes of a coordinate."""
        return (self.p.bit_length() + 7) // 8


P256 = Curve(
    "P-256",
    0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF,
    0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    (
        0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
        0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
        1,
    ),
)
P384 = Curve(
    "P-384",
    0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFFFF0000000000000000FFFFFFFF,
    0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
    (
        0xAA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7,
        0x3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F,
        1,
    ),
)


def point(curve: Curve, encoded: bytes) -> Point:
    """An uncompressed point of the curve (SEC 1, 2.3.4)."""
    size, p = curve.size, curve.p
    if len(encoded) != 2 * size + 1 or encoded[0] != 4:
        raise Refused("seal", f"A key is not an uncompressed point of {curve.name}.")
    x, y = int.from_bytes(encoded[1 : size + 1], "big"), int.from_bytes(encoded[size + 1 :], "big")
    if x >= p or y >= p or (y * y - (x * x * x - 3 * x + curve.b)) % p:
        raise Refused("seal", f"A key does not lie on the curve {curve.name}.")
    return x, y, 1


def verify(curve: Curve, key: Point, digest: bytes, signature: bytes, *, any_twin: bool = False) -> bool:
    """Whether `signature` (DER) over the digest is by `key`, and in the one form that is accepted.

    `any_twin`: s may lie in either half, where the signature itself is covered by another (in a certificate).
    """
    n = curve.n
    node = der.parse(signature)
    if node.tag != der.SEQUENCE or len(node.children) != 2:
        return False
    r, s = (der.integer(child) for child in node.children)
    if not (0 < r < n and 0 < s < n) or (s > n // 2 and not any_twin):
        return False
    # The leftmost bits of the digest, as many as the order has.
    e = int.from_bytes(digest, "big") >> max(0, 8 * len(digest) - n.bit_length())
    w = pow(s, -1, n)
    x, _y, z = _sum(curve, e * w % n, r * w % n, key)
    return z != 0 and (x * pow(z, -2, curve.p) % curve.p) % n == r


def _sum(curve: Curve, u: int, v: int, key: Point) -> Point:
    """u*G + v*key by Shamir's trick."""
    table = {(1, 0): curve.base, (0, 1): key, (1, 1): _add(curve.p, curve.base, key)}
    total = INFINITY
    for bit in range(max(u.bit_length(), v.bit_length()) - 1, -1, -1):
        total = _double(curve.p, total)
        pair = (u >> bit & 1, v >> bit & 1)
        if pair in table:
            total = _add(curve.p, total, table[pair])
    return total


def _double(p: int, one: Point) -> Point:
    x, y, z = one
    if not z or not y:
        return INFINITY
    delta, gamma = z * z % p, y * y % p
    beta = x * gamma % p
    alpha = 3 * (x - delta) * (x + delta) % p
    new_x = (alpha * alpha - 8 * beta) % p
    new_z = ((y + z) ** 2 - gamma - delta) % p
    return new_x, (alpha * (4 * beta - new_x) - 8 * gamma * gamma) % p, new_z


def _add(p: int, one: Point, two: Point) -> Point:
    if not one[2]:
        return two
    if not two[2]:
        return one
    (x1, y1, z1), (x2, y2, z2) = one, two
    square1, square2 = z1 * z1 % p, z2 * z2 % p
    u1, u2 = x1 * square2 % p, x2 * square1 % p
    s1, s2 = y1 * square2 * z2 % p, y2 * square1 * z1 % p
    if u1 == u2:
        return _double(p, one) if s1 == s2 else INFINITY
    h, r = (u2 - u1) % p, (s2 - s1) % p
    cube = h * h % p * h % p
    v = u1 * h % p * h % p
    new_x = (r * r - cube - 2 * v) % p
    return new_x, (r * (v - new_x) - s1 * cube) % p, h * z1 % p * z2 % p
