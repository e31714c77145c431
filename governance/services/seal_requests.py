"""A certificate by an authority for the seal's key: requested (PKCS#10), checked when it comes, put in place.

The key stays where it is. The certificate before is retired: what it sealed stays genuine, as after a rotation.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier
from django.conf import settings

from governance.errors import Unfit
from governance.evidence import identity
from governance.evidence.errors import SealError
from governance.evidence.seal import converted
from governance.evidence.seal_class import organisation
from governance.models import Seal
from governance.services import seal_ends, seals

#: What an extended key usage may say of a certificate that seals documents: RFC 9336, any, Microsoft's and Adobe's.
FITTING: Final = {identity.DOCUMENT_SIGNING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
                  ObjectIdentifier("1.3.6.1.4.1.311.10.3.12"), ObjectIdentifier("1.2.840.113583.1.1.5")}  # fmt: skip
_PURPOSES: Final = {
    ExtendedKeyUsageOID.SERVER_AUTH: "TLS servers", ExtendedKeyUsageOID.CLIENT_AUTH: "TLS clients",
    ExtendedKeyUsageOID.CODE_SIGNING: "programs", ExtendedKeyUsageOID.EMAIL_PROTECTION: "e-mail",
    ExtendedKeyUsageOID.TIME_STAMPING: "time stamps", ExtendedKeyUsageOID.OCSP_SIGNING: "OCSP answers",
}  # fmt: skip
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.S)


def request_make(*, new: bool = False) -> bytes:
    """The request (PEM) for the present key, or with `new` for one that takes over when its certificate comes.

    Raises:
        Unfit, SealError, SealUnavailable: see `seals.seal_open`; a certificate that has ended is no hindrance.
    """
    place = seals.folder()
    if new:
        place = place / seal_ends.NEXT
        if not (place / identity.CERTIFICATE_FILE).exists():
            seals.seal_make(place)
    return identity.request(seals.key_in(place), settings.ORGANISATION).public_bytes(Encoding.PEM)


def certificate_install(path: Path, above: Iterable[Path] = ()) -> Seal:
    """Put the issued certificate in the place of the present one, after all was found to fit.

    Args:
        path: the certificate, alone or with those above it, PEM or DER.
        above: further files with certificates of the authorities.

    Raises:
        Unfit: says what does not fit: another key's, dates, usage, or a chain that does not reach a root.
        SealError, SealUnavailable: the present key cannot be read now.
    """
    given = [one for file in (path, *above) for one in _read(file)]
    place = seals.folder()
    waiting = place / seal_ends.NEXT
    folders = [one for one in (place, waiting) if (one / identity.CERTIFICATE_FILE).exists()]
    keys = {one: seals.key_in(one).certificate.public_key() for one in folders}
    found = next(((one, at) for at, key in keys.items() for one in given if one.public_key() == key), None)
    if found is None:
        subjects = "; ".join(sorted({one.subject.rfc4514_string() for one in given}))
        raise Unfit(f"None of the certificates in {path} is for the seal's key. They are for: {subjects[:300]}. "
                    "Have the request of `manage.py keys csr` signed, and install what comes back.")  # fmt: skip
    leaf, where = found
    if ended := Seal.objects.filter(fingerprint=identity.fingerprint(leaf)).exclude(ended_at=None).first():
        raise Unfit(f"This certificate was {ended.reason} on {ended.ended_at:%Y-%m-%d}: nothing is un-revoked.")
    check_fit(leaf)
    way = chain_of(leaf, given)
    return _put_in_place(leaf, way, where)


def check_fit(leaf: x509.Certificate) -> None:
    """Dates and usage of a certificate that is to seal reports.

    Raises:
        Unfit: one sentence for each thing that does not fit.
    """
    problems = []
    try:
        identity.check_valid(leaf)
    except SealError as error:
        problems.append(str(error.problems[0]).partition(" Run ")[0])
    usage = _extension(leaf, x509.KeyUsage)
    if usage is not None and not (usage.digital_signature or usage.content_commitment):
        problems.append("Its key usage allows neither signatures (digitalSignature) nor seals (nonRepudiation).")
    purposes = _extension(leaf, x509.ExtendedKeyUsage)
    if purposes is not None and not FITTING & set(purposes):
        named = ", ".join(_PURPOSES.get(one, one.dotted_string) for one in purposes)
        problems.append(f"Its extended key usage is for {named}, not for documents (id-kp-documentSigning, RFC 9336).")
    constraints = _extension(leaf, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        problems.append("It is a certificate of an authority: reports are not sealed with one.")
    if problems:
        raise Unfit([f"The certificate of {organisation(leaf.subject)} does not fit.", *problems])


def chain_of(leaf: x509.Certificate, given: Iterable[x509.Certificate]) -> list[x509.Certificate]:
    """Those above the certificate up to the root, the nearest first; found by RFC 5280's validation, offline.

    Raises:
        Unfit: it is self-issued, no root was given, or the way to it does not hold.
    """
    from pyhanko_certvalidator import CertificateValidator, ValidationContext
    from pyhanko_certvalidator.errors import PathBuildingError, PathValidationError

    others = [one for one in given if one != leaf]
    roots = [one for one in others if one.issuer == one.subject]
    if leaf.issuer == leaf.subject:
        raise Unfit("The certificate is self-issued. An authority has to sign the request of `manage.py keys csr`.")
    context = ValidationContext(trust_roots=converted(*roots), allow_fetching=False)
    try:
        validator = CertificateValidator(converted(leaf)[0], converted(*others), validation_context=context)
        path = asyncio.run(validator.async_validate_usage(set()))
    except PathBuildingError as error:
        named = [one for one in others if one.subject == leaf.issuer]
        last = named[0].issuer if named else leaf.issuer
        raise Unfit(f"The chain does not reach a root: the certificate of {last.rfc4514_string()} is missing. Give it "
                    "by --chain; the authority offers it beside the certificate.") from error  # fmt: skip
    except PathValidationError as error:
        raise Unfit(f"The chain does not hold: {error}") from error
    return [x509.load_der_x509_certificate(one.dump()) for one in reversed(list(path))][1:]


def _extension(leaf: x509.Certificate, kind: type[Any]) -> Any:
    try:
        return leaf.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _read(path: Path) -> list[x509.Certificate]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Unfit(f"{path} cannot be read ({error.strerror}).") from error
    try:
        found = _PEM.findall(data)
        certificates = [x509.load_pem_x509_certificate(one) for one in found] or [x509.load_der_x509_certificate(data)]
    except ValueError as error:
        raise Unfit(f"{path} holds no certificate that can be read, neither as PEM nor as DER ({error}).") from error
    return certificates


def _put_in_place(leaf: x509.Certificate, way: list[x509.Certificate], where: Path) -> Seal:
    """The ledger first, the files after it: a step that was cut off is finished by the next run."""
    chain, certificate = b"".join(one.public_bytes(Encoding.PEM) for one in way), leaf.public_bytes(Encoding.PEM)
    _write(where / identity.CHAIN_FILE, chain)
    if where.name == seal_ends.NEXT:
        _write(where / identity.CERTIFICATE_FILE, certificate)
        return seal_ends.seal_rotate()
    row = seal_ends.seal_replace(leaf)
    for target in (settings.SEAL_CERTIFICATE, where / identity.CERTIFICATE_FILE):
        _write(target, certificate)
    return row


def _write(target: Path, data: bytes) -> None:
    """As one step, so that nobody reads half a file; certificates are public, and every process reads them."""
    coming = target.with_suffix(".new")
    with os.fdopen(os.open(coming, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), "wb") as file:
        file.write(data)
    coming.replace(target)
