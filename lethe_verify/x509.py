"""Certificates (RFC 5280): what is needed of them, who signed them, and the path to a root that is believed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from lethe_verify import der, ec, ed25519, rsa
from lethe_verify.errors import Refused

EC_KEY, RSA_KEY, ED25519 = der.oid("1.2.840.10045.2.1"), der.oid("1.2.840.113549.1.1.1"), der.oid("1.3.101.112")
CURVES: Final = {der.oid("1.2.840.10045.3.1.7"): ec.P256, der.oid("1.3.132.0.34"): ec.P384}
DIGEST_NAMES: Final = {value: name for name, value in rsa.DIGESTS.items()}
ECDSA: Final = {der.oid(f"1.2.840.10045.4.3.{last}"): name
                for last, name in ((2, "sha256"), (3, "sha384"), (4, "sha512"))}  # fmt: skip
RSA: Final = {der.oid(f"1.2.840.113549.1.1.{last}"): name
              for last, name in ((11, "sha256"), (12, "sha384"), (13, "sha512"))}  # fmt: skip
PSS, MGF1 = der.oid("1.2.840.113549.1.1.10"), der.oid("1.2.840.113549.1.1.8")
CONSTRAINTS, USAGE, EXTENDED = der.oid("2.5.29.19"), der.oid("2.5.29.15"), der.oid("2.5.29.37")
#: Critical extensions whose meaning is heeded here, or has none for time stamps (names, policies).
KNOWN: Final = {CONSTRAINTS, USAGE, EXTENDED, der.oid("2.5.29.17"), der.oid("2.5.29.32")}
TIME_STAMPING: Final = der.oid("1.3.6.1.5.5.7.3.8")
ANY_PURPOSE: Final = der.oid("2.5.29.37.0")
#: No certificate that is looked at is larger.
LARGEST: Final = 16 * 1024
#: How long a path and how many certificates a file may bring.
MAX_PATH, MAX_CERTIFICATES = 6, 48


@dataclass(frozen=True)
class Certificate:
    """What is needed of an X.509 certificate; names and key as DER."""

    raw: bytes
    signed: bytes
    algorithm: der.Node
    signature: bytes
    issuer: bytes
    subject: bytes
    serial: bytes
    key: der.Node
    not_before: datetime
    not_after: datetime
    extensions: dict[bytes, tuple[bool, bytes]]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, in hexadecimal: what the one who checks compares."""
        return hashlib.sha256(self.raw).hexdigest()

    @property
    def purposes(self) -> set[bytes]:
        """Object identifiers of the extended key usage; empty without one."""
        found = self.extensions.get(EXTENDED)
        return {one.raw for one in der.parse(found[1]).children} if found else set()

    @property
    def is_authority(self) -> bool:
        """Whether it may sign certificates."""
        constraints, usage = self.extensions.get(CONSTRAINTS), self.extensions.get(USAGE)
        marked = constraints is not None and any(
            one.raw == b"\x01\x01\xff" for one in der.parse(constraints[1]).children
        )
        bits = der.parse(usage[1]).content if usage else b"\x00\x04"
        return marked and len(bits) > 1 and bool(bits[1] & 0x04)

    @property
    def signs_lists(self) -> bool:
        """Whether it may sign revocation lists (RFC 5280, 4.2.1.3)."""
        usage = self.extensions.get(USAGE)
        bits = der.parse(usage[1]).content if usage else b"\x00\x02"
        return self.is_authority and len(bits) > 1 and bool(bits[1] & 0x02)

    def allows_below(self, authorities: int) -> bool:
        """Whether so many other authorities may stand between it and the end of the path (RFC 5280, 4.2.1.9)."""
        constraints = self.extensions.get(CONSTRAINTS)
        limits = (
            [der.integer(one) for one in der.parse(constraints[1]).children if one.tag == der.INTEGER]
            if constraints
            else []
        )
        return not limits or authorities <= limits[0]

    @property
    def is_for_time(self) -> bool:
        """Whether its key may sign time stamps: this purpose, critical, and no other (RFC 3161, 2.3)."""
        usage = self.extensions.get(USAGE)
        bits = der.parse(usage[1]).content if usage else b"\x00\xc0"
        critical, _value = self.extensions.get(EXTENDED, (False, b""))
        signs = len(bits) > 1 and bool(bits[1] & 0xC0)
        return self.purposes == {TIME_STAMPING} and critical and signs and not self.is_authority

    @property
    def leads_to_time(self) -> bool:
        """Whether those whom it certifies may sign time stamps: its purposes, where it names some, limit theirs."""
        return not self.purposes or bool(self.purposes & {TIME_STAMPING, ANY_PURPOSE})

    def valid_at(self, moment: datetime) -> bool:
        """Whether the moment lies in its validity."""
        return self.not_before <= moment <= self.not_after


def certificate(raw: bytes) -> Certificate:
    """A certificate from its DER bytes."""
    if len(raw) > LARGEST:
        raise Refused("certificate", "A certificate is larger than any of ours.")
    try:
        whole = der.parse(raw)
        body, algorithm, bits = whole.children
        fields = list(body.children)
        if fields[0].tag == der.CONTEXT_0:
            fields = fields[1:]
        serial, inner, issuer, validity, subject, key = fields[:6]
        begin, end = (time(one) for one in validity.children)
        lists = [one for one in fields[6:] if one.tag == der.CONTEXT_3]
        extensions: dict[bytes, tuple[bool, bytes]] = {}
        for one in lists[0].children[0].children if lists else ():
            name, *critical, value = one.children
            if name.raw in extensions:
                raise ValueError("an extension appears twice")
            extensions[name.raw] = (bool(critical) and critical[0].raw == b"\x01\x01\xff", value.content)
    except (IndexError, ValueError) as error:
        raise Refused("certificate", "A certificate cannot be read.") from error
    if inner.raw != algorithm.raw or bits.tag != der.BIT_STRING or bits.content[:1] != b"\x00":
        raise Refused("certificate", "A certificate contradicts itself.")
    return Certificate(raw, body.raw, algorithm, bits.content[1:], issuer.raw, subject.raw, serial.raw, key, begin, end,
                       extensions)  # fmt: skip


