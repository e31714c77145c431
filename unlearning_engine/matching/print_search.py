"""Searching by fingerprints (`prints`) in records, or in the answers of a serving system."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from unlearning_engine.data import Record, raise_all
from unlearning_engine.errors import DataError
from unlearning_engine.matching.prints import KEY_BYTES, KIND, PRINT_SCHEME, SCHEMA, Print, hash_of, key_id
from unlearning_engine.matching.search import EXACT, NEAR, Hit, clip, hit_of, longest, passage
from unlearning_engine.matching.words import LEAST_SHARED, SIZE, shingles, words


class PrintIndex:
    """Fingerprints, ready to look for in records or in the answers of a serving system."""

    def __init__(self, prints: Iterable[Print], key: bytes, *, threshold: float = 0.5) -> None:
        self._key, self._threshold = key, threshold
        self._prints: dict[str, Print] = {}
        self._parts: dict[str, set[str]] = defaultdict(set)
        self._short: dict[int, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        for one in prints:
            self._prints[one.id] = one
            if one.short:
                self._short[one.words][one.whole].add(one.id)
            for part in one.shingles:
                self._parts[part].add(one.id)

    @property
    def names(self) -> list[str]:
        """Ids of the works, in their order."""
        return list(self._prints)

    def find(self, record: Record) -> list[Hit]:
        """Hits of one record, as `search.Index.find` gives them."""
        text = record.full_text
        found = words(text)
        plain = [word.text for word in found]
        hits = [hit_of(record, name, EXACT, 1, 1, clip(text)) for name in sorted(self._whole_short(plain))]
        order: list[str] = [hash_of(self._key, shingle) for shingle in shingles(plain, SIZE)]
        distinct = set(order)
        shared: dict[str, int] = defaultdict(int)
        for part in distinct:
            for name in self._parts.get(part, ()):
                shared[name] += 1
        for name, count in shared.items():
            of = min(len(self._prints[name].shingles), len(distinct))
            if count < LEAST_SHARED or count / of < self._threshold:
                continue
            run = longest([name in self._parts.get(part, ()) for part in order])
            method = EXACT if self._is_whole(name, plain, run) else NEAR
            hits.append(hit_of(record, name, method, count, of, passage(text, found, run, SIZE)))
        return hits

    def _whole_short(self, plain: Sequence[str]) -> set[str]:
        names: set[str] = set()
        for length, known in self._short.items():
            for start in range(len(plain) - length + 1):
                names |= known.get(hash_of(self._key, plain[start : start + length]), set())
        return names

    def _is_whole(self, name: str, plain: Sequence[str], run: tuple[int, int]) -> bool:
        """Whether the work's words stand in the run of shared shingles, in their order."""
        start, length = run
        wanted = self._prints[name]
        places = range(start, start + length - (wanted.words - SIZE))
        return any(hash_of(self._key, plain[i : i + wanted.words]) == wanted.whole for i in places)


def load(path: str | Path, *, threshold: float = 0.5) -> PrintIndex:
    """Read a document of fingerprints that holds its key.

    Raises:
        DataError: it is no such document, of another scheme, without its key, or a work is malformed; all at once.
    """
    try:
        data = json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    return read(data, threshold=threshold, place=str(path))


def read(data: Any, *, key: bytes = b"", threshold: float = 0.5, place: str = "fingerprints") -> PrintIndex:
    """A parsed document; `key` where it was delivered apart.

    Raises:
        DataError: see `load`.
    """
    if not isinstance(data, Mapping) or data.get("kind") != KIND or data.get("schema") != SCHEMA:
        raise DataError(f"{place}: is no document of fingerprints of schema {SCHEMA}")
    problems = []
    if data.get("scheme") != PRINT_SCHEME:
        problems.append(f"{place}: made by {data.get('scheme')!r}; this engine compares by {PRINT_SCHEME!r}")
    secret = key or _key(data.get("key"))
    if not KEY_BYTES[0] <= len(secret) <= KEY_BYTES[1]:
        problems.append(f"{place}: its key is missing or of a wrong length; it is delivered apart from the list")
    elif data.get("key_id") != key_id(secret):
        problems.append(f"{place}: was made with another key ({data.get('key_id')}, not {key_id(secret)})")
    rows = data.get("works")
    prints = [_row(row) for row in rows] if isinstance(rows, list) else []
    problems += [f"{place}: work {number} is malformed" for number, one in enumerate(prints, 1) if one is None]
    if not prints:
        problems.append(f"{place}: holds no works")
    raise_all(problems)
    return PrintIndex([one for one in prints if one], secret, threshold=threshold)


def _key(value: object) -> bytes:
    try:
        return bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        return b""


def _row(row: Any) -> Print | None:
    try:
        parts = tuple(row["shingles"])
        made = Print(id=row["id"], words=row["words"], whole=row["whole"], shingles=parts)
    except (TypeError, KeyError):
        return None
    texts = all(isinstance(part, str) and len(part) == 16 for part in (*parts, made.whole))
    sound = isinstance(made.id, str) and made.id and isinstance(made.words, int) and made.words > 0
    return made if texts and sound and (made.short or parts) else None
