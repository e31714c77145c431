"""A finding that a request abuses its right: proposed by one person, approved by another, told to the claimant."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from governance.models.case import Case
from governance.models.two_people import Proposal, by_two
from governance.models.vault import SealedText


class AbuseFinding(Proposal):
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

    class Meta:
        ordering = ["id"]
        constraints = [
            *by_two("abuse"),
            models.UniqueConstraint(
                fields=["case"], condition=Q(approved_at=None, returned_at=None), name="abuse_one_open"
            ),
        ]

    def __str__(self) -> str:
        return f"abuse of {self.case_id}: {self.ground}"
