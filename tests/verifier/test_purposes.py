"""Who may sign time stamps: whom a believed root let do so, and by a certificate that is for nothing else."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asn1crypto import keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier
from pyhanko.sign.timestamps import DummyTimeStamper
from pyhanko_certvalidator.registry import SimpleCertificateStore

from governance.evidence.check_time import check_checkpoint
from governance.evidence.errors import ProofError
from governance.evidence.time_tokens import CanonicalTimeStamper
from lethe_verify import stamps
from lethe_verify.errors import Refused
from tests.verifier.example import genuine

#: The stamper of the tests signs by RSA alone.
KEYS: list[Any] = [ec.generate_private_key(ec.SECP256R1()),
                   *(rsa.generate_private_key(65537, size) for size in (3072, 2048))]  # fmt: skip
TIME, SERVERS, ANY = (ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.SERVER_AUTH,
                      ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)  # fmt: skip
USES = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # fmt: skip
Purposes = tuple[ObjectIdentifier, ...]


def made(place: int, uses: tuple[str, ...], purposes: Purposes = (), *, critical: bool = True) -> x509.Certificate:
    """Root (0), an authority below it (1), and one for time stamps below that (2)."""
    now, usage = datetime.now(UTC), {name: name in uses for name in USES}
    names = [
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Authority {at}")]) for at in (max(0, place - 1), place)
    ]
    builder = (
        x509.CertificateBuilder().issuer_name(names[0]).subject_name(names[1]).public_key(KEYS[place].public_key())
        .serial_number(place + 1).not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(900))
        .add_extension(x509.BasicConstraints(ca=place < 2, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(KEYS[place].public_key()), critical=False)
        .add_extension(x509.KeyUsage(**usage), critical=True)
    )  # fmt: skip
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=critical)
    return builder.sign(KEYS[max(0, place - 1)], hashes.SHA256())


def believed(middle: Purposes, uses: tuple[str, ...], *, critical: bool = True) -> tuple[bool, bool]:
    """Whether each check believes a stamp over a checkpoint by such an authority, under a root that is believed."""
    chain = [made(0, ("key_cert_sign",)), made(1, ("key_cert_sign",), middle),
             made(2, uses, (TIME,), critical=critical)]  # fmt: skip
    ders = [one.public_bytes(Encoding.DER) for one in chain]
    note = genuine().note(15)
    key = KEYS[2].private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    certs: list[Any] = [asn1_x509.Certificate.load(der) for der in ders]
    store = SimpleCertificateStore()
    store.register(certs[1])
    stamper = CanonicalTimeStamper(DummyTimeStamper(certs[2], keys.PrivateKeyInfo.load(key), certs_to_embed=store))
    token = asyncio.run(stamper.async_timestamp(hashlib.sha256(note.encode()).digest(), "sha256")).dump()
    try:
        stamp = stamps.check(token, note.encode())
        root = frozenset({hashlib.sha256(ders[0]).hexdigest()})
        theirs = not stamps.believed(stamp, root, ders[:1], until=datetime.now(UTC)).doubt
    except Refused:
        theirs = False
    try:
        ours = check_checkpoint(token, note, chain[:1]).proved
    except ProofError:
        ours = False
    return theirs, ours


SIGNS = ("digital_signature",)


@pytest.mark.parametrize("middle", [(), (TIME,), (ANY,), (SERVERS, TIME)])
def test_an_authority_that_may_certify_for_time_stamps(middle: Purposes) -> None:
    assert believed(middle, SIGNS) == (True, True)
    assert believed(middle, ("content_commitment",)) == (True, True)


@pytest.mark.parametrize(
    ("middle", "uses", "critical"),
    [((SERVERS,), SIGNS, True), ((), ("key_encipherment",), True), ((), SIGNS, False)],
    ids=["for servers alone", "a key that signs nothing", "not for time stamps alone"],
)
def test_no_other_is_believed(middle: Purposes, uses: tuple[str, ...], critical: bool) -> None:
    assert believed(middle, uses, critical=critical) == (False, False)
