"""Addresses whose machine-readable reservations are read, and every reading: what was fetched, and what it states."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class ReservedAddress(models.Model):
    """A public address of works. Read again every `every_days` days where that is not 0."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    url = models.CharField(max_length=500, unique=True)
    every_days = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(null=True)
    #: Whether a reservation found here stands in the feed that others subscribe to.
    published = models.BooleanField(default=False)
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    added_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["url"]
        indexes = [
            models.Index(fields=["next_at"], name="reserved_due", condition=models.Q(next_at__isnull=False)),
            # The feed reads what it tells of, in order, among a great many addresses that are only watched.
            models.Index(fields=["id"], name="reserved_told", condition=models.Q(published=True)),
        ]

    def __str__(self) -> str:
        return self.url


class ReservationCheck(models.Model):
    """One reading. Never changed: what was found later is a later reading."""

    class Stance(models.TextChoices):
        """What the address states about training, all standards together."""

        RESERVED = "reserved", _("Reserved")
        ALLOWED = "allowed", _("Allowed")
        UNKNOWN = "unknown", _("Unknown")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    address = models.ForeignKey(ReservedAddress, on_delete=models.PROTECT, related_name="checks")
    at = models.DateTimeField(default=timezone.now)
    stance = models.CharField(max_length=8, choices=Stance.choices)
    #: The first of the unbroken row of readings with this stance.
    since = models.DateTimeField()
    #: Use -> stance.
    uses = models.JSONField()
    #: Standard, use, stance, quote, where and note of every statement.
    findings = models.JSONField()
    #: Address, status, digest of the archived bytes, headers, or why nothing came.
    sources = models.JSONField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["address", "-at"], name="reservation_latest")]

    def __str__(self) -> str:
        return f"{self.stance}: {self.address_id}"
