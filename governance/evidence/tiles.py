"""The hash tree in the database, as tiles of 256 hashes (https://c2sp.org/tlog-tiles).

A tile of level 0 holds leaf hashes, one of level L + 1 the roots of 256 tiles of level L. Only complete tiles are rows
of their own; the hashes of the rightmost ones are read from the entries, or from the tiles below. So an entry writes a
tile once in 256 times, and a proof reads at most two tiles of each level: five in a ledger of a million entries.
"""

from __future__ import annotations

import struct
from typing import Final

from governance.evidence.errors import ProofError
from governance.evidence.merkle import HASH_BYTES, Prover, node_hash
from governance.models import LedgerEntry, LedgerTile

HEIGHT: Final = 8
WIDTH: Final = 1 << HEIGHT
#: More levels than 2^53 entries fill.
LEVELS: Final = 7
Pyramid = list[list[bytes]]


def pyramid(hashes: list[bytes]) -> Pyramid:
    """The hashes, and above them the roots of every two, four, ... of them that are complete."""
    levels = [hashes]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([node_hash(below[at], below[at + 1]) for at in range(0, len(below) - 1, 2)])
    return levels


def complete(index: int) -> None:
    """Write the tiles that entry `index` completes; the entry is written, its transaction is open."""
    level, count = 0, index + 1
    while count % WIDTH == 0:
        number = count // WIDTH - 1
        hashes = _below(level, number, WIDTH)
        root = pyramid(hashes)[HEIGHT][0]
        LedgerTile.objects.create(level=level, number=number, hashes=b"".join(hashes), root=root)
        level, count = level + 1, count // WIDTH


def _below(level: int, number: int, width: int) -> list[bytes]:
    """The first `width` hashes of a tile from what lies under it."""
    first = number * WIDTH
    rows = (
        LedgerTile.objects.filter(level=level - 1, number__gte=first, number__lt=first + width)
        .order_by("number")
        .values_list("root", flat=True)
        if level
        else LedgerEntry.objects.filter(index__gte=first, index__lt=first + width)
        .order_by("index")
        .values_list("hash", flat=True)
    )
    return [bytes(row) for row in rows]


def hashes_of(level: int, number: int, width: int) -> list[bytes]:
    """A tile's first `width` hashes, 1 to 256.

    Raises:
        ProofError: the ledger has not so many.
    """
    if width == WIDTH:
        row = LedgerTile.objects.filter(level=level, number=number).values_list("hashes", flat=True).first()
        data = b"" if row is None else bytes(row)
        found = [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]
    else:
        found = _below(level, number, width)
    if len(found) != width or any(len(one) != HASH_BYTES for one in found):
        raise ProofError(f"tile {level}/{number} has {len(found)} hashes instead of {width}")
    return found


def entries_of(number: int, width: int) -> bytes:
    """An entry bundle: the leaves of a tile of level 0, each after its length as 16 bits (big-endian).

    Raises:
        ProofError: the ledger has not so many.
    """
    first = number * WIDTH
    rows = LedgerEntry.objects.filter(index__gte=first, index__lt=first + width).order_by("index")
    leaves = [bytes(leaf) for leaf in rows.values_list("leaf", flat=True)]
    if len(leaves) != width:
        raise ProofError(f"entries of tile {number}: {len(leaves)} instead of {width}")
    return b"".join(struct.pack(">H", len(leaf)) + leaf for leaf in leaves)


def width_of(level: int, number: int, size: int) -> int:
    """How many hashes the tile has in a ledger of `size` entries; 0 where it has none."""
    return max(0, min(WIDTH, (size >> HEIGHT * level) - number * WIDTH))


def path_of(number: int) -> str:
    """A tile's number as a path, in groups of three digits: 1234067 is `x001/x234/067`."""
    text = str(number)
    text = text.zfill(-(-len(text) // 3) * 3)
    groups = [text[at : at + 3] for at in range(0, len(text), 3)]
    return "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])


class StoredTree(Prover):
    """The tree over the first `size` entries. A tile is read once, when a node in it is asked for."""

    def __init__(self, size: int) -> None:
        if size < 0:
            raise ProofError(f"a ledger cannot have {size} entries")
        self._size = size
        self._tiles: dict[tuple[int, int], Pyramid] = {}

    def __len__(self) -> int:
        return self._size

    def node(self, level: int, place: int) -> bytes:
        """From the tile that holds it, or whose hashes it joins."""
        floor, up = divmod(level, HEIGHT)
        number = (place << up) >> HEIGHT
        key = floor, number
        if key not in self._tiles:
            self._tiles[key] = pyramid(hashes_of(floor, number, width_of(floor, number, self._size)))
        return self._tiles[key][up][place - (number << (HEIGHT - up))]
