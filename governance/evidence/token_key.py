"""A seal whose key lies in a token and never leaves it (PKCS#11: a hardware module, a smart card, SoftHSM)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pkcs11
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass, TokenFlag
from pkcs11.exceptions import PinIncorrect, PinInvalid, PinLenRange, PinLocked, PKCS11Error
from pkcs11.util.ec import encode_named_curve_parameters

from governance.evidence.errors import SealError, SealUnavailable
from governance.evidence.identity import checked_pair, low_s

CURVE = "1.2.840.10045.3.1.7"


@dataclass(frozen=True, kw_only=True)
class Token:
    """Where the token is: the vendor's library, the token's label, and the file with its PIN."""

    module: Path
    label: str
    pin_file: Path
    #: PINs that were refused: a token locks itself after a few wrong ones, so none is tried twice.
    refused: ClassVar[set[bytes]] = set()

    def pin(self) -> str:
        """The PIN.

        Raises:
            SealError: the file cannot be read, or the token has already refused this PIN.
        """
        try:
            found = self.pin_file.read_text().strip()
        except OSError as error:
            raise SealError(f"The PIN of the token {self.label} cannot be read ({error}).") from error
        if self._mark(found) in self.refused:
            raise SealUnavailable(f"The token {self.label} refused the PIN in {self.pin_file}. Correct the file; until "
                                  "then it is not tried again, or the token would lock.")  # fmt: skip
        return found

    def _mark(self, pin: str) -> bytes:
        return hashlib.sha256(f"{self.module}\0{self.label}\0{pin}".encode()).digest()

    @contextmanager
    def session(self, *, rw: bool = False) -> Iterator[Any]:
        """A session, logged in.

        Raises:
            SealUnavailable: no such token now, or the PIN is refused.
            SealError: the vendor's library is missing or fails.
        """
        pin = self.pin()
        try:
            library = pkcs11.lib(str(self.module))
            library.reinitialize()
            token = library.get_token(token_label=self.label)
        except (pkcs11.NoSuchToken, pkcs11.MultipleTokensReturned) as error:
            raise SealUnavailable(
                f"There is no token {self.label!r} now: is it plugged in and its name right?"
            ) from error
        except (PKCS11Error, RuntimeError, OSError) as error:
            raise SealUnavailable(
                f"The token's library {self.module} cannot be used ({error or type(error).__name__})."
            ) from error
        if TokenFlag.USER_PIN_LOCKED in token.flags:
            raise SealUnavailable(
                f"The token {self.label} is locked: too many wrong PINs. Its security officer unlocks it."
            )
        try:
            with token.open(user_pin=pin, rw=rw) as opened:
                yield opened
        except (PinIncorrect, PinInvalid, PinLenRange, PinLocked) as error:
            self.refused.add(self._mark(pin))
            raise SealUnavailable(
                f"The token {self.label} refused the PIN in {self.pin_file}. Correct the file."
            ) from error
        except PKCS11Error as error:
            raise SealUnavailable(f"The token {self.label} failed ({type(error).__name__}).") from error


@dataclass(frozen=True, kw_only=True)
class TokenSeal:
    """A seal in a token. `key`: the label of its key pair."""

    token: Token
    key: str
    certificate: x509.Certificate
    development: bool = False

    def sign(self, data: bytes) -> bytes:
        """See `SealSigner.sign`. The token is given the digest: it needs to know no hash of ours."""
        with self.token.session() as opened:
            return _signed(opened, self.key, data)


def open_seal(token: Token, key: str, certificate: x509.Certificate) -> TokenSeal:
    """The seal, after its certificate was found to be of the token's key.

    Raises:
        SealUnavailable, SealError: see `Token.session`; no such key, or another's certificate.
    """
    with token.session() as opened:
        checked_pair(_public(opened, key), certificate, f"Token {token.label}, key {key}")
    return TokenSeal(token=token, key=key, certificate=certificate)


def make_key(token: Token, key: str) -> ec.EllipticCurvePublicKey:
    """A new key pair that cannot be taken out.

    Raises:
        SealError: the token already holds one of that label.
    """
    with token.session(rw=True) as opened:
        if list(opened.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.LABEL: key})):
            raise SealError(f"The token {token.label} already holds a key {key!r}: none is ever overwritten.")
        parameters = opened.create_domain_parameters(
            KeyType.EC, {Attribute.EC_PARAMS: encode_named_curve_parameters(CURVE)}, local=True
        )
        template = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
        parameters.generate_keypair(store=True, label=key, private_template=template)
        return _public(opened, key)


def sign_with(token: Token, key: str, data: bytes) -> bytes:
    """One signature without a certificate: what a certificate is made with."""
    with token.session() as opened:
        return _signed(opened, key, data)


def _signed(opened: Any, key: str, data: bytes) -> bytes:
    private = _one(opened, ObjectClass.PRIVATE_KEY, key)
    raw = bytes(private.sign(hashlib.sha256(data).digest(), mechanism=Mechanism.ECDSA))
    half = len(raw) // 2
    return low_s(encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big")))


def _public(opened: Any, key: str) -> ec.EllipticCurvePublicKey:
    from cryptography.hazmat.primitives.serialization import load_der_public_key
    from pkcs11.util.ec import encode_ec_public_key

    found = load_der_public_key(encode_ec_public_key(_one(opened, ObjectClass.PUBLIC_KEY, key)))
    if not isinstance(found, ec.EllipticCurvePublicKey):
        raise SealError(f"The key {key!r} is not EC P-256.")
    return found


def _one(opened: Any, kind: ObjectClass, key: str) -> Any:
    found = list(opened.get_objects({Attribute.CLASS: kind, Attribute.LABEL: key}))
    if len(found) != 1:
        raise SealError(f"The token holds {len(found)} keys with the label {key!r}; one is needed.")
    return found[0]
