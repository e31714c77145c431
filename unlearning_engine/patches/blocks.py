"""One block of a tensor: its values before and after, in the smallest of four encodings that give both back.

    dense    a difference for every value
    sparse   gaps between the values that changed, and their differences
    rows     gaps between the rows that changed, and the differences of all values in them
    lowrank  two thin matrices that predict the block in each direction, and what the prediction misses (`lowrank`)

All work on bits as unsigned numbers; which is smallest is found by trying, so the choice is never a claim.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from unlearning_engine.patches import lowrank
from unlearning_engine.patches.streams import UNSIGNED, Bytes, Malformed, Unsigned, difference, pack, step, unpack

#: Values in a block, at most: what bounds the memory of a patch's maker and reader.
BLOCK = 2**22
#: A larger share of values that changed is not tried as sparse, a smaller one not as dense.
_SPARSE_UP_TO, _DENSE_FROM = 0.4, 0.02
ENCODINGS = ("dense", "sparse", "rows", "lowrank")


@dataclass(frozen=True)
class Encoded:
    """A block: its entry in the manifest, and its streams by name."""

    entry: dict[str, Any]
    streams: dict[str, bytes] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of the streams."""
        return sum(map(len, self.streams.values()))


def row_of(shape: tuple[int, ...]) -> int:
    """Values in a row: all that share the first index; 1 for a vector, or where a row is longer than a block."""
    row = int(np.prod(shape[1:], dtype=np.int64)) if len(shape) > 1 else 1
    return row if 0 < row <= BLOCK else 1


def spans(shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """Start and count, in values, of the blocks into which a tensor is cut: whole rows where they fit."""
    total, row = int(np.prod(shape, dtype=np.int64)), row_of(shape)
    length = BLOCK // row * row
    return [(start, min(length, total - start)) for start in range(0, total, length)]


def encode(old: Unsigned, new: Unsigned, *, dtype: str, row: int) -> Encoded | None:
    """The smallest encoding of a flat block; None where nothing changed.

    Args:
        dtype: name of the type in a safetensors header; only floats are tried as low-rank.
        row: values in a row; the block holds whole rows.
    """
    found = _difference(old, new, row)
    if found is None or not lowrank.possible(dtype, old.size, row):
        return found
    pair = lowrank.factors(old, new, dtype=dtype, row=row)
    if pair is None or pair.left.nbytes + pair.right.nbytes >= found.size:
        return found
    entry: dict[str, Any] = {"encoding": "lowrank", "row": row, "rank": pair.rank}
    streams = {"left": pack(_bits(pair.left)), "right": pack(_bits(pair.right))}
    for name, before, after in (("forward", old, new), ("backward", new, old)):
        missed = _difference(pair.predict(before, dtype, back=name == "backward"), after, 1) or Encoded({})
        entry[name] = missed.entry or None
        streams |= {f"{name}.{stream}": data for stream, data in missed.streams.items()}
    return min(found, Encoded(entry, streams), key=lambda block: block.size)


def _bits(values: npt.NDArray[np.float32]) -> Unsigned:
    return np.ascontiguousarray(values).reshape(-1).view(np.uint32)


def _difference(old: Unsigned, new: Unsigned, row: int) -> Encoded | None:
    """The smallest of dense, sparse and rows; None for no difference."""
    differs = old != new
    count = int(np.count_nonzero(differs))
    if not count:
        return None
    folded = difference(old, new)
    share = count / old.size
    tried = []
    if share >= _DENSE_FROM:
        tried.append(Encoded({"encoding": "dense"}, {"delta": pack(folded)}))
    if share <= _SPARSE_UP_TO:
        streams = {"index": pack(_gaps(np.flatnonzero(differs))), "delta": pack(folded[differs])}
        tried.append(Encoded({"encoding": "sparse", "values": count}, streams))
    lines = np.flatnonzero(differs.reshape(-1, row).any(axis=1)) if row > 1 else np.empty(0, np.int64)
    if 0 < lines.size * row <= min(old.size - row, 8 * count):
        streams = {"index": pack(_gaps(lines)), "delta": pack(folded.reshape(-1, row)[lines].reshape(-1))}
        tried.append(Encoded({"encoding": "rows", "row": row, "values": int(lines.size)}, streams))
    return min(tried, key=lambda block: block.size)


def _gaps(index: npt.NDArray[np.int64]) -> Unsigned:
    """The first index, then how many are left out between one and the next."""
    return np.diff(index, prepend=-1).astype(np.uint32) - np.uint32(1)


def move(
    values: Unsigned, entry: Mapping[str, Any], streams: Mapping[str, Bytes], dtype: str, *, back: bool
) -> Unsigned:
    """The flat block after the patch, or with `back` before it, given the other one.

    Args:
        entry: the block's entry in the manifest, whose form `manifest` has checked.

    Raises:
        Malformed: the streams are not what the entry says.
    """
    if entry["encoding"] != "lowrank":
        return _move(values, entry, streams, back=back)
    row, rank = entry["row"], entry["rank"]
    if values.size % row:
        raise Malformed("a block of low rank does not hold whole rows")
    left = unpack(_stream(streams, "left"), values.size // row * rank, 4).view(np.float32).reshape(-1, rank)
    right = unpack(_stream(streams, "right"), rank * row, 4).view(np.float32).reshape(rank, -1)
    predicted = lowrank.Factors(left, right).predict(values, dtype, back=back)
    name = "backward" if back else "forward"
    if entry[name] is None:
        return predicted
    own = {key.removeprefix(f"{name}."): data for key, data in streams.items() if key.startswith(f"{name}.")}
    return _move(predicted, entry[name], own, back=False)


def _move(values: Unsigned, entry: Mapping[str, Any], streams: Mapping[str, Bytes], *, back: bool) -> Unsigned:
    width = values.dtype.itemsize
    made = values.copy()
    if entry["encoding"] == "dense":
        chosen: Any = slice(None)
        delta = unpack(_stream(streams, "delta"), values.size, width)
    else:
        row = entry["row"] if entry["encoding"] == "rows" else 1
        if values.size % row:
            raise Malformed("a block of rows does not hold whole rows")
        made = made.reshape(-1, row)
        chosen = _places(_stream(streams, "index"), entry["values"], made.shape[0])
        delta = unpack(_stream(streams, "delta"), entry["values"] * row, width).reshape(-1, row)
    steps = step(delta)
    made[chosen] = made[chosen] - steps if back else made[chosen] + steps
    return made.reshape(-1)


def _places(stream: Bytes, count: int, limit: int) -> npt.NDArray[np.int64]:
    if not 0 < count <= limit:
        raise Malformed(f"a block of {limit} places changes {count}")
    index = np.cumsum(unpack(stream, count, 4).astype(np.int64) + 1) - 1
    if index[-1] >= limit:
        raise Malformed("an index lies outside of its block")
    return index


def _stream(streams: Mapping[str, Bytes], name: str) -> Bytes:
    if name not in streams:
        raise Malformed(f"the stream {name} is missing")
    return streams[name]


def view(data: Bytes, width: int) -> Unsigned:
    """Bytes of a safetensors file as flat unsigned numbers."""
    return np.frombuffer(data, np.dtype(UNSIGNED[width]).newbyteorder("<")).astype(UNSIGNED[width], copy=False)
