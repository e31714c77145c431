"""The ledger's hash tree: RFC 9162 section 2.1 (unchanged from RFC 6962), over SHA-256.

`Prover` gives roots and proofs to whoever can tell the roots of perfect subtrees: `Tree` from memory (2n hashes, 64n
bytes), `tiles.StoredTree` from the database. Appending one entry costs one leaf hash and, amortised, one node hash; a
root costs O(log n), a proof O(log^2 n). `Frontier` keeps only the at most log2(n) roots on the right edge: enough to
append and to give the root, not to prove.

Every hash is 32 bytes. A *leaf hash* is `leaf_hash(entry)`; functions that take `leaves` take leaf hashes.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from governance.evidence.errors import ProofError

EMPTY_ROOT = hashlib.sha256(b"").digest()
HASH_BYTES = 32
#: Level and place of the root of a perfect subtree.
Node = tuple[int, int]


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 || entry): RFC 9162, 2.1.1."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right): RFC 9162, 2.1.1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def _split(size: int) -> int:
    """The largest power of two smaller than `size` (which is at least 2)."""
    return 1 << ((size - 1).bit_length() - 1)


def peaks_of(start: int, end: int) -> list[Node]:
    """The perfect subtrees of leaves start..end-1, from left to right (level, place); see `Prover.node`.

    `start` is a multiple of the largest power of two below the range's width.
    """
    found = []
    while start < end:
        level = (end - start).bit_length() - 1
        found.append((level, start >> level))
        start += 1 << level
    return found


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """The leaves under each hash of PATH(index, first `size` entries), nearest sibling first: RFC 9162, 2.1.3.1."""
    start, end, path = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start = middle
    return path[::-1]


def consistency_ranges(old: int, new: int) -> list[tuple[int, int]]:
    """The leaves under each hash of PROOF(old, first `new` entries): RFC 9162, 2.1.4.1. Empty where nothing is due."""
    if old in (0, new):
        return []
    start, end, path, whole = 0, new, [], True
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start, whole = middle, False
    if not whole:
        path.append((start, end))
    return path[::-1]


def _fold(peaks: Iterable[bytes]) -> bytes:
    """Joins the roots of the perfect subtrees, given from left to right, into the root of the whole."""
    root: bytes | None = None
    for peak in reversed(list(peaks)):
        root = peak if root is None else node_hash(peak, root)
    return EMPTY_ROOT if root is None else root


@dataclass
class Frontier:
    """The right edge of a tree: `size` and the perfect subtrees' roots from left to right (largest first)."""

    size: int = 0
    peaks: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.peaks) != self.size.bit_count() or any(len(p) != HASH_BYTES for p in self.peaks):
            raise ProofError(f"frontier: {len(self.peaks)} peaks of 32 bytes do not fit a tree of {self.size} entries")

    def append(self, leaf: bytes) -> int:
        """Adds a leaf hash; returns its index. O(1) hashes amortised, O(log n) at worst."""
        index, carry = self.size, leaf
        while index & 1:
            carry = node_hash(self.peaks.pop(), carry)
            index >>= 1
        self.peaks.append(carry)
        self.size += 1
        return self.size - 1

    def root(self) -> bytes:
        """Root of all entries so far; SHA-256 of nothing for the empty tree."""
        return _fold(self.peaks)


