"""A patch that its owner published: proposed by one, approved by another; the database wants both."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from governance.models.duties import Patch


class PatchPublication(models.Model):
    """Public from `approved_at` on; never about personal data."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    patch = models.OneToOneField(Patch, on_delete=models.PROTECT, related_name="publication")
    #: The engine's digests of the weights before and after, as the manifest names them.
    base = models.CharField(max_length=71)
    result = models.CharField(max_length=71)
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(default=timezone.now)
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    approved_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(approved_by=None) | ~Q(approved_by=F("proposed_by")), name="publication_four_eyes"
            ),
            models.CheckConstraint(
                condition=Q(approved_by=None, approved_at=None)
                | Q(approved_by__isnull=False, approved_at__isnull=False),
                name="publication_approved_with_time",
            ),
        ]

    def __str__(self) -> str:
        return f"publication {self.public_id}"
