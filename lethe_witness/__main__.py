"""A witness in one file: `python -m lethe_witness key` makes its key, `python -m lethe_witness serve` runs it.

It speaks https://c2sp.org/tlog-witness: whoever wants a checkpoint signed shows by a proof that it continues the last
one that was signed here. What was signed last is on the disk before the signature leaves, so that neither a crash nor
two requests at once can make it sign two histories. Needs Python, `cryptography` and `lethe_verify`.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import contextlib
import hashlib
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lethe_verify import merkle, note
from lethe_verify.errors import Refused

MAX_BODY: Final = 64 * 1024
MAX_PROOF: Final = 63
SECONDS: Final = 10
TEXT, SIZE = "text/plain; charset=utf-8", "text/x.tlog.size"
EXAMPLES = """examples:
  python -m lethe_witness key --name witness.example/w1 --key witness.pem     prints the key that others are given
  python -m lethe_witness serve --name witness.example/w1 --key witness.pem --state witness.sqlite3 --logs logs.txt

logs.txt holds the verifier keys of the ledgers to watch, one a line, as their owners publish them. Keep the state file
and the key together: a witness that lost its state must take a new name and key, or it could sign a second history."""


class Answer(Exception):
    """A refusal: the status and what to say."""

    def __init__(self, status: int, text: str, kind: str = TEXT) -> None:
        super().__init__(text)
        self.status, self.text, self.kind = status, text, kind


class State:
    """What was signed last, for each ledger, in a file that survives a loss of power."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open() as file:
            file.execute(
                "CREATE TABLE IF NOT EXISTS seen (origin TEXT PRIMARY KEY, size INTEGER, root BLOB, note TEXT)"
            )

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        file = sqlite3.connect(self.path, timeout=SECONDS, isolation_level=None)
        try:
            file.execute("PRAGMA synchronous=FULL")
            yield file
        finally:
            file.close()

    def advance(self, old: int, told: note.Checkpoint, proof: list[bytes], text: str) -> None:
        """Check against what was signed last and keep the new one, as one step; returns when it is on the disk."""
        with self._open() as file:
            file.execute("BEGIN IMMEDIATE")
            try:
                _continues(file.execute("SELECT size, root FROM seen WHERE origin = ?", (told.origin,)).fetchone(),
                           old, told, proof)  # fmt: skip
                row = told.origin, told.size, told.root, text
                file.execute("INSERT OR REPLACE INTO seen (origin, size, root, note) VALUES (?, ?, ?, ?)", row)
                file.execute("COMMIT")
            except BaseException:
                file.execute("ROLLBACK")
                raise


def _continues(row: tuple[int, bytes] | None, old: int, told: note.Checkpoint, proof: list[bytes]) -> None:
    size, root = row or (0, merkle.EMPTY)
    if old != size:
        raise Answer(409, f"{size}\n", SIZE)
    if old == told.size and root != told.root:
        raise Answer(409, "another root for the same size: the ledger was forked\n")
    if old == 0 or old == told.size:
        # The definition has no proof between these sizes: there is nothing to prove.
        if proof:
            raise Answer(422, "no proof belongs between these sizes\n")
        if told.size == 0 and told.root != merkle.EMPTY:
            raise Answer(422, "an empty ledger has another root\n")
        return
    try:
        merkle.check_consistency(old=old, new=told.size, old_root=root, new_root=told.root, proof=proof)
    except Refused as error:
        raise Answer(422, f"{error}\n") from error


