"""The key that signs the feeds, a secret of the processes that serve them."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from governance.secrets import read_secret

KEY = "feed.key"


def opened(name: str = KEY) -> Ed25519PrivateKey:
    """The feeds' key as it is now: a document names and is signed by one reading of it, or a rotation comes between."""
    return Ed25519PrivateKey.from_private_bytes(read_secret(name)[:32])


def public_key(key: Ed25519PrivateKey | None = None) -> str:
    """The feeds' public key, 32 bytes in base64: whoever subscribes keeps it and compares."""
    return base64.b64encode((key or opened()).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
