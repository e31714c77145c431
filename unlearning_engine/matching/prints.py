"""Fingerprints of works: enough to find a work again, not enough to read it. No machine learning, no data sets.

A work becomes the keyed hashes (BLAKE2b, 64 bits) of its shingles, sorted, so that their order is not kept, and one
hash of its whole text. Records are compared by `search`'s rules: same words, same shingles, same score and method.

Whoever has the key can test guesses, and a short work (a name, a date) is guessed soon. Whoever has the document
without its key learns how many works there are, how long each is, and which share passages, and nothing else. False
hits: two shingles agree by chance once in 2^64; the least hit needs three of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from unlearning_engine.matching.words import LEAST_SHARED, SCHEME, SIZE, shingles, words

KIND, SCHEMA = "lethe-fingerprints", 1
PRINT_SCHEME = f"{SCHEME} blake2b-64-keyed/1"
#: Bytes of a key; BLAKE2b takes up to 64.
KEY_BYTES = (16, 64)


@dataclass(frozen=True, kw_only=True)
class Print:
    """One work: how many words it has, the hash of all of them in order, those of its shingles (none where it is so
    short that it is looked for as a whole)."""

    id: str
    words: int
    whole: str
    shingles: tuple[str, ...]

    @property
    def short(self) -> bool:
        """Whether the work is found only as a whole."""
        return self.words < SIZE + LEAST_SHARED - 1


def hash_of(key: bytes, parts: Sequence[str]) -> str:
    """Keyed hash of a run of words."""
    return hashlib.blake2b(" ".join(parts).encode(), key=key, digest_size=8).hexdigest()


def key_id(key: bytes) -> str:
    """A name for a key that tells nothing about it."""
    return hashlib.sha256(b"lethe fingerprint key" + key).hexdigest()[:16]


def fingerprint(name: str, text: str, key: bytes) -> Print | None:
    """The fingerprint of a work; None where it has no word."""
    body = [word.text for word in words(text)]
    if not body:
        return None
    found = Print(id=name, words=len(body), whole=hash_of(key, body), shingles=())
    if found.short:
        return found
    hashes = {hash_of(key, shingle) for shingle in shingles(body, SIZE)}
    return Print(id=name, words=found.words, whole=found.whole, shingles=tuple(sorted(hashes)))


def document(prints: Iterable[Print], *, key: bytes | None = None, named: str = "") -> dict[str, Any]:
    """The works as the JSON document that `print_search` reads; with a key, it can be used by itself."""
    rows = [{"id": p.id, "words": p.words, "whole": p.whole, "shingles": list(p.shingles)} for p in prints]
    secret = {"key": key.hex()} if key else {}
    return {
        "kind": KIND,
        "schema": SCHEMA,
        "scheme": PRINT_SCHEME,
        "key_id": key_id(key) if key else named,
        **secret,
        "works": rows,
    }
