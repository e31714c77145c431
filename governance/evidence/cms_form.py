"""The one form in which a seal's CMS is accepted, so that no second file verifies with the same signature.

A PDF signature does not cover the hexadecimal text of /Contents, nor the CMS's outer fields. So the CMS is rebuilt
from what is signed or pinned, and must be byte for byte what the file holds (RFC 5652; ETSI EN 319 122-1).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from asn1crypto import algos, cms, core
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.x509 import load_der_x509_certificate

from governance.evidence.identity import P256_ORDER
from governance.evidence.time_tokens import chain, low_half

INTEGER, OCTETS, NULL, OID_TAG, SEQUENCE, SET, CONTEXT_0 = 0x02, 0x04, 0x05, 0x06, 0x30, 0x31, 0xA0


class FormError(ValueError):
    """The seal is not in the form in which it was made."""


def check_hex(text: bytes, contents: bytes) -> None:
    """`text` is what lies between the two signed ranges: `<`, upper-case hex of the CMS, zeros, `>`."""
    written = cms.ContentInfo.load(contents).dump()
    if not contents.startswith(written) or contents[len(written) :].strip(b"\x00"):
        raise FormError("the room behind the signature is not empty")
    expected = written.hex().upper().encode()
    if text != b"<" + expected.ljust(len(text) - 2, b"0") + b">":
        raise FormError("the signature's hexadecimal text was altered")


def check_cms(contents: bytes, document_digest: bytes) -> bytes:
    """Verifies the signature over the document's SHA-256 and returns the signer's certificate (DER).

    Raises:
        FormError: the signature is wrong, or any byte of the CMS differs from the canonical form.
    """
    info = cms.ContentInfo.load(contents)
    if info["content_type"].native != "signed_data":
        raise FormError("the seal holds no signed data")
    signed = info["content"]
    if len(signed["signer_infos"]) != 1 or len(signed["certificates"]) != 1:
        raise FormError("the seal must have one signer and one certificate")
    signer, certificate = signed["signer_infos"][0], signed["certificates"][0].chosen
    _check_attributes(signer["signed_attrs"], document_digest, certificate)
    _check_signature(signer, certificate)
    rebuilt = _rebuild(signer, certificate)
    if rebuilt != contents[: len(rebuilt)] or contents[len(rebuilt) :].strip(b"\x00"):
        raise FormError("the seal's outer fields were altered")
    der: bytes = certificate.dump()
    return der


def _der(tag: int, *parts: bytes) -> bytes:
    """A DER value of one tag byte over its parts (X.690, 10.1)."""
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + body


def _rebuild(signer: Any, certificate: Any) -> bytes:
    """ContentInfo with SignedData version 1, no content, one certificate, one signer (RFC 5652, sections 3 and 5)."""
    unsigned = b""
    # Dumped before anything in it is looked at: asn1crypto encodes what was looked at anew, a token within for seconds.
    if not isinstance(signer["unsigned_attrs"], core.Void):
        unsigned = signer["unsigned_attrs"].dump()
        if [one["type"].native for one in signer["unsigned_attrs"]] != ["signature_time_stamp_token"]:
            raise FormError("the seal carries unsigned attributes other than a time stamp")
    version, sha256 = _der(INTEGER, b"\x01"), cms.DigestAlgorithm({"algorithm": "sha256"}).dump()
    identifier = _der(SEQUENCE, certificate.issuer.dump(), certificate["tbs_certificate"]["serial_number"].dump())
    signed_by = cms.SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"}).dump()
    signature = _der(OCTETS, signer["signature"].native)
    info = _der(SEQUENCE, version, identifier, sha256, signer["signed_attrs"].dump(), signed_by, signature, unsigned)
    content = _der(SEQUENCE, cms.ContentType("data").dump())
    signed = _der(SEQUENCE, version, _der(SET, sha256), content, _der(CONTEXT_0, certificate.dump()), _der(SET, info))
    return _der(SEQUENCE, cms.ContentType("signed_data").dump(), _der(CONTEXT_0, signed))


def check_token(contents: bytes, believed: Collection[bytes]) -> None:
    """The outer form of a time stamp token whose signature was verified: what the signature does not cover.

    `believed` are the certificates (DER) of the path that was verified, and the roots: no other may lie in the token.

    Raises:
        FormError: another certificate, unsigned attributes, or any byte that differs from the canonical form.
    """
    token = cms.ContentInfo.load(contents)
    signed = token["content"]
    signer = signed["signer_infos"][0]
    unsigned = signer["unsigned_attrs"].native is not None or signed["crls"].native is not None
    if len(signed["signer_infos"]) != 1 or unsigned:
        raise FormError("a time stamp carries more than its authority signed")
    brought = [one.chosen for one in signed["certificates"]]
    certificates = [one.dump() for one in brought]
    way = [one.dump() for one in chain(signer, brought)]
    if certificates != way or not set(certificates) <= set(believed):
        raise FormError("a time stamp carries a certificate that is not of its authority")
    leaf = brought[0]
    if low_half(signer["signature"].native, leaf) != signer["signature"].native:
        raise FormError("the signature of a time stamp is not in the form in which it was made")
    algorithm = signer["digest_algorithm"]["algorithm"].native
    plain, with_null = _der(OID_TAG, _oid(algorithm)), _der(NULL)
    digests = [_der(SEQUENCE, plain), _der(SEQUENCE, plain, with_null)]
    if signer["digest_algorithm"].dump() not in digests or signed["digest_algorithms"].dump() not in [
        _der(SET, one) for one in digests
    ]:
        raise FormError("a time stamp's outer fields were altered")
    identifier = _der(SEQUENCE, leaf.issuer.dump(), leaf["tbs_certificate"]["serial_number"].dump())
    info = _der(
        SEQUENCE, _der(INTEGER, b"\x01"), identifier, signer["digest_algorithm"].dump(), signer["signed_attrs"].dump(),
        _signed_by(signer, algorithm), _der(OCTETS, signer["signature"].native),
    )  # fmt: skip
    body = _der(
        SEQUENCE, _der(INTEGER, b"\x03"), signed["digest_algorithms"].dump(),
        _der(SEQUENCE, cms.ContentType("tst_info").dump(),
             _der(CONTEXT_0, _der(OCTETS, bytes(signed["encap_content_info"]["content"])))),
        _der(CONTEXT_0, *certificates), _der(SET, info),
    )  # fmt: skip
    rebuilt = _der(SEQUENCE, cms.ContentType("signed_data").dump(), _der(CONTEXT_0, body))
    if rebuilt != contents[: len(rebuilt)] or contents[len(rebuilt) :].strip(b"\x00"):
        raise FormError("a time stamp's outer fields were altered")


def _oid(algorithm: str) -> bytes:
    contents: bytes = algos.DigestAlgorithmId(algorithm).contents
    return contents


def _signed_by(signer: Any, digest: str) -> bytes:
    """The signature algorithm as it was given, if it is one of the forms in use for that digest."""
    given: bytes = signer["signature_algorithm"].dump()
    names = ("rsassa_pkcs1v15", f"{digest}_rsa", f"{digest}_ecdsa")
    oids = [_der(OID_TAG, algos.SignedDigestAlgorithmId(name).contents) for name in names]
    if given not in [_der(SEQUENCE, oid, *null) for oid in oids for null in ((), (_der(NULL),))]:
        raise FormError("a time stamp's signature algorithm is not one in use")
    return given


def _check_attributes(attributes: Any, document_digest: bytes, certificate: Any) -> None:
    values = {one["type"].native: one["values"] for one in attributes}
    if len(values) != len(attributes) or any(len(one) != 1 for one in values.values()):
        raise FormError("a signed attribute appears twice")
    if "content_type" not in values or values["content_type"][0].native != "data":
        raise FormError("the signed content type is wrong")
    if "message_digest" not in values or values["message_digest"][0].native != document_digest:
        raise FormError("the file is not what was sealed: its digest differs")
    if "signing_certificate_v2" not in values:
        raise FormError("the seal does not name its certificate (PAdES demands it)")
    named = values["signing_certificate_v2"][0]["certs"][0]["cert_hash"].native
    digest = hashes.Hash(hashes.SHA256())
    digest.update(certificate.dump())
    if named != digest.finalize():
        raise FormError("the seal names another certificate than it carries")


def _check_signature(signer: Any, certificate: Any) -> None:
    key = load_der_x509_certificate(certificate.dump()).public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise FormError("the seal's key is not EC P-256")
    signature = signer["signature"].native
    r, s = decode_dss_signature(signature)
    if s > P256_ORDER // 2 or encode_dss_signature(r, s) != signature:
        raise FormError("the signature is not in the form in which it was made")
    try:
        key.verify(signature, signer["signed_attrs"].untag().dump(), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise FormError("the signature is wrong") from error
