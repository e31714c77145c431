"""What is on its way out: letters by e-mail, events to subscribers, every attempt; who has read which letter."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from governance.models.case import Case
from governance.models.evidence import Letter
from governance.models.vault import SealedText


class Subscription(models.Model):
    """An address that is told what happens to cases. Its secrets are sealed under a key of its own (`subject`)."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    subject = models.UUIDField(unique=True)
    name = models.CharField(max_length=80)
    url = models.URLField(max_length=500)
    events = models.JSONField(default=list)
    secret = SealedText()
    #: Signs beside the new secret until `old_until`, so that a receiver can change over.
    old_secret = SealedText(default=b"")
    old_until = models.DateTimeField(null=True)
    #: Index of the last ledger entry that was looked at for this subscriber.
    seen = models.BigIntegerField()
    stopped_at = models.DateTimeField(null=True)
    stopped_why = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    removed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name


class Message(models.Model):
    """One message to one receiver. Whoever moves `state` from queued to sending is the only one who sends it."""

    class Channel(models.TextChoices):
        """How it travels."""

        EMAIL = "email", _("E-mail")
        WEBHOOK = "webhook", _("Webhook")

    class State(models.TextChoices):
        """Where it stands. Delivered and bounced come from the mail provider, later."""

        QUEUED = "queued", _("waiting")
        SENDING = "sending", _("being sent")
        SENT = "sent", _("sent")
        DELIVERED = "delivered", _("delivered")
        BOUNCED = "bounced", _("came back")
        FAILED = "failed", _("failed")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    channel = models.CharField(max_length=8, choices=Channel.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    case = models.ForeignKey(Case, null=True, on_delete=models.PROTECT, related_name="messages")
    letter = models.OneToOneField(Letter, null=True, on_delete=models.PROTECT, related_name="message")
    subscription = models.ForeignKey(Subscription, null=True, on_delete=models.PROTECT, related_name="messages")
    event = models.CharField(max_length=40, blank=True)
    #: What a webhook says; never personal data. A letter's text stays sealed in the letter.
    payload = models.JSONField(default=dict)
    #: The ledger entry that an event tells of.
    entry = models.BigIntegerField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(default=timezone.now)
    taken_at = models.DateTimeField(null=True)
    provider_id = models.CharField(max_length=200, blank=True)
    last_error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["state", "next_try_at"], name="message_due"),
            models.Index(fields=["provider_id"], name="message_provider", condition=~models.Q(provider_id="")),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(channel="email", letter__isnull=False, subscription__isnull=True)
                | models.Q(channel="webhook", letter__isnull=True, subscription__isnull=False),
                name="message_has_its_content",
            ),
            models.UniqueConstraint(fields=["subscription", "entry"], name="message_event_once"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.public_id}"


class Attempt(models.Model):
    """One try to send a message, and how it ended."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="tries")
    number = models.PositiveIntegerField()
    at = models.DateTimeField(default=timezone.now)
    ok = models.BooleanField()
    note = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return f"attempt {self.number} of {self.message_id}"


class LetterReview(models.Model):
    """Somebody's word that a text was read; bound to the text's digest, so that any edit voids it."""

    class Reader(models.TextChoices):
        """In what capacity it was read."""

        COUNSEL = "counsel", _("counsel")
        TRANSLATOR = "translator", _("translator")

    template = models.CharField(max_length=40)
    language = models.CharField(max_length=8)
    digest = models.CharField(max_length=71)
    reader = models.CharField(max_length=10, choices=Reader.choices)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["at", "id"]
        constraints = [models.UniqueConstraint(fields=["digest", "reader"], name="review_once_per_text")]

    def __str__(self) -> str:
        return f"{self.template} {self.language}: {self.reader}"


class LetterDraft(models.Model):
    """The free part of a letter that is still to be written, as staff left it; sealed like the letter."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="drafts")
    subject = models.UUIDField()
    template = models.CharField(max_length=40)
    text = SealedText(default=b"")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["case", "template"], name="draft_once")]

    def __str__(self) -> str:
        return self.template
