"""The seal's identity is made once, kept closed, and its level is told honestly, with and without an outside time."""

from __future__ import annotations

import dataclasses
import io
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pikepdf
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from governance.evidence import identity, pdf, seal
from governance.evidence.check import Outcome, check
from governance.evidence.errors import SealError
from tests.governance.evidence_sealed import sealed


def test_the_files_are_closed_and_the_key_is_encrypted(tmp_path: Path) -> None:
    certificate = identity.create_seal_identity(tmp_path / "seal", "Demo")
    for name in (identity.KEY_FILE, identity.PASSPHRASE_FILE, identity.CERTIFICATE_FILE):
        assert stat.S_IMODE((tmp_path / "seal" / name).stat().st_mode) == 0o600
    assert b"ENCRYPTED PRIVATE KEY" in (tmp_path / "seal" / identity.KEY_FILE).read_bytes()
    loaded = identity.load_seal(tmp_path / "seal")
    assert loaded.certificate == certificate
    path = tmp_path / "seal" / identity.CERTIFICATE_FILE
    assert identity.certificate_fingerprint(path) == identity.fingerprint(certificate)


def test_the_certificate_is_fit_for_documents_and_nothing_else(tmp_path: Path) -> None:
    certificate = identity.create_seal_identity(tmp_path, "Demo")
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.content_commitment and not usage.key_cert_sign
    extended = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(extended) == [identity.DOCUMENT_SIGNING]


def test_a_seal_is_never_overwritten_and_needs_a_name(tmp_path: Path) -> None:
    identity.create_seal_identity(tmp_path, "Demo")
    with pytest.raises(SealError, match="already holds"):
        identity.create_seal_identity(tmp_path, "Demo")
    with pytest.raises(SealError, match="name"):
        identity.create_seal_identity(tmp_path / "other", "  ")


def test_a_broken_identity_is_named(tmp_path: Path) -> None:
    with pytest.raises(SealError, match="cannot be read"):
        identity.load_seal(tmp_path)
    identity.create_seal_identity(tmp_path / "one", "One")
    identity.create_seal_identity(tmp_path / "two", "Two")
    other = (tmp_path / "two" / identity.CERTIFICATE_FILE).read_bytes()
    (tmp_path / "one" / identity.CERTIFICATE_FILE).write_bytes(other)
    with pytest.raises(SealError, match="does not belong"):
        identity.load_seal(tmp_path / "one")
    (tmp_path / "two" / identity.PASSPHRASE_FILE).write_bytes(b"wrong")
    with pytest.raises(SealError, match="cannot be read"):
        identity.load_seal(tmp_path / "two")


def test_a_seal_from_pkcs12_signs_too(tmp_path: Path) -> None:
    one = sealed().key
    protected = serialization.BestAvailableEncryption(b"secret")
    (tmp_path / "seal.p12").write_bytes(
        pkcs12.serialize_key_and_certificates(b"seal", one.key, one.certificate, None, protected)
    )
    (tmp_path / "pass").write_text("secret\n")
    key = identity.load_pkcs12(tmp_path / "seal.p12", tmp_path / "pass")
    assert check(seal.seal(sealed().base, key=key), [sealed().fingerprint]).genuine
    (tmp_path / "pass").write_text("wrong")
    with pytest.raises(SealError, match="passphrase"):
        identity.load_pkcs12(tmp_path / "seal.p12", tmp_path / "pass")


def test_without_an_authority_the_time_is_the_issuers_own_statement() -> None:
    result = check(sealed().data, [sealed().fingerprint])
    assert result.level == seal.LEVEL_B
    assert any("the issuer’s own statement" in finding.text for finding in result.findings)
    assert seal.OWN_TIME in seal.reason(seal.LEVEL_B, "none")
    assert seal.OWN_TIME not in seal.reason(seal.LEVEL_LTA, "outside")


def test_only_a_rendered_report_can_be_sealed() -> None:
    for data in (b"%PDF-1.7", sealed().data):
        with pytest.raises(SealError):
            seal.seal(data, key=sealed().key)


