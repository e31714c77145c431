"""A finding that a request abuses its right: proposed by one person, approved by another, told to the claimant."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from governance.models.case import Case
from governance.models.vault import SealedText


class AbuseFinding(models.Model):
    """What was signed is final (`models.triggers`); an appeal that succeeds is a case of its own, not a change here."""

    class Ground(models.TextChoices):
        """Why. GDPR 12(5) knows the first two, and puts the burden of proof on the controller."""

        UNFOUNDED = "unfounded", _("Manifestly unfounded")
        EXCESSIVE = "excessive", _("Excessive: the same again and again")
        IMPERSONATION = "impersonation", _("In somebody else's name, against their will")
        FALSE = "false", _("A declaration that is false, knowingly")
        FLOOD = "flood", _("Made by a machine to keep us busy")

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="abuse_findings")
    subject = models.UUIDField()
    ground = models.CharField(max_length=14, choices=Ground.choices)
    #: In words that the claimant reads.
    reasons = SealedText()
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
                condition=Q(approved_by=None) | ~Q(approved_by=F("proposed_by")), name="abuse_four_eyes"
            ),
            models.CheckConstraint(
                condition=Q(approved_by=None, approved_at=None)
                | Q(approved_by__isnull=False, approved_at__isnull=False, returned_at=None),
                name="abuse_answered_once",
            ),
            models.UniqueConstraint(
                fields=["case"], condition=Q(approved_at=None, returned_at=None), name="abuse_one_open"
            ),
        ]

    def __str__(self) -> str:
        return f"abuse of {self.case_id}: {self.ground}"
