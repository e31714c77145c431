"""Whether a time stamp authority's certificate was revoked, by the lists and answers that a file carries.

They count only where the authority that issued the certificate signed them. What RFC 3161 (4) says of reasons: with a
harmless one what was stamped before stays; with any other, or none, only what a stamp from before vouches for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from governance.evidence.cms_form import FormError
from governance.evidence.findings import Words, _

LARGEST: Final = 256 * 1024
_REASONS = x509.ReasonFlags
HARMLESS: Final = {_REASONS.unspecified, _REASONS.affiliation_changed, _REASONS.superseded,
                   _REASONS.cessation_of_operation}  # fmt: skip
COMPROMISED: Final = _(
    "The certificate of a time stamp’s authority was revoked on %(since)s, and its key may be in other hands; no stamp "
    "of another authority from before that vouches for this one."
)
#: Since when a certificate was revoked, and why, where that is stated.
Revoked = tuple[datetime, x509.ReasonFlags | None]


def data_of(reader: Any) -> tuple[list[bytes], list[bytes]]:
    """Answers (OCSP) and lists (CRL) in the document security store."""
    store = _at(reader.root, "/DSS")
    listed = {name: _at(store, name) for name in ("/OCSPs", "/CRLs")}
    # By index: iterating does not follow references.
    answers, lists = ([bytes(held[at].data) for at in range(len(held))] for held in listed.values())
    return answers, lists


def _at(holder: Any, name: str) -> Any:
    """A member, its reference followed (which `get` does not do); nothing where it is not there."""
    try:
        return holder[name]
    except KeyError:
        return {}


def doubt(
    way: Sequence[bytes], stamped: datetime, vouched: datetime | None, answers: list[bytes], lists: list[bytes]
) -> Words | None:
    """Why the authority is not to be believed, as far as the file tells; None where it tells nothing against it.

    Args:
        way: certificates (DER) from the authority's to the root, which no data can revoke.
        vouched: the time of the next stamp by another authority that is not the issuer's own; None where none is.

    Raises:
        FormError: the stamp was made after a certificate of its authority had been revoked.
    """
    path = [x509.load_der_x509_certificate(one) for one in way]
    for one, issuer in zip(path, path[1:], strict=False):
        for since, reason in (*_in_lists(one, issuer, lists), *_in_answers(one, issuer, answers)):
            if stamped >= since:
                raise FormError(f"a time stamp was made after its authority's certificate was revoked ({since})")
            if reason not in HARMLESS and (vouched is None or vouched >= since):
                return Words(COMPROMISED, {"since": since.isoformat()})
    return None


def _in_lists(one: x509.Certificate, issuer: x509.Certificate, lists: list[bytes]) -> Iterator[Revoked]:
    for data in lists:
        try:
            found = x509.load_der_x509_crl(data) if len(data) <= LARGEST else None
            key: Any = issuer.public_key()
            if found is None or found.issuer != issuer.subject or not found.is_signature_valid(key):
                continue
            line = found.get_revoked_certificate_by_serial_number(one.serial_number)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            continue
        if line is not None:
            yield from _with_reason(line)


def _with_reason(line: x509.RevokedCertificate) -> Iterator[Revoked]:
    try:
        reason = line.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except x509.ExtensionNotFound:
        reason = None
    except ValueError:
        return
    if reason is not _REASONS.remove_from_crl:
        yield line.revocation_date_utc, reason


def _in_answers(one: x509.Certificate, issuer: x509.Certificate, answers: list[bytes]) -> Iterator[Revoked]:
    for data in answers:
        try:
            answer = ocsp.load_der_ocsp_response(data) if len(data) <= LARGEST else None
            if answer is None or answer.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
                continue
            signed = any(_signed(answer, key) for key in (issuer, *_named(answer, issuer)))
            singles = [single for single in answer.responses if signed and _is_of(single, one, issuer)]
        except (ValueError, TypeError, UnsupportedAlgorithm):
            continue
        for single in singles:
            if single.certificate_status is ocsp.OCSPCertStatus.REVOKED and single.revocation_time_utc:
                yield single.revocation_time_utc, single.revocation_reason


def _named(answer: ocsp.OCSPResponse, issuer: x509.Certificate) -> Iterator[x509.Certificate]:
    """Whom the issuer lets answer (RFC 6960, 4.2.2.2)."""
    for one in answer.certificates[:4]:
        try:
            one.verify_directly_issued_by(issuer)
            purposes = one.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
            continue
        if ExtendedKeyUsageOID.OCSP_SIGNING in purposes:
            yield one


def _is_of(single: ocsp.OCSPSingleResponse, one: x509.Certificate, issuer: x509.Certificate) -> bool:
    """By serial number and issuer's name; whose key it is tells the signature."""
    state = hashes.Hash(single.hash_algorithm)
    state.update(issuer.subject.public_bytes())
    return single.serial_number == one.serial_number and single.issuer_name_hash == state.finalize()


def _signed(answer: ocsp.OCSPResponse, certificate: x509.Certificate) -> bool:
    key, chosen = certificate.public_key(), answer.signature_hash_algorithm
    try:
        if isinstance(key, rsa.RSAPublicKey) and chosen:
            key.verify(answer.signature, answer.tbs_response_bytes, padding.PKCS1v15(), chosen)
        elif isinstance(key, ec.EllipticCurvePublicKey) and chosen:
            key.verify(answer.signature, answer.tbs_response_bytes, ec.ECDSA(chosen))
        else:
            return False
    except InvalidSignature:
        return False
    return True