class Prover(ABC):
    """Roots and proofs, from the roots of perfect subtrees."""

    @abstractmethod
    def __len__(self) -> int:
        """How many entries there are."""

    @abstractmethod
    def node(self, level: int, place: int) -> bytes:
        """Root of the perfect subtree over the entries place*2^level to (place+1)*2^level - 1, all of which exist."""

    def prepare(self, nodes: Sequence[Node]) -> None:
        """Told which nodes a proof will ask for, all of them at once: who reads from afar reads them together."""
        return

    def root(self, size: int | None = None) -> bytes:
        """Root of the first `size` entries (all by default)."""
        size = len(self) if size is None else size
        if not 0 <= size <= len(self):
            raise ProofError(f"tree size {size} is outside 0..{len(self)}")
        return self._roots([(0, size)])[0]

    def _roots(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """MTH of leaves start..end-1 of each range; see `peaks_of`."""
        parts = [peaks_of(start, end) for start, end in ranges]
        self.prepare([node for part in parts for node in part])
        return [_fold(self.node(level, place) for level, place in part) for part in parts]

    def inclusion_proof(self, index: int, size: int | None = None) -> list[bytes]:
        """PATH(index, first `size` entries): RFC 9162, 2.1.3.1. Nearest sibling first."""
        size = len(self) if size is None else size
        if not 0 <= index < size <= len(self):
            raise ProofError(f"entry {index} is not in a tree of {size} entries (this tree has {len(self)})")
        return self._roots(inclusion_ranges(index, size))

    def consistency_proof(self, old: int, new: int | None = None) -> list[bytes]:
        """PROOF(old, first `new` entries): RFC 9162, 2.1.4.1. Empty where old is 0 or equals new."""
        new = len(self) if new is None else new
        if not 0 <= old <= new <= len(self):
            raise ProofError(f"no consistency proof from {old} to {new} in a tree of {len(self)} entries")
        return self._roots(consistency_ranges(old, new))


class Tree(Prover):
    """A tree in memory. `_levels[k][i]` is the root of the perfect subtree over leaves i*2^k to (i+1)*2^k - 1."""

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self._levels: list[list[bytes]] = [[]]
        for leaf in leaves:
            self.append(leaf)

    def __len__(self) -> int:
        return len(self._levels[0])

    def node(self, level: int, place: int) -> bytes:
        """From memory."""
        return self._levels[level][place]

    def append(self, leaf: bytes) -> int:
        """Adds a leaf hash and the subtree roots that it completes; returns its index."""
        if len(leaf) != HASH_BYTES:
            raise ProofError(f"leaf hash: {len(leaf)} bytes instead of {HASH_BYTES}")
        self._levels[0].append(leaf)
        level, count = 0, len(self)
        while count % 2 == 0:
            if len(self._levels) == level + 1:
                self._levels.append([])
            self._levels[level + 1].append(node_hash(*self._levels[level][-2:]))
            level, count = level + 1, count // 2
        return len(self) - 1


def verify_inclusion(*, leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """RFC 9162, 2.1.3.2.

    Raises:
        ProofError: the leaf hash is not entry `index` of the tree of `size` entries with this root.
    """
    if not 0 <= index < size:
        raise ProofError(f"inclusion proof: entry {index} cannot be in a tree of {size} entries")
    first, last, current = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofError("inclusion proof: longer than the tree is high")
        if first & 1 or first == last:
            current = node_hash(sibling, current)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            current = node_hash(current, sibling)
        first, last = first >> 1, last >> 1
    if last != 0:
        raise ProofError("inclusion proof: shorter than the tree is high")
    if current != root:
        raise ProofError(f"inclusion proof: leads to another root than the checkpoint's for entry {index} of {size}")


def verify_consistency(*, old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """RFC 9162, 2.1.4.2: the tree of `new` entries begins with the tree of `old` entries.

    Raises:
        ProofError: history was changed, or the proof does not fit the two sizes.
    """
    if not 0 <= old <= new:
        raise ProofError(f"consistency proof: a tree of {new} entries cannot extend one of {old}")
    if old in (0, new):
        _verify_trivial(old, new, old_root, new_root, proof)
        return
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        raise ProofError("consistency proof: empty")
    first, last = old - 1, new - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    from_old = from_new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofError("consistency proof: longer than the tree is high")
        if first & 1 or first == last:
            from_old, from_new = node_hash(sibling, from_old), node_hash(sibling, from_new)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            from_new = node_hash(from_new, sibling)
        first, last = first >> 1, last >> 1
    if last != 0 or from_old != old_root or from_new != new_root:
        raise ProofError(f"consistency proof: the tree of {new} entries does not begin with the known one of {old}")


def _verify_trivial(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    if proof:
        raise ProofError("consistency proof: must be empty between these sizes")
    if old == 0 and old_root != EMPTY_ROOT:
        raise ProofError("consistency proof: the root of the empty tree is wrong")
    if old == new and old_root != new_root:
        raise ProofError(f"consistency proof: two different roots for the same {new} entries: the ledger was forked")
