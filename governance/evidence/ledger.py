"""The ledger in the database: a leaf is written in the transaction of the change that it records.

Writers are serialised: SQLite by IMMEDIATE transactions, PostgreSQL by an advisory lock held to the end of the
transaction. The hash tree is kept in tiles of 256 hashes (`tiles`), each written by the entry that completes it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from django.db import connections, transaction

from governance.evidence import leaf, merkle, tiles
from governance.models import Case, LedgerEntry, LedgerOpening
from governance.models.vault import commitment_key
from governance.policies import CLAIMANT, Actor
from governance.secrets import read_secret
from governance.selectors.ledger import size

__all__ = ["append", "as_json", "size", "tree"]
ADVISORY_LOCK = 0x4C45544845  # "LETHE"


def append(*, action: str, actor: Actor, case: Case | None = None, body: dict[str, Any] | None = None) -> LedgerEntry:
    """Write one leaf and its opening. Must run inside the transaction of the recorded change.

    Raises:
        TransactionManagementError: outside a transaction.
        KeyDestroyed: the case's subject was erased; nothing can be committed about them any more.
    """
    connection = connections["default"]
    connection.validate_no_broken_transaction()
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("A ledger entry belongs in the transaction of its change.")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ADVISORY_LOCK])
    index = size()
    moment = datetime.now(UTC)
    salt = leaf.new_salt()
    content = body or {}
    data = leaf.leaf_bytes(
        index=index,
        at=moment,
        action=action,
        case=leaf.case_commitment(commitment_key(case.claimant.subject), str(case.public_id)) if case else "",
        actor=_actor(actor, case),
        body=leaf.commit_body(content, salt),
    )
    entry = LedgerEntry.objects.create(index=index, at=moment, action=action, leaf=data, hash=merkle.leaf_hash(data))
    tiles.complete(index)
    LedgerOpening.objects.create(
        entry=entry, case=case, actor=actor.user, actor_label=actor.label, salt=salt, body=content
    )
    return entry


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
