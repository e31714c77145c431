"""What claimants answer to a question, in their own words, sealed like all that they wrote."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from governance.models.case import Case
from governance.models.vault import SealedText


class Answer(models.Model):
    """One answer from the private page."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="answers")
    subject = models.UUIDField()
    text = SealedText()
    given_at = models.DateTimeField(default=timezone.now)
    #: When a member of staff went on with the case: `lifecycle.advance` writes it. Until then the answer waits to be
    #: read.
    taken_up_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["id", "case"], name="answer_waits", condition=models.Q(taken_up_at=None))]

    def __str__(self) -> str:
        return f"answer {self.pk}"
