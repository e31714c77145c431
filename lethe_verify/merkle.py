"""Proofs of the ledger's hash tree (RFC 9162, 2.1), by recursion over the tree as the text defines it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from lethe_verify.errors import Refused

EMPTY = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 || entry)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _half(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def hashes(texts: object) -> list[bytes]:
    """A proof's hashes, each written as 64 lower-case hexadecimal digits; at most one for each of 64 levels, twice."""
    if not isinstance(texts, list) or len(texts) > 128:
        raise Refused("proof", "A proof in the ledger is not a list of hashes.")
    found = []
    for text in texts:
        if not isinstance(text, str) or len(text) != 64 or text.strip("0123456789abcdef"):
            raise Refused("proof", "A proof in the ledger holds something that is no hash.")
        found.append(bytes.fromhex(text))
    return found


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root of the tree of `size` entries in which `leaf` is entry `index`."""
    if not 0 <= index < size:
        raise Refused("proof", f"Entry {index} cannot be in a ledger of {size} entries.")
    if size == 1:
        if proof:
            raise Refused("proof", "A proof of inclusion is longer than the tree is high.")
        return leaf
    if not proof:
        raise Refused("proof", "A proof of inclusion is shorter than the tree is high.")
    *below, sibling = proof
    half = _half(size)
    if index < half:
        return _node(root_from_inclusion(leaf, index, half, below), sibling)
    return _node(sibling, root_from_inclusion(leaf, index - half, size - half, below))


def check_consistency(*, old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """The ledger of `new` entries begins with the ledger of `old` entries."""
    if not 0 < old <= new:
        raise Refused("fork", f"A ledger of {new} entries cannot continue one of {old}.")
    if old == new:
        if proof or old_root != new_root:
            raise Refused("fork", f"There are two ledgers of {old} entries: the record was forked.")
        return
    left = list(proof)
    if not left:
        raise Refused("proof", "The proof that the ledger only grew is missing.")
    before, after = _grown(old, new, old_root, left, whole=True)
    if left:
        raise Refused("proof", "The proof that the ledger only grew is longer than the tree is high.")
    if before != old_root or after != new_root:
        raise Refused("fork", f"The ledger of {new} entries does not begin with the known one of {old}.")


def _grown(old: int, new: int, old_root: bytes, proof: list[bytes], *, whole: bool) -> tuple[bytes, bytes]:
    """Roots of this part before and after; `whole` says that the part began where the old tree began (2.1.4.1)."""
    if old == new:
        if whole:
            return old_root, old_root
        one = _take(proof)
        return one, one
    sibling, half = _take(proof), _half(new)
    if old <= half:
        before, after = _grown(old, half, old_root, proof, whole=whole)
        return before, _node(after, sibling)
    before, after = _grown(old - half, new - half, old_root, proof, whole=False)
    return _node(sibling, before), _node(sibling, after)


def _take(proof: list[bytes]) -> bytes:
    """The outermost hash that is left: proofs are written from the innermost outwards."""
    if not proof:
        raise Refused("proof", "The proof that the ledger only grew is shorter than the tree is high.")
    return proof.pop()
