"""The append-only ledger. Triggers refuse UPDATE and DELETE on SQLite and PostgreSQL (`models.triggers`)."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone


class ActionKind(models.Func):
    """The first part of an action's name: `case` of `case.advanced`. Written without parameters, so that SQLite finds
    the index over it."""

    template = "split_part(%(expressions)s, '.', 1)"
    output_field = models.CharField()
    arity = 1

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """The same without `split_part`."""
        template = "substr(%(expressions)s, 1, instr(%(expressions)s, '.') - 1)"
        return self.as_sql(compiler, connection, template=template, **context)


class LedgerEntry(models.Model):
    """One leaf. `leaf` holds the canonical bytes, `hash` their RFC 6962 leaf hash; nothing personal is in either."""

    index = models.PositiveBigIntegerField(primary_key=True)
    at = models.DateTimeField()
    action = models.CharField(max_length=60)
    leaf = models.BinaryField()
    hash = models.BinaryField()

    class Meta:
        ordering = ["index"]
        indexes = [models.Index(ActionKind("action"), models.F("index").desc(), name="entry_kind")]

    def __str__(self) -> str:
        return f"{self.index} {self.action}"


class LedgerOpening(models.Model):
    """What a leaf commits to, for those who may see it. Deleting an opening leaves the leaf intact."""

    entry = models.OneToOneField(LedgerEntry, on_delete=models.PROTECT, primary_key=True, related_name="opening")
    case = models.ForeignKey("governance.Case", null=True, on_delete=models.PROTECT, related_name="openings")
    actor = models.ForeignKey("governance.User", null=True, on_delete=models.PROTECT, related_name="+")
    actor_label = models.CharField(max_length=40)
    salt = models.BinaryField()
    body = models.JSONField()

    class Meta:
        indexes = [models.Index(fields=["case", "entry"], name="opening_case")]

    def __str__(self) -> str:
        return f"opening of {self.entry_id}"


class LedgerTile(models.Model):
    """256 hashes of one level of the tree, once they are complete (C2SP tlog-tiles), and the root over them."""

    level = models.PositiveSmallIntegerField()
    number = models.PositiveBigIntegerField()
    hashes = models.BinaryField()
    root = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["level", "number"], name="ledger_tile")]

    def __str__(self) -> str:
        return f"tile {self.level}/{self.number}"


class LedgerCheckpoint(models.Model):
    """Size and root of the ledger: first committed, then signed, so that nothing is signed that a crash could undo."""

    size = models.PositiveBigIntegerField(primary_key=True)
    root = models.BinaryField()
    made_at = models.DateTimeField(default=timezone.now)
    #: The signed note; empty until it was signed.
    note = models.TextField(blank=True)
    #: RFC 3161 answer over the note's SHA-256; empty without an authority.
    time = models.BinaryField(default=b"")

    class Meta:
        ordering = ["-size"]

    def __str__(self) -> str:
        return f"checkpoint of {self.size}"


class LedgerWitness(models.Model):
    """How the last try to show a witness our checkpoint went, and when it is asked again."""

    #: The witness's verifier key, as its cosignatures name it.
    witness = models.CharField(max_length=200, primary_key=True)
    #: Tries that failed one after the other; 0 after it signed.
    failed = models.PositiveIntegerField(default=0)
    problem = models.CharField(max_length=300, blank=True)
    tried_at = models.DateTimeField()
    next_at = models.DateTimeField()

    class Meta:
        ordering = ["witness"]

    def __str__(self) -> str:
        return f"{self.witness}: {self.failed} failed"


class LedgerCosignature(models.Model):
    """What a witness outside of the house signed: it saw this checkpoint, and that it continues the one before."""

    checkpoint = models.ForeignKey(LedgerCheckpoint, on_delete=models.PROTECT, related_name="cosignatures")
    #: The witness's verifier key, `name+hash+key`.
    witness = models.CharField(max_length=200)
    #: The line of the signed note, with its dash and without its end.
    line = models.CharField(max_length=400)
    at = models.DateTimeField()

    class Meta:
        ordering = ["witness"]
        constraints = [models.UniqueConstraint(fields=["checkpoint", "witness"], name="one_cosignature")]

    def __str__(self) -> str:
        return f"{self.witness} on {self.checkpoint_id}"
