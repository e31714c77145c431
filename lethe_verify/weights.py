"""Which weights a folder holds: the digest over its safetensors, however they are cut into files, read as a stream.

Source of the layout: the safetensors format, 8 bytes of length (little-endian), a JSON header, data without gaps.
The digest is that of docs/patches.md: for each tensor in the order of its name its name, type, shape and values.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from unicodedata import category

from lethe_verify.errors import Refused
from lethe_verify.jcs import unique

INDEX: Final = "model.safetensors.index.json"
CHUNK: Final = 1024 * 1024
#: Longest header that the format allows, and longest index that is read.
HEADER: Final = 100_000_000
#: The most dimensions that a tensor may have (torch's own limit).
RANK: Final = 64
#: Name of each type in a header: bytes of a value, name of the type in the digest.
TYPES: Final[Mapping[str, tuple[int, str]]] = {
    "BOOL": (1, "bool"), "U8": (1, "uint8"), "I8": (1, "int8"), "F8_E4M3": (1, "float8_e4m3fn"),
    "F8_E4M3FNUZ": (1, "float8_e4m3fnuz"), "F8_E5M2": (1, "float8_e5m2"), "F8_E5M2FNUZ": (1, "float8_e5m2fnuz"),
    "U16": (2, "uint16"), "I16": (2, "int16"), "F16": (2, "float16"), "BF16": (2, "bfloat16"), "U32": (4, "uint32"),
    "I32": (4, "int32"), "F32": (4, "float32"), "U64": (8, "uint64"), "I64": (8, "int64"), "F64": (8, "float64"),
    "C64": (8, "complex64"),
}  # fmt: skip


@dataclass(frozen=True)
class Tensor:
    """Where its values lie in a file, and what stands before them in the digest."""

    path: Path
    start: int
    size: int
    head: bytes


def digest(folder: Path) -> str:
    """Hex digest of the weights in a folder.

    Raises:
        Refused: there are none, a file is damaged or strange, or it cannot be told which of them would be loaded.
    """
    tensors: dict[str, Tensor] = {}
    for path in _files(folder):
        for name, tensor in _header(path).items():
            if name in tensors:
                raise Refused("weights", f"{name!r} lies in two files: {tensors[name].path.name} and {path.name}.")
            tensors[name] = tensor
    state = hashlib.sha256()
    for _, tensor in sorted(tensors.items()):
        state.update(tensor.head)
        with tensor.path.open("rb") as file:
            file.seek(tensor.start)
            left = tensor.size
            while left:
                chunk = file.read(min(CHUNK, left))
                if not chunk:
                    raise Refused("weights", f"{tensor.path.name} was cut short while it was read.")
                state.update(chunk)
                left -= len(chunk)
    return state.hexdigest()


def _files(folder: Path) -> list[Path]:
    """The one file, or the files that the index names: no others, so that nothing else can be what is loaded."""
    found = sorted(folder.glob("*.safetensors"))
    if not found:
        raise Refused("weights", "No weights in the form safetensors lie in the folder.")
    strange = [path.name for path in (*found, folder / INDEX) if path.exists() and not path.is_file()]
    if strange:
        raise Refused("weights", f"{strange[0]} is no file.")
    if not (folder / INDEX).exists():
        if len(found) > 1:
            raise Refused("weights", f"There are {len(found)} files of weights and no {INDEX}.")
        return found
    named, here = _indexed(folder / INDEX), {path.name for path in found}
    problems = [f"{name} is missing" for name in sorted(named - here)]
    problems += [f"{name} is not in {INDEX}" for name in sorted(here - named)]
    if problems:
        raise Refused("weights", f"The files of the weights are not those of their index: {'; '.join(problems[:5])}.")
    return found


def _indexed(path: Path) -> set[str]:
    with path.open("rb") as file:
        data = file.read(HEADER + 1)
    try:
        return {str(name) for name in json.loads(data)["weight_map"].values()} if len(data) <= HEADER else set()
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise Refused("weights", f"{INDEX} cannot be read.") from error


def _header(path: Path) -> dict[str, Tensor]:
    """The tensors of one file; they fill it to the last byte."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(length) if 8 + length <= size and length <= HEADER else b""
    try:
        found = json.loads(header, object_pairs_hook=unique)
        found.pop("__metadata__", None)
        places = {name: _tensor(path, 8 + length, name, one) for name, one in found.items()}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise Refused("weights", f"{path.name} is no sound safetensors file.") from error
    at = 8 + length
    for one in sorted(places.values(), key=lambda one: (one.start, one.size)):
        if one.start != at:
            raise Refused("weights", f"{path.name} is no sound safetensors file: it has a gap or an overlap.")
        at += one.size
    if at != size:
        raise Refused("weights", f"{path.name} is no sound safetensors file: it is cut short or has more at its end.")
    return places


def _tensor(path: Path, data: int, name: str, entry: Any) -> Tensor:
    if any(category(one) == "Cc" for one in name):
        raise ValueError("a digest ends names by NUL: one inside would let two models have the same digest")
    width, kind = TYPES[entry["dtype"]]
    shape, (start, end) = tuple(entry["shape"]), entry["data_offsets"]
    if len(shape) > RANK or any(type(one) is not int or not 0 <= one < 2**63 for one in (*shape, start, end)):
        raise ValueError("no whole numbers, or larger ones than any tensor has")
    if math.prod(shape) * width != end - start:
        raise ValueError("another size")
    return Tensor(path, data + start, end - start, f"{name}\0torch.{kind}\0{shape}\0".encode())
