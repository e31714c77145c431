"""Hits of the matching and what two people decided about each."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from governance.models.case import Case, ClaimedItem
from governance.models.catalogue import Record
from governance.models.vault import SealedText


class Match(models.Model):
    """One record of a dataset that agrees with one claimed item."""

    class Method(models.TextChoices):
        """How it was found."""

        EXACT = "exact", _("Exact")
        NEAR = "near_duplicate", _("Near-duplicate")
        SAME_WORK = "same_work", _("Same work, by the dataset's own label")

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="matches")
    item = models.ForeignKey(ClaimedItem, on_delete=models.PROTECT, related_name="matches")
    record = models.ForeignKey(Record, on_delete=models.PROTECT, related_name="matches")
    subject = models.UUIDField()
    method = models.CharField(max_length=16, choices=Method.choices)
    score = models.FloatField(null=True)
    shared = models.PositiveIntegerField(null=True)
    of = models.PositiveIntegerField(null=True)
    excerpt = SealedText()

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["case", "record"], name="match_once")]

    def __str__(self) -> str:
        return f"{self.method} {self.record}"


class DecisionQuerySet(models.QuerySet["Decision"]):
    """Decisions; their reasons are read by the hits that they are about."""

    def worded(self) -> DecisionQuerySet:
        """With what their reasons are read by, in one statement."""
        return self.select_related("match").defer("match__excerpt")


class Decision(models.Model):
    """What one officer proposes for a match and a second person approves. The database refuses one person as both."""

    class Choice(models.TextChoices):
        """What happens to the record."""

        ERASE = "erase", _("Erase from the models")
        EXCLUDE = "exclude", _("Leave out of future training")
        REFUSE = "refuse", _("Refuse")

    match = models.OneToOneField(Match, on_delete=models.PROTECT, related_name="decision")
    choice = models.CharField(max_length=8, choices=Choice.choices)
    ground = models.CharField(max_length=80)
    #: Code of what stands against erasure (`services.codes`); empty where the record is erased.
    exception = models.CharField(max_length=24, blank=True)
    #: In the officer's own words, which may name somebody: sealed as the hit's own texts are.
    reason = SealedText(default=b"")
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(default=timezone.now)
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    approved_at = models.DateTimeField(null=True)

    objects = DecisionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True) | ~Q(approved_by=F("proposed_by")), name="decision_four_eyes"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.choice} {self.match_id}"

    @property
    def subject(self) -> uuid.UUID:
        """Under whose key the reason lies: the hit's."""
        return self.match.subject


class Release(models.Model):
    """Two signatures under a new version: the release manager's and legal's."""

    case = models.OneToOneField(Case, on_delete=models.PROTECT, related_name="release")
    version = models.ForeignKey("governance.ModelVersion", on_delete=models.PROTECT, related_name="+")
    released_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    released_at = models.DateTimeField(null=True)
    legal_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    legal_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(released_by__isnull=True) | Q(legal_by__isnull=True) | ~Q(released_by=F("legal_by")),
                name="release_four_eyes",
            ),
        ]

    def __str__(self) -> str:
        return f"release of {self.version_id}"
