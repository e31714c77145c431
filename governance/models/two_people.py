"""What one person proposes and another answers, once: the columns and constraints that all such rows share."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone


class Proposal(models.Model):
    """Proposed by one, then approved by another or given back. `guards` says who may, and that it stays as it was."""

    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(default=timezone.now)
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    approved_at = models.DateTimeField(null=True)
    returned_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    returned_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True


def by_two(name: str) -> list[models.BaseConstraint]:
    """Nobody answers their own proposal with yes, and it is answered once. `name` begins both names."""
    return [
        models.CheckConstraint(
            condition=Q(approved_by=None) | ~Q(approved_by=F("proposed_by")), name=f"{name}_four_eyes"
        ),
        models.CheckConstraint(
            condition=Q(approved_by=None, approved_at=None)
            | Q(approved_by__isnull=False, approved_at__isnull=False, returned_at=None),
            name=f"{name}_answered_once",
        ),
    ]
