"""The verifier's own arithmetic agrees with OpenSSL's and with the published vectors, refusals included."""

from __future__ import annotations

import hashlib
import json
import math
import random
import struct
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from cryptography.hazmat.primitives.asymmetric import rsa as private_rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from governance.evidence import merkle as house
from lethe_verify import der, jcs, merkle, rsa
from lethe_verify import ec as ours_ec
from lethe_verify import ed25519 as ours
from lethe_verify.errors import Refused

RAW = (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
DIGEST = {"P-256": "sha256", "P-384": "sha384"}
#: RFC 8032, 7.1: key, message, signature.
RFC8032 = (
    ("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24"
     "655141438e7a100b"),
    ("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aee"
     "b00d291612bb0c00"),
    ("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28d"
     "c027beceea1ec40a"),
)  # fmt: skip


def checked(key: Any, curve: ours_ec.Curve, message: bytes, signature: bytes, *, any_twin: bool = False) -> bool:
    point = ours_ec.point(curve, key.public_key().public_bytes(*RAW))
    digest = hashlib.new(DIGEST[curve.name], message).digest()
    return ours_ec.verify(curve, point, digest, signature, any_twin=any_twin)


@pytest.mark.parametrize(("curve", "theirs"), [(ours_ec.P256, ec.SECP256R1()), (ours_ec.P384, ec.SECP384R1())])
def test_ecdsa_agrees_with_openssl(curve: ours_ec.Curve, theirs: ec.EllipticCurve) -> None:
    rng, algorithm = random.Random(1), ec.ECDSA(getattr(hashes, DIGEST[curve.name].upper())())
    for number in range(12):
        key = ec.generate_private_key(theirs)
        message = rng.randbytes(number * 7)
        r, s = decode_dss_signature(key.sign(message, algorithm))
        low, high = (encode_dss_signature(r, one(s, curve.n - s)) for one in (min, max))
        assert checked(key, curve, message, low)
        assert not checked(key, curve, message + b"x", low)
        assert not checked(key, curve, message, high), "the twin"
        assert checked(key, curve, message, high, any_twin=True)
        assert not checked(key, curve, message, encode_dss_signature((r + 1) % curve.n, min(s, curve.n - s)))
        assert not checked(ec.generate_private_key(theirs), curve, message, low)


def test_p256_knows_no_point_off_the_curve_and_no_signature_of_zero() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    key = private.public_key().public_bytes(*RAW)
    for encoded in (
        key[:-1] + bytes([key[-1] ^ 1]),
        b"\x02" + key[1:33],
        b"\x04" + b"\x00" * 64,
        b"\x04" + b"\xff" * 64,
    ):
        with pytest.raises(Refused):
            ours_ec.point(ours_ec.P256, encoded)
    for r, s in ((0, 1), (1, 0), (0, 0), (ours_ec.P256.n, 1), (ours_ec.P256.n + 1, 1)):
        assert not checked(private, ours_ec.P256, b"", encode_dss_signature(r, s), any_twin=True)


def test_multiples_of_the_base_point_that_meet_themselves_are_right() -> None:
    n = ours_ec.P256.n
    for scalar in (1, 2, 3, n - 1, n - 2):
        key = ec.derive_private_key(scalar, ec.SECP256R1())
        r, s = decode_dss_signature(key.sign(b"m", ec.ECDSA(hashes.SHA256())))
        assert checked(key, ours_ec.P256, b"m", encode_dss_signature(r, min(s, n - s)))


@pytest.mark.parametrize("bits", [2048, 3072, 2049])
def test_rsa_agrees_with_openssl(bits: int) -> None:
    key = private_rsa.generate_private_key(65537, bits)
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    for name, digest in (("sha256", hashes.SHA256()), ("sha384", hashes.SHA384()), ("sha512", hashes.SHA512())):
        plain = key.sign(b"m", padding.PKCS1v15(), digest)
        assert rsa.verify_pkcs1(public, name, b"m", plain)
        assert not rsa.verify_pkcs1(public, name, b"n", plain)
        assert not rsa.verify_pkcs1(public, name, b"m", b"\x00" + plain)
        number = int.from_bytes(plain, "big") + key.public_key().public_numbers().n
        assert number.bit_length() > 8 * len(plain) or not rsa.verify_pkcs1(
            public, name, b"m", number.to_bytes(len(plain), "big")
        ), "the same number beyond the modulus"
        for salt in (0, digest.digest_size):
            masked = key.sign(b"m", padding.PSS(padding.MGF1(digest), salt), digest)
            assert rsa.verify_pss(public, name, salt, b"m", masked)
            assert not rsa.verify_pss(public, name, salt, b"n", masked)
            assert not rsa.verify_pss(public, name, salt + 1, b"m", masked)
            assert not rsa.verify_pss(public, name, salt, b"m", masked[:-1] + bytes([masked[-1] ^ 1]))
    weak = private_rsa.generate_private_key(65537, 1024)  # noqa: S505 - weak on purpose
    short = weak.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    assert not rsa.verify_pkcs1(short, "sha256", b"m", weak.sign(b"m", padding.PKCS1v15(), hashes.SHA256()))


@pytest.mark.parametrize(("key", "message", "signature"), RFC8032)
def test_ed25519_holds_the_vectors_of_its_rfc(key: str, message: str, signature: str) -> None:
    assert ours.verify(bytes.fromhex(key), bytes.fromhex(message), bytes.fromhex(signature))


def test_ed25519_agrees_with_openssl_and_refuses_the_twin_and_weak_keys() -> None:
    rng = random.Random(2)
    for number in range(20):
        key = ed25519.Ed25519PrivateKey.from_private_bytes(rng.randbytes(32))
        public, message = key.public_key().public_bytes_raw(), rng.randbytes(number)
        good = key.sign(message)
        assert ours.verify(public, message, good)
        at = rng.randrange(64)
        assert not ours.verify(public, message, good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        s = int.from_bytes(good[32:], "little") + ours.ORDER
        assert not ours.verify(public, message, good[:32] + s.to_bytes(32, "little")), "s beyond the order"
    weak = (1).to_bytes(32, "little")
    assert not ours.verify(weak, b"anything", weak + bytes(32)), "a key that signs everything"
    assert not ours.verify(public, b"", b"short")


def test_canonical_json_agrees_with_the_other_implementation() -> None:
    rng = random.Random(3)
    for _ in range(3000):
        value = struct.unpack("<d", rng.randbytes(8))[0]
        if math.isfinite(value) and abs(value) < 2**53:
            assert jcs.dump(value) == rfc8785.dumps(value)
    emoji = b"\xf0\x9f\x98\x80".decode()
    numbers = [0.1, 1e-7, 1e-6, 123456789.125, 5e-324, 1e21, 1.5e300, -0.0, 4.0]
    texts = ["€\u2028" + emoji, '\x00\x1f"\\\n']
    values = [*numbers, *texts, True, None, {"\ue000": 1, "\U00010000": 2, "a": [1, {}]}]
    for one in values:
        assert jcs.dump(one) == rfc8785.dumps(one)


@pytest.mark.parametrize(
    "data",
    [b'{"a":1,"a":1}', b'{"a": 1}', b'{"a":1.0}', b'{"a":1e0}', b'{"b":1,"a":1}', b'{"a":NaN}', b"[]", b"\xff", b"{",
     b'{"a":9007199254740993}', b'{"a":"\\u0041"}', b'{"a":-0}', b'\xef\xbb\xbf{"a":1}', b"[" * 100_000],
)  # fmt: skip
def test_json_in_any_other_form_is_refused(data: bytes) -> None:
    with pytest.raises(Refused):
        jcs.parse(data, "it")
    with pytest.raises((ValueError, RecursionError, AssertionError)):
        assert rfc8785.dumps(json.loads(data)) == data and isinstance(json.loads(data), dict)


def test_proofs_of_the_house_hold_and_no_other_does() -> None:
    leaves = [merkle.leaf_hash(b"%d" % index) for index in range(40)]
    for size in range(1, 41):
        tree = house.Tree(leaves[:size])
        for index in range(size):
            proof = tree.inclusion_proof(index)
            assert merkle.root_from_inclusion(leaves[index], index, size, proof) == tree.root()
            if proof:
                assert merkle.root_from_inclusion(leaves[index], index, size, [*proof[:-1], bytes(32)]) != tree.root()
        for old in range(1, size + 1):
            roots = {"old_root": tree.root(old), "new_root": tree.root()}
            other = {**roots, "old_root": bytes(32)}
            proof = tree.consistency_proof(old)
            merkle.check_consistency(old=old, new=size, proof=proof, **roots)
            for wrong in (proof[:-1], [*proof, bytes(32)], [bytes(32), *proof[1:]]):
                if wrong != proof:
                    with pytest.raises(Refused):
                        merkle.check_consistency(old=old, new=size, proof=wrong, **roots)
            if old < size:
                with pytest.raises(Refused):
                    merkle.check_consistency(old=old, new=size, proof=proof, **other)


@pytest.mark.parametrize(
    "text", ["30800000", "308102", "3081020500", "30820002", "1f0101", "020100ff", "30", "0202007f"]
)
def test_der_in_any_other_form_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        der.integer(der.parse(bytes.fromhex(text)))
