"""A seal whose key lies in a key service and never leaves it (AWS KMS, or one that speaks its protocol)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from governance.evidence.errors import SealError, SealUnavailable
from governance.evidence.identity import checked_pair, low_s

T = TypeVar("T")
SECONDS = 10
#: Of a message that the service hashes itself.
LARGEST = 4096
#: Answers that another try does not change; the rest is of the moment.
REFUSALS = {"AccessDeniedException", "NotFoundException", "InvalidKeyUsageException", "InvalidArnException",
            "UnrecognizedClientException", "InvalidSignatureException"}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class KeyService:
    """Where the service is. Credentials come from a file that the signing worker alone is given."""

    region: str
    credentials_file: str
    endpoint: str = ""

    def client(self) -> Any:
        """A client of the service."""
        session = botocore.session.Session()
        session.set_config_variable("credentials_file", self.credentials_file)
        options = Config(connect_timeout=SECONDS, read_timeout=SECONDS, retries={"max_attempts": 2})
        return session.create_client("kms", region_name=self.region, endpoint_url=self.endpoint or None, config=options)


@dataclass(frozen=True, kw_only=True)
class KmsSeal:
    """A seal in a key service. `key`: its identifier, ARN or alias."""

    service: KeyService
    key: str
    certificate: x509.Certificate
    development: bool = False

    def sign(self, data: bytes) -> bytes:
        """See `SealSigner.sign`. The service is given the signed attributes, never the report."""
        return sign_with(self.service, self.key, data)


def open_seal(service: KeyService, key: str, certificate: x509.Certificate) -> KmsSeal:
    """The seal, after its certificate was found to be of the service's key.

    Raises:
        SealUnavailable, SealError: the service is not there, refuses, or the certificate is another's.
    """
    checked_pair(public_key(service, key), certificate, f"Key service, key {key}")
    return KmsSeal(service=service, key=key, certificate=certificate)


def make_key(service: KeyService, description: str) -> str:
    """A new key pair; returns its identifier."""
    wanted = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY", "Description": description}
    made = _asked(lambda: service.client().create_key(**wanted))
    return str(made["KeyMetadata"]["KeyId"])


def public_key(service: KeyService, key: str) -> ec.EllipticCurvePublicKey:
    """The public half."""
    found = load_der_public_key(_asked(lambda: service.client().get_public_key(KeyId=key))["PublicKey"])
    if not isinstance(found, ec.EllipticCurvePublicKey):
        raise SealError(f"Key service, key {key}: the seal's key is not EC P-256")
    return found


def sign_with(service: KeyService, key: str, data: bytes) -> bytes:
    """One signature. What a seal signs are the report's digest and the certificate's: a few hundred bytes."""
    if len(data) > LARGEST:
        raise SealError(f"The key service signs at most {LARGEST} bytes, not {len(data)}")
    wanted = {"MessageType": "RAW", "SigningAlgorithm": "ECDSA_SHA_256"}
    return low_s(bytes(_asked(lambda: service.client().sign(KeyId=key, Message=data, **wanted))["Signature"]))


def _asked(call: Callable[[], T]) -> T:
    try:
        return call()
    except ClientError as error:
        code = error.response["Error"].get("Code", "")
        text = f"The key service refused: {code}. {error.response['Error'].get('Message', '')}".strip()
        raise (SealError if code in REFUSALS else SealUnavailable)(text) from error
    except BotoCoreError as error:
        raise SealUnavailable(f"The key service cannot be used now ({type(error).__name__}).") from error