class Witness:
    """Name, key, ledgers that it watches, and its state."""

    def __init__(
        self,
        *,
        name: str,
        key: Ed25519PrivateKey,
        logs: list[str],
        state: State,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name, self.key, self.state, self.clock = name, key, state, clock
        self.logs: dict[str, list[str]] = {}
        for one in logs:
            self.logs.setdefault(note.key(one)[0], []).append(one)

    def add_checkpoint(self, body: bytes) -> str:
        """The signature line for a checkpoint that continues the last one.

        Raises:
            Answer: the refusal that tlog-witness demands.
        """
        old, proof, signed = _request(body)
        origin = signed.split("\n", 1)[0]
        if origin not in self.logs:
            raise Answer(404, "this ledger is not watched here\n")
        told = _signed_by(signed, self.logs[origin])
        if old > told.size:
            raise Answer(400, f"a ledger of {told.size} entries cannot continue one of {old}\n")
        self.state.advance(old, told, proof, signed)
        return self._sign(signed.partition("\n\n")[0].encode() + b"\n")

    def _sign(self, text: bytes) -> str:
        at = int(self.clock())
        signature = self.key.sign(note.cosigned_text(text, at))
        identity = key_id(self.name, self.key.public_key().public_bytes_raw())
        encoded = base64.b64encode(identity + at.to_bytes(8, "big") + signature).decode()
        return f"{note.DASH}{self.name} {encoded}\n"


def _signed_by(text: str, keys: list[str]) -> note.Checkpoint:
    """The checkpoint, signed by one of the keys that the ledger has or had."""
    for one in keys:
        try:
            return note.verify(text, one, strict=False)
        except Refused as error:
            refusal = Answer(403, f"{error}\n")
    raise refusal


def key_id(name: str, public: bytes) -> bytes:
    """First 4 bytes of SHA-256(name || LF || 0x04 || key)."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([note.WITNESS]) + public).digest()[:4]


def verifier_key(name: str, key: Ed25519PrivateKey) -> str:
    """What others are given to know this witness by."""
    raw = key.public_key().public_bytes_raw()
    return f"{name}+{key_id(name, raw).hex()}+{base64.b64encode(bytes([note.WITNESS]) + raw).decode()}"


def _request(body: bytes) -> tuple[int, list[bytes], str]:
    try:
        head, separator, signed = body.decode().partition("\n\n")
    except UnicodeDecodeError as error:
        raise Answer(400, "the request is not UTF-8\n") from error
    first, *lines = head.split("\n")
    size = first.removeprefix("old ")
    good = (
        first.startswith("old ") and size.isascii() and size.isdecimal() and len(size) <= 18 and str(int(size)) == size
    )
    if not separator or not good or len(lines) > MAX_PROOF:
        raise Answer(400, "the request is not: old SIZE, hashes, an empty line, a checkpoint\n")
    try:
        proof = [base64.b64decode(line, validate=True) for line in lines]
    except (ValueError, binascii.Error) as error:
        raise Answer(400, "a hash of the proof is not base64\n") from error
    if any(len(one) != len(merkle.EMPTY) for one in proof):
        raise Answer(400, "a hash of the proof has not 32 bytes\n")
    return int(size), proof, signed


class Handler(BaseHTTPRequestHandler):
    """POST /add-checkpoint, and nothing else."""

    protocol_version = "HTTP/1.1"
    timeout = SECONDS
    witness: Witness

    def do_POST(self) -> None:  # noqa: N802 - the name that the standard library calls
        """Answer as the protocol says."""
        length = self.headers.get("Content-Length", "")
        try:
            if self.path.rstrip("/").rsplit("/", 1)[-1] != "add-checkpoint":
                raise Answer(404, "POST to /add-checkpoint\n")
            if not (length.isascii() and length.isdecimal()) or int(length) > MAX_BODY:
                self.close_connection = True
                raise Answer(413, f"a request has a length, of at most {MAX_BODY} bytes\n")
            self._say(200, self.witness.add_checkpoint(self.rfile.read(int(length))), TEXT)
        except Answer as refusal:
            self._say(refusal.status, refusal.text, refusal.kind)

    def _say(self, status: int, text: str, kind: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def load_key(path: Path) -> Ed25519PrivateKey:
    """The witness's key from its PEM file."""
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{path} holds no Ed25519 key")
    return key


def make_key(path: Path) -> Ed25519PrivateKey:
    """A new key; one that exists is never written over."""
    key = Ed25519PrivateKey.generate()
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key.private_bytes(*form))
    return key


def server(witness: Witness, listen: str) -> ThreadingHTTPServer:
    """The server, bound to `host:port`."""
    host, _, port = listen.rpartition(":")
    handler = type("Bound", (Handler,), {"witness": witness})
    return ThreadingHTTPServer((host, int(port)), handler)


def main(arguments: list[str] | None = None) -> int:
    """Make a key or serve."""
    parser = argparse.ArgumentParser(prog="lethe_witness", description=__doc__, epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("key", "serve"):
        one = verbs.add_parser(verb)
        one.add_argument("--name", required=True, help="the witness's name, such as witness.example/w1")
        one.add_argument("--key", required=True, type=Path, help="PEM file with its Ed25519 key")
    one.add_argument("--state", required=True, type=Path, help="file with what was signed last")
    one.add_argument("--logs", required=True, type=Path, help="file with the verifier keys of the ledgers, one a line")
    one.add_argument("--listen", default="127.0.0.1:8790", help="host:port; put TLS before it")
    chosen = parser.parse_args(arguments)
    if not chosen.name or "+" in chosen.name or any(letter.isspace() for letter in chosen.name):
        parser.error("a name has neither spaces nor plus signs")
    try:
        if chosen.verb == "key":
            sys.stdout.write(verifier_key(chosen.name, make_key(chosen.key)) + "\n")
            return 0
        logs = [line.strip() for line in chosen.logs.read_text().splitlines() if line.strip()]
        witness = Witness(name=chosen.name, key=load_key(chosen.key), logs=logs, state=State(chosen.state))
        with server(witness, chosen.listen) as served:
            where = f"http://{served.server_address[0]!s}:{served.server_address[1]}"
            sys.stdout.write(f"{verifier_key(chosen.name, witness.key)} {where}\n")
            sys.stdout.flush()
            served.serve_forever()
    except (OSError, ValueError, Refused, sqlite3.Error) as error:
        sys.stderr.write(f"lethe_witness: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
