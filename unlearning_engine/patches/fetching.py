"""`patch fetch-apply`: from a publisher's signed feed to the patched model in one step; refused where anything differs.

Only the host that the user named is called: no redirect is followed, no address in the feed may lead elsewhere, sizes
are bounded by what was signed. Trust in the feed's key comes from outside.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import ipaddress
import json
import shutil
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.parse import urljoin, urlsplit

from unlearning_engine.contracts import DIGEST, canonical
from unlearning_engine.errors import ConfigError, DataError, StorageError
from unlearning_engine.patches.applying import apply
from unlearning_engine.patches.manifest import MANIFEST, PAYLOAD, Altered, Patch, read_manifest
from unlearning_engine.patches.weights import Weights
from unlearning_engine.progress import Report, silent

FEED_BYTES, MANIFEST_BYTES, PAGES, SECONDS, CHUNK = 4 * 2**20, 64 * 2**20, 50, 30.0, 2**20
#: A feed that was signed longer ago is not believed: somebody may hold back what came after it.
FRESH = timedelta(days=7)
KIND = "unlearning-patches"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> None:
        """Follow none."""


def trusted_keys(trust: str) -> frozenset[str]:
    """Keys of feeds (base64) from a trust file as publishers serve it, or one key itself.

    Raises:
        ConfigError: neither.
    """
    path = Path(trust)
    try:
        found = frozenset(map(str, json.loads(path.read_bytes())["feeds"] if path.is_file() else [trust]))
        right = found and all(len(base64.b64decode(key, validate=True)) == 32 for key in found)
    except (OSError, ValueError, KeyError, TypeError, binascii.Error):
        right = False
    if not right:
        raise ConfigError(
            f"--trust: {trust!r} is neither a trust file with `feeds` nor a feed's key (32 bytes, base64)"
        )
    return found


class Site:
    """One host, and nothing else.

    Raises:
        ConfigError: no https address (http only on this machine itself).
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.password:
            raise ConfigError(f"{url!r}: is no https address")
        if parts.scheme == "http" and not _this_machine(parts.hostname):
            raise ConfigError(f"{url!r}: only https is called, save on this machine itself")
        self.url, self._origin = url, (parts.scheme, parts.netloc)
        self._opener = urllib.request.build_opener(_NoRedirect(), urllib.request.ProxyHandler({}))

    @contextlib.contextmanager
    def open(self, url: str) -> Iterator[IO[bytes]]:
        """The answer to a GET.

        Raises:
            DataError: the address leads to another host, or nothing is answered.
        """
        where = urljoin(self.url, url)
        parts = urlsplit(where)
        if (parts.scheme, parts.netloc) != self._origin:
            raise DataError(f"{where}: leads away from {self._origin[1]}; nothing is fetched from there")
        try:
            with self._opener.open(where, timeout=SECONDS) as answer:
                yield answer
        except (OSError, HTTPException, ValueError) as error:
            raise DataError(f"{where}: cannot be fetched ({error}); try again, or ask the publisher") from error

    def read(self, url: str, limit: int) -> bytes:
        """A whole small document."""
        with self.open(url) as answer:
            data = answer.read(limit + 1)
        if len(data) > limit:
            raise DataError(f"{url}: is larger than {limit:,} bytes; it is not read")
        return data

    def save(self, url: str, path: Path, *, size: int, sha256: str) -> None:
        """A file of a known size and digest, in pieces.

        Raises:
            Altered: it is another. StorageError: there is no room for it.
        """
        if shutil.disk_usage(path.parent).free < size:
            raise StorageError(f"{path.parent}: has no room for {size:,} bytes; free space and run the same again")
        state, count = hashlib.sha256(), 0
        with self.open(url) as answer, path.open("wb") as out:
            while count <= size and (chunk := answer.read(CHUNK)):
                state.update(chunk)
                count += len(chunk)
                out.write(chunk)
        if count != size or f"sha256:{state.hexdigest()}" != sha256:
            raise Altered(f"{url}: is not the file that the manifest names; nothing was applied")


def _this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


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


def _find(site: Site, keys: frozenset[str], base: str, wanted: str) -> Mapping[str, Any]:
    """The item for a base, or the one that is named."""
    url, seen = site.url, []
    for _page in range(PAGES):
        document = read_feed(site.read(url, FEED_BYTES), keys)
        for item in document["items"]:
            told = item["_lethe"]
            if told["patch"] == wanted or (not wanted and told["base"] == base):
                return dict(told)
            seen.append(told["base"])
        url = document.get("next_url", "")
        if not url:
            break
    if wanted:
        raise DataError(f"{site.url}: has no patch {wanted}")
    raise DataError(f"{site.url}: has no patch for the weights {base} ({len(seen)} patches for others)")


def fetch_apply(
    url: str, trust: str, model: str | Path, out: str | Path, *, patch: str = "", limit: int, report: Report = silent
) -> dict[str, Any]:
    """Fetch the patch for `model` from the feed at `url`, verify it, and write the patched model into the folder `out`.

    Args:
        trust: see `trusted_keys`. patch: digest of the one that is wanted, where there are several. limit: most bytes.

    Raises:
        ConfigError, DataError, Altered, StorageError: with the reason; nothing is left at `out`.
    """
    if patch and not DIGEST.match(patch):
        raise ConfigError(f"--patch: {patch!r} is no digest; it reads sha256: and 64 hexadecimal digits")
    keys, site = trusted_keys(trust), Site(url)
    if Path(out).exists():
        raise DataError(f"{out}: exists already; name a new folder")
    base = Weights(model).digest()
    told = _find(site, keys, base, patch)
    if told["base"] != base:
        raise DataError(f"{model}: has the weights {base}; this patch is for {told['base']}")
    Path(out).absolute().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch.", dir=Path(out).absolute().parent) as scratch:
        folder = Path(scratch)
        (folder / MANIFEST).write_bytes(site.read(told["manifest_url"], MANIFEST_BYTES))
        manifest = read_manifest(folder / MANIFEST)
        said = [manifest["digest"], manifest["base"]["weights"], manifest["result"]["weights"]]
        if said != [told["patch"], told["base"], told["result"]]:
            raise Altered("the patch is not the one that the feed names; nothing was applied")
        payload = manifest["payload"]
        if payload["bytes"] > limit:
            raise DataError(f"the patch has {payload['bytes']:,} bytes, more than --limit {limit:,}")
        site.save(told["payload_url"], folder / PAYLOAD, size=payload["bytes"], sha256=payload["sha256"])
        done = apply(model, [Patch(folder).folder], out, report=report)
    return {"model": str(out), "patch": told["patch"], **asdict(done)}
