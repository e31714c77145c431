"""A calendar that a member of the staff takes along: one secret address each, which only its owner has seen."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class CalendarFeed(models.Model):
    """Whose deadlines an address tells. The table holds the digest of its secret part, which cannot be read back."""

    person = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="calendar_feed")
    token_hash = models.CharField(max_length=64, unique=True)
    #: Everybody's deadlines, not only one's own and nobody's.
    desk = models.BooleanField(default=False)
    made_at = models.DateTimeField(default=timezone.now)
    #: When it was last asked for, to the hour: who revokes an address wants to know whether it is in use.
    asked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"calendar of account {self.person_id}"
