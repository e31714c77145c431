"""Containment: records held out of training, and what is kept to find an opted-out work again."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from governance.models.case import Case, ClaimedItem
from governance.models.catalogue import Record


class Quarantine(models.Model):
    """A record that one case holds out of training. It stands until the case lets it go."""

    class Cause(models.TextChoices):
        """Why it is held."""

        MATCHED = "matched", _("Matched; not decided yet")
        DECIDED = "decided", _("Decided by two people")
        RETURNED = "returned", _("An opted-out work came back with a new dataset")

    #: Why it ended where two people gave the works of the case back.
    GIVEN_BACK = "Given back at the claimant's word"

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="quarantines")
    record = models.ForeignKey(Record, on_delete=models.PROTECT, related_name="quarantines")
    cause = models.CharField(max_length=8, choices=Cause.choices)
    since = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    #: Who asked that what a search found be let back, when and why; another person answers (`guards`).
    lift_asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    lift_asked_at = models.DateTimeField(null=True)
    lift_why = models.CharField(max_length=400, blank=True, default="")
    #: Why it ended, without personal data.
    ended_why = models.CharField(max_length=400, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["case", "record"], condition=Q(ended_at__isnull=True), name="quarantine_once"
            ),
            models.CheckConstraint(
                condition=Q(cause__in=["matched", "decided", "returned"]), name="quarantine_cause_known"
            ),
        ]
        indexes = [models.Index(fields=["cause", "ended_at"], name="quarantine_cause")]

    def __str__(self) -> str:
        return f"{self.record_id}: {self.cause}"


class WorkFingerprint(models.Model):
    """Keyed hashes of one claimed work: enough to find it again in a new dataset, not enough to read it.

    `upheld_at` is null while the claim is only contained. It outlives the claimant's own data on purpose: without it
    nobody could tell that the work came back.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="fingerprints")
    item = models.OneToOneField(ClaimedItem, on_delete=models.PROTECT, related_name="fingerprint")
    scheme = models.CharField(max_length=160)
    key_id = models.CharField(max_length=16)
    words = models.PositiveIntegerField()
    whole = models.CharField(max_length=16)
    #: Eight bytes a shingle.
    shingles = models.BinaryField()
    made_at = models.DateTimeField(default=timezone.now)
    upheld_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"fingerprint {self.public_id}"


class Patch(models.Model):
    """The standard unlearning patch of a release: an artefact that goes with the weights of before."""

    release = models.OneToOneField("governance.Release", on_delete=models.PROTECT, related_name="patch")
    job = models.OneToOneField("governance.Job", on_delete=models.PROTECT, related_name="patch")
    public = models.BooleanField(default=False)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    #: Tree of the patch's folder, the digest of its manifest and its size; empty until the job has ended.
    artifact = models.CharField(max_length=71, blank=True)
    digest = models.CharField(max_length=71, blank=True)
    size = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"patch {self.digest}"


class FilterList(models.Model):
    """One version of the list that serving systems compare their outputs with."""

    version = models.PositiveIntegerField(unique=True)
    artifact = models.CharField(max_length=71)
    works = models.PositiveIntegerField()
    made_at = models.DateTimeField(default=timezone.now)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["version"]

    def __str__(self) -> str:
        return f"filter list {self.version}"
