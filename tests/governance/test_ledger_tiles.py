"""The tree in the database is the tree of RFC 6962, its tiles are those of C2SP, and only what is durable is signed."""

from __future__ import annotations

import base64
import hashlib
import struct
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from governance.errors import Unfit
from governance.evidence import checkpoint, leaf, ledger, merkle, tiles
from governance.models import LedgerCheckpoint, LedgerEntry, LedgerTile
from governance.models.triggers import drop
from governance.policies import Actor
from governance.services import checkpoints
from tests.governance.test_evidence_merkle import oracle_path, oracle_root

pytestmark = [pytest.mark.database, pytest.mark.django_db]
HERE = Actor.system("tests")


def write(count: int) -> None:
    with transaction.atomic():
        for number in range(count):
            ledger.append(action="test.written", actor=HERE, body={"number": number})


def filled(count: int) -> merkle.Tree:
    """Entries put in by the row, with their tiles; and the same tree in memory."""
    data = [
        leaf.leaf_bytes(index=n, at="2026-11-29T00:00:00.000Z", action="a.b", case="", actor="system:x", body="0" * 64)
        for n in range(count)
    ]
    rows = [LedgerEntry(index=n, at="2026-11-29T00:00Z", action="a.b", leaf=one, hash=merkle.leaf_hash(one))
            for n, one in enumerate(data)]  # fmt: skip
    LedgerEntry.objects.bulk_create(rows)
    for end in range(tiles.WIDTH, count + 1, tiles.WIDTH):
        tiles.complete(end - 1)
    return merkle.Tree(merkle.leaf_hash(one) for one in data)


def test_it_agrees_with_the_definition_at_every_size_around_a_tile() -> None:
    write(20)
    entries = [bytes(one) for one in LedgerEntry.objects.order_by("index").values_list("leaf", flat=True)]
    for size in range(1, 21):
        assert ledger.tree(size).root() == oracle_root(entries[:size])
        assert all(ledger.tree(size).inclusion_proof(n) == oracle_path(n, entries[:size]) for n in range(size))


def test_roots_and_proofs_over_several_levels_of_tiles_are_those_of_a_tree_in_memory() -> None:
    whole = filled(256 * 256 + 300)
    assert LedgerTile.objects.filter(level=0).count() == 257 and LedgerTile.objects.filter(level=1).count() == 1
    sizes = [1, 255, 256, 257, 511, 512, 65535, 65536, 65537, len(whole)]
    for size in sizes:
        stored = ledger.tree(size)
        assert stored.root() == whole.root(size)
        for index in {0, size // 3, size - 1}:
            assert stored.inclusion_proof(index) == whole.inclusion_proof(index, size)
        for old in (one for one in sizes if one <= size):
            assert stored.consistency_proof(old) == whole.consistency_proof(old, size)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        ledger.tree(len(whole)).inclusion_proof(1000)
    assert len(asked) == 1


def test_an_entry_that_completes_a_tile_writes_it() -> None:
    whole = filled(255)
    write(1)
    row = LedgerTile.objects.get()
    entry = LedgerEntry.objects.get(index=255)
    whole.append(bytes(entry.hash))
    assert bytes(row.root) == whole.root() and bytes(row.hashes)[-32:] == bytes(entry.hash)


def test_entries_that_are_written_together_make_the_tree_of_those_written_one_by_one() -> None:
    filled(200)
    with transaction.atomic():
        made = ledger.append_all(
            [ledger.Entry(action="test.written", actor=HERE, body={"number": n}) for n in range(400)]
        )
        assert ledger.append_all([]) == []
    assert [row.index for row in made] == list(range(200, 600))
    whole = merkle.Tree(bytes(one) for one in LedgerEntry.objects.order_by("index").values_list("hash", flat=True))
    assert ledger.tree().root() == whole.root() and LedgerTile.objects.count() == 2
    first = made[0]
    assert leaf.open_leaf(leaf.parse_leaf(ledger.as_json(first)), first.opening.body, bytes(first.opening.salt))


def test_a_stranger_builds_the_signed_root_again_from_tiles_and_entries(client: Client, house: Path) -> None:
    assert client.get("/ledger/checkpoint").status_code == client.get("/ledger/tile/0/000").status_code == 404
    filled(600)
    checkpoints.checkpoint_make()
    write(1)
    answer = client.get("/ledger/checkpoint")
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    told = checkpoint.verify_checkpoint(answer.content.decode(), (house / "ledger.vkey").read_text().strip())
    assert told.size == 600
    hashes = b""
    for path in ("000", "001", "002.p/88"):
        answer = client.get(f"/ledger/tile/0/{path}")
        assert answer["Content-Type"] == "application/octet-stream" and "immutable" in answer["Cache-Control"]
        hashes += answer.content
        data, leaves = client.get(f"/ledger/tile/entries/{path}").content, []
        while data:
            (length,) = struct.unpack(">H", data[:2])
            leaves.append(hashlib.sha256(b"\x00" + data[2 : 2 + length]).digest())
            data = data[2 + length :]
        assert b"".join(leaves) == answer.content
    assert merkle.Tree(hashes[at : at + 32] for at in range(0, len(hashes), 32)).root() == told.root
    assert len(client.get("/ledger/tile/1/000.p/2").content) == 64
    for path in ("0/002.p/89", "0/002", "0/3", "0/003", "0/x000/000", "0/000.p/0", "0/000.p/256", "1/000", "2/000.p/1",
                 "01/000", "9/000", "x/000", "0/000.p/01", "entries/002", "0/x999/x999/x999/x999/999"):  # fmt: skip
        assert client.get(f"/ledger/tile/{path}").status_code == 404, path


def test_a_house_that_shows_no_entries_still_shows_the_tree(client: Client, house: Path, settings: Any) -> None:
    write(3)
    checkpoints.checkpoint_make()
    settings.LEDGER_ENTRIES = False
    assert client.get("/ledger/tile/entries/000.p/3").status_code == 404
    assert len(client.get("/ledger/tile/0/000.p/3").content) == 96


def test_what_is_not_durable_is_not_signed(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(1)
    assert checkpoints.commits_are_durable() == ""
    monkeypatch.setattr(checkpoints, "commits_are_durable", lambda: "synchronous_commit=on")
    with pytest.raises(Unfit, match="may lose commits"):
        checkpoints.checkpoint_make()
    assert not LedgerCheckpoint.objects.exists()


def test_a_rewritten_ledger_gets_no_signature(house: Path) -> None:
    write(5)
    first = checkpoints.checkpoint_make()
    assert checkpoints.checkpoint_make() == first
    write(2)
    drop(connection)
    LedgerEntry.objects.filter(index=2).update(hash=b"x" * 32)
    with pytest.raises(Unfit, match=r"rewritten below its checkpoint of 5"):
        checkpoints.checkpoint_make()
    assert base64.b64encode(bytes(first.root)).decode() in first.note
    assert LedgerCheckpoint.objects.exclude(note="").count() == 1
