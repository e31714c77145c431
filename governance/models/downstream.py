"""Who runs our models elsewhere: subscribers by the key that they sign with, and what they state about our patches."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from governance.models.catalogue import AiModel
from governance.models.message import Subscription
from governance.models.publication import PatchPublication
from governance.models.vault import SealedText


class PatchSubscriber(models.Model):
    """An organisation that runs a model of ours. Its key never changes: whoever gets a new one is registered anew."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    subject = models.UUIDField(unique=True)
    model = models.ForeignKey(AiModel, on_delete=models.PROTECT, related_name="subscribers")
    name = models.CharField(max_length=120)
    #: Whom to write to; may be a person, so it is sealed and goes with the registration.
    contact = SealedText()
    #: Ed25519, 32 bytes in base64.
    public_key = models.CharField(max_length=44)
    #: The webhook by which they are told; null where they read the feed by themselves.
    subscription = models.ForeignKey(Subscription, null=True, on_delete=models.PROTECT, related_name="subscribers")
    registered_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    registered_at = models.DateTimeField(default=timezone.now)
    removed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["model", "public_key"], condition=Q(removed_at=None), name="subscriber_key_once"
            )
        ]

    def __str__(self) -> str:
        return self.name


class PatchAcknowledgement(models.Model):
    """What a subscriber stated about a published patch, as they signed it: evidence of their word, and of no more."""

    class State(models.TextChoices):
        """What they say they did."""

        FETCHED = "fetched", _("Fetched")
        APPLIED = "applied", _("Applied")

    subscriber = models.ForeignKey(PatchSubscriber, on_delete=models.PROTECT, related_name="acknowledgements")
    publication = models.ForeignKey(PatchPublication, on_delete=models.PROTECT, related_name="acknowledgements")
    state = models.CharField(max_length=8, choices=State.choices)
    #: The canonical bytes that were signed, as text; their digest; the signature in base64.
    statement = models.TextField()
    digest = models.CharField(max_length=71, unique=True)
    signature = models.CharField(max_length=88)
    stated_at = models.DateTimeField()
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["subscriber", "publication", "state"], name="acknowledged_once")]

    def __str__(self) -> str:
        return f"{self.state} {self.digest}"
