"""A proof of the ledger, step by step: which hash is joined on which side, and what comes out.

What a picture of the proof shows. The steps are worked out again from the hashes and end in the root that they lead to;
whether that is the right one, the caller compares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from governance.evidence.errors import ProofError
from governance.evidence.merkle import consistency_ranges, inclusion_ranges, node_hash

Range = tuple[int, int]


@dataclass(frozen=True)
class Step:
    """One hash of the proof (`given`, over the entries `over`) joined to what was there, on its left or right.

    `after` and `reach` are hash and entries of what comes out, in the newer tree. `older`: whether the joined entries
    were in the older tree already (of a proof of consistency).
    """

    given: bytes
    over: Range
    left: bool
    after: bytes
    reach: Range
    older: bool = False


@dataclass(frozen=True)
class Steps:
    """Where a proof begins, its steps, and the roots that it leads to. Ranges end before their second number."""

    first: bytes
    begin: Range
    steps: tuple[Step, ...]
    root: bytes
    #: Of a proof of consistency: the root of the older tree, from the same hashes.
    old_root: bytes = b""


def of_inclusion(*, leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> Steps:
    """From an entry's leaf hash to the root of the ledger of `size` entries.

    Raises:
        ProofError: the proof has not as many hashes as the tree is high.
    """
    if not 0 <= index < size:
        raise ProofError(f"entry {index} cannot be in a ledger of {size} entries")
    return _walked(leaf, (index, index + 1), inclusion_ranges(index, size), proof, old=0)


def of_consistency(*, old: int, new: int, old_root: bytes, proof: Sequence[bytes]) -> Steps:
    """From the older ledger, or the part of it that the proof begins with, to the newer one's root.

    Raises:
        ProofError: the proof has not as many hashes as it needs between these sizes.
    """
    if not 0 < old < new:
        raise ProofError(f"there is no proof to show from {old} to {new} entries")
    ranges = consistency_ranges(old, new)
    if old & (old - 1):
        if not proof:
            raise ProofError("the proof is shorter than it must be")
        return _walked(proof[0], ranges[0], ranges[1:], proof[1:], old=old)
    return _walked(old_root, (0, old), ranges, proof, old=old)


def _walked(first: bytes, begin: Range, ranges: Sequence[Range], proof: Sequence[bytes], *, old: int) -> Steps:
    if len(ranges) != len(proof):
        raise ProofError(f"the proof has {len(proof)} hashes where {len(ranges)} belong")
    current = older = first
    reach, steps = begin, []
    for over, given in zip(ranges, proof, strict=True):
        left = over[0] < reach[0]
        if left:
            current, older, reach = node_hash(given, current), node_hash(given, older), (over[0], reach[1])
        else:
            current, reach = node_hash(current, given), (reach[0], over[1])
        steps.append(Step(given, over, left, current, reach, left and bool(old)))
    return Steps(first, begin, tuple(steps), current, older if old else b"")
