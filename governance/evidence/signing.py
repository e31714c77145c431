"""Between the one signer interface of the house and pyHanko."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.sign.signers import Signer
from pyhanko_certvalidator.registry import SimpleCertificateStore

from governance.evidence.errors import SealError
from governance.evidence.identity import SealSigner

#: A P-256 signature as DER: two integers of at most 33 bytes.
LONGEST = 72


class HouseSigner(Signer):
    """Asks a `SealSigner` for each signature; no key is ever in pyHanko's hands."""

    def __init__(self, key: SealSigner) -> None:
        from asn1crypto import x509

        self._key = key
        certificate = x509.Certificate.load(key.certificate.public_bytes(Encoding.DER))
        super().__init__(signing_cert=certificate, cert_registry=SimpleCertificateStore())

    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False, **_more: Any) -> bytes:
        if digest_algorithm != "sha256":
            raise SealError(f"A seal signs SHA-256, not {digest_algorithm}")
        return bytes(LONGEST) if dry_run else self._key.sign(data)
