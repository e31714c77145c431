"""A model's weights as bytes: safetensors read by ranges, so that no more than is asked for is ever in memory.

Whether a file is sound is for the library to say; this module only remembers where each tensor's bytes lie, which a
patch needs to write a model of the same layout. Source of the layout: the safetensors format, 8 bytes of length
(little-endian), a JSON header, data.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from unlearning_engine.errors import DataError
from unlearning_engine.stored import check_names

INDEX = "model.safetensors.index.json"
#: Bytes read at once where only a digest is wanted.
CHUNK = 2**22
#: Name of each type in a safetensors header: bytes of a value, name of the type in a weights digest.
DTYPES: Mapping[str, tuple[int, str]] = {
    "BOOL": (1, "torch.bool"),
    "U8": (1, "torch.uint8"),
    "I8": (1, "torch.int8"),
    "F8_E4M3": (1, "torch.float8_e4m3fn"),
    "F8_E4M3FNUZ": (1, "torch.float8_e4m3fnuz"),
    "F8_E5M2": (1, "torch.float8_e5m2"),
    "F8_E5M2FNUZ": (1, "torch.float8_e5m2fnuz"),
    "U16": (2, "torch.uint16"),
    "I16": (2, "torch.int16"),
    "F16": (2, "torch.float16"),
    "BF16": (2, "torch.bfloat16"),
    "U32": (4, "torch.uint32"),
    "I32": (4, "torch.int32"),
    "F32": (4, "torch.float32"),
    "U64": (8, "torch.uint64"),
    "I64": (8, "torch.int64"),
    "F64": (8, "torch.float64"),
    "C64": (8, "torch.complex64"),
}


@dataclass(frozen=True)
class Place:
    """Where a tensor lies: `offset` and `size` in bytes, counted from the start of `file`."""

    file: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    size: int

    @property
    def width(self) -> int:
        """Bytes of one value."""
        return DTYPES[self.dtype][0]

    @property
    def count(self) -> int:
        """Values in the tensor."""
        return math.prod(self.shape)

    def head(self, name: str) -> bytes:
        """What stands before the values in a weights digest; see `models.weights_digest`."""
        return f"{name}\0{DTYPES[self.dtype][1]}\0{self.shape}\0".encode()


def read_header(path: Path) -> tuple[dict[str, Place], int]:
    """The tensors of a safetensors file and the length of what stands before their data, in bytes.

    Raises:
        DataError: missing, damaged, cut short, or with a type of which a value is no whole number of bytes.
    """
    try:
        with safe_open(str(path), framework="np"):
            pass  # the library checks the header against the file's size
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(length))
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(f"{path}: is no sound safetensors file ({error}); restore it") from error
    check_names(path, header)
    places, problems = {}, []
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] not in DTYPES:
            problems.append(f"{path}: {name} has the type {entry['dtype']}; a patch takes {', '.join(DTYPES)}")
            continue
        start, end = entry["data_offsets"]
        places[name] = Place(path.name, entry["dtype"], tuple(entry["shape"]), 8 + length + start, end - start)
    if problems:
        raise DataError(problems)
    return places, 8 + length


class Ranges:
    """Reads parts of a folder's files; the open files are closed at the end of `with`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, int] = {}

    def __enter__(self) -> Ranges:
        return self

    def __exit__(self, *exception: object) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def read(self, file: str, offset: int, size: int) -> bytearray:
        """Exactly `size` bytes; see `fill`."""
        data = bytearray(size)
        self.fill(file, offset, memoryview(data))
        return data

    def fill(self, file: str, offset: int, target: memoryview) -> None:
        """Read as many bytes as `target` has.

        Raises:
            DataError: the file has become shorter since its header was read.
        """
        if file not in self._open:
            self._open[file] = os.open(self._folder / file, os.O_RDONLY)
        while target:
            count = os.preadv(self._open[file], [target], offset)
            if not count:
                raise DataError(f"{self._folder / file}: was cut short while it was read; stop what writes it")
            target, offset = target[count:], offset + count


class Weights:
    """The weights in a model's folder: one safetensors file, or shards with their index.

    Raises:
        DataError: no such folder, pickles only, a shard missing, a file that the index does not name, damage.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.files = _files(self.folder)
        self.tensors: dict[str, Place] = {}
        self.heads: dict[str, int] = {}
        problems: list[str] = []
        for file in self.files:
            try:
                places, self.heads[file] = read_header(self.folder / file)
            except DataError as error:
                problems.extend(error.messages)
                continue
            problems += [f"{self.folder}: {n} is in more than one file" for n in places if n in self.tensors]
            self.tensors.update(places)
        if not self.tensors and not problems:
            problems.append(f"{self.folder}: its safetensors files hold no tensor")
        if problems:
            raise DataError(problems)

    @property
    def size(self) -> int:
        """Bytes of all values."""
        return sum(place.size for place in self.tensors.values())

    def ranges(self) -> Ranges:
        """A reader of these files."""
        return Ranges(self.folder)

    def digest(self, seen: Callable[[str, str], None] | None = None) -> str:
        """What `models.weights_digest` says of the folder, read in pieces of `CHUNK` bytes.

        Args:
            seen: is told the name and the digest of each tensor's values.
        """
        whole = hashlib.sha256()
        with self.ranges() as ranges:
            for name, place in sorted(self.tensors.items()):
                own = hashlib.sha256()
                whole.update(place.head(name))
                for _, part in chunks(ranges, place):
                    whole.update(part)
                    own.update(part)
                if seen:
                    seen(name, "sha256:" + own.hexdigest())
        return "sha256:" + whole.hexdigest()


def chunks(ranges: Ranges, place: Place) -> Iterator[tuple[int, bytearray]]:
    """A tensor's bytes in pieces, each with its place in the file."""
    for start in range(0, place.size, CHUNK):
        yield place.offset + start, ranges.read(place.file, place.offset + start, min(CHUNK, place.size - start))


def _files(folder: Path) -> list[str]:
    """Names of the files that hold the weights.

    Raises:
        DataError: see `Weights`.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: does not exist; give the folder of a saved model")
    found = sorted(path.name for path in folder.glob("*.safetensors"))
    if not found:
        pickled = sorted(p.name for p in folder.iterdir() if p.suffix in {".bin", ".pt", ".pth", ".ckpt", ".pkl"})
        why = f"only {', '.join(pickled)}, which could run code when read" if pickled else "no weights"
        raise DataError(f"{folder}: has {why}; save the model as safetensors")
    if not (folder / INDEX).is_file():
        if found != ["model.safetensors"]:
            raise DataError(f"{folder}: has {', '.join(found)} and no {INDEX}; save the model with save_pretrained")
        return found
    named = sorted(_indexed(folder / INDEX))
    problems = [f"{folder}: {name} is in its index and not there; restore it" for name in named if name not in found]
    strange = [name for name in found if name not in named]
    problems += [f"{folder}: {name} is not in {INDEX}; delete it or restore the index" for name in strange]
    if problems:
        raise DataError(problems)
    return named


def _indexed(path: Path) -> set[str]:
    try:
        files: Any = json.loads(path.read_bytes())["weight_map"].values()
        named = {str(name) for name in files}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: is no readable index ({error}); restore it") from error
    unsafe = sorted(name for name in named if Path(name).name != name or not name.endswith(".safetensors"))
    if unsafe:
        raise DataError(
            [f"{path}: names {name!r}, which is no file of this folder; restore the index" for name in unsafe]
        )
    return named
