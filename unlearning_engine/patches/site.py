"""One host of a publisher, and nothing else: no redirect is followed, no address leads elsewhere, sizes are bounded."""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import json
import shutil
import urllib.request
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import urljoin, urlsplit

from unlearning_engine.errors import ConfigError, DataError, StorageError
from unlearning_engine.patches.manifest import Altered

SECONDS, CHUNK, ANSWER_BYTES = 30.0, 2**20, 2**16


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> None:
        """Follow none."""


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
        where = self._here(url)
        try:
            with self._opener.open(where, timeout=SECONDS) as answer:
                yield answer
        except (OSError, HTTPException, ValueError) as error:
            raise DataError(f"{where}: cannot be fetched ({error}); try again, or ask the publisher") from error

    def _here(self, url: str) -> str:
        where = urljoin(self.url, url)
        parts = urlsplit(where)
        if (parts.scheme, parts.netloc) != self._origin:
            raise DataError(f"{where}: leads away from {self._origin[1]}; nothing is sent there or fetched from there")
        return where

    def post(self, url: str, document: Mapping[str, Any]) -> None:
        """Send a small document as JSON.

        Raises:
            DataError: the address leads to another host, or it was not taken, with the words of the answer.
        """
        where = self._here(url)
        call = urllib.request.Request(  # noqa: S310 - http or https, as judged above
            where, json.dumps(document).encode(), {"Content-Type": "application/json", "Accept": "application/json"}
        )
        try:
            with self._opener.open(call, timeout=SECONDS) as answer:
                answer.read(ANSWER_BYTES)
        except HTTPError as error:
            raise DataError(f"{where}: was not taken ({error.code}): {_said(error)}") from error
        except (OSError, HTTPException, ValueError) as error:
            raise DataError(f"{where}: cannot be reached ({error}); try again later") from error

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


def _said(error: HTTPError) -> str:
    """Why the other side refused, in its own words, as far as a terminal may show them."""
    try:
        text = str(json.loads(error.read(ANSWER_BYTES))["detail"])
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        text = str(error.reason)
    return "".join(one if one.isprintable() else "?" for one in text)[:500]
