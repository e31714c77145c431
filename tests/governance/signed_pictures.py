"""Pictures with real content credentials, signed by a chain of the test's own."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

CAPTURE = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"


def _name(common: str) -> x509.Name:
    pairs = ((NameOID.ORGANIZATION_NAME, "Vel Marun Press"), (NameOID.COMMON_NAME, common))
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in pairs])


def _certificate(common: str, key: Any, issuer: str, signer: Any) -> x509.Certificate:
    authority, now = common == issuer, datetime.now(UTC)
    use = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only",
         "decipher_only"), False,
    )  # fmt: skip
    build = (
        x509.CertificateBuilder()
        .subject_name(_name(common))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, **use),
            critical=True,
        )
    )
    if not authority:
        build = build.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=True)
    return build.sign(signer, hashes.SHA256())


@dataclass
class Press:
    """A signer and the authority above it."""

    chain: bytes
    root: str
    key: bytes

    def sign(self, kind: str = "jpeg", remote: str = "") -> bytes:
        """A picture that this signer vouches for; with `remote` its manifest lies at that address alone."""
        import c2pa

        action = {"action": "c2pa.created", "digitalSourceType": CAPTURE}
        manifest = {
            "claim_generator_info": [{"name": "test", "version": "1"}],
            "title": f"tide.{kind}",
            "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
        }
        rules = c2pa.Context.from_dict({"builder": {"thumbnail": {"enabled": False}}, "verify": {}})
        signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", self.chain, self.key, None))
        out = io.BytesIO()
        with c2pa.Builder(manifest, context=rules) as builder:
            if remote:
                builder.set_no_embed()
                builder.set_remote_url(remote)
            builder.sign(signer, f"image/{kind}", io.BytesIO(picture(kind)), out)
        return out.getvalue()


def picture(kind: str) -> bytes:
    """Pixels that nobody signed."""
    out = io.BytesIO()
    Image.effect_mandelbrot((96, 64), (-3, -2.5, 2, 2.5), 40).convert("RGB").save(out, kind)
    return out.getvalue()


def press() -> Press:
    """A new signer under a new authority."""
    above, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _certificate("Test root", above, "Test root", above).public_bytes(Encoding.PEM)
    leaf = _certificate("Vel Marun", own, "Test root", above).public_bytes(Encoding.PEM)
    key = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Press(chain=leaf + root, root=root.decode(), key=key)
