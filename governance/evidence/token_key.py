"""A seal whose key lies in a token and never leaves it (PKCS#11: a hardware module, a smart card, SoftHSM)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pkcs11
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass, TokenFlag
from pkcs11.exceptions import (
    AttributeValueInvalid,
    DomainParamsInvalid,
    FunctionNotSupported,
    MechanismInvalid,
    MechanismParamInvalid,
    PinIncorrect,
    PinInvalid,
    PinLenRange,
    PinLocked,
    PKCS11Error,
)
from pkcs11.util.ec import encode_named_curve_parameters

from governance.evidence.errors import SealError, SealUnavailable
from governance.evidence.identity import checked_pair, low_s

CURVE = "1.2.840.10045.3.1.7"
#: Ed25519 as parameters: the printable string "edwards25519" (PKCS#11 3.0, 2.3.5).
ED25519 = b"\x13\x0cedwards25519"
Public = TypeVar("Public")


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


@dataclass(frozen=True, kw_only=True)
class TokenNotes:
    """A ledger's key in a token: see `checkpoint.NoteSigner`. `key`: the label of its Ed25519 key pair."""

    token: Token
    key: str

    def public_key(self) -> Ed25519PublicKey:
        """From the token."""
        with self.token.session() as opened:
            return _ed25519(opened, self.key)

    def sign(self, data: bytes, /) -> bytes:
        """EdDSA over the text itself: Ed25519 hashes it twice, so there is no digest to hand over."""
        with self.token.session() as opened:
            signature = bytes(_one(opened, ObjectClass.PRIVATE_KEY, self.key).sign(data, mechanism=Mechanism.EDDSA))
            try:
                _ed25519(opened, self.key).verify(signature, data)
            except InvalidSignature as error:
                raise SealError(f"The token's key {self.key!r} gave a signature that is not its own.") from error
            return signature


def make_key(token: Token, key: str) -> ec.EllipticCurvePublicKey:
    """A new P-256 key pair that cannot be taken out.

    Raises:
        SealError: the token already holds one of that label.
    """
    with token.session(rw=True) as opened:
        return _generate(opened, token, key, KeyType.EC, encode_named_curve_parameters(CURVE), _public)


def make_ed25519(token: Token, key: str) -> TokenNotes:
    """A new Ed25519 key pair that cannot be taken out.

    Raises:
        SealError: the token already holds one of that label, or knows no Ed25519.
    """
    with token.session(rw=True) as opened:
        try:
            _generate(opened, token, key, KeyType.EC_EDWARDS, ED25519, _ed25519)
        except (MechanismInvalid, MechanismParamInvalid, DomainParamsInvalid, AttributeValueInvalid,
                FunctionNotSupported) as error:  # fmt: skip
            raise SealError(f"The token {token.label} knows no Ed25519, with which checkpoints are signed (C2SP). Set "
                            "LETHE_LEDGER_KEY=file, or take another token.") from error  # fmt: skip
    return TokenNotes(token=token, key=key)


def public_key(token: Token, key: str) -> ec.EllipticCurvePublicKey:
    """The public half of a P-256 key pair."""
    with token.session() as opened:
        return _public(opened, key)


def _generate(
    opened: Any, token: Token, key: str, kind: KeyType, parameters: bytes, read: Callable[[Any, str], Public]
) -> Public:
    """The public half of a new key pair; one that cannot be read as what was asked for does not stay in the token."""
    if list(opened.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.LABEL: key})):
        raise SealError(f"The token {token.label} already holds a key {key!r}: none is ever overwritten.")
    made = opened.create_domain_parameters(kind, {Attribute.EC_PARAMS: parameters}, local=True)
    pair = made.generate_keypair(
        store=True, label=key, private_template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
    )
    try:
        return read(opened, key)
    except (PKCS11Error, SealError, ValueError):
        for half in pair:
            half.destroy()
        raise


def _ed25519(opened: Any, key: str) -> Ed25519PublicKey:
    """A token gives the point as it is, or as an octet string (PKCS#11 3.0, 2.3.5)."""
    point = bytes(_one(opened, ObjectClass.PUBLIC_KEY, key)[Attribute.EC_POINT])
    if len(point) not in (32, 34) or (len(point) == 34 and point[:2] != b"\x04\x20"):
        raise SealError(f"The key {key!r} is not Ed25519.")
    return Ed25519PublicKey.from_public_bytes(point[-32:])


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
