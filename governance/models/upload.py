"""Files from outside: held until they are judged, given out as attachments only, destroyed with their person.

A file that is a work is read once it is judged: its text, or of a picture or a recording its fingerprint, becomes the
work, and its bytes go. Such a file may belong to a draft first; it changes hands when the draft is filed.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from governance.models.case import Case, ClaimedItem
from governance.models.draft import DraftWork
from governance.models.vault import SealedText


class Upload(models.Model):
    """One file of a case or of a draft. The bytes are sealed under its person's key; the row outlives them."""

    class State(models.TextChoices):
        """Where it stands; each is told to whoever sent it."""

        HELD = "held", _("Held until it is scanned")
        CLEAN = "clean", _("Taken")
        REFUSED = "refused", _("Not taken")
        INFECTED = "infected", _("Not taken: the scanner found something in it")
        DELETED = "deleted", _("Deleted")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, null=True, on_delete=models.PROTECT, related_name="uploads")
    #: The work that the file is, of a draft or of the case; both empty where the file is shown, not claimed.
    draft_work = models.OneToOneField(DraftWork, null=True, on_delete=models.CASCADE, related_name="upload")
    item = models.OneToOneField(ClaimedItem, null=True, on_delete=models.PROTECT, related_name="upload")
    subject = models.UUIDField()
    name = SealedText()
    state = models.CharField(max_length=8, choices=State.choices, default=State.HELD)
    #: Of `screening.KINDS`, by the bytes.
    kind = models.CharField(max_length=8, blank=True)
    size = models.PositiveBigIntegerField()
    digest = models.CharField(max_length=71)
    #: Sealed bytes in the store, and the picture that may be shown in their place; empty where there are none.
    artifact = models.CharField(max_length=71, blank=True)
    shown = models.CharField(max_length=71, blank=True)
    #: Why it was not taken, or why it still waits: a code of `file_words`, with what it carries behind a colon.
    why = models.CharField(max_length=200, blank=True)
    scanner = models.CharField(max_length=20, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(default=timezone.now)
    received_at = models.DateTimeField(default=timezone.now)
    settled_at = models.DateTimeField(null=True)
    #: When the claimant was told by letter what became of it, or need not be.
    told_at = models.DateTimeField(null=True)
    deleted_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["-received_at", "-id"]
        indexes = [
            models.Index(fields=["next_try_at"], name="upload_held", condition=models.Q(state="held")),
            models.Index(fields=["case", "digest"], name="upload_same"),
            models.Index(fields=["settled_at"], name="upload_untold", condition=models.Q(told_at=None)),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=["held", "clean"]) | models.Q(artifact="", shown=""),
                name="upload_refused_keeps_no_bytes",
            ),
            models.CheckConstraint(
                condition=models.Q(case__isnull=False) | models.Q(draft_work__isnull=False), name="upload_of_somebody"
            ),
        ]

    def __str__(self) -> str:
        return f"upload {self.pk}: {self.state}"

    @property
    def is_work(self) -> bool:
        """Whether it was sent as a work: what is kept of it is the work, not the file."""
        return self.item_id is not None or self.draft_work_id is not None
