"""What a claimant shows by themselves: one challenge per try, single use, with the evidence of what was seen."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from governance.models.case import Case, Proof
from governance.models.upload import Upload
from governance.models.vault import SealedText

#: How long a challenge can be answered.
LIFE = timedelta(days=14)


def _end() -> datetime:
    return timezone.now() + LIFE


class Challenge(models.Model):
    """A way of showing something about a claim, begun by the claimant; a proof once it succeeded."""

    class Method(models.TextChoices):
        """How it is shown; `services.proofs` knows to which level each leads."""

        PROFILE = "profile", _("A code on a public profile")
        DNS = "dns", _("A TXT record of a domain")
        WELL_KNOWN = "well_known", _("A file on a website")
        SIGNATURE = "signature", _("A signature by a published key")
        REGISTRY = "registry", _("A registry number, declared")
        CREDENTIALS = "credentials", _("Content credentials of a file")
        CHANNEL = "channel", _("A code sent through a channel that is known")

    class State(models.TextChoices):
        """Where it stands; every end is final."""

        OPEN = "open", _("Begun")
        WAITING = "waiting", _("A person looks at it")
        PROVEN = "proven", _("Shown")
        REFUSED = "refused", _("Not accepted")
        SPENT = "spent", _("Too many tries")
        ENDED = "ended", _("Ended by the claimant")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="challenges")
    subject = models.UUIDField()
    method = models.CharField(max_length=12, choices=Method.choices)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    #: Level (P2 to P5) that it leads to.
    level = models.PositiveSmallIntegerField(choices=Proof.Level.choices)
    #: Address, domain, number or channel, as the claimant named it, and the code that is to be found or told.
    target = SealedText()
    code = SealedText()
    #: JSON: what was seen, where, when, and the digest of the bytes.
    evidence = SealedText(default=b"")
    tries = models.PositiveSmallIntegerField(default=0)
    #: Whether what was shown is named in the claim itself; only then is it enough without a person.
    bound = models.BooleanField(default=False)
    upload = models.ForeignKey(Upload, null=True, on_delete=models.PROTECT, related_name="+")
    proof = models.OneToOneField(Proof, null=True, on_delete=models.PROTECT, related_name="challenge")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(default=_end)
    tried_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state="proven", proof__isnull=False) | ~models.Q(state="proven"),
                name="challenge_proven_has_proof",
            ),
        ]
        indexes = [models.Index(fields=["id"], name="challenge_waiting", condition=models.Q(state="waiting"))]

    def __str__(self) -> str:
        return f"challenge {self.pk}: {self.method}, {self.state}"

    @property
    def is_late(self) -> bool:
        """Whether its time is over."""
        return self.expires_at <= timezone.now()


class IdentityDoubt(models.Model):
    """A person of the house doubts, for a reason, that the claimant is who they say: alone a document may answer it."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="doubts")
    subject = models.UUIDField()
    #: What gives rise to it; the claimant reads it (GDPR Art. 12(6): reasonable doubts).
    reason = SealedText()
    doubted_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    doubted_at = models.DateTimeField(default=timezone.now)
    upload = models.ForeignKey(Upload, null=True, on_delete=models.PROTECT, related_name="+")
    #: Whether the document settled the doubt; None while it is open.
    dispelled = models.BooleanField(null=True)
    settled_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    settled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["case"], condition=models.Q(settled_at=None), name="doubt_one_open"),
        ]

    def __str__(self) -> str:
        return f"doubt {self.pk}"
