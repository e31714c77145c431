"""Which files of a lineage still hold deleted records or their influence once a successor exists, and their removal.

A deleted record is in its slice's rows and in the index; its influence is in every checkpoint from its slice on, in
the shard's final weights, in the model that was served, and in working state that jobs left behind. Files that the
successor shares hold none of it: deleting takes a name away, and what the successor names stays. What was purged is
written down, so that a verification tells it apart from a loss. Manifests and commitments stay: they hold digests.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from unlearning_engine.checkpoints import file_digest
from unlearning_engine.errors import DataError, StorageError
from unlearning_engine.sisa.lineage import FOLDER, Lineage, data_path, shard_folder, slice_folder, write_json
from unlearning_engine.sisa.source import INDEX

FILE, SCHEMA = "purged.json", 1
#: Working state of a job beside its lineage.
_LEFT_BEHIND = (".shards", "checkpoints", ".inputs")
#: The only files of a model or checkpoint that learned anything; those beside them describe it.
_TENSORS = "*.safetensors"
ROWS, STATE, WEIGHTS, SERVED, CACHED = (
    "records",
    "checkpoint that learned from the deleted records",
    "weights that learned from the deleted records",
    "served model that learned from the deleted records",
    "working state of the job",
)


@dataclass(frozen=True, kw_only=True)
class Held:
    """A file that holds deleted records or their influence; `path` is relative to the lineage, `size` in bytes."""

    path: str
    digest: str
    size: int
    why: str


def to_purge(old: Lineage, new: Lineage) -> list[Held]:
    """Files of `old`, and of the job's folder around it, that hold what was deleted on the way to `new`.

    Raises:
        DataError: a manifest is missing, damaged or altered.
    """
    found = dict(_affected(old, new))
    return [
        Held(path=os.path.relpath(path, old.root), digest=file_digest(path), size=path.stat().st_size, why=why)
        for path, why in sorted(found.items())
    ]


def _affected(old: Lineage, new: Lineage) -> Iterator[tuple[Path, str]]:
    for shard in old.shards:
        stages = old.manifest(shard).slices
        after = new.manifest(shard).slices if shard in new.shards else []
        # What a stage trained on decides, not its bits: on another machine these differ without any deletion.
        kept = {s.slice: s.data for s in after}
        hit = [stage.slice for stage in stages if kept.get(stage.slice) != stage.data]
        for number in hit:
            yield from _files(slice_folder(old.root, shard, number), STATE, _TENSORS)
            yield from _rows(old, new, shard, number)
        if hit:
            yield from _files(shard_folder(old.root, shard) / "model", WEIGHTS, _TENSORS)
    if (old.root / INDEX).is_file():
        yield old.root / INDEX, ROWS
    if old.root.name == FOLDER:
        for path, why in _files(old.root.parent / "model", SERVED, _TENSORS):
            if not _same(path, new.root.parent / "model" / path.relative_to(old.root.parent / "model")):
                yield path, why
        for name in _LEFT_BEHIND:
            yield from _files(old.root.parent / name, CACHED)


def _rows(old: Lineage, new: Lineage, shard: int, number: int) -> Iterator[tuple[Path, str]]:
    """The slice's rows, unless the successor has the same file."""
    stem = data_path(old.root, shard, number)
    for path in sorted(stem.parent.glob(f"{stem.name}.*")):
        if not _same(path, new.root / path.relative_to(old.root)):
            yield path, ROWS


def _same(one: Path, other: Path) -> bool:
    if not other.is_file():
        return False
    return one.samefile(other) or file_digest(one) == file_digest(other)


def _files(folder: Path, why: str, pattern: str = "*") -> Iterator[tuple[Path, str]]:
    if folder.is_dir():
        yield from ((path, why) for path in sorted(folder.rglob(pattern)) if path.is_file())


# ---------------------------------------------------------------- removal


