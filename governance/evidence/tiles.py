"""The hash tree in the database, as tiles of 256 hashes (https://c2sp.org/tlog-tiles).

A tile of level 0 holds leaf hashes, one of level L + 1 the roots of 256 tiles of level L. Only complete tiles are rows
of their own; the hashes of the rightmost ones are read from the entries, or from the tiles below. So an entry writes a
tile once in 256 times, and a proof reads at most two tiles of each level, all in one statement.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.db import connections
from django.db.models import QuerySet

from governance.evidence.errors import ProofError
from governance.evidence.merkle import HASH_BYTES, Node, Prover, node_hash
from governance.models import LedgerEntry, LedgerTile

HEIGHT: Final = 8
WIDTH: Final = 1 << HEIGHT
#: More levels than 2^53 entries fill.
LEVELS: Final = 7
Pyramid = list[list[bytes]]
_TILES: Final = LedgerTile._meta.db_table
_ENTRIES: Final = LedgerEntry._meta.db_table
#: A tile: its level and its number.
Place = tuple[int, int]


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


def _under(level: int, number: int, width: int) -> tuple[QuerySet[Any], str, str]:
    """What lies under the first `width` hashes of a tile: rows, and their columns of order and hash."""
    first = number * WIDTH
    if level:
        rows: QuerySet[Any] = LedgerTile.objects.filter(level=level - 1, number__gte=first, number__lt=first + width)
        return rows, "number", "root"
    return LedgerEntry.objects.filter(index__gte=first, index__lt=first + width), "index", "hash"


def _below(level: int, number: int, width: int) -> list[bytes]:
    """The first `width` hashes of a tile from what lies under it."""
    rows, order, data = _under(level, number, width)
    return [bytes(row) for row in rows.order_by(order).values_list(data, flat=True)]


def hashes_of(level: int, number: int, width: int) -> list[bytes]:
    """A tile's first `width` hashes, 1 to 256.

    Raises:
        ProofError: the ledger has not so many.
    """
    return read({(level, number): width})[level, number]


def read(wanted: Mapping[Place, int]) -> dict[Place, list[bytes]]:
    """The first so many hashes of each tile, asked for in one statement: what costs is the way to the database.

    Raises:
        ProofError: the ledger has not so many.
    """
    found: dict[Place, list[tuple[int, bytes]]] = {place: [] for place in wanted}
    with connections["default"].cursor() as cursor:
        cursor.execute(" UNION ALL ".join(_asked(*place, width) for place, width in wanted.items()))
        for level, number, order, data in cursor.fetchall():
            found[level, number].append((order, bytes(data)))
    return {place: _checked(place, sorted(found[place]), width) for place, width in wanted.items()}


def _asked(level: int, number: int, width: int) -> str:
    """Rows (level, number, order, bytes): a complete tile in one row, the hashes of another one by one.

    Written by hand, of nothing but whole numbers: to have Django compose it took longer than the database answers.
    """
    first = number * WIDTH
    if width == WIDTH:
        chosen = f'"number", "hashes" FROM "{_TILES}" WHERE "level" = {level:d} AND "number" = {number:d}'
    elif level:
        chosen = (
            f'"number", "root" FROM "{_TILES}" WHERE "level" = {level - 1:d} AND "number" >= {first:d} '
            f'AND "number" < {first + width:d}'
        )
    else:
        chosen = f'"index", "hash" FROM "{_ENTRIES}" WHERE "index" >= {first:d} AND "index" < {first + width:d}'
    return f"SELECT {level:d}, {number:d}, {chosen}"  # noqa: S608 - whole numbers and our own names


def _checked(place: Place, rows: list[tuple[int, bytes]], width: int) -> list[bytes]:
    data = b"".join(one for _order, one in rows)
    found = [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]
    whole = len(rows) == (1 if width == WIDTH else width) and len(data) == width * HASH_BYTES
    if not whole or (width < WIDTH and any(len(one) != HASH_BYTES for _order, one in rows)):
        raise ProofError(f"tile {place[0]}/{place[1]} has {len(found)} hashes instead of {width}")
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
    """The tree over the first `size` entries. A tile is read once; those of a proof in one statement."""

    def __init__(self, size: int) -> None:
        if size < 0:
            raise ProofError(f"a ledger cannot have {size} entries")
        self._size = size
        self._tiles: dict[Place, Pyramid] = {}

    def __len__(self) -> int:
        return self._size

    def prepare(self, nodes: Sequence[Node]) -> None:
        """Read the tiles that hold these nodes, or whose hashes they join, as far as none was read before."""
        places = {_place_of(*node)[0] for node in nodes} - self._tiles.keys()
        wanted = {place: width_of(*place, self._size) for place in sorted(places)}
        if wanted:
            self._tiles |= {place: pyramid(hashes) for place, hashes in read(wanted).items()}

    def node(self, level: int, place: int) -> bytes:
        """From its tile."""
        tile, up, at = _place_of(level, place)
        if tile not in self._tiles:
            self.prepare([(level, place)])
        return self._tiles[tile][up][at]


def _place_of(level: int, place: int) -> tuple[Place, int, int]:
    """The tile of a node; how far above the tile's hashes it lies, and where in that row."""
    floor, up = divmod(level, HEIGHT)
    number = (place << up) >> HEIGHT
    return (floor, number), up, place - (number << (HEIGHT - up))
