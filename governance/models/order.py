"""Orders about a version in service: to withdraw it, or to put back the one before. The database wants three people."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from governance.models.case import Case
from governance.models.catalogue import ModelVersion


def _other(one: str, other: str) -> Q:
    return Q(**{f"{one}__isnull": True}) | Q(**{f"{other}__isnull": True}) | ~Q(**{one: F(other)})


class VersionOrder(models.Model):
    """A proposal, then the signatures of legal and of a release manager; what was signed is final (`0013_orders`)."""

    class Kind(models.TextChoices):
        """What is ordered."""

        WITHDRAW = "withdraw", _("Withdrawal")
        ROLLBACK = "rollback", _("Rollback")

    kind = models.CharField(max_length=8, choices=Kind.choices)
    #: The version that leaves service.
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="orders")
    #: Of a rollback: the version whose weights come back, the case whose release is undone, and what was made of it.
    target = models.ForeignKey(ModelVersion, null=True, on_delete=models.PROTECT, related_name="+")
    case = models.ForeignKey(Case, null=True, on_delete=models.PROTECT, related_name="orders")
    result = models.ForeignKey(ModelVersion, null=True, on_delete=models.PROTECT, related_name="+")
    #: Without personal data: it stands in the ledger.
    reason = models.TextField()
    #: Null where the machine proposes: nothing is left to try.
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(default=timezone.now)
    legal_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    legal_at = models.DateTimeField(null=True)
    release_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    release_at = models.DateTimeField(null=True)
    refused_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    refused_at = models.DateTimeField(null=True)
    refused_reason = models.TextField(blank=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=_other("legal_by", "release_by")
                & _other("proposed_by", "legal_by")
                & _other("proposed_by", "release_by"),
                name="order_six_eyes",
            ),
            models.CheckConstraint(
                condition=Q(done_at__isnull=True)
                | Q(legal_by__isnull=False, release_by__isnull=False, refused_at__isnull=True),
                name="order_done_has_both_signatures",
            ),
            models.CheckConstraint(
                condition=Q(legal_by__isnull=True, legal_at__isnull=True)
                | Q(legal_by__isnull=False, legal_at__isnull=False),
                name="order_legal_signs_with_time",
            ),
            models.CheckConstraint(
                condition=Q(release_by__isnull=True, release_at__isnull=True)
                | Q(release_by__isnull=False, release_at__isnull=False),
                name="order_release_signs_with_time",
            ),
            models.CheckConstraint(
                condition=Q(kind="withdraw", target__isnull=True)
                | Q(kind="rollback", target__isnull=False, case__isnull=False),
                name="order_names_what_it_needs",
            ),
            models.UniqueConstraint(
                fields=["version"], condition=Q(done_at__isnull=True, refused_at__isnull=True), name="order_one_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.version_id}"

    @property
    def is_open(self) -> bool:
        """Whether a signature is still awaited."""
        return self.done_at is None and self.refused_at is None
