"""The seal's key is certified by an authority: the request, what is refused when the certificate comes, what stays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.core.management import CommandError, call_command

from governance import dispatch
from governance.evidence import identity, seal
from governance.models import Case, Job, LedgerEntry, Seal
from governance.services import reporting, seal_ends, seals
from lethe_verify import Outcome, judge
from lethe_verify.trust import Trust
from tests.governance.evidence_sealed import sealed
from tests.governance.test_seal_keys import NEEDS_TOKEN, token_house

__all__ = ["token_house"]
DAY = timedelta(days=1)


class Authority:
    """A root, an authority under it, and what that one issues."""

    def __init__(self) -> None:
        self.keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
        self.root = self._issue("Test root", self.keys[0].public_key(), None, ca=True)
        self.middle = self._issue("Test authority", self.keys[1].public_key(), self.root, ca=True)

    def _issue(
        self, name: str, key: Any, by: x509.Certificate | None, *, ca: bool = False, signer: int = 0,
        purposes: tuple[Any, ...] = (), usage: str = "digital_signature", days: tuple[int, int] = (-1, 700),
    ) -> x509.Certificate:  # fmt: skip
        subject, now = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, name)]), datetime.now(UTC)
        bits = dict.fromkeys(
            ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False,
        )  # fmt: skip
        bits |= {"key_cert_sign": True, "crl_sign": True} if ca else {usage: True}
        made = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(by.subject if by else subject).public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + days[0] * DAY).not_valid_after(now + days[1] * DAY)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**bits), critical=True)
        )  # fmt: skip
        made = made.add_extension(x509.ExtendedKeyUsage(purposes), critical=False) if purposes else made
        return made.sign(self.keys[signer], hashes.SHA256())

    def issue(self, request: bytes, **how: Any) -> bytes:
        asked = x509.load_pem_x509_csr(request)
        assert asked.is_signature_valid
        known = {"purposes": (identity.DOCUMENT_SIGNING,), "signer": 1, **how}
        return self._issue("House of Lumen", asked.public_key(), self.middle, **known).public_bytes(Encoding.PEM)

    @property
    def chain(self) -> bytes:
        return b"".join(one.public_bytes(Encoding.PEM) for one in (self.root, self.middle))


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def requested(folder: Path, *more: str) -> bytes:
    call_command("keys", "csr", "--out", str(folder / "seal.csr"), *more)
    return (folder / "seal.csr").read_bytes()


def install(folder: Path, certificate: bytes, chain: bytes = b"") -> None:
    (folder / "issued.pem").write_bytes(certificate)
    (folder / "chain.pem").write_bytes(chain)
    call_command("keys", "install-certificate", str(folder / "issued.pem"),
                 *(["--chain", str(folder / "chain.pem")] if chain else []))  # fmt: skip


def test_an_issued_certificate_takes_over_and_what_was_sealed_before_stays(
    decided: Callable[[], Case], house: Path, tmp_path: Path, authority: Authority
) -> None:
    job = Job.objects.filter(case=decided(), kind="report").latest("created_at")
    before = dispatch.read_bytes(reporting.report_write(job=job).pdf)
    old = identity.certificate_fingerprint(house / identity.CERTIFICATE_FILE)
    issued = authority.issue(requested(tmp_path))
    for _ in range(2):
        install(tmp_path, issued, authority.chain)
    key = seals.seal_open()
    new = identity.fingerprint(key.certificate)
    assert new != old and seals.described(key)["class"] == "advanced"
    assert seals.described(key)["authority"] == "Test authority"
    chain = x509.load_pem_x509_certificates((house / identity.CHAIN_FILE).read_bytes())
    assert chain == [authority.middle, authority.root]
    assert {row.fingerprint: row.reason for row in Seal.objects.all()} == {old: "retired", new: ""}
    assert LedgerEntry.objects.filter(action="seal.rotated").count() == 1
    after = seal.seal(sealed().base, key=key)
    assert judge(after, Trust(frozenset({new}))).outcome is Outcome.GENUINE
    assert judge(before, Trust(frozenset({old, new}))).outcome is Outcome.GENUINE
    call_command("keys", "rotate")
    assert not (house / identity.CHAIN_FILE).exists(), "the chain belongs to the certificate that went"
    seal_ends.check_current()


def test_a_new_key_waits_for_its_certificate_and_the_present_one_seals_on(
    house: Path, tmp_path: Path, authority: Authority
) -> None:
    old = identity.fingerprint(seals.seal_open().certificate)
    request = requested(tmp_path, "--new")
    assert request and identity.fingerprint(seals.seal_open().certificate) == old
    issued = authority.issue(request)
    install(tmp_path, issued, authority.chain)
    key = seals.seal_open()
    assert key.certificate == x509.load_pem_x509_certificate(issued) == seal_ends.current()
    assert not (house / seal_ends.NEXT).exists() and (house / identity.CHAIN_FILE).exists()


def test_what_does_not_fit_is_refused_with_its_reason_and_changes_nothing(
    house: Path, tmp_path: Path, authority: Authority
) -> None:
    request = requested(tmp_path)
    before = (house / identity.CERTIFICATE_FILE).read_bytes()
    other = identity.request(sealed().key, "Somebody else").public_bytes(Encoding.PEM)
    whole = authority.chain
    root = authority.root.public_bytes(Encoding.PEM)
    wrong = [
        (authority.issue(other), whole, "is for the seal's key"),
        (authority.issue(request, days=(-9, -1)), whole, "ended on"),
        (authority.issue(request, days=(1, 9)), whole, "later than now"),
        (authority.issue(request, usage="key_encipherment"), whole, "neither signatures"),
        (authority.issue(request, purposes=(ExtendedKeyUsageOID.SERVER_AUTH,)), whole, "for TLS servers, not for doc"),
        (authority.issue(request, ca=True), whole, "certificate of an authority"),
        (authority.issue(request), b"", "does not reach a root"),
        (authority.issue(request), root, "Test authority is missing"),
        (authority.issue(request), authority.middle.public_bytes(Encoding.PEM), "Test root is missing"),
        (authority.issue(request, signer=0), whole, "does not"),
        (authority.issue(request), Authority().chain, "does not"),
        (before, b"", "self-issued"),
        (b"no certificate", b"", "neither as PEM nor as DER"),
        (request, b"", "holds no certificate"),
    ]
    for certificate, chain, words in wrong:
        with pytest.raises(CommandError, match=words):
            install(tmp_path, certificate, chain)
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("keys", "install-certificate", str(tmp_path / "nothing.pem"))
    assert (house / identity.CERTIFICATE_FILE).read_bytes() == before and not (house / identity.CHAIN_FILE).exists()
    good = authority.issue(request)
    install(tmp_path, good + whole)
    call_command("keys", "revoke", identity.fingerprint(x509.load_pem_x509_certificate(good)))
    with pytest.raises(CommandError, match="nothing is un-revoked"):
        install(tmp_path, good + whole)


@NEEDS_TOKEN
def test_a_key_in_a_token_signs_its_own_request(
    token_house: Path, settings: Any, tmp_path: Path, authority: Authority
) -> None:
    settings.SEAL_CERTIFICATE = tmp_path / "public.pem"
    place = token_house / "seal"
    seals.seal_make(place)
    settings.SEAL_CERTIFICATE.write_bytes((place / identity.CERTIFICATE_FILE).read_bytes())
    install(tmp_path, authority.issue(requested(tmp_path)), authority.chain)
    key = seals.seal_open()
    assert not key.development and seals.described(key)["class"] == "advanced"
    trust = Trust(frozenset({identity.fingerprint(key.certificate)}))
    assert judge(seal.seal(sealed().base, key=key), trust).outcome is Outcome.GENUINE
