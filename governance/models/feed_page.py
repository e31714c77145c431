"""Pages of the public feeds as the signing worker signed them, and what changed since: the web serves these bytes."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class Feed(models.TextChoices):
    """A feed, or a part of one: fingerprints of works follow the addresses in the feed of opt-outs."""

    OPT_OUTS = "opt-outs", "opt-outs"
    WORKS = "works", "works"
    PATCHES = "patches", "patches"


class FeedPage(models.Model):
    """From the id after `after` up to where the next page begins. The first begins at 0 and is always there."""

    feed = models.CharField(max_length=8, choices=Feed.choices)
    after = models.PositiveBigIntegerField()
    #: How many entries it holds: the page before names the next one that holds any.
    items = models.PositiveIntegerField(default=0)
    issued_at = models.DateTimeField(null=True)
    #: The key that signed it, and a digest of what all pages of the feed have in common.
    key = models.CharField(max_length=44, blank=True)
    frame = models.CharField(max_length=71, blank=True)
    #: Since when it differs from what is signed; null where it does not.
    changed_at = models.DateTimeField(null=True, default=timezone.now)
    #: What is served, whole; empty before the first signature, and where something in it was taken back. The last
    #: column: SQLite reads through it to whatever comes after.
    body = models.BinaryField(default=b"")

    class Meta:
        ordering = ["feed", "after"]
        constraints = [models.UniqueConstraint(fields=["feed", "after"], name="feed_page_begins_once")]

    def __str__(self) -> str:
        return f"{self.feed} after {self.after}"


class FeedChange(models.Model):
    """Something that a feed tells changed: written with the change, taken away by the signing worker."""

    feed = models.CharField(max_length=8, choices=Feed.choices)
    item = models.PositiveBigIntegerField()
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["feed", "id"], name="feed_changes")]

    def __str__(self) -> str:
        return f"{self.feed} {self.item}"
