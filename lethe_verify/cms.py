"""The seal's signature (CMS, RFC 5652; CAdES, EN 319 122-1): every byte of it is signed or known beforehand."""

from __future__ import annotations

import hashlib

from lethe_verify import der, ec
from lethe_verify.errors import Refused
from lethe_verify.x509 import TIME_STAMPING, Certificate, certificate

DATA, SIGNED = der.oid("1.2.840.113549.1.7.1"), der.oid("1.2.840.113549.1.7.2")
SHA256 = der.make(der.SEQUENCE, der.oid("2.16.840.1.101.3.4.2.1"), der.make(der.NULL))
ECDSA_SHA256 = der.make(der.SEQUENCE, der.oid("1.2.840.10045.4.3.2"))
P256_KEY = der.make(der.SEQUENCE, der.oid("1.2.840.10045.2.1"), der.oid("1.2.840.10045.3.1.7"))
CONTENT_TYPE, DIGEST = der.oid("1.2.840.113549.1.9.3"), der.oid("1.2.840.113549.1.9.4")
SIGNING_CERTIFICATE = der.oid("1.2.840.113549.1.9.16.2.47")
STAMP_TOKEN = der.oid("1.2.840.113549.1.9.16.2.14")
ONE = der.make(der.INTEGER, b"\x01")


def holder_of(raw: bytes) -> Certificate:
    """A seal's certificate. Only P-256 keys are those of a seal, and none of an authority or for time stamps."""
    found = certificate(raw)
    algorithm, bits = found.key.children
    if algorithm.raw != P256_KEY or bits.tag != der.BIT_STRING or bits.content[:1] != b"\x00":
        raise Refused("seal", "The seal's key is not EC P-256.")
    if found.is_authority or TIME_STAMPING in found.purposes:
        raise Refused("seal", "The seal's certificate is one of an authority, or for time stamps: not for reports.")
    return found


def check(contents: bytes, document_digest: bytes) -> tuple[Certificate, bytes, bytes]:
    """Who signed the document with this digest, the signature, and the time stamp over it (empty where there is none).

    `contents` is what /Contents holds: the signature, then zeros.
    """
    outer, rest = der.parse_first(contents)
    if rest.strip(b"\x00"):
        raise Refused("seal", "The room behind the signature is not empty.")
    try:
        return _check(outer, document_digest)
    except (IndexError, ValueError) as error:
        raise Refused("seal", "The seal's signature has not the form in which it was made.") from error


def _check(outer: der.Node, document_digest: bytes) -> tuple[Certificate, bytes, bytes]:
    signed = outer.children[1].children[0]
    signer = signed.children[4].children[0]
    holder = holder_of(signed.children[3].children[0].raw)
    attributes, signature = signer.children[3], signer.children[5]
    unsigned = signer.children[6].raw if len(signer.children) > 6 else b""
    info = der.make(
        der.SEQUENCE, ONE, der.make(der.SEQUENCE, holder.issuer, holder.serial), SHA256, attributes.raw, ECDSA_SHA256,
        der.make(der.OCTETS, signature.content), unsigned,
    )  # fmt: skip
    body = der.make(
        der.SEQUENCE, ONE, der.make(der.SET, SHA256), der.make(der.SEQUENCE, DATA), der.make(der.CONTEXT_0, holder.raw),
        der.make(der.SET, info),
    )  # fmt: skip
    if outer.raw != der.make(der.SEQUENCE, SIGNED, der.make(der.CONTEXT_0, body)) or attributes.tag != der.CONTEXT_0:
        raise Refused("seal", "The outer fields of the seal's signature were altered.")
    _check_attributes(attributes, document_digest, holder)
    message = der.make(der.SET, attributes.content)
    key = ec.point(ec.P256, holder.key.children[1].content[1:])
    if not ec.verify(ec.P256, key, hashlib.sha256(message).digest(), signature.content):
        raise Refused("seal", "The seal's signature is wrong.")
    return holder, signature.content, _token(signer.children[6]) if unsigned else b""


def _check_attributes(attributes: der.Node, document_digest: bytes, holder: Certificate) -> None:
    values: dict[bytes, der.Node] = {}
    for one in attributes.children:
        name, found = one.children
        if name.raw in values or len(found.children) != 1:
            raise Refused("seal", "A signed attribute appears twice.")
        values[name.raw] = found.children[0]
    if CONTENT_TYPE not in values or values[CONTENT_TYPE].raw != DATA:
        raise Refused("seal", "The signed content is not a document.")
    if DIGEST not in values or values[DIGEST].raw != der.make(der.OCTETS, document_digest):
        raise Refused("seal", "The file is not what was sealed: its digest differs.")
    if SIGNING_CERTIFICATE not in values:
        raise Refused("seal", "The seal does not name its certificate.")
    named = values[SIGNING_CERTIFICATE].children[0].children[0].children
    # The digest's algorithm is left out where it is SHA-256, the default.
    if next((one.content for one in named if one.tag == der.OCTETS), b"") != hashlib.sha256(holder.raw).digest():
        raise Refused("seal", "The seal names another certificate than it carries.")


def _token(unsigned: der.Node) -> bytes:
    """The one unsigned attribute that is allowed: a time stamp over the signature."""
    if unsigned.tag != der.CONTEXT_1 or len(unsigned.children) != 1:
        raise Refused("seal", "The seal carries more than its signature and a time stamp.")
    name, values = unsigned.children[0].children
    if name.raw != STAMP_TOKEN or len(values.children) != 1:
        raise Refused("seal", "The seal carries more than its signature and a time stamp.")
    return values.children[0].raw
