"""The ledger's tree gives the published roots, agrees with the recursive definition, and refuses forged proofs."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.evidence.errors import ProofError
from governance.evidence.merkle import (
    EMPTY_ROOT,
    Frontier,
    Tree,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)

# The eight inputs and roots that certificate-transparency implementations of RFC 6962 share.
ENTRIES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def oracle_root(entries: list[bytes]) -> bytes:
    """MTH as RFC 6962 2.1 writes it, over entries (not hashes), sharing no code with the product."""
    if not entries:
        return hashlib.sha256().digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return hashlib.sha256(b"\x01" + oracle_root(entries[:k]) + oracle_root(entries[k:])).digest()


def oracle_path(m: int, entries: list[bytes]) -> list[bytes]:
    if len(entries) == 1:
        return []
    k = 1
    while k * 2 < len(entries):
        k *= 2
    if m < k:
        return [*oracle_path(m, entries[:k]), oracle_root(entries[k:])]
    return [*oracle_path(m - k, entries[k:]), oracle_root(entries[:k])]


def oracle_consistency(m: int, entries: list[bytes], whole: bool = True) -> list[bytes]:
    n = len(entries)
    if m == n:
        return [] if whole else [oracle_root(entries)]
    k = 1
    while k * 2 < n:
        k *= 2
    if m <= k:
        return [*oracle_consistency(m, entries[:k], whole), oracle_root(entries[k:])]
    return [*oracle_consistency(m - k, entries[k:], False), oracle_root(entries[:k])]


def entries_of(size: int) -> list[bytes]:
    return [b"entry %d" % i for i in range(size)]


def tree_of(size: int) -> Tree:
    return Tree(leaf_hash(entry) for entry in entries_of(size))


def test_the_published_roots_come_out() -> None:
    tree, frontier = Tree(), Frontier()
    assert tree.root() == frontier.root() == EMPTY_ROOT
    for entry, root in zip(ENTRIES, ROOTS, strict=True):
        tree.append(leaf_hash(entry))
        frontier.append(leaf_hash(entry))
        assert tree.root().hex() == frontier.root().hex() == root


def test_a_published_inclusion_proof_comes_out() -> None:
    proof = Tree(map(leaf_hash, ENTRIES)).inclusion_proof(0)
    assert [p.hex() for p in proof] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]


def test_every_proof_of_every_small_tree_is_the_recursive_one_and_verifies() -> None:
    for size in range(1, 34):
        entries, tree = entries_of(size), tree_of(size)
        for index in range(size):
            proof = tree.inclusion_proof(index)
            assert proof == oracle_path(index, entries)
            verify_inclusion(leaf=leaf_hash(entries[index]), index=index, size=size, proof=proof, root=tree.root())
        for old in range(1, size + 1):
            path = tree.consistency_proof(old)
            assert path == oracle_consistency(old, entries)
            verify_consistency(old=old, new=size, old_root=tree.root(old), new_root=tree.root(), proof=path)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=8), max_size=70), st.data())
def test_any_tree_agrees_with_the_definition(entries: list[bytes], data: st.DataObject) -> None:
    tree, frontier = Tree(), Frontier()
    for entry in entries:
        tree.append(leaf_hash(entry))
        frontier = Frontier(frontier.size, list(frontier.peaks))
        frontier.append(leaf_hash(entry))
    old = data.draw(st.integers(0, len(entries)))
    assert tree.root() == frontier.root() == oracle_root(entries)
    assert tree.root(old) == oracle_root(entries[:old])


@settings(max_examples=80, deadline=None)
@given(st.integers(2, 60), st.data())
def test_no_altered_proof_verifies(size: int, data: st.DataObject) -> None:
    tree = tree_of(size)
    index = data.draw(st.integers(0, size - 1))
    proof = tree.inclusion_proof(index)
    leaf, root = leaf_hash(entries_of(size)[index]), tree.root()
    place = data.draw(st.integers(0, len(proof) - 1))
    flipped = bytes([proof[place][0] ^ 1]) + proof[place][1:]
    forged = [
        (leaf, index, [*proof[:place], flipped, *proof[place + 1 :]]),
        (leaf, index, proof[:-1]),
        (leaf, index, [*proof, root]),
        (leaf_hash(b"other"), index, proof),
        (leaf, (index + 1) % size, proof),
    ]
    for one, at, path in forged:
        with pytest.raises(ProofError):
            verify_inclusion(leaf=one, index=at, size=size, proof=path, root=root)


@settings(max_examples=80, deadline=None)
@given(st.integers(2, 60), st.data())
def test_a_rewritten_history_has_no_consistency_proof(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size - 1))
    honest = tree_of(size)
    changed = entries_of(size)
    changed[data.draw(st.integers(0, old - 1))] = b"rewritten"
    forged = Tree(map(leaf_hash, changed))
    for proof in (forged.consistency_proof(old), honest.consistency_proof(old)):
        with pytest.raises(ProofError):
            verify_consistency(old=old, new=size, old_root=honest.root(old), new_root=forged.root(), proof=proof)
    with pytest.raises(ProofError):
        verify_consistency(
            old=old, new=size, old_root=honest.root(old), new_root=honest.root(),
            proof=honest.consistency_proof(old)[:-1],
        )  # fmt: skip


def test_a_fork_of_the_same_size_and_a_wrong_empty_root_are_refused() -> None:
    one, other = Tree([leaf_hash(b"a")]), Tree([leaf_hash(b"b")])
    with pytest.raises(ProofError, match="forked"):
        verify_consistency(old=1, new=1, old_root=one.root(), new_root=other.root(), proof=[])
    with pytest.raises(ProofError, match="empty tree"):
        verify_consistency(old=0, new=1, old_root=one.root(), new_root=one.root(), proof=[])


def test_impossible_questions_are_refused() -> None:
    tree = tree_of(3)
    for question in (
        lambda: tree.inclusion_proof(3),
        lambda: tree.consistency_proof(4),
        lambda: tree.root(4),
        lambda: Frontier(3, [b"x" * 32]),
        lambda: tree.append(b"short"),
    ):
        with pytest.raises(ProofError):
            question()
