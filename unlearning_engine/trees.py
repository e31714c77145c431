"""A folder as one name: the canonical listing of its files, written and read with suspicion."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unlearning_engine.contracts import canonical
from unlearning_engine.errors import DataError

KIND = "lethe-tree"
SCHEMA = 1
CHUNK = 2**20
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True)
class Entry:
    """One file: SHA-256 in hexadecimal and size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Tree:
    """Files by their path, which is relative, with `/`, and never leaves the folder."""

    files: Mapping[str, Entry]

    @property
    def listing(self) -> bytes:
        """The bytes whose SHA-256 names the tree."""
        files = {name: {"sha256": e.sha256, "size": e.size} for name, e in self.files.items()}
        return canonical({"files": files, "kind": KIND, "schema": SCHEMA})

    @property
    def sha256(self) -> str:
        """The tree's name in hexadecimal."""
        return hashlib.sha256(self.listing).hexdigest()

    @property
    def ref(self) -> str:
        """The tree's name."""
        return f"sha256:{self.sha256}"

    @staticmethod
    def may_end_with(tail: bytes) -> bool:
        """Whether the last bytes of a blob are those of a listing: spares reading weights to find out."""
        return tail.endswith(f'"kind":"{KIND}","schema":{SCHEMA}}}'.encode())


def hash_file(path: Path) -> Entry:
    """SHA-256 and size of a plain file.

    Raises:
        DataError: missing, a symlink, or not a plain file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); give a plain file, no link") from error
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise DataError(f"{path}: is not a plain file")
        state, size = hashlib.sha256(), 0
        while chunk := stream.read(CHUNK):
            state.update(chunk)
            size += len(chunk)
    return Entry(state.hexdigest(), size)


def copy_file(source: Path, entry: Entry, target: Path) -> None:
    """Copy a file to its place in a local store: temporary file, fsync, rename.

    Raises:
        DataError: the bytes are no longer those of `entry`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, scratch = tempfile.mkstemp(prefix=".new-", dir=target.parent)
    state = hashlib.sha256()
    try:
        with os.fdopen(descriptor, "wb") as out, source.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                state.update(chunk)
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())
        if state.hexdigest() != entry.sha256:
            raise DataError(f"{source}: changed while it was stored; stop what writes it and store it again")
        Path(scratch).replace(target)
    finally:
        Path(scratch).unlink(missing_ok=True)


def scan(folder: Path, *, links: bool = False) -> Tree:
    """The tree of a folder.

    Raises:
        DataError: naming each symlink, special file and odd name; or the folder has no file.
    """
    if folder.is_symlink() or not folder.is_dir():
        raise DataError(f"{folder}: is not a folder (a link to one is refused)")
    problems: list[str] = []
    files: dict[str, Entry] = {}
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted([*names, *(f for f in folders if (Path(place) / f).is_symlink())]):
            path = Path(place) / name
            relative = path.relative_to(folder).as_posix()
            if links and path.is_file():
                path = path.resolve()
            problem = "is a symlink; put the file itself there" if path.is_symlink() else _fault(relative)
            if problem:
                problems.append(f"{path}: {problem}")
                continue
            try:
                files[relative] = hash_file(path)
            except DataError as error:
                problems.extend(error.messages)
    if problems:
        raise DataError(problems)
    if not files:
        raise DataError(f"{folder}: holds no file")
    return Tree(files)


def name_of(path: str | Path, *, links: bool = False) -> str:
    """The name that a file or folder has, or would have, in a store.

    With `links`, links to files count as the files: so a cached download, made of links, can be named.
    """
    place = Path(path).resolve() if links else Path(path)
    return scan(place, links=links).ref if place.is_dir() else f"sha256:{hash_file(place).sha256}"


def read_tree(data: bytes) -> Tree | None:
    """The tree that a blob lists; None when it is no listing.

    Raises:
        DataError: it is a listing, and a path in it is unsafe or an entry malformed.
    """
    if not data.startswith(b'{"files":{') or not Tree.may_end_with(data[-64:]):
        return None
    try:
        value = json.loads(data)
    except ValueError:
        return None
    if set(value) != {"files", "kind", "schema"} or canonical(value) != data:
        return None
    problems = [p for name, entry in value["files"].items() for p in _entry_faults(name, entry)]
    folders = {str(parent) for name in value["files"] for parent in Path(name).parents}
    problems += [f"tree listing: {n!r} is both file and folder" for n in value["files"] if n in folders]
    if problems:
        raise DataError(problems)
    return Tree({name: Entry(e["sha256"], e["size"]) for name, e in value["files"].items()})


def _entry_faults(name: str, entry: Any) -> list[str]:
    problems = []
    if fault := _fault(name):
        problems.append(f"tree listing: {name!r} {fault}")
    good = (
        isinstance(entry, dict)
        and set(entry) == {"sha256", "size"}
        and isinstance(entry["sha256"], str)
        and len(entry["sha256"]) == 64
        and _HEX.issuperset(entry["sha256"])
        and type(entry["size"]) is int
        and entry["size"] >= 0
    )
    if not good:
        problems.append(f"tree listing: {name!r} has no valid sha256 and size")
    return problems


def _fault(name: str) -> str:
    """What makes a relative path unsafe; empty when it is safe."""
    if not name or "\\" in name or any(ord(c) < 32 or "\ud800" <= c <= "\udfff" for c in name):
        return "has a name that is not portable; rename it"
    if name.startswith("/") or any(part in ("", ".", "..") for part in name.split("/")):
        return "leaves its folder; such a path is refused"
    return ""
