"""What a model's folder says of its weights without their being read: names, types and shapes of the headers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from types import MappingProxyType
from unicodedata import category

from unlearning_engine.errors import DataError

WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
#: Types that a trained model may be saved in, as a header and as torch names them.
FLOATS: Mapping[str, str] = MappingProxyType({"F32": "float32", "BF16": "bfloat16", "F16": "float16"})


@dataclass(frozen=True)
class Stored:
    """One tensor: its type as the header names it, and its shape."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def values(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)


def folder_of(ref: str | Path) -> Path | None:
    """The local folder of a model: itself, or where a hub id lies in the cache; None where it was never fetched."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    if Path(ref).is_dir():
        return Path(ref)
    try:
        found = try_to_load_from_cache(str(ref), "config.json")
    except HFValidationError:  # neither a folder nor an id; whoever loads it says so
        return None
    return Path(found).parent if isinstance(found, str) else None


def files(folder: Path) -> list[Path]:
    """The files that loading reads: one, or those of the index, or all that are there; a folder may hold a second set.

    Raises:
        DataError: the index is damaged.
    """
    if (folder / WHOLE).is_file():
        return [folder / WHOLE]
    if not (folder / INDEX).is_file():
        return sorted(folder.glob("*.safetensors"))
    try:
        named = set(json.loads((folder / INDEX).read_bytes())["weight_map"].values())
        return sorted(folder / name for name in named)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{folder / INDEX}: is no readable index ({error}); restore the model") from error


def tensors(folder: Path) -> dict[str, Stored]:
    """Every tensor of a model by its name.

    Raises:
        DataError: a file is missing or damaged.
    """
    from safetensors import SafetensorError, safe_open

    found: dict[str, Stored] = {}
    for file in files(folder):
        try:
            with safe_open(file, framework="np") as reader:
                slices = {name: reader.get_slice(name) for name in reader.keys()}  # noqa: SIM118 - no mapping
                found |= {name: Stored(s.get_dtype(), tuple(s.get_shape())) for name, s in slices.items()}
        except (SafetensorError, OSError) as error:
            raise DataError(f"{file}: has damaged weights ({error}); restore the model") from error
    return found


def check_names(where: Path | str, names: Iterable[str]) -> None:
    """A digest of weights ends names by NUL: one inside of a name would let two models have the same digest.

    Raises:
        DataError: a name holds control characters.
    """
    if strange := [name for name in names if any(category(one) == "Cc" for one in name)]:
        shown = ", ".join(ascii(one[:80]) for one in strange[:5])
        raise DataError(f"{where}: has tensors whose names hold control characters ({shown}); rename them")


def float_type(folder: Path) -> str:
    """torch's name of the type that most of the model's numbers have; float32 where none is a type to save in."""
    counts: Counter[str] = Counter()
    for one in tensors(folder).values():
        if one.dtype in FLOATS:
            counts[FLOATS[one.dtype]] += one.values
    return max(counts, key=lambda name: counts[name], default="float32")