def time(node: der.Node) -> datetime:
    """UTCTime or GeneralizedTime, as RFC 5280 (4.1.2.5) writes them; fractions of a second as RFC 3161 (2.4.2) does."""
    text = node.content.decode("ascii")
    if node.tag == 0x17:
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    plain, _dot, fraction = text.removesuffix("Z").partition(".")
    if not text.endswith("Z") or len(plain) != 14 or (fraction and not (fraction.isdecimal() and len(fraction) < 7)):
        raise ValueError("a time is not in its form")
    moment = datetime.strptime(plain, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return moment.replace(microsecond=int(fraction.ljust(6, "0"))) if fraction else moment


def signed(
    key: der.Node, algorithm: der.Node, digest_name: str, message: bytes, signature: bytes, *, any_twin: bool
) -> bool:
    """Whether the signature over `message` is by the key (SubjectPublicKeyInfo).

    `digest_name` is what CMS names beside the algorithm; the algorithm's own digest, where it has one, is the same.
    """
    kind, name = key.children[0].children[0].raw, algorithm.children[0].raw
    public = key.children[1].content[1:]
    if kind == EC_KEY and ECDSA.get(name) == digest_name and len(algorithm.children) == 1:
        curve = CURVES.get(key.children[0].children[1].raw)
        digest = hashlib.new(digest_name, message).digest()
        return curve is not None and ec.verify(curve, ec.point(curve, public), digest, signature, any_twin=any_twin)
    if kind == RSA_KEY and (RSA.get(name) == digest_name or name == RSA_KEY):
        return rsa.verify_pkcs1(public, digest_name, message, signature)
    if kind == RSA_KEY and name == PSS:
        salt = _pss_salt(algorithm, digest_name)
        return salt is not None and rsa.verify_pss(public, digest_name, salt, message, signature)
    if kind == name == ED25519 and len(algorithm.children) == 1:
        return ed25519.verify(public, message, signature)
    return False


def _pss_salt(algorithm: der.Node, digest_name: str) -> int | None:
    """The salt's length, where digest and mask are of one digest (RFC 4055, 3.1); the defaults, SHA-1, are refused."""
    given = {one.tag: one.children[0] for one in algorithm.children[1].children}
    wanted = rsa.DIGESTS[digest_name]
    if set(given) != {der.CONTEXT_0, der.CONTEXT_1, 0xA2} or given[der.CONTEXT_0].children[0].raw != wanted:
        return None
    mask = given[der.CONTEXT_1].children
    return der.integer(given[0xA2]) if mask[0].raw == MGF1 and mask[1].children[0].raw == wanted else None


def _digest_of(algorithm: der.Node) -> str:
    """The digest that a certificate's own signature uses."""
    name = algorithm.children[0].raw
    if name == PSS:
        return DIGEST_NAMES.get(algorithm.children[1].children[0].children[0].children[0].raw, "")
    return ECDSA.get(name) or RSA.get(name) or ("sha512" if name == ED25519 else "")


def is_signed_by(one: Certificate, issuer: Certificate) -> bool:
    """Whether `issuer` may sign certificates and signed this one."""
    if one.issuer != issuer.subject or not issuer.is_authority:
        return False
    return _is_by(issuer, one.algorithm, one.signed, one.signature)


def is_signature(issuer: Certificate, algorithm: der.Node, message: bytes, bits: der.Node) -> bool:
    """Whether the bit string is a signature by the certificate's key, as lists and answers of authorities carry it."""
    whole = bits.tag == der.BIT_STRING and bits.content[:1] == b"\x00"
    return whole and _is_by(issuer, algorithm, message, bits.content[1:])


def _is_by(issuer: Certificate, algorithm: der.Node, message: bytes, signature: bytes) -> bool:
    digest = _digest_of(algorithm)
    return bool(digest) and signed(issuer.key, algorithm, digest, message, signature, any_twin=True)


def path(leaf: Certificate, others: Iterable[Certificate], believed: Collection[str]) -> list[Certificate] | None:
    """From the leaf, for time stamps, to a certificate whose fingerprint is believed, or None. Dates are not asked."""
    known = {one.raw: one for one in others}
    if len(known) > MAX_CERTIFICATES:
        raise Refused("certificate", "The file brings more certificates than any of ours.")
    return _path([leaf], list(known.values()), believed)


def _path(way: list[Certificate], others: list[Certificate], believed: Collection[str]) -> list[Certificate] | None:
    """Depth first; a certificate that was tried is not tried again: a crowd of them costs no more than a line."""
    if any(critical and name not in KNOWN for name, (critical, _value) in way[-1].extensions.items()):
        return None
    if way[-1].fingerprint in believed:
        return way
    for one in [one for one in others if one.subject == way[-1].issuer]:
        if one not in others or len(way) >= MAX_PATH or not one.allows_below(len(way) - 1):
            continue
        if (one.leads_to_time or one.fingerprint in believed) and is_signed_by(way[-1], one):
            others.remove(one)
            if found := _path([*way, one], others, believed):
                return found
    return None
