"""A private link that somebody asked to have sent again: a mark, answered later, so that the page tells nothing."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class LinkAsked(models.Model):
    """One asking. `mark` is the keyed hash of the address (`tokens.email_mark`); the address itself is never kept."""

    mark = models.CharField(max_length=32)
    asked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"asking {self.pk}"
