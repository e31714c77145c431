"""Checkpoints of the ledger: committed, then signed by the worker that has the key, then shown to witnesses.

Nothing is signed that a crash could undo: size and root are committed by a transaction of their own first, and with
them (the log of a database is written in order) every entry before. Nothing is signed either that does not continue
the last signed checkpoint: whoever rewrites the tables gets no signature for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from governance.errors import Unfit
from governance.evidence import checkpoint, ledger, merkle
from governance.evidence.errors import ProofError
from governance.models import LedgerCheckpoint, LedgerOpening, SigningKey
from governance.services import known_keys, own_keys

SQLITE_FULL = 2


def _key() -> checkpoint.NoteSigner:
    if not settings.SEAL_FOLDER:
        raise Unfit("This process has no key of the ledger: set LETHE_SEAL_FOLDER for the signing worker alone.")
    return own_keys.ledger_open(Path(settings.SEAL_FOLDER))


def last_signed(size: int | None = None) -> LedgerCheckpoint | None:
    """The newest signed checkpoint, of at most `size` entries where that is given."""
    rows = LedgerCheckpoint.objects.exclude(note="").order_by("-size")
    return (rows if size is None else rows.filter(size__lte=size)).first()


def cosigned(signed: LedgerCheckpoint) -> str:
    """The note with the lines of all witnesses that saw it."""
    return signed.note + "".join(one.line + "\n" for one in signed.cosignatures.all())


def entries_proven(indexes: list[int], size: int) -> list[dict[str, Any]]:
    """Each entry with its opening and the proof that the ledger of `size` entries holds it."""
    tree = ledger.tree(size)
    openings = LedgerOpening.objects.select_related("entry").filter(entry_id__in=indexes).order_by("entry_id")
    return [
        {
            "leaf": ledger.as_json(opening.entry),
            "salt": bytes(opening.salt).hex(),
            "body": opening.body,
            "proof": [node.hex() for node in tree.inclusion_proof(opening.entry_id)],
        }
        for opening in openings
    ]


def checkpoint_make() -> LedgerCheckpoint:
    """The signed checkpoint of the ledger as it is now; the one that there is where nothing was added since.

    Raises:
        Unfit: no key, an empty ledger, commits that are not durable, or a ledger that does not continue the last one.
        SealUnavailable: the key may be in other hands; the next one signs.
    """
    key = _key()
    known_keys.check_current(SigningKey.Purpose.LEDGER)
    if wanted := commits_are_durable():
        raise Unfit(f"The database may lose commits that it has told: set {wanted}. Nothing is signed until then.")
    with transaction.atomic(durable=True):
        size = ledger.size()
        if not size:
            raise Unfit("The ledger is empty: there is nothing to sign.")
        head, _made = LedgerCheckpoint.objects.get_or_create(size=size, defaults={"root": ledger.tree(size).root()})
    if not head.note:
        _continues(head)
        head.note = checkpoint.make_checkpoint(
            origin=settings.LEDGER_ORIGIN, size=head.size, root=bytes(head.root), key=key
        )
        # Ed25519 is deterministic: whoever else signed it meanwhile wrote the same.
        LedgerCheckpoint.objects.filter(pk=head.pk, note="").update(note=head.note)
    return head


def commits_are_durable(*, whole_server: bool = False) -> str:
    """Empty where a commit is on the disk before it is told; else what to set.

    With `whole_server` PostgreSQL's `fsync` counts too: who switches that off may lose the whole database.
    """
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA synchronous")
            return "" if int(cursor.fetchone()[0]) >= SQLITE_FULL else "PRAGMA synchronous=FULL"
        cursor.execute("SELECT current_setting('synchronous_commit'), current_setting('fsync')")
        commit, sync = cursor.fetchone()
    if commit == "off":
        return "synchronous_commit=on"
    return "fsync=on" if whole_server and sync != "on" else ""


def _continues(head: LedgerCheckpoint) -> None:
    """The tree of this checkpoint begins with the tree of the last signed one."""
    before = last_signed()
    if before is None:
        return
    if head.size < before.size:
        raise Unfit(f"The ledger has {head.size} entries; a checkpoint of {before.size} is signed. Nothing is signed.")
    try:
        merkle.verify_consistency(
            old=before.size, new=head.size, old_root=bytes(before.root), new_root=bytes(head.root),
            proof=ledger.tree(head.size).consistency_proof(before.size),
        )  # fmt: skip
    except ProofError as error:
        raise Unfit(f"The ledger was rewritten below its checkpoint of {before.size}: nothing is signed.") from error
