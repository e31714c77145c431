"""The ledger read from its first entry to its last and compared with everything that was signed about it.

What it finds, whoever changed it and with whatever rights: an entry edited, removed, put in another place or added in
between (its leaf, its index, or the root of a checkpoint no longer fits), the end cut off (a checkpoint is larger than
the ledger), and another history (its root is another). Against an owner who signs anew too, give a checkpoint kept
outside: only that, or a witness, can know better than the one who holds tables and key.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from governance.evidence import cosignature, leaf, merkle, tiles
from governance.evidence.checkpoint import Checkpoint, verify_checkpoint
from governance.evidence.errors import DocumentError, ProofError
from governance.models import LedgerCheckpoint, LedgerEntry, LedgerOpening, LedgerTile

#: Said of one ledger at most: whoever shifts a million entries makes a million findings.
MOST = 20


@dataclass
class Checked:
    """What was compared, and each thing that does not fit, in plain words."""

    entries: int = 0
    root: bytes = merkle.EMPTY_ROOT
    openings: int = 0
    checkpoints: int = 0
    cosignatures: int = 0
    findings: list[str] = field(default_factory=list)

    def found(self, text: str, *, signed: bool = False) -> None:
        """One more, unless there are enough to know; what contradicts a signature is always told."""
        if signed or len(self.findings) < MOST:
            self.findings.append(text)


def ledger_check(verifiers: Sequence[str], kept: Mapping[str, str] | None = None) -> Checked:
    """Every entry, opening, tile, checkpoint and cosignature.

    Args:
        verifiers: the ledger's public keys, those that were replaced too, as `checkpoint.verifier_key` writes them.
        kept: names and texts of checkpoints that somebody kept outside of the house.
    """
    told = Checked()
    signed = _signed(told, verifiers, kept or {})
    edge, building = merkle.Frontier(), _Tiles(told)
    _reached(told, signed, edge)
    for index, entry in enumerate(LedgerEntry.objects.order_by("index").iterator(chunk_size=2000)):
        _entry(told, index, entry)
        hashed = merkle.leaf_hash(bytes(entry.leaf))
        edge.append(hashed)
        building.add(hashed)
        _reached(told, signed, edge)
    told.entries, told.root = edge.size, edge.root()
    for size, places in sorted(signed.items()):
        for place, _root in places:
            told.found(f"{place} is of {size} entries; the ledger has {edge.size}: its end was cut off.", signed=True)
    building.end()
    _openings(told)
    return told


def _signed(told: Checked, verifiers: Sequence[str], kept: Mapping[str, str]) -> dict[int, list[tuple[str, bytes]]]:
    """Where the ledger must have which root: by the signed checkpoints in the tables, and those kept outside."""
    expected: dict[int, list[tuple[str, bytes]]] = {}
    notes = [(f"The checkpoint of {one.size}", one.note, one) for one in _checkpoints()]
    for place, note, row in [*notes, *((f"The checkpoint in {name}", text, None) for name, text in kept.items())]:
        try:
            found = _verified(note, verifiers)
            if row is not None and (found.size != row.size or found.root != bytes(row.root)):
                told.found(f"{place}: what was signed is not what stands beside it.")
            for line in row.cosignatures.all() if row is not None else ():
                cosignature.verify(note, line.line, line.witness)
                told.cosignatures += 1
            expected.setdefault(found.size, []).append((place, found.root))
            told.checkpoints += 1
        except ProofError as error:
            told.found(f"{place}: {error}.")
    return expected


def _verified(note: str, verifiers: Sequence[str]) -> Checkpoint:
    """The checkpoint, signed by one of the keys; said of the last one where by none."""
    for verifier in verifiers[:-1]:
        with suppress(ProofError):
            return verify_checkpoint(note, verifier)
    return verify_checkpoint(note, verifiers[-1])


def _checkpoints() -> Iterator[LedgerCheckpoint]:
    yield from LedgerCheckpoint.objects.exclude(note="").order_by("size").prefetch_related("cosignatures")


def _reached(told: Checked, signed: dict[int, list[tuple[str, bytes]]], edge: merkle.Frontier) -> None:
    for place, root in signed.pop(edge.size, ()):
        if edge.root() != root:
            told.found(
                f"{place} has another root than the first {edge.size} entries: they were changed since.", signed=True
            )


def _entry(told: Checked, index: int, entry: LedgerEntry) -> None:
    data = bytes(entry.leaf)
    try:
        read = leaf.parse_leaf(json.loads(data))
        if read.to_bytes() != data:
            told.found(f"Entry {entry.index} is not canonical.")
        if not read.index == entry.index == index:
            told.found(f"Entry {entry.index} stands in place {index} and says that it is {read.index}.")
        if read.action != entry.action or read.at != leaf.timestamp(entry.at)[: len(read.at)]:
            told.found(f"Entry {entry.index} says another time or action than the column beside it.")
    except (ValueError, ProofError, DocumentError) as error:
        told.found(f"Entry {entry.index} cannot be read: {error}.")
    if merkle.leaf_hash(data) != bytes(entry.hash):
        told.found(f"Entry {entry.index} has not the hash that stands beside it: it was edited.")


def _openings(told: Checked) -> None:
    rows = LedgerOpening.objects.select_related("entry").order_by("entry_id").iterator(chunk_size=2000)
    for opening in rows:
        told.openings += 1
        committed = json.loads(bytes(opening.entry.leaf)).get("body")
        if leaf.commit_body(opening.body, bytes(opening.salt)) != committed:
            told.found(f"Entry {opening.entry_id} does not commit to what is shown for it.")


class _Tiles:
    """The tiles that the entries make, compared with those in the tables as they become complete."""

    def __init__(self, told: Checked) -> None:
        self.told, self.made = told, 0
        self.open: list[list[bytes]] = []
        self.numbers: list[int] = []

    def add(self, value: bytes, level: int = 0) -> None:
        """One hash of a level; a complete tile gives one to the level above."""
        if level == len(self.open):
            self.open.append([])
            self.numbers.append(0)
        hashes = self.open[level]
        hashes.append(value)
        if len(hashes) < tiles.WIDTH:
            return
        number = self.numbers[level]
        self.numbers[level] += 1
        self.made += 1
        row = LedgerTile.objects.filter(level=level, number=number).first()
        root = tiles.pyramid(hashes)[tiles.HEIGHT][0]
        if row is None or bytes(row.hashes) != b"".join(hashes) or bytes(row.root) != root:
            self.told.found(f"Tile {level}/{number} is not the one that its entries make.")
        self.open[level] = []
        self.add(root, level + 1)

    def end(self) -> None:
        """No tile stands there that no entries make."""
        if (stand := LedgerTile.objects.count()) > self.made:
            self.told.found(f"There are {stand} tiles; the entries make {self.made}.")
