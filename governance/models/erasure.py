"""The end of a person's own data: when their key was destroyed, by which rule, on whose word."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from governance.models.case import Claimant


class Erasure(models.Model):
    """One person: asked for by one, approved by another, or done by the schedule. What was done is final; what was
    refused or taken back may be asked for again."""

    class Mode(models.TextChoices):
        """On whose word."""

        PEOPLE = "people", _("Two people")
        SCHEDULE = "schedule", _("The schedule")

    claimant = models.ForeignKey(Claimant, on_delete=models.PROTECT, related_name="erasures")
    mode = models.CharField(max_length=8, choices=Mode.choices)
    #: The day from which the retention policy allows it, and the policy's words at that time.
    due_on = models.DateField()
    rule = models.CharField(max_length=300)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    approved_at = models.DateTimeField(null=True)
    returned_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    returned_at = models.DateTimeField(null=True)
    #: Why it was refused; empty where whoever asked took it back.
    returned_why = models.TextField(blank=True)
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
            models.CheckConstraint(
                condition=Q(returned_at=None) | Q(approved_by=None, done_at=None), name="erasure_answered_once"
            ),
            models.UniqueConstraint(fields=["claimant"], condition=Q(returned_at=None), name="erasure_once"),
        ]

    def __str__(self) -> str:
        return f"erasure of claimant {self.claimant_id}"

    @classmethod
    def claimants(cls) -> models.QuerySet[Erasure, dict[str, int]]:
        """Whose data is asked to be destroyed, or was."""
        return cls.objects.filter(returned_at=None).values("claimant")
