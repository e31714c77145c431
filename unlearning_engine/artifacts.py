"""Content-addressed store over fsspec: a local folder, or any URL that fsspec opens (`s3://bucket/prefix`).

A *blob* is the bytes of one file under their SHA-256. A *tree* is a folder: a blob that lists, as canonical
JSON, each file's path, SHA-256 and size. Both are named `sha256:<64 hex>`. Layout below the store's root:

    sha256/ab/cdef...   blobs, tree listings among them
    roots/<hex>         empty marks: this name was stored for its own sake, not only as part of a tree
    flags/<name>        empty marks set by one process and looked for by another (`cancel/<job>`)

Nothing is read without being checked against its name. A local write is a temporary file, fsync, rename.
This module imports neither torch nor Django, so that both sides of the queue can use it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from filelock import FileLock
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from unlearning_engine.contracts import DIGEST, Ref, canonical
from unlearning_engine.errors import ConfigError, DataError, StorageError
from unlearning_engine.trees import CHUNK, Entry, Tree, copy_file, hash_file, name_of, read_tree, scan

ENVIRONMENT = "LETHE_ARTIFACTS"
#: Above this, `open` hands out a temporary file instead of memory.
SPOOL_BYTES = 8 * 2**20


@dataclass(frozen=True, kw_only=True)
class Deletion:
    """What `delete` did: how many blobs went, and which stayed because something else needs them."""

    removed: int
    kept: tuple[str, ...]


def _refusals(url: str) -> tuple[type[BaseException], ...]:
    """What a back end raises when it refuses; botocore is loaded only for S3."""
    if url.startswith(("s3://", "s3a://")):
        from botocore.exceptions import BotoCoreError, ClientError

        return (OSError, BotoCoreError, ClientError)
    return (OSError,)


class Store:
    """A store at a URL or folder; see the module's text for its layout.

    Raises:
        ConfigError: the URL is empty or of a kind that fsspec does not know.
        StorageError: from every method, when the back end or the disk refuses.
    """

    def __init__(self, url: str) -> None:
        if not url:
            raise ConfigError(f"store: no address; give --store or set {ENVIRONMENT} to a folder or an s3:// URL")
        self.url = url
        try:
            self._fs, root = url_to_fs(url, use_listings_cache=False)
        except (ValueError, ImportError) as error:
            raise ConfigError(f"store {url!r}: {error}; give a folder or an s3:// URL") from error
        self._root = root.rstrip("/")
        self._local = isinstance(self._fs, LocalFileSystem)
        self._errors = _refusals(url)

    @classmethod
    def from_environment(cls) -> Store:
        """The store that LETHE_ARTIFACTS names."""
        return cls(os.environ.get(ENVIRONMENT, ""))

    # ------------------------------------------------------------ writing

    def put(self, path: str | Path) -> Ref:
        """Store a file as a blob or a folder as a tree."""
        return self.put_tree(path) if Path(path).is_dir() else self.put_file(path)

    def put_file(self, path: str | Path) -> Ref:
        """Store one file's bytes.

        Raises:
            DataError: not a plain file (a symlink is none), changed meanwhile, or a tree listing in disguise.
        """
        source = Path(path)
        entry = hash_file(source)
        if entry.size < SPOOL_BYTES * 8 and read_tree(source.read_bytes()) is not None:
            raise DataError(f"{source}: is a tree listing of this store; store the folder itself")
        with self._writing(source.name):
            self._mark(f"roots/{entry.sha256}")
            self._upload(source, entry)
        return f"sha256:{entry.sha256}"

    def put_bytes(self, data: bytes) -> Ref:
        """Store bytes, such as a spec's canonical JSON."""
        with tempfile.TemporaryDirectory(prefix="lethe-put-") as folder:
            path = Path(folder) / "bytes"
            path.write_bytes(data)
            return self.put_file(path)

    def put_json(self, value: object) -> Ref:
        """Store a JSON value as canonical bytes, so that its name is `contracts.digest(value)`."""
        return self.put_bytes(canonical(value))

    def put_tree(self, folder: str | Path) -> Ref:
        """Store a folder. Empty folders, times and permissions are not kept.

        Raises:
            DataError: naming every symlink and special file in it, or it holds no file.
        """
        root = Path(folder)
        tree = scan(root)
        with self._writing(root.name):
            # The mark and the listing go first: a deletion that runs meanwhile sees what they need.
            self._mark(f"roots/{tree.sha256}")
            with tempfile.TemporaryDirectory(prefix="lethe-put-") as scratch:
                listing = Path(scratch) / "tree"
                listing.write_bytes(tree.listing)
                self._upload(listing, hash_file(listing))
            for name, entry in tree.files.items():
                self._upload(root / name, entry)
        return tree.ref

    # ------------------------------------------------------------ reading

    def exists(self, ref: Ref) -> bool:
        """Whether the blob, or the tree with every file of it, is there (sizes compared, bytes not)."""
        with self._translated(ref):
            if self._size(_hex(ref)) is None:
                return False
            tree = self._tree(ref)
            return tree is None or all(self._size(e.sha256) == e.size for e in tree.files.values())

    def open(self, ref: Ref) -> IO[bytes]:
        """A blob's bytes, read and verified in full before the first one is handed out.

        Raises:
            DataError: missing or damaged.
        """
        out = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115 - handed to the caller
        with self._translated(ref):
            self._copy(_hex(ref), None, cast("IO[bytes]", out), str(ref))
        out.seek(0)
        return cast("IO[bytes]", out)

    def read(self, ref: Ref) -> bytes:
        """A blob's verified bytes at once."""
        with self.open(ref) as stream:
            return stream.read()

    def list_tree(self, ref: Ref) -> dict[str, Ref] | None:
        """Path and name of each file of a tree; None for a blob that is no tree."""
        with self._translated(ref):
            tree = self._tree(ref)
        return None if tree is None else {name: f"sha256:{e.sha256}" for name, e in tree.files.items()}

    def fetch(self, ref: Ref, dest: str | Path, *, only: Callable[[str], bool] | None = None) -> Path:
        """Copy a blob to the file, or a tree to the folder `dest`, each byte verified; all or nothing.

        Args:
            only: which files of a tree are wanted, by their paths in it; None wants them all.

        Raises:
            DataError: naming every file that is missing or damaged; or `dest` exists already.
        """
        target = Path(dest)
        if target.exists() or target.is_symlink():
            raise DataError(f"{target}: exists already; fetch into a new place")
        with self._translated(ref):
            tree = self._tree(ref)
            target.parent.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(prefix=f".{target.name[:40]}.", dir=target.parent))
            try:
                whole = scratch / "content"
                if tree is None:
                    self._fetch_file(_hex(ref), None, whole, str(ref))
                else:
                    self._fetch_tree(tree, whole, only)
                whole.rename(target)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        return target

    def _fetch_tree(self, tree: Tree, folder: Path, only: Callable[[str], bool] | None) -> None:
        problems: list[str] = []
        for name, entry in tree.files.items():
            if only and not only(name):
                continue
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._fetch_file(entry.sha256, entry.size, path, f"{name} of {tree.ref}")
            except DataError as error:
                problems.extend(error.messages)
        if problems:
            raise DataError(problems)

    def _fetch_file(self, name: str, size: int | None, path: Path, label: str) -> None:
        with path.open("wb") as out:
            self._copy(name, size, out, label)

    def _copy(self, name: str, size: int | None, out: IO[bytes], label: str) -> None:
        state, count = hashlib.sha256(), 0
        try:
            with self._fs.open(self._blob(name), "rb") as stream:
                while chunk := stream.read(CHUNK):
                    state.update(chunk)
                    count += len(chunk)
                    out.write(chunk)
        except FileNotFoundError as error:
            raise DataError(f"{label}: is not in the store {self.url}; store it again") from error
        if state.hexdigest() != name or size not in (None, count):
            raise DataError(f"{label}: is damaged in the store {self.url}; delete it there and store it again")

    def _tree(self, ref: Ref) -> Tree | None:
        """The tree that a name stands for, or None when it is a plain blob."""
        name = _hex(ref)
        with tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES) as out:
            try:
                tail = self._fs.cat_file(self._blob(name), start=-min(64, self._size(name) or 1))
            except FileNotFoundError as error:
                raise DataError(f"{ref}: is not in the store {self.url}; store it again") from error
            if not Tree.may_end_with(tail):
                return None
            self._copy(name, None, cast("IO[bytes]", out), str(ref))
            out.seek(0)
            return read_tree(out.read())

    # ------------------------------------------------------------ deleting

    def delete(self, ref: Ref) -> Deletion:
        """Forget a name: its mark goes, and each of its blobs that nothing else needs.

        A blob stays while it is marked for its own sake or listed by another marked tree. Marks are not
        counted: whoever deletes makes sure that no one else holds the same name. On a local folder a lock
        keeps this apart from writers; on an object store, delete while no job writes.
        """
        name = _hex(ref)
        with self._writing(str(ref)):
            tree = self._tree(ref) if self._size(name) is not None else None
            self._remove(f"roots/{name}")
            mine = {name, *(e.sha256 for e in tree.files.values())} if tree else {name}
            needed = self._needed(mine)
            for blob in sorted(mine - needed):
                self._remove(self._blob(blob, relative=True))
        return Deletion(removed=len(mine - needed), kept=tuple(sorted(f"sha256:{b}" for b in needed)))

    def _needed(self, blobs: set[str]) -> set[str]:
        """Those of `blobs` that a mark, or a tree with a mark, still needs."""
        marked = {Path(p).name for p in self._list("roots")}
        needed = blobs & marked
        for other in marked:
            tree = self._tree(f"sha256:{other}") if self._size(other) is not None else None
            if tree is not None:
                needed |= blobs & {e.sha256 for e in tree.files.values()}
        return needed

    # ------------------------------------------------------------ flags

    def set_flag(self, name: str) -> None:
        """Leave a mark that other processes can look for, such as `cancel/<job>`."""
        with self._writing(name):
            self._mark(f"flags/{_flag(name)}")

    def has_flag(self, name: str) -> bool:
        """Whether the mark is there now."""
        with self._translated(name):
            self._fs.invalidate_cache()
            return bool(self._fs.exists(f"{self._root}/flags/{_flag(name)}"))

    def clear_flag(self, name: str) -> None:
        """Take the mark away; nothing happens when it is not there."""
        with self._writing(name):
            self._remove(f"flags/{_flag(name)}")

    # ------------------------------------------------------------ the back end

    def _blob(self, name: str, *, relative: bool = False) -> str:
        key = f"sha256/{name[:2]}/{name[2:]}"
        return key if relative else f"{self._root}/{key}"

    def _size(self, name: str) -> int | None:
        try:
            return int(self._fs.info(self._blob(name))["size"])
        except FileNotFoundError:
            return None

    def _list(self, folder: str) -> list[str]:
        try:
            return list(self._fs.ls(f"{self._root}/{folder}", detail=False))
        except FileNotFoundError:
            return []

    def _remove(self, key: str) -> None:
        try:
            self._fs.rm_file(f"{self._root}/{key}")
        except FileNotFoundError:
            return

    def _mark(self, key: str) -> None:
        path = f"{self._root}/{key}"
        if self._local:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).touch()
        else:
            self._fs.pipe_file(path, b"")

    def _upload(self, source: Path, entry: Entry) -> None:
        if self._size(entry.sha256) == entry.size:
            return
        target = self._blob(entry.sha256)
        if self._local:
            copy_file(source, entry, Path(target))
            return
        self._fs.put_file(str(source), target)
        if hash_file(source) != entry:
            self._fs.rm_file(target)
            raise DataError(f"{source}: changed while it was stored; stop what writes it and store it again")

    @contextmanager
    def _writing(self, what: str) -> Iterator[None]:
        with self._translated(what):
            if not self._local:
                yield
                return
            Path(self._root).mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self._root}/.lock"):
                yield

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            raise _refused(self.url, what, error) from error


