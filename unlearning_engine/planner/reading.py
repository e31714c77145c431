"""Sizes read from files, without loading a model: what a plan's cost depends on. Standard library only."""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import IO, Any

from unlearning_engine.errors import DataError

#: Characters that one token stands for, about, in running text; what is wrong with it, past runs correct.
CHARACTERS = 4.0
_SHARD = re.compile(r"shard-\d+")
Open = Callable[[str], AbstractContextManager[IO[bytes]]]


def parameters_in(file: IO[bytes], name: str = "weights") -> int:
    """Numbers that a safetensors file holds, from its header alone.

    Raises:
        DataError: it is no safetensors file.
    """
    try:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        return sum(math.prod(entry["shape"]) for key, entry in header.items() if key != "__metadata__")
    except (struct.error, ValueError, KeyError, TypeError, AttributeError, MemoryError, OverflowError) as error:
        raise DataError(f"{name}: holds no readable safetensors weights ({error})") from error


def model_sizes(names: Iterable[str], open_: Open) -> dict[str, float]:
    """`parameters`, `layers`, `epochs` and `shards` of a model's folder, each only where its files say it.

    Of an ensemble of shards `parameters` are those of one shard, since a sample passes through no more in training.

    Raises:
        DataError: weights or a JSON file cannot be read.
    """
    files, found = sorted(names), dict[str, float]()
    shards: dict[str, int] = {}
    for name in files:
        if name.endswith(".safetensors"):
            match = _SHARD.search(name)
            shard = match.group() if match else ""
            with open_(name) as file:
                shards[shard] = shards.get(shard, 0) + parameters_in(file, name)
    if shards:
        found["parameters"] = max(shards.values())
        found |= {"shards": len(shards)} if len(shards) > 1 else {}
    layers = [_json(name, open_).get("num_hidden_layers") for name in files if name.endswith("config.json")]
    if known := [value for value in layers if isinstance(value, int)]:
        found["layers"] = known[0]
    if "recipe.json" in files:
        config = _json("recipe.json", open_).get("config")
        epochs = config.get("epochs") if isinstance(config, dict) else None
        if isinstance(epochs, int | float):
            found["epochs"] = float(epochs)
    return found


def _json(name: str, open_: Open) -> dict[str, Any]:
    with open_(name) as file:
        try:
            value = json.load(file)
        except ValueError as error:
            raise DataError(f"{name}: is no readable JSON file ({error})") from error
    return value if isinstance(value, dict) else {}


def tokens_of(rows: Iterable[dict[str, Any]]) -> tuple[int, float]:
    """How many rows there are, and the tokens of one on average, by its characters."""
    count, characters = 0, 0
    for row in rows:
        count += 1
        characters += sum(len(str(row.get(name) or "")) for name in ("prompt", "answer", "text"))
    return count, characters / CHARACTERS / count if count else 0.0
