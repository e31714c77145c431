"""The issuer's seal: an EC P-256 key and a certificate that says documents are what it signs.

Made at set-up by `create_seal_identity`. A stranger trusts its fingerprint, learned by another way than the report.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID, ObjectIdentifier

from governance.evidence.errors import SealError

KEY_FILE: Final = "seal.key.pem"
PASSPHRASE_FILE: Final = "seal.passphrase"  # noqa: S105 - the name of a file
CERTIFICATE_FILE: Final = "seal.crt.pem"
#: The authorities above the certificate up to the root, where one issued it.
CHAIN_FILE: Final = "seal.chain.pem"
VALID_DAYS: Final = 3653
#: id-kp-documentSigning, RFC 9336.
DOCUMENT_SIGNING: Final = ObjectIdentifier("1.3.6.1.5.5.7.3.36")
P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class SealSigner(Protocol):
    """The one way to sign a report, wherever the private key lies: a file, a token (PKCS#11), a key service (KMS)."""

    @property
    def certificate(self) -> x509.Certificate:
        """The public certificate."""
        ...

    @property
    def development(self) -> bool:
        """Whether the key can be copied by whoever reads this machine's files: fit for development alone."""
        ...

    def sign(self, data: bytes) -> bytes:
        """ECDSA P-256 over the SHA-256 of `data`, as DER in low-S form (see `low_s`).

        Raises:
            SealUnavailable: token or service cannot be reached now.
            SealError: it refused.
        """
        ...


def fingerprint(certificate: x509.Certificate) -> str:
    """Hex SHA-256 of the certificate's DER form: what a stranger compares."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def low_s(signature: bytes) -> bytes:
    """The one of two equally valid ECDSA signatures (s, n - s) that the checker accepts: no other file verifies."""
    r, s = decode_dss_signature(signature)
    return encode_dss_signature(r, min(s, P256_ORDER - s))


@dataclass(frozen=True, kw_only=True)
class FileSeal:
    """A seal whose key was read from a file, by `load_seal` or `load_pkcs12`, in the signing worker alone."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    development: bool = True

    def sign(self, data: bytes) -> bytes:
        """See `SealSigner.sign`."""
        return low_s(self.key.sign(data, ec.ECDSA(hashes.SHA256())))


def create_seal_identity(folder: Path, organisation: str, *, now: datetime | None = None) -> x509.Certificate:
    """Writes key (PKCS#8, encrypted), random passphrase and self-signed certificate, each with mode 0600.

    Raises:
        SealError: the organisation is empty, or the folder already holds a seal: none is ever overwritten.
    """
    if not organisation.strip():
        raise SealError("The seal needs the organisation's name")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    existing = [name for name in (KEY_FILE, PASSPHRASE_FILE, CERTIFICATE_FILE) if (folder / name).exists()]
    if existing:
        raise SealError(f"{folder} already holds {', '.join(existing)}. Use that seal, or name another folder.")
    key = ec.generate_private_key(ec.SECP256R1())
    passphrase = secrets.token_hex(32).encode()
    certificate = self_issued(
        key.public_key(), lambda data: key.sign(data, ec.ECDSA(hashes.SHA256())), organisation, now=now
    )
    _write(folder / PASSPHRASE_FILE, passphrase)
    protected = serialization.BestAvailableEncryption(passphrase)
    _write(
        folder / KEY_FILE,
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protected),
    )
    _write(folder / CERTIFICATE_FILE, certificate.public_bytes(serialization.Encoding.PEM))
    return certificate


_USAGE: Final = x509.KeyUsage(
    digital_signature=True, content_commitment=True, key_encipherment=False, data_encipherment=False,
    key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
)  # fmt: skip


def _name(organisation: str) -> x509.Name:
    called = organisation.strip()[:64]
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, called),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{called} report seal"[:64]),
        ]
    )


