"""What leaves the house: reports and letters."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone

from governance.models.case import Case
from governance.models.vault import SealedText


class Report(models.Model):
    """A signed PDF with its evidence document, by digest."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.OneToOneField(Case, on_delete=models.PROTECT, related_name="report")
    number = models.CharField(max_length=24, unique=True)
    pdf = models.CharField(max_length=71)
    evidence = models.CharField(max_length=71)
    headline = models.CharField(max_length=240)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.number


class Letter(models.Model):
    """A message to a claimant; kept sealed, sent by a channel."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="letters")
    subject = models.UUIDField()
    template = models.CharField(max_length=40)
    #: Language, version and digest of the text that it was made from.
    language = models.CharField(max_length=8, default="en")
    version = models.PositiveIntegerField(default=0)
    digest = models.CharField(max_length=71, blank=True)
    title = SealedText()
    body = SealedText()
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["created_at", "id"]

    def __str__(self) -> str:
        return self.template
