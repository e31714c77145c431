"""A client of the interface in one file: copy it into your program. Standard library only, Python 3.11 or later.

    client = Client("https://lethe.example", key="lk_...")
    receipt = client.file({"kind": "copyright", "mandate": "...", "declared": True,
                           "items": [{"form": "url", "text": "https://example.org/tide"}]})
    batch = client.send_batch(mandate="...", parts=[Path("works-1.jsonl").read_bytes()])
    for result in client.results(batch["id"], state="refused"):
        print(result["ref"], result["why"])

Whoever asks for themselves needs no key: the client solves the installation's proof of work (a tenth of a second).

    receipt = Client("https://lethe.example").file({"kind": "copyright", "name": "Zoë Ængström", "declared": True,
        "email": "zoe@example.org", "items": [{"form": "url", "text": "https://example.org/poems/tide"}]})

From a shell, the key in LETHE_KEY: `python lethe_client.py https://lethe.example send MANDATE works.jsonl`, and
`python lethe_client.py https://lethe.example batch ID` for how far it is.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import itertools
import json
import os
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict
from urllib.parse import urlencode, urlsplit

TRIES = 6
SECONDS = 60.0
#: Lines of one part when a file is cut up; a part has at most 8 MB.
PART_LINES = 10_000


class Receipt(TypedDict):
    """What is answered to a filed request. Whoever has the links can read the case."""

    number: str
    status_url: str
    status_api_url: str
    due_on: str


class Batch(TypedDict):
    """Where a batch stands."""

    id: str
    state: str
    parts: list[int]
    lines: int
    done: int
    accepted: int
    refused: int
    doubled: int
    progress_url: str
    progress_until: str


class Result(TypedDict):
    """What became of one line."""

    position: int
    ref: str
    state: str
    why: str
    case: str


@dataclass(frozen=True)
class Refused(Exception):
    """A problem (RFC 9457): `messages` names every reason, `errors` the places in what was sent."""

    status: int
    messages: tuple[str, ...]
    errors: tuple[Mapping[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.status}: {' '.join(self.messages)}"


class Client:
    """One installation, with or without a key. What fails for a moment is tried again; nothing is done twice."""

    def __init__(self, address: str, key: str = "") -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise ValueError(f"{address!r} is no address of an installation")
        self._secure, self._host, self._port = parts.scheme == "https", parts.hostname, parts.port
        self._headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})

    def file(self, request: Mapping[str, Any], *, idempotency_key: str = "") -> Receipt:
        """File a request. Keep the idempotency key with your record: the same one never files twice within a day."""
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        if "Authorization" not in self._headers:
            headers["Lethe-Work"] = solve(self._json("GET", "/api/v1/work/"))
        receipt: Receipt = self._json("POST", "/api/v1/requests/", request, headers)
        return receipt

    def standing(self, status_api_url: str) -> dict[str, Any]:
        """Where a case stands."""
        found: dict[str, Any] = self._json("GET", urlsplit(status_api_url).path)
        return found

    def withdraw(self, status_api_url: str) -> None:
        """Take a request back."""
        self._json("DELETE", urlsplit(status_api_url).path)

    def requests(self) -> Iterator[dict[str, Any]]:
        """Every request that this agent filed, the newest first."""
        return self._all("/api/v1/requests/")

    def mandates(self) -> Iterator[dict[str, Any]]:
        """For whom this agent may ask."""
        return self._all("/api/v1/mandates/")

    def send_batch(
        self, *, mandate: str, parts: Sequence[bytes], format: str = "jsonl", label: str = "", batch: str = ""
    ) -> Batch:
        """Send works in parts and have them filed. Give `batch` to go on with one that was cut off."""
        if not batch:
            body = {"mandate": mandate, "format": format, **({"label": label} if label else {})}
            headers = {"Idempotency-Key": str(uuid.uuid4())}
            batch = self._json("POST", "/api/v1/batches/", body, headers)["id"]
        here = set(self.batch(batch)["parts"])
        for number, data in enumerate(parts, 1):
            if number not in here:
                self.send_part(batch, number, data)
        closed: Batch = self._json("POST", f"/api/v1/batches/{batch}/close/")
        return closed

    def send_part(self, batch: str, number: int, data: bytes) -> dict[str, Any]:
        """Send one part; the same bytes again change nothing."""
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        headers = {"Content-Digest": f"sha-256=:{digest}:", "Content-Type": "application/x-ndjson"}
        found: dict[str, Any] = self._call("PUT", f"/api/v1/batches/{batch}/parts/{number}/", data, headers)
        return found

    def batch(self, batch: str) -> Batch:
        """How far a batch is."""
        found: Batch = self._json("GET", f"/api/v1/batches/{batch}/")
        return found

    def replace_link(self, batch: str) -> Batch:
        """Another `progress_url` for people; the one before opens nothing any more."""
        found: Batch = self._json("POST", f"/api/v1/batches/{batch}/link/")
        return found

    def results(self, batch: str, *, state: str = "") -> Iterator[Result]:
        """What became of the lines, in their order."""
        query = {"page_size": "1000", **({"state": state} if state else {})}
        return self._all(f"/api/v1/batches/{batch}/results/?{urlencode(query)}")

    def _all(self, path: str) -> Iterator[Any]:
        while path:
            page = self._json("GET", path)
            yield from page["results"]
            after = urlsplit(page["next"] or "")
            path = f"{after.path}?{after.query}" if after.path else ""

    def _json(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        kind = {} if body is None else {"Content-Type": "application/json"}
        return self._call(method, path, data, {**kind, **(headers or {})})

    def _call(self, method: str, path: str, data: bytes | None, headers: Mapping[str, str]) -> Any:
        for attempt in range(1, TRIES + 1):
            pause = float(min(2**attempt, 60))
            try:
                status, answered, body = self._once(method, path, data, headers)
            except (OSError, http.client.HTTPException):
                # Every call but a filing may be repeated as it is; a filing carries an idempotency key.
                if attempt == TRIES:
                    raise
            else:
                if status < 300:
                    return json.loads(body) if body else None
                if status not in (429, 502, 503, 504) or attempt == TRIES:
                    raise _refused(status, body)
                pause = float(answered.get("retry-after") or pause)
            time.sleep(pause)
        raise AssertionError("unreachable")

    def _once(
        self, method: str, path: str, data: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=SECONDS)
        try:
            connection.request(method, path, body=data, headers={**self._headers, **headers})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()


def solve(asked: Mapping[str, Any]) -> str:
    """`challenge:number`, whose SHA-256 begins with as many zero bits as are asked for."""
    for number in itertools.count():
        answer = f"{asked['challenge']}:{number}"
        if int.from_bytes(hashlib.sha256(answer.encode()).digest(), "big") >> (256 - asked["bits"]) == 0:
            return answer
    raise AssertionError("unreachable")


def _refused(status: int, body: bytes) -> Refused:
    try:
        told = json.loads(body)
        return Refused(status, tuple(told["messages"]), tuple(told.get("errors", ())))
    except (ValueError, KeyError, TypeError):
        return Refused(status, (body[:200].decode("utf-8", "replace"),))


def parts_of(lines: Sequence[bytes], size: int = PART_LINES) -> list[bytes]:
    """Lines as parts of a batch."""
    return [b"\n".join(lines[start : start + size]) for start in range(0, len(lines), size)]


def main(arguments: Sequence[str]) -> int:
    """`ADDRESS send MANDATE FILE` or `ADDRESS batch ID`."""
    if len(arguments) < 3:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    address, verb, *rest = arguments
    client = Client(address, os.environ.get("LETHE_KEY", ""))
    if verb == "send" and len(rest) == 2:
        with open(rest[1], "rb") as file:
            lines = [line for line in file.read().splitlines() if line.strip()]
        found = client.send_batch(mandate=rest[0], parts=parts_of(lines))
    else:
        found = client.batch(rest[0])
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
