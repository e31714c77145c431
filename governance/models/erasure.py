"""The end of a person's own data: when their key was destroyed, by which rule, on whose word."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from governance.models.case import Claimant


class Erasure(models.Model):
    """One person: asked for by one, approved by another, or done by the schedule. What was done is final."""

    class Mode(models.TextChoices):
        """On whose word."""

        PEOPLE = "people", _("Two people")
        SCHEDULE = "schedule", _("The schedule")

    claimant = models.OneToOneField(Claimant, on_delete=models.PROTECT, related_name="erasure")
    mode = models.CharField(max_length=8, choices=Mode.choices)
    #: The day from which the retention policy allows it, and the policy's words at that time.
    due_on = models.DateField()
    rule = models.CharField(max_length=300)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    approved_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True) | ~Q(approved_by=F("asked_by")), name="erasure_four_eyes"
            ),
            models.CheckConstraint(
                condition=Q(done_at__isnull=True)
                | Q(mode="schedule")
                | Q(asked_by__isnull=False, approved_by__isnull=False, approved_at__isnull=False),
                name="erasure_done_by_two",
            ),
        ]

    def __str__(self) -> str:
        return f"erasure of claimant {self.claimant_id}"
