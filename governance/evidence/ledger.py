"""The ledger in the database: a leaf is written in the transaction of the change that it records.

Writers are serialised: SQLite by IMMEDIATE transactions, PostgreSQL by an advisory lock held to the end of the
transaction. The hash tree is kept in tiles of 256 hashes (`tiles`), each written by the entry that completes it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connections, transaction

from governance.evidence import leaf, merkle, tiles
from governance.models import Case, LedgerEntry, LedgerOpening
from governance.models.vault import commitment_key
from governance.policies import CLAIMANT, Actor
from governance.secrets import read_secret
from governance.selectors.ledger import size

__all__ = ["Entry", "append", "append_all", "as_json", "size", "tree"]
ADVISORY_LOCK = 0x4C45544845  # "LETHE"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What is to be written: an action, who did it, of which case, and what the entry commits to."""

    action: str
    actor: Actor
    case: Case | None = None
    body: dict[str, Any] | None = None


def append(*, action: str, actor: Actor, case: Case | None = None, body: dict[str, Any] | None = None) -> LedgerEntry:
    """Write one leaf and its opening. Must run inside the transaction of the recorded change.

    Raises:
        TransactionManagementError: outside a transaction.
        KeyDestroyed: the case's subject was erased; nothing can be committed about them any more.
    """
    return append_all([Entry(action=action, actor=actor, case=case, body=body)])[0]


def append_all(entries: Sequence[Entry]) -> list[LedgerEntry]:
    """Write leaves in this order, each with its opening, in as many statements as for one. Raises as `append` does."""
    connection = connections["default"]
    connection.validate_no_broken_transaction()
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("A ledger entry belongs in the transaction of its change.")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ADVISORY_LOCK])
    made = [_made(index, entry) for index, entry in enumerate(entries, size())]
    rows = LedgerEntry.objects.bulk_create(row for row, _opening in made)
    for row in rows:
        tiles.complete(row.index)
    LedgerOpening.objects.bulk_create(opening for _row, opening in made)
    return rows


def _made(index: int, entry: Entry) -> tuple[LedgerEntry, LedgerOpening]:
    moment, salt, content = datetime.now(UTC), leaf.new_salt(), entry.body or {}
    case, actor = entry.case, entry.actor
    data = leaf.leaf_bytes(
        index=index,
        at=moment,
        action=entry.action,
        case=leaf.case_commitment(commitment_key(case.claimant.subject), str(case.public_id)) if case else "",
        actor=_actor(actor, case),
        body=leaf.commit_body(content, salt),
    )
    row = LedgerEntry(index=index, at=moment, action=entry.action, leaf=data, hash=merkle.leaf_hash(data))
    opening = LedgerOpening(
        entry_id=index, case=case, actor=actor.user, actor_label=actor.label, salt=salt, body=content
    )
    return row, opening


def _actor(actor: Actor, case: Case | None) -> str:
    """Machines in clear; people as commitments: staff under the house's key, a claimant under their own."""
    if actor.user is not None:
        return leaf.actor_commitment(read_secret("ledger.commitments"), f"user:{actor.user.pk}")
    if actor is CLAIMANT and case is not None:
        return leaf.actor_commitment(commitment_key(case.claimant.subject), "claimant")
    return actor.label


def tree(entries: int | None = None) -> tiles.StoredTree:
    """The hash tree over the first so many entries (all by default), read from its tiles as it is asked.

    Raises:
        ProofError: there are not so many entries.
    """
    return tiles.StoredTree(size() if entries is None else entries)


def as_json(entry: LedgerEntry) -> dict[str, Any]:
    """The leaf's members, read back from its canonical bytes."""
    return dict(json.loads(bytes(entry.leaf)))