def request(key: SealSigner, organisation: str) -> x509.CertificateSigningRequest:
    """A certificate request (PKCS#10, RFC 2986) for the seal's key, which signs it wherever it lies.

    Raises:
        SealError, SealUnavailable: see `SealSigner.sign`.
    """
    from asn1crypto import core, csr, keys

    public = key.certificate.public_key()
    # As below: the library signs with keys that it holds, so a key of the moment stands in for the real one.
    stand_in = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(_name(organisation))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_USAGE, critical=True)
        .add_extension(x509.ExtendedKeyUsage([DOCUMENT_SIGNING]), critical=False)
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    )
    made = csr.CertificationRequest.load(stand_in.public_bytes(serialization.Encoding.DER))
    info = made["certification_request_info"]
    info["subject_pk_info"] = keys.PublicKeyInfo.load(
        public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    made["signature"] = core.OctetBitString(key.sign(info.dump(force=True)))
    found = x509.load_der_x509_csr(made.dump(force=True))
    if not found.is_signature_valid:
        raise SealError("The request could not be signed by the seal's key: certificate and key do not belong together")
    return found


def self_issued(
    key: ec.EllipticCurvePublicKey, sign: Callable[[bytes], bytes], organisation: str, *, now: datetime | None = None
) -> x509.Certificate:
    """A certificate for the key that the key itself signs, wherever it lies.

    Args:
        sign: ECDSA over the SHA-256 of its argument, as DER.
    """
    from asn1crypto import core
    from asn1crypto import x509 as asn1_x509

    moment, name = now or datetime.now(UTC), _name(organisation)
    # The library signs with keys that it holds; the body is made with one of the moment, then signed by the real one.
    stand_in = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - timedelta(minutes=5))
        .not_valid_after(moment + timedelta(days=VALID_DAYS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_USAGE, critical=True)
        .add_extension(x509.ExtendedKeyUsage([DOCUMENT_SIGNING]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    )
    made = asn1_x509.Certificate.load(stand_in.public_bytes(serialization.Encoding.DER))
    made["signature_value"] = core.OctetBitString(sign(stand_in.tbs_certificate_bytes))
    certificate = x509.load_der_x509_certificate(made.dump(force=True))
    certificate.verify_directly_issued_by(certificate)
    return certificate


def check_valid(certificate: x509.Certificate, *, now: datetime | None = None) -> None:
    """Refuses to seal with a certificate that has ended or has not begun.

    Raises:
        SealError: says when, and what to do.
    """
    moment = now or datetime.now(UTC)
    if moment >= certificate.not_valid_after_utc:
        ended = certificate.not_valid_after_utc.date().isoformat()
        raise SealError(f"The seal's certificate ended on {ended}. Run `python manage.py keys rotate`, or renew it.")
    if moment < certificate.not_valid_before_utc:
        begins = certificate.not_valid_before_utc.isoformat()
        raise SealError(f"The seal's certificate begins on {begins}, later than now. Is this machine's clock right?")


def checked_pair(key: object, certificate: x509.Certificate | None, where: str) -> ec.EllipticCurvePublicKey:
    """The public key, after it was found to be P-256 and the certificate's.

    Raises:
        SealError: it is not.
    """
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise SealError(f"{where}: the seal's key is not EC P-256")
    if certificate is None or certificate.public_key() != key:
        raise SealError(f"{where}: the certificate does not belong to the key")
    return key


def _write(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def load_seal(folder: Path) -> FileSeal:
    """The seal that `create_seal_identity` wrote.

    Raises:
        SealError: a file is missing, the passphrase is wrong, or key and certificate do not belong together.
    """
    try:
        passphrase = (folder / PASSPHRASE_FILE).read_bytes().strip()
        key = serialization.load_pem_private_key((folder / KEY_FILE).read_bytes(), passphrase)
        certificate = x509.load_pem_x509_certificate((folder / CERTIFICATE_FILE).read_bytes())
    except (OSError, ValueError, TypeError) as error:
        raise SealError(f"The seal in {folder} cannot be read ({error}). Restore it, or make one at set-up.") from error
    return _checked(key, certificate, str(folder))


def load_pkcs12(path: Path, passphrase_file: Path) -> FileSeal:
    """A seal from a PKCS#12 file, as certificate authorities deliver it.

    Raises:
        SealError: unreadable, wrong passphrase, or no EC P-256 key with its certificate inside.
    """
    try:
        passphrase = passphrase_file.read_bytes().strip()
        key, certificate, _others = pkcs12.load_key_and_certificates(path.read_bytes(), passphrase)
    except (OSError, ValueError, TypeError) as error:
        raise SealError(f"{path} cannot be read ({error}); is the passphrase in {passphrase_file} right?") from error
    return _checked(key, certificate, str(path))


def _checked(key: object, certificate: x509.Certificate | None, where: str) -> FileSeal:
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise SealError(f"{where}: the seal's key is not EC P-256")
    checked_pair(key.public_key(), certificate, where)
    if certificate is None:
        raise SealError(f"{where}: the certificate is missing")
    return FileSeal(certificate=certificate, key=key)


def certificate_fingerprint(path: Path) -> str:
    """Fingerprint of a PEM certificate file; needs no key."""
    try:
        return hashlib.sha256(
            x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(serialization.Encoding.DER)
        ).hexdigest()
    except (OSError, ValueError) as error:
        raise SealError(f"The seal's certificate {path} cannot be read ({error})") from error
