"""A publisher's signed feed of patches (JSON Feed 1.1, Ed25519): read, believed by keys from outside, and searched."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from unlearning_engine.contracts import DIGEST, canonical
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.patches.manifest import Altered
from unlearning_engine.patches.site import Site
from unlearning_engine.patches.statements import digits

FEED_BYTES, PAGES = 4 * 2**20, 50
#: A feed that was signed longer ago is not believed: somebody may hold back what came after it.
FRESH = timedelta(days=7)
KIND = "unlearning-patches"
#: What an entry names by its digest.
NAMED = ("patch", "base", "result")
#: Why a patch was withdrawn, by the code in the feed.
REASONS = {
    "flawed": "it does damage, or does not do what it says",
    "verdict": "its verdict holds no longer",
    "rights": "it should not have been given to everybody",
    "replaced": "another patch takes its place",
}


def trusted_keys(trust: str) -> frozenset[str]:
    """Keys of feeds (base64) from a trust file as publishers serve it, or one key itself.

    A key that the file marks as lost is none: a page names no time but its signer's own.

    Raises:
        ConfigError: neither.
    """
    path = Path(trust)
    try:
        told = json.loads(path.read_bytes()) if path.is_file() else {"feeds": [trust]}
        found = frozenset(map(str, told["feeds"])) - _lost(told)
        right = found and all(len(base64.b64decode(key, validate=True)) == 32 for key in found)
    except (OSError, ValueError, KeyError, TypeError, binascii.Error):
        right = False
    if not right:
        raise ConfigError(
            f"--trust: {trust!r} is neither a trust file with `feeds` nor a feed's key (32 bytes, base64)"
        )
    return found


def _lost(told: Mapping[str, Any]) -> frozenset[str]:
    """The keys that a trust file or a signed page says to be in other hands."""
    return frozenset(str(one["key"]) for one in told.get("lost_keys", ()))


def lost_signers(told: Mapping[str, Any]) -> frozenset[str]:
    """Fingerprints of the keys of statements that a trust file or a signed page says to be in other hands.

    Raises:
        ConfigError, KeyError, TypeError: named in a way that this version does not know.
    """
    return frozenset(digits(str(one["key"])) for one in told.get("lost_keys", ()) if one["purpose"] == "models")


def read_feed(data: bytes, keys: frozenset[str]) -> dict[str, Any]:
    """A page of a feed that one of `keys` signed, lately.

    Raises:
        DataError: no feed of patches, or an old one. Altered: not signed by a key that is trusted.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        document = json.loads(data, object_pairs_hook=_once)
        lethe = dict(document["_lethe"])
        key, signature = str(lethe["public_key"]), base64.b64decode(lethe.pop("signature"), validate=True)
        signed = canonical({**document, "_lethe": lethe})
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error) as error:
        raise DataError(f"the feed cannot be read ({error}); is this the address of a feed of patches?") from error
    if key not in keys:
        raise Altered(f"the feed is signed by {key[:60]}, a key that --trust does not name; nothing was applied")
    try:
        Ed25519PublicKey.from_public_bytes(base64.b64decode(key)).verify(signature, signed)
    except (InvalidSignature, ValueError) as error:
        raise Altered("the feed's signature is wrong: it was changed on its way; nothing was applied") from error
    if lethe.get("kind") != KIND or not isinstance(document.get("items"), list):
        raise DataError("this is a signed feed, but none of patches; give the address of /feeds/patches.json")
    issued = datetime.fromisoformat(str(lethe["issued_at"]))
    if not timedelta(minutes=-10) <= datetime.now(UTC) - issued <= FRESH:
        raise DataError(f"the feed was signed {issued:%d %B %Y %H:%M}; fetch it anew, or set this machine's clock")
    return dict(document)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands twice")
    return found


def items(site: Site, keys: frozenset[str]) -> Iterator[dict[str, Any]]:
    """What a feed tells of each patch, in its order, over all pages, with the key that signed the page (`feed`) and the
    keys of statements that this page or one before says to be lost (`lost`).

    Raises:
        DataError, Altered: see `read_feed`; or an item is no patch's.
    """
    url, lost = site.url, frozenset[str]()
    for _page in range(PAGES):
        document = read_feed(site.read(url, FEED_BYTES), keys)
        try:
            gone, lost = _lost(document["_lethe"]), lost | lost_signers(document["_lethe"])
        except (ConfigError, KeyError, TypeError) as error:
            raise DataError(f"{url}: names lost keys in a way that this version does not know") from error
        for item in document["items"]:
            told = item.get("_lethe") if isinstance(item, dict) else None
            if not isinstance(told, dict) or not all(DIGEST.fullmatch(str(told.get(one))) for one in NAMED):
                raise DataError(f"{url}: an entry of the feed is no patch's; ask the publisher")
            yield {**told, "feed": document["_lethe"]["public_key"], "lost": lost}
        keys -= gone
        url = document.get("next_url", "")
        if not url:
            return


def find(site: Site, keys: frozenset[str], base: str, wanted: str) -> dict[str, Any]:
    """The patch for a base, or the one that is named; one that was withdrawn is refused.

    Raises:
        DataError: there is none, or it was withdrawn. Altered: see `read_feed`.
    """
    withdrawn, others = None, 0
    for told in items(site, keys):
        if told["patch"] != wanted and (wanted or told["base"] != base):
            others += 1
        elif "withdrawn" not in told:
            return told
        else:
            withdrawn = told
    if withdrawn:
        raise DataError(_gone(withdrawn))
    if wanted:
        raise DataError(f"{site.url}: has no patch {wanted}")
    raise DataError(f"{site.url}: has no patch for the weights {base} ({others} patches for others)")


def _gone(told: dict[str, Any]) -> str:
    """That a patch was withdrawn, when and why."""
    said = told["withdrawn"] if isinstance(told["withdrawn"], dict) else {}
    code, at = str(said.get("reason", "")), str(said.get("at", ""))
    return (
        f"the publisher withdrew the patch {told['patch']} at {at[:40]} ({code[:40]}: "
        f"{REASONS.get(code, 'a reason that this version does not know')}); nothing was applied. "
        "Wait for another one in the feed, or ask the publisher"
    )
