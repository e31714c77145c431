"""A request that is still being written: kept sealed under a key of its own, until it is sent or its time is over."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone

from governance.models.case import Case, Kind
from governance.models.vault import SealedText


class Draft(models.Model):
    """One unfinished request. Whoever holds its link goes on with it; once sent, only `case` is left of it."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    subject = models.UUIDField(unique=True)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    token = models.CharField(max_length=64, unique=True)
    #: What was answered so far, as JSON: step -> field -> text.
    answers = SealedText(default=b"")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)
    #: When its link was last sent by e-mail.
    mailed_at = models.DateTimeField(null=True)
    #: Set once, by whoever sends: two presses of the button file one case.
    sent_at = models.DateTimeField(null=True)
    case = models.OneToOneField(Case, null=True, on_delete=models.PROTECT, related_name="draft")

    def __str__(self) -> str:
        return f"draft {self.pk}"


class DraftWork(models.Model):
    """One work that was named in a draft."""

    draft = models.ForeignKey(Draft, on_delete=models.CASCADE, related_name="works")
    subject = models.UUIDField()
    form = models.CharField(max_length=8)
    title = SealedText()
    text = SealedText()
    characters = models.PositiveIntegerField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"work {self.pk}"
