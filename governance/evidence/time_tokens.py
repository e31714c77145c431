"""Time stamp tokens (RFC 3161) in one form, so that no second file carries the same stamp.

A token's signature covers neither the certificates that come along nor which of two ECDSA signatures it is. What an
authority sends is put into the one form that is accepted: the authority's chain without its root, in its order; no
unsigned attributes, no revocation lists; an ECDSA signature in its lower half. Nothing that is signed is touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asn1crypto import algos, cms, tsp
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.x509 import load_der_x509_certificate
from pyhanko.sign.timestamps import TimeStamper, TimestampRequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_PATH = 6


def chain(signer: Any, certificates: Sequence[Any]) -> list[Any]:
    """The signer's certificate and those above it, each the issuer of the one before, without self-issued ones.

    Raises:
        ValueError: the signer's certificate is not among them.
    """
    left = {one.dump(): one for one in certificates}
    named = signer["sid"].chosen
    current = next(
        (
            one
            for one in left.values()
            if signer["sid"].name == "issuer_and_serial_number"
            and named["serial_number"].native == one.serial_number
            and named["issuer"].dump() == one.issuer.dump()
        ),
        None,
    )
    if current is None:
        raise ValueError("a time stamp does not bring its authority's certificate")
    found: list[Any] = []
    while current is not None and len(found) < MAX_PATH and current.issuer.dump() != current.subject.dump():
        found.append(left.pop(current.dump()))
        issuer = found[-1].issuer.dump()
        current = next((one for one in left.values() if one.subject.dump() == issuer), None)
    return found


def low_half(signature: bytes, certificate: Any) -> bytes:
    """The signature itself, or of an ECDSA signature the twin whose s is in the lower half."""
    key = load_der_x509_certificate(certificate.dump()).public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return signature
    r, s = decode_dss_signature(signature)
    order = key.curve.group_order
    return encode_dss_signature(r, min(s, order - s))


def canonical(token: cms.ContentInfo) -> cms.ContentInfo:
    """The token in the one form that the checkers accept.

    Raises:
        TimestampRequestError: what the authority sent cannot be put into it.
    """
    try:
        signed = cms.ContentInfo.load(token.dump())["content"]
        (signer,) = signed["signer_infos"]
        way = chain(signer, [one.chosen for one in signed["certificates"]])
        plain = {
            name: signer[name] for name in ("version", "sid", "digest_algorithm", "signed_attrs", "signature_algorithm")
        }
        info = cms.SignerInfo({**plain, "signature": low_half(signer["signature"].native, way[0])})
        # Made of its bytes: a set made of its parts is sorted by length, and here each comes before its issuer.
        certificates = cms.CertificateSet(contents=b"".join(one.dump() for one in way))
        body = cms.SignedData(
            {
                "version": "v3",
                "digest_algorithms": [signer["digest_algorithm"]],
                "encap_content_info": signed["encap_content_info"],
                "certificates": certificates,
                "signer_infos": [info],
            }
        )
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise TimestampRequestError(
            f"The time stamp authority's answer has no form that is accepted: {error}"
        ) from error
    return cms.ContentInfo({"content_type": "signed_data", "content": body})


class CanonicalTimeStamper(TimeStamper):
    """Asks another time stamper and gives its tokens in the one form."""

    def __init__(self, inner: TimeStamper) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.inner = inner

    async def async_request_tsa_response(self, req: tsp.TimeStampReq) -> tsp.TimeStampResp:
        return await self.inner.async_request_tsa_response(req)

    async def async_timestamp(self, message_digest: bytes, md_algorithm: str) -> cms.ContentInfo:
        token = canonical(await super().async_timestamp(message_digest, md_algorithm))
        info = tsp.TSTInfo.load(bytes(token["content"]["encap_content_info"]["content"]))
        imprint = info["message_imprint"]
        asked = algos.DigestAlgorithmId(md_algorithm).native
        if imprint["hashed_message"].native != message_digest or imprint["hash_algorithm"]["algorithm"].native != asked:
            raise TimestampRequestError("The time stamp authority stamped something else than it was asked to.")
        return token


def in_one_form(stamper: TimeStamper) -> CanonicalTimeStamper:
    """The stamper itself where it already gives the one form, else one around it."""
    return stamper if isinstance(stamper, CanonicalTimeStamper) else CanonicalTimeStamper(stamper)
