"""Samples of cases that an auditor draws: stated first, drawn once, by a seed that nobody chose."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class AuditSample(models.Model):
    """What was stated is final; the draw is written once (`guards`)."""

    class Strata(models.TextChoices):
        """By what the cases are grouped; of each group as many are drawn."""

        NONE = "", _("none: one group")
        KIND = "kind", _("kind of request")
        LAW = "law", _("law")
        STATUS = "status", _("stage")
        DISPOSITION = "disposition", _("how it ended")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    #: Counted from one: whoever states again and again is seen to.
    number = models.PositiveIntegerField(unique=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    stated_at = models.DateTimeField(default=timezone.now)
    #: How many of each stratum, and which cases: `date` (received_on, closed_on), `from`, `to`, `kind`, `law`, `state`.
    n = models.PositiveIntegerField()
    narrowed = models.JSONField()
    strata = models.CharField(max_length=12, choices=Strata.choices, blank=True)
    #: The list from which is drawn, by digest, and how many cases it has.
    population = models.CharField(max_length=71)
    size = models.PositiveIntegerField()
    #: SHA-256 of the auditor's own text; the text itself, as soon as it is told.
    commitment = models.CharField(max_length=64)
    text = models.CharField(max_length=200, blank=True)
    #: The ledger entry of the statement.
    entry = models.BigIntegerField()
    #: Size of the checkpoint that held the statement at the draw, the seed, and the numbers that were drawn.
    checkpoint = models.BigIntegerField(null=True)
    seed = models.CharField(max_length=64, blank=True)
    drawn = models.JSONField(default=list)
    drawn_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.CheckConstraint(
                condition=Q(drawn_at=None, checkpoint=None, seed="")
                | (Q(drawn_at__isnull=False, checkpoint__gt=models.F("entry")) & ~Q(seed="") & ~Q(text="")),
                name="sample_drawn_whole",
            )
        ]

    def __str__(self) -> str:
        return f"sample {self.number}"
