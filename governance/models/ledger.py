"""The append-only ledger. Triggers refuse UPDATE and DELETE of a leaf on SQLite and PostgreSQL (migration 0002)."""

from __future__ import annotations

from django.db import models


class LedgerEntry(models.Model):
    """One leaf. `leaf` holds the canonical bytes, `hash` their RFC 6962 leaf hash; nothing personal is in either."""

    index = models.PositiveBigIntegerField(primary_key=True)
    at = models.DateTimeField()
    action = models.CharField(max_length=60)
    leaf = models.BinaryField()
    hash = models.BinaryField()

    class Meta:
        ordering = ["index"]

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
