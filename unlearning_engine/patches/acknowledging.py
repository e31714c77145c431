"""What whoever runs a model tells the publisher of a patch: that it was fetched, or applied. Signed by their own key.

It is their statement, bound to patch, base, result, publisher and time; it does not show that old weights were deleted.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from unlearning_engine.contracts import DIGEST, canonical
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.patches.feed import items, trusted_keys
from unlearning_engine.patches.site import Site
from unlearning_engine.patches.weights import Weights

KIND = "lethe-patch-acknowledgement/1"
FETCHED, APPLIED = "fetched", "applied"


class Subscriber:
    """Whoever holds the key that the publisher knows (Ed25519, PEM, without a password).

    Raises:
        ConfigError: the file is no such key.
    """

    def __init__(self, path: str) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

        try:
            key = load_pem_private_key(Path(path).read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as error:
            raise ConfigError(f"{path}: cannot be read as a private key ({error})") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigError(f"{path}: is no Ed25519 key; make one by `openssl genpkey -algorithm ed25519`")
        self._key = key
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public_key = base64.b64encode(raw).decode()

    def state(self, told: Mapping[str, Any], feed_key: str, state: str) -> dict[str, Any]:
        """A signed statement about a patch of a feed."""
        statement = {
            "kind": KIND,
            "feed": feed_key,
            "patch": told["patch"],
            "base": told["base"],
            "result": told["result"],
            "state": state,
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "public_key": self.public_key,
        }
        signature = base64.b64encode(self._key.sign(canonical(statement))).decode()
        return {"statement": statement, "signature": signature}


def send(site: Site, told: Mapping[str, Any], signed: Mapping[str, Any]) -> None:
    """Give a statement to the publisher.

    Raises:
        DataError: the feed names no place for it, or it was not taken, with the publisher's own words.
    """
    place = told.get("acknowledge_url")
    if not isinstance(place, str):
        raise DataError(f"{site.url}: names no place for acknowledgements; write to the publisher")
    site.post(place, signed)


def acknowledge(url: str, trust: str, model: str | Path, key: str, patch: str = "") -> dict[str, Any]:
    """State that the weights of `model` are what a patch of the feed at `url` leads to, so that it was applied.

    Args:
        patch: digest of the one that was applied, where several lead to these weights: the weights do not tell which.

    Raises:
        ConfigError, DataError, Altered: with the reason.
    """
    if patch and not DIGEST.match(patch):
        raise ConfigError(f"--patch: {patch!r} is no digest; it reads sha256: and 64 hexadecimal digits")
    keys, site, subscriber = trusted_keys(trust), Site(url), Subscriber(key)
    result = Weights(model).digest()
    fits = {told["patch"]: told for told in items(site, keys)
            if told["result"] == result and patch in ("", told["patch"])}  # fmt: skip
    if not fits:
        wanted = f"patch {patch}" if patch else "patch"
        raise DataError(f"{url}: has no {wanted} that leads to the weights {result}; there is nothing to acknowledge")
    if len(fits) > 1:
        raise DataError([f"{url}: several patches lead to the weights {result}; name the applied one by --patch:",
                         *(f"{one} from {told['base']}" for one, told in sorted(fits.items()))])  # fmt: skip
    [told] = fits.values()
    signed = subscriber.state(told, told["feed"], APPLIED)
    send(site, told, signed)
    return {"acknowledged": signed, "patch": told["patch"]}