def authority() -> tuple[seal.TimeAuthority, x509.Certificate]:
    """A time stamp authority in memory: RSA, its own root."""
    from asn1crypto import keys
    from asn1crypto import x509 as asn1_x509
    from pyhanko.sign.timestamps import DummyTimeStamper
    from pyhanko_certvalidator.registry import SimpleCertificateStore

    now = datetime.now(UTC)
    root_key, stamp_key = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
    root_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Time root")])
    builder = x509.CertificateBuilder().issuer_name(root_name).not_valid_before(now - timedelta(days=1))
    builder = builder.not_valid_after(now + timedelta(days=30))
    root = (
        builder.subject_name(root_name).public_key(root_key.public_key()).serial_number(1)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True)
        .sign(root_key, hashes.SHA256())
    )  # fmt: skip
    own = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Time")])
    leaf = (
        builder.subject_name(own).public_key(stamp_key.public_key()).serial_number(2)
        .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        .add_extension(x509.KeyUsage(True, True, False, False, False, False, False, False, False), critical=True)
        .sign(root_key, hashes.SHA256())
    )  # fmt: skip
    der = serialization.Encoding.DER
    stamper = DummyTimeStamper(
        asn1_x509.Certificate.load(leaf.public_bytes(der)),
        keys.PrivateKeyInfo.load(
            stamp_key.private_bytes(der, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        ),
        SimpleCertificateStore.from_certs([asn1_x509.Certificate.load(root.public_bytes(der))]),
    )
    return seal.TimeAuthority(timestamper=stamper, roots=(root,), others=(leaf,), fetch_revocation=False), root


def test_with_an_authority_the_file_is_b_lta_and_cutting_it_back_is_noticed() -> None:
    time, root = authority()
    data = seal.seal(sealed().base, key=sealed().key, authority=time)
    assert data.startswith(sealed().base)
    result = check(data, [sealed().fingerprint], timestamp_roots=[root])
    assert result.outcome is Outcome.GENUINE, result.findings
    assert result.level == seal.LEVEL_LTA
    other = authority()[1]
    assert check(data, [sealed().fingerprint], timestamp_roots=[other]).outcome is Outcome.TIME_ENDED
    assert check(data, [sealed().fingerprint]).outcome is Outcome.TIME_ENDED
    ends = [i + 6 for i in range(len(data)) if data.startswith(b"%%EOF\n", i)]
    assert len(ends) >= 3
    for end in ends[:-1]:
        assert not check(data[:end], [sealed().fingerprint], timestamp_roots=[root]).genuine
    for tail in (b"\n", b"%%EOF\n"):
        assert not check(data + tail, [sealed().fingerprint], timestamp_roots=[root]).genuine
    stamp = data.rindex(b"/Contents <") + len(b"/Contents <")
    for place in [*range(100, len(data), len(data) // 40), *range(stamp, stamp + 3000, 60)]:
        changed = data[:place] + bytes([data[place] ^ 2]) + data[place + 1 :]
        assert not check(changed, [sealed().fingerprint], timestamp_roots=[root]).genuine, place


@pytest.mark.parametrize(("url", "words"), [("http://localhost:3161", seal.HOUSE_TIME), ("", seal.OUTSIDE_TIME)])
def test_the_time_of_an_authority_of_ones_own_is_never_called_an_outside_one(
    url: str, words: str, tmp_path: Path
) -> None:
    time = dataclasses.replace(authority()[0], url=url)
    data = seal.seal(sealed().base, key=sealed().key, authority=time)
    with pikepdf.open(io.BytesIO(data)) as document:
        seals = [field.V for field in document.Root.AcroForm.Fields if str(field.get("/T")) == pdf.FIELD]
        assert words in str(seals[0].Reason)
    path = tmp_path / "sealed.pdf"
    path.write_bytes(data)
    text = subprocess.run(["pdftotext", str(path), "-"], capture_output=True, text=True, check=True).stdout
    text = " ".join(text.split())
    own = "Time by the issuer’s own authority"
    assert (own in text) == bool(url) and ("Time by an outside authority" in text) != bool(url)