def descends(new: Lineage, old: Lineage) -> bool:
    """Whether `new` was made from `old` by deletions."""
    at = len(old.meta.history)
    history = new.meta.history
    return len(history) > at and history[:at] == old.meta.history and history[at]["parent"] == old.meta.digest


def purge(old: Lineage, new: Lineage) -> dict[str, Any]:
    """Delete what `to_purge` names; returns the counts, and the files that have further names elsewhere.

    Raises:
        DataError: `new` does not descend from `old`, or is not whole: then nothing is deleted.
        StorageError: a file could not be deleted; the same call goes on.
    """
    if old.root.samefile(new.root) or not descends(new, old):
        raise DataError(f"{new.root}: does not descend from {old.root}; name the lineage that the deletion made")
    problems = [problem for shard in new.shards for problem in new.problems(shard)]
    if problems:
        raise DataError([*problems, f"{old.root}: nothing was purged, since its successor is not whole"])
    return _remove(old.root, to_purge(old, new), successor=new.meta.digest)


def purge_folders(old: str | Path, new: str | Path) -> dict[str, Any]:
    """`purge` of a lineage's folder, or of the job's folder around it."""
    return purge(Lineage(old), Lineage(new))


def purge_rows(lineage: Lineage) -> dict[str, Any]:
    """Delete all records that a lineage keeps; after that nothing of it can be replayed from its own folder."""
    files = [path for path, _ in _files(lineage.root / "data", ROWS)]
    held = [
        Held(path=os.path.relpath(p, lineage.root), digest=file_digest(p), size=p.stat().st_size, why=ROWS)
        for p in files
    ]
    return _remove(lineage.root, held, successor="")


def _remove(root: Path, held: Sequence[Held], *, successor: str) -> dict[str, Any]:
    """Write down first, then delete: a kill in between leaves a list that the next call finishes."""
    when = datetime.now(UTC).isoformat(timespec="seconds")
    known = {entry["path"]: entry for entry in read_purged(root)}
    now = {one.path: {**dataclasses.asdict(one), "when": when, "successor": successor} for one in held}
    write_json(root / FILE, {"schema": SCHEMA, "files": sorted({**known, **now}.values(), key=lambda e: e["path"])})
    elsewhere = _linked(root / one.path for one in held)
    try:
        for one in held:
            (root / one.path).unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(
            f"{error.filename}: cannot be deleted ({error.strerror}); allow it and purge again"
        ) from error
    for folder in sorted({(root / one.path).parent for one in held}, key=lambda p: len(p.parts), reverse=True):
        _drop_empty(folder)
    return {
        "files": len(held),
        "bytes": sum(one.size for one in held),
        "entries": list(now.values()),
        "linked_elsewhere": sorted(os.path.relpath(path, root) for path in elsewhere),
    }


def _linked(paths: Iterable[Path]) -> list[Path]:
    """Those whose bytes have more names than are in the list: a copy stays somewhere else on the disk."""
    found: dict[tuple[int, int], list[Path]] = {}
    for path in paths:
        status = path.lstat()
        found.setdefault((status.st_dev, status.st_ino), []).append(path)
    return [path for names in found.values() for path in names if names[0].lstat().st_nlink > len(names)]


def _drop_empty(folder: Path) -> None:
    while folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def read_purged(root: Path) -> list[dict[str, Any]]:
    """Entries of purged.json, none where nothing was purged.

    Raises:
        DataError: the file is damaged.
    """
    path = root / FILE
    if not path.exists():
        return []
    try:
        found = json.loads(path.read_bytes())
        if found["schema"] != SCHEMA:
            raise DataError(f"{path}: has schema {found['schema']!r}; this engine reads {SCHEMA}")
        return [{**entry, "path": str(entry["path"])} for entry in found["files"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: is damaged ({error!r}); restore it") from error


def purged_paths(root: Path) -> dict[str, str]:
    """Path of each file that was purged, relative to the lineage, to a sentence about it."""
    return {entry["path"]: f"purged {entry['when']}: {entry['why']}" for entry in read_purged(root)}
