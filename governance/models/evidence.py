"""What leaves the house: reports and letters."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from governance.models.case import Case
from governance.models.vault import SealedText


class Report(models.Model):
    """A signed PDF with its evidence document, by digest."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.OneToOneField(Case, on_delete=models.PROTECT, related_name="report")
    number = models.CharField(max_length=24, unique=True)
    pdf = models.CharField(max_length=71)
    evidence = models.CharField(max_length=71)
    #: README and ledger proofs of the public bundle; empty where the report is older than bundles.
    readme = models.CharField(max_length=71, blank=True)
    proofs = models.CharField(max_length=71, blank=True)
    headline = models.CharField(max_length=240)
    #: Code of a language -> the headline in it, for letters and the claimant's page.
    headlines = models.JSONField(default=dict)
    #: When its last time stamp is to be renewed; none where it carries none.
    renew_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.number

    def headline_in(self, language: str) -> str:
        """The headline in a language; in English where it was written before there were others."""
        return str(self.headlines.get(language) or self.headline)


class EarlierReport(models.Model):
    """A report's file as it was before its time stamp was renewed: genuine still, and still in people's hands."""

    report = models.ForeignKey(Report, on_delete=models.PROTECT, related_name="earlier")
    pdf = models.CharField(max_length=71, unique=True)
    proofs = models.CharField(max_length=71, blank=True)
    replaced_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.report_id}: {self.pdf}"


class Seal(models.Model):
    """A certificate that reports are or were sealed with: what strangers are told, and until when it holds."""

    class Reason(models.TextChoices):
        """Why it is used no more."""

        RETIRED = "retired", _("Retired")
        COMPROMISED = "compromised", _("Compromised")

    fingerprint = models.CharField(max_length=64, unique=True)
    certificate = models.TextField()
    #: Where its key lies or lay: file, pkcs11, kms.
    kind = models.CharField(max_length=8)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=12, choices=Reason.choices, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ended_at=None, reason="")
                | (models.Q(ended_at__isnull=False) & ~models.Q(reason="")),
                name="seal_ends_for_a_reason",
            )
        ]

    def __str__(self) -> str:
        return self.fingerprint


class SigningKey(models.Model):
    """A public key beside the seal's that was replaced, or took such a one's place; the key in use may have no row."""

    class Purpose(models.TextChoices):
        """What it signs."""

        LEDGER = "ledger", _("Checkpoints of the ledger")
        MODELS = "models", _("Statements about models")
        FEED = "feed", _("Feeds")

    purpose = models.CharField(max_length=8, choices=Purpose.choices)
    #: A verifier key, a fingerprint, or 32 bytes in base64: as the trust file tells it.
    public = models.CharField(max_length=400, unique=True)
    began_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    #: The key that took its place, whole (a verifier key, a PEM, base64), and its signature (base64) that it did so:
    #: `services.handovers`. A row without them is believed by nobody.
    successor = models.TextField(blank=True, default="")
    handover = models.CharField(max_length=200, blank=True, default="")
    #: Since when it may be in other hands: what it signed is believed only where somebody else saw it before.
    lost_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.purpose} {self.public}"


class Paper(models.Model):
    """A sealed paper that is no full report: of a case (certificate, letter, copy) or of the house (the others)."""

    class Kind(models.TextChoices):
        """What it is."""

        CERTIFICATE = "certificate", _("Certificate")
        LETTER = "letter", _("Letter")
        STATEMENT = "statement", _("Statement of compliance")
        REGISTER = "register", _("Register of processing")
        COPY = "copy", _("Copy in another language")

    job = models.OneToOneField("governance.Job", on_delete=models.PROTECT, related_name="paper")
    case = models.ForeignKey(Case, null=True, on_delete=models.PROTECT, related_name="papers")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    number = models.CharField(max_length=40, unique=True)
    language = models.CharField(max_length=8)
    size = models.CharField(max_length=8)
    #: First and last day of a statement, `2026-07-01/2026-09-30`.
    period = models.CharField(max_length=21, blank=True)
    pdf = models.CharField(max_length=71)
    evidence = models.CharField(max_length=71)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind__in=["certificate", "letter", "copy"], case__isnull=False)
                | models.Q(kind__in=["statement", "register"], case__isnull=True),
                name="paper_of_case_or_house",
            )
        ]

    def __str__(self) -> str:
        return self.number


class AuditorBundle(models.Model):
    """What an auditor needs to replay a case, closed by a passphrase that nobody here keeps, for a few days."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    report = models.ForeignKey(Report, on_delete=models.PROTECT, related_name="auditor_bundles")
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    archive = models.CharField(max_length=71)
    made_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    discarded_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-made_at", "-id"]

    def __str__(self) -> str:
        return f"{self.report_id}: {self.archive}"


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
