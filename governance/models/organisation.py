"""What the house says of itself, version by version: two administrators sign each. Append-only."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone


class HouseProfile(models.Model):
    """One version of who is responsible, as privacy notices, letters, reports and the register of processing name it.

    The newest approved version holds; before the first, the settings do. What was proposed never changes.
    """

    name = models.CharField(max_length=200)
    address = models.CharField(max_length=300, blank=True)
    #: Controller, data protection officer (GDPR Art. 37), representative in the Union (Art. 27).
    contact = models.CharField(max_length=200)
    officer = models.CharField(max_length=200, blank=True)
    representative = models.CharField(max_length=200, blank=True)
    authority = models.CharField(max_length=200, blank=True)
    #: Whose public holidays count: `DE-BY`; empty for the Union's.
    place = models.CharField(max_length=12, blank=True)
    #: Codes of the languages that public pages offer; the source language is always among them.
    languages = models.JSONField()
    #: A PNG that this house drew itself from what was sent; empty without one.
    logo = models.BinaryField(default=bytes, blank=True)
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(default=timezone.now)
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    approved_at = models.DateTimeField(null=True)
    returned_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    returned_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(approved_by=None) | ~Q(approved_by=F("proposed_by")), name="house_four_eyes"
            ),
            models.CheckConstraint(
                condition=Q(approved_by=None, approved_at=None)
                | Q(approved_by__isnull=False, approved_at__isnull=False, returned_at=None),
                name="house_answered_once",
            ),
            models.UniqueConstraint(
                models.Value(1), condition=Q(approved_at=None, returned_at=None), name="house_one_open"
            ),
        ]

    def __str__(self) -> str:
        return f"profile {self.pk}"
