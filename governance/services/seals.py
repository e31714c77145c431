"""The seal's key: made where it is to lie, opened by the signing worker alone, for the kind that the house configured.

A token's or service's key never leaves it; the folder of the seal then holds the certificate and the key's name only.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings
from django.utils import timezone

from governance.errors import Unfit
from governance.evidence import identity, seal, seal_class
from governance.evidence.errors import SealError

if TYPE_CHECKING:
    from governance.evidence import token_key

FILE, TOKEN, SERVICE = "file", "pkcs11", "kms"
KINDS = (FILE, TOKEN, SERVICE)
#: The label or identifier of the key, beside its certificate.
NAME_FILE = "seal.key.name"


@dataclass(frozen=True)
class _Place:
    """A kind of key: how one is made, signs, and is opened with its certificate."""

    make: Callable[[str], tuple[str, ec.EllipticCurvePublicKey]]
    public: Callable[[str], ec.EllipticCurvePublicKey]
    sign: Callable[[str, bytes], bytes]
    open: Callable[[str, x509.Certificate], identity.SealSigner]


def token() -> token_key.Token:
    """The configured token."""
    from governance.evidence import token_key

    return token_key.Token(
        module=Path(settings.PKCS11_MODULE), label=settings.PKCS11_TOKEN, pin_file=Path(settings.PKCS11_PIN_FILE)
    )


def _token() -> _Place:
    from governance.evidence import token_key

    where = token()

    def make(what: str) -> tuple[str, ec.EllipticCurvePublicKey]:
        name = new_name(what)
        return name, token_key.make_key(where, name)

    return _Place(
        make,
        lambda name: token_key.public_key(where, name),
        lambda name, data: token_key.sign_with(where, name, data),
        lambda name, certificate: token_key.open_seal(where, name, certificate),
    )


def _service() -> _Place:
    from governance.evidence import kms_key

    service = kms_key.KeyService(
        region=settings.KMS_REGION, credentials_file=settings.KMS_CREDENTIALS_FILE, endpoint=settings.KMS_ENDPOINT
    )

    def make(what: str) -> tuple[str, ec.EllipticCurvePublicKey]:
        name = kms_key.make_key(service, f"{settings.ORGANISATION} {what}"[:200])
        return name, kms_key.public_key(service, name)

    return _Place(
        make,
        lambda name: kms_key.public_key(service, name),
        lambda name, data: kms_key.sign_with(service, name, data),
        lambda name, certificate: kms_key.open_seal(service, name, certificate),
    )


_PLACES: dict[str, Callable[[], _Place]] = {TOKEN: _token, SERVICE: _service}


def elsewhere(kind: str) -> _Place:
    """How keys are made and used in a token or key service."""
    return _PLACES[kind]()


def new_name(what: str) -> str:
    """A label that no other key of this house has."""
    return f"{what}-{timezone.now():%Y%m%d}-{secrets.token_hex(3)}"


def folder() -> Path:
    """Where the seal lies.

    Raises:
        Unfit: this process was given none: only the signing worker is.
    """
    if not settings.SEAL_FOLDER:
        raise Unfit("This worker has no seal: set LETHE_SEAL_FOLDER for the signing worker alone.")
    return Path(settings.SEAL_FOLDER)


def seal_make(place: Path) -> x509.Certificate:
    """A key of the configured kind and its self-issued certificate, in a folder that holds none yet.

    Raises:
        SealError: there is one already, or the token or service refused.
    """
    if settings.SEAL_KIND == FILE:
        return identity.create_seal_identity(place, settings.ORGANISATION)
    if (place / identity.CERTIFICATE_FILE).exists():
        raise SealError(f"{place} already holds a seal. Run `python manage.py keys rotate` to replace it.")
    kind = elsewhere(settings.SEAL_KIND)
    name, public = kind.make("seal")
    certificate = identity.self_issued(public, lambda data: kind.sign(name, data), settings.ORGANISATION)
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    for file, data in ((NAME_FILE, name.encode()), (identity.CERTIFICATE_FILE, certificate.public_bytes(Encoding.PEM))):
        write_new(place / file, data)
    return certificate


def write_new(path: Path, data: bytes) -> None:
    """For the signing worker alone; what exists is never written over (FileExistsError)."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as written:
        written.write(data)


def seal_open() -> identity.SealSigner:
    """The key to sign with now, found fit.

    Raises:
        Unfit: this process has no seal.
        SealUnavailable: token or service cannot be had now, or refuse the PIN: the report waits.
        SealError: unreadable, not its certificate's, or the certificate has ended.
    """
    key = key_in(folder())
    identity.check_valid(key.certificate)
    return key


def key_in(place: Path) -> identity.SealSigner:
    """The key of a folder with its certificate, whatever that one's dates: see `seal_open`, which looks at them."""
    if settings.SEAL_KIND == FILE:
        return identity.load_seal(place)
    try:
        name = (place / NAME_FILE).read_text().strip()
        certificate = x509.load_pem_x509_certificate((place / identity.CERTIFICATE_FILE).read_bytes())
    except (OSError, ValueError) as error:
        raise SealError(f"The seal in {place} cannot be read ({error}). Run `python manage.py bootstrap`.") from error
    return elsewhere(settings.SEAL_KIND).open(name, certificate)


def time_authority() -> seal.TimeAuthority | None:
    """The configured RFC 3161 authority; without one the report says that its time is the issuer's own."""
    if not settings.TSA_URL:
        return None
    return seal.TimeAuthority.at(settings.TSA_URL, time_roots())


def time_roots() -> tuple[x509.Certificate, ...]:
    """Roots under which time stamps are believed.

    Raises:
        SealError: the file cannot be read.
    """
    if not settings.TSA_ROOTS:
        return ()
    try:
        return tuple(x509.load_pem_x509_certificates(Path(settings.TSA_ROOTS).read_bytes()))
    except (OSError, ValueError) as error:
        raise SealError(f"LETHE_TSA_ROOTS cannot be read ({error}).") from error


def described(key: identity.SealSigner) -> dict[str, Any]:
    """Class of the seal and worth of its time, as the evidence keeps it and a report prints it."""
    return seal_class.described(key, url=settings.TSA_URL, roots=time_roots())
