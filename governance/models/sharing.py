"""What a claimant allows us to tell others: their consent, and the fingerprints that stand in the public feed by it."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from governance.models.case import Case, ClaimedItem


class FeedConsent(models.Model):
    """One consent of a claimant that fingerprints of their works are given to others; never assumed, ended any time."""

    case = models.OneToOneField(Case, on_delete=models.PROTECT, related_name="feed_consent")
    given_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"consent {self.pk}"


class SharedPrint(models.Model):
    """A fingerprint that stands in the feed, deleted where the consent ends.

    Of a text the hashes by the public key of the feed, of a picture, a recording or a document the digest of the file.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    consent = models.ForeignKey(FeedConsent, on_delete=models.PROTECT, related_name="prints")
    item = models.OneToOneField(ClaimedItem, on_delete=models.PROTECT, related_name="shared")
    words = models.PositiveIntegerField(default=0)
    whole = models.CharField(max_length=16, blank=True)
    #: Eight bytes a shingle, sorted; of a long work the smallest alone.
    shingles = models.BinaryField(default=b"")
    #: How many shingles the work has.
    total = models.PositiveIntegerField(default=0)
    digest = models.CharField(max_length=71, blank=True)
    since = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(whole="") ^ Q(digest=""), name="shared_print_is_of_text_or_of_a_file")
        ]

    def __str__(self) -> str:
        return f"shared {self.public_id}"
