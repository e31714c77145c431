"""Salted commitments to the records of a lineage, and how an outsider checks one. Standard library only.

A commitment is SHA-256 over salt, id and the digest of what the record teaches; its salt is HMAC-SHA-256 of the id
under a key that stays with the lineage (Bellare et al. 1996 for HMAC as a keyed function). Whoever has neither key
nor opening learns from a commitment nothing but that a record exists. The published file has every slice's
commitments in sorted order and their Merkle root (RFC 6962); a successor keeps key and commitments, so that a
claimant with the record's opening and text can check it was in the lineage before and is not in the one after.

What the check cannot show: that the published lists are those of what was trained. That takes the records, and
is for an auditor with access (`replay`). A commitment made with another key is another number: its absence says
nothing, and the check refuses lists that do not share their key.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearning_engine.errors import DataError

if TYPE_CHECKING:
    from unlearning_engine.sisa.workload import Rows

FILE, KEY, SCHEMA = "commitments.json", "private/key", 1
_KEY_BYTES = 32
#: By shard, then by slice.
Lists = Mapping[int, Sequence[Sequence[str]]]
#: From a shard to its slices' rows.
RowsOf = Callable[[int], "Sequence[Rows]"]


# ---------------------------------------------------------------- numbers


def salt_of(key: bytes, record_id: str) -> bytes:
    """The record's salt, 32 bytes."""
    return hmac.new(key, record_id.encode(), hashlib.sha256).digest()


def commitment(salt: bytes, record_id: str, content: str) -> str:
    """Hex SHA-256 over a label, the salt (32 bytes), the id with its length, and the content's digest (32 bytes)."""
    name = record_id.encode()
    parts = (b"record commitment v1", salt, len(name).to_bytes(8, "big"), name, bytes.fromhex(content))
    return hashlib.sha256(b"".join(parts)).hexdigest()


def key_digest(key: bytes) -> str:
    """`sha256:<hex>` that commits to the key and does not reveal it."""
    return "sha256:" + hashlib.sha256(b"commitment key v1" + key).hexdigest()


def merkle_root(leaves: Sequence[str]) -> str:
    """`sha256:<hex>`, the root over hex leaves in this order as in RFC 6962, section 2.1."""
    level = [hashlib.sha256(b"\0" + bytes.fromhex(leaf)).digest() for leaf in leaves]
    if not level:
        return "sha256:" + hashlib.sha256(b"").hexdigest()
    while len(level) > 1:  # an odd node at the end moves up as it is: the same tree as the RFC's recursion
        pairs = [hashlib.sha256(b"\1" + level[at] + level[at + 1]).digest() for at in range(0, len(level) - 1, 2)]
        level = pairs + level[len(level) - len(level) % 2 :]
    return "sha256:" + level[0].hex()


def commit(key: bytes, rows: Rows) -> list[str]:
    """Sorted commitments to rows."""
    pairs = zip(rows.ids, rows.digests(), strict=True)
    return sorted(commitment(salt_of(key, name), name, content) for name, content in pairs)


# ---------------------------------------------------------------- the lineage's side


def new_key(root: Path, predecessor: Path | None = None) -> bytes:
    """The key in the lineage at `root`: its own, its predecessor's, or a fresh one; kept with mode 0600.

    Raises:
        DataError: a key is damaged.
    """
    for place in (root, predecessor):
        if place and (place / KEY).is_file():
            key = read_key(place)
            break
    else:
        key = secrets.token_bytes(_KEY_BYTES)
    path = root / KEY
    if not path.is_file():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(".key.part")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(key)
            out.flush()
            os.fsync(out.fileno())
        draft.replace(path)
    return key


def read_key(root: Path) -> bytes:
    """The key of a lineage.

    Raises:
        DataError: missing or damaged.
    """
    try:
        key = (root / KEY).read_bytes()
    except OSError as error:
        raise DataError(f"{root / KEY}: cannot be read ({error}); without it no commitment can be opened") from error
    if len(key) != _KEY_BYTES:
        raise DataError(f"{root / KEY}: has {len(key)} bytes instead of {_KEY_BYTES}; restore it")
    return key


def document(lineage: str, key: bytes, lists: Lists) -> dict[str, Any]:
    """What is published: the lineage's digest, the key's, and each slice's root and sorted commitments."""
    shards = {
        str(shard): [{"root": merkle_root(part), "commitments": list(part)} for part in parts]
        for shard, parts in sorted(lists.items())
    }
    return {"schema": SCHEMA, "lineage": lineage, "key": key_digest(key), "shards": shards}


def inherit(
    predecessor: Path, key: bytes, shards: Iterable[int], changed: Mapping[int, Sequence[Rows]], rows: RowsOf
) -> dict[int, list[list[str]]]:
    """Lists of a successor: a shard where nothing was deleted keeps its own.

    Args:
        changed: rows of the shards where records were deleted.
        rows: slices of any other shard, asked only where the predecessor's lists cannot be taken over.
    """
    try:
        published = read(predecessor / FILE)
        before = lists_of(published) if published["key"] == key_digest(key) else {}
    except DataError:  # missing or damaged there: made again from the records
        before = {}
    out = {}
    for shard in shards:
        if shard in changed or shard not in before:
            out[shard] = [commit(key, part) for part in (changed[shard] if shard in changed else rows(shard))]
        else:
            out[shard] = before[shard]
    return out