def _refused(url: str, what: str, error: BaseException) -> StorageError:
    full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
    why = "the disk is full; free space and run again" if full else f"{error}; check its address, rights and network"
    return StorageError(f"store {url}: refused {what}: {why}. What was stored before is safe")


def _hex(ref: Ref) -> str:
    if not isinstance(ref, str) or not DIGEST.match(ref):
        raise DataError(f"{ref!r}: is no name of a stored object; it reads sha256: and 64 hexadecimal digits")
    return ref.removeprefix("sha256:")


def _flag(name: str) -> str:
    parts = name.split("/")
    if not all(part and part.strip(".") and part.replace("-", "").replace("_", "").isalnum() for part in parts):
        raise DataError(f"{name!r}: a flag's name is made of letters, digits, - and _, parted by /")
    return name


def resolve(ref: Ref, store: Store | None, cache: str | Path, *, only: Callable[[str], bool] | None = None) -> Path:
    """A local path for a reference: itself if it is a path, else a verified copy below `cache`.

    With `only`, a stored folder is copied in part: the files for whose paths it answers yes.

    Raises:
        DataError: the path does not exist, or the stored object is missing or damaged.
        ConfigError: a stored object is named and there is no store.
    """
    if not DIGEST.match(ref):
        path = Path(ref)
        if not path.exists():
            raise DataError(f"{ref}: does not exist; give a path, or sha256:... of the artefact store")
        return path.absolute()
    if store is None:
        raise ConfigError(f"{ref}: needs an artefact store; give --store or set {ENVIRONMENT}")
    place = Path(cache) / _hex(ref)
    if only:
        shutil.rmtree(place, ignore_errors=True)
        return store.fetch(ref, place, only=only)
    for kept in (place, place.with_suffix(".parquet")):
        if kept.exists():
            if name_of(kept) == ref:
                return kept
            shutil.rmtree(kept) if kept.is_dir() else kept.unlink()
    found = store.fetch(ref, place)
    if found.is_file() and _starts_with(found, b"PAR1"):
        # Readers tell Parquet from JSON lines by the suffix, which a content's name does not have.
        return found.rename(place.with_suffix(".parquet"))
    return found


def _starts_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(magic)) == magic
