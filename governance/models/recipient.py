"""Notices to those who received a dataset or a version (GDPR Art. 19): one per recipient and case."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from governance.models.case import Case
from governance.models.catalogue import Recipient
from governance.models.message import Message
from governance.models.vault import SealedText


class RecipientNotice(models.Model):
    """What one recipient was told for one case, how, and what they answered; or why they could not be told."""

    class Channel(models.TextChoices):
        """How they were told."""

        EMAIL = "email", _("E-mail")
        WEBHOOK = "webhook", _("Webhook")
        POST = "post", _("Post")
        PHONE = "phone", _("Telephone")
        OTHER = "other", _("Another way")
        EXCUSED = "excused", _("Not told: impossible, or a disproportionate effort")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    recipient = models.ForeignKey(Recipient, on_delete=models.PROTECT, related_name="notices")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="recipient_notices")
    subject = models.UUIDField()
    channel = models.CharField(max_length=8, choices=Channel.choices)
    text = SealedText(default=b"")
    #: Of one that is excused: the reasons, without personal data; they stand in the report.
    reasons = models.CharField(max_length=400, blank=True)
    written_at = models.DateTimeField(default=timezone.now)
    written_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    message = models.OneToOneField(Message, null=True, on_delete=models.PROTECT, related_name="notice")
    attempts = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(default=timezone.now)
    last_error = models.CharField(max_length=300, blank=True)
    told_at = models.DateTimeField(null=True)
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_note = SealedText(default=b"")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["recipient", "case"], name="notice_once"),
            models.CheckConstraint(
                condition=~Q(channel="excused") | (Q(told_at__isnull=True) & ~Q(reasons="")),
                name="notice_excused_has_reasons",
            ),
        ]

    def __str__(self) -> str:
        return f"notice {self.public_id}"

    @property
    def settled(self) -> bool:
        """Whether nothing is owed any more: told, or excused with reasons."""
        return self.told_at is not None or self.channel == self.Channel.EXCUSED