def write(root: Path, published: Mapping[str, Any]) -> Path:
    """Write commitments.json, whole or not at all."""
    path = root / FILE
    draft = path.with_name(f".{FILE}.part")
    with draft.open("w", encoding="utf-8") as out:
        out.write(json.dumps(published, sort_keys=True) + "\n")  # in one piece: several times faster than `dump`
        out.flush()
        os.fsync(out.fileno())
    draft.replace(path)
    return path


# ---------------------------------------------------------------- the outsider's side


@dataclass(frozen=True, kw_only=True)
class Opening:
    """What lets the holder of a record's text check its commitment. `salt` and `content` are 32 bytes in hex.

    `content` is the digest of what the record teaches, which its holder works out from the text (`content_digest`
    for a text record).
    """

    id: str
    salt: str
    content: str
    shard: int
    slice: int
    key: str
    lineage: str

    @property
    def commitment(self) -> str:
        """The number that stands in the published list."""
        try:
            return commitment(bytes.fromhex(self.salt), self.id, self.content)
        except ValueError as error:
            raise DataError(f"opening: salt and content must be hexadecimal ({error})") from error


def content_digest(*, prompt: str = "", answer: str = "", text: str = "") -> str:
    """Hex SHA-256 of what a text record teaches, as its holder has it."""
    return hashlib.sha256(f"{prompt}\0{answer}\0{text}".encode()).hexdigest()


def content_of(path: str | Path) -> str:
    """`content_digest` of the first record in a file of JSON lines, as its claimant has it.

    Raises:
        DataError: unreadable, or without prompt, answer and text.
    """
    try:
        row = json.loads(Path(path).read_text(encoding="utf-8").splitlines()[0])
        fields = {name: str(row[name]) for name in ("prompt", "answer", "text") if row.get(name)}
    except (OSError, ValueError, IndexError, AttributeError) as error:
        raise DataError(f"{path}: holds no record as a JSON line ({error})") from error
    if not fields:
        raise DataError(f"{path}: the record has neither prompt, answer nor text")
    return content_digest(**fields)


def read_opening(path: str | Path) -> Opening:
    """An opening as its maker wrote it.

    Raises:
        DataError: unreadable, or not an opening.
    """
    try:
        return Opening(**json.loads(Path(path).read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path}: is no readable opening ({error}); ask for it again") from error


def read(path: str | Path) -> dict[str, Any]:
    """A published commitments.json, its roots worked out again.

    Raises:
        DataError: unreadable, of another schema, or a slice's root is not that of its list.
    """
    try:
        found = json.loads(Path(path).read_bytes())
        if found["schema"] != SCHEMA:
            raise DataError(f"{path}: has schema {found['schema']!r}; this check reads {SCHEMA}")
        wrong = [
            f"{path}: shard {shard}, slice {number + 1}: the root is not that of the list; ask for the file again"
            for shard, parts in found["shards"].items()
            for number, part in enumerate(parts)
            if part["commitments"] != sorted(part["commitments"]) or part["root"] != merkle_root(part["commitments"])
        ]
        named = isinstance(found["lineage"], str) and isinstance(found["key"], str)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: holds no readable commitments ({error!r}); ask for the file again") from error
    if wrong or not named:
        raise DataError(wrong or f"{path}: names no lineage and no key; ask for the file again")
    return dict(found)


def lists_of(published: Mapping[str, Any]) -> dict[int, list[list[str]]]:
    """Commitments by shard and slice."""
    return {int(shard): [list(part["commitments"]) for part in parts] for shard, parts in published["shards"].items()}


def _all(published: Mapping[str, Any]) -> set[str]:
    return {one for parts in lists_of(published).values() for part in parts for one in part}


def check(
    opening: Opening, old: Mapping[str, Any], new: Mapping[str, Any] | None = None, *, content: str = ""
) -> dict[str, Any]:
    """What the published lists say about one record; both must come from `read`.

    Args:
        content: the digest that the claimant worked out from the text; empty takes the opening's word for it.

    Returns:
        `was_in` (in the old list, at the opening's place), `is_in` (anywhere in the new one; None without one, or
        where the lists cannot be compared), `problems` (why an answer is missing, as sentences).
    """
    problems: list[str] = []
    if content and content.lower() != opening.content.lower():
        problems.append("the opening is of another text than the claimant's")
    if opening.key != old["key"]:
        problems.append("the opening was made with another key than the old list")
    own = opening.commitment
    places = lists_of(old).get(opening.shard, [])
    was_in = not problems and opening.slice < len(places) and own in places[opening.slice]
    is_in: bool | None = None
    if new is not None:
        known, left = _all(old), _all(new)
        if old["key"] != new["key"] or not left <= known:
            problems.append(
                "the new list has commitments that the old one has not: other keys or other records, so that absence "
                "proves nothing"
            )
        elif was_in:
            is_in = own in left
    return {"commitment": own, "was_in": was_in, "is_in": is_in, "problems": problems}
