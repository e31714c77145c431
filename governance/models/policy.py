"""Verification policies of the house: every version with who proposed and who approved it. Append-only."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from governance.models.two_people import Proposal


class VerificationPolicy(Proposal):
    """One version of the thresholds. Version 0 is the engine's own and has no row.

    What was proposed never changes; the answer of a second person is written once (`0004_policies_and_rechecks`).
    """

    version = models.PositiveIntegerField(unique=True)
    name = models.CharField(max_length=40)
    #: The whole policy, as the engine takes it, and the one that it was an edit of.
    policy = models.JSONField()
    before = models.JSONField()
    digest = models.CharField(max_length=71, unique=True)
    reason = models.TextField()
    returned_reason = models.TextField(blank=True)

    class Meta:
        ordering = ["version"]
        constraints = [
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True) | ~Q(approved_by=F("proposed_by")), name="policy_four_eyes"
            ),
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True, approved_at__isnull=True)
                | Q(approved_by__isnull=False, approved_at__isnull=False, returned_at__isnull=True),
                name="policy_answered_once",
            ),
            models.UniqueConstraint(
                fields=["name"], condition=Q(approved_at__isnull=True, returned_at__isnull=True), name="policy_one_open"
            ),
        ]

    def __str__(self) -> str:
        return f"policy {self.version}"

    @property
    def is_open(self) -> bool:
        """Whether it still waits for a second person."""
        return self.approved_at is None and self.returned_at is None
