"""What the legal desk adds to a case: notes, conflicts of interest, legal holds; and filters that were saved."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from governance.models.case import Case
from governance.models.vault import SealedText

USER = settings.AUTH_USER_MODEL


class Note(models.Model):
    """A remark for colleagues. It is never deleted (migration of the desk); whoever was wrong strikes it."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="notes")
    subject = models.UUIDField()
    text = SealedText()
    author = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    written_at = models.DateTimeField(default=timezone.now)
    struck_by = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    struck_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-written_at", "-id"]

    def __str__(self) -> str:
        return f"note {self.pk}"


class Interest(models.Model):
    """A person of the staff declared a conflict of interest in a case: they decide nothing in it any more."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="interests")
    person = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    subject = models.UUIDField()
    what = SealedText()
    declared_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["case", "person"], name="interest_once")]

    def __str__(self) -> str:
        return f"interest of {self.person_id}"


class Hold(models.Model):
    """A legal hold: nothing of the case is deleted. One person asks that it be lifted, another lifts it."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="holds")
    subject = models.UUIDField()
    reason = SealedText()
    placed_by = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    placed_at = models.DateTimeField(default=timezone.now)
    lift_reason = SealedText(default=b"")
    lift_asked_by = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    lift_asked_at = models.DateTimeField(null=True)
    lifted_by = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    lifted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["case"], condition=Q(lifted_at=None), name="hold_one_open"),
            models.CheckConstraint(
                condition=Q(lifted_by=None) | (Q(lift_asked_by__isnull=False) & ~Q(lifted_by=F("lift_asked_by"))),
                name="hold_four_eyes",
            ),
        ]

    def __str__(self) -> str:
        return f"hold {self.pk}"


class SavedFilter(models.Model):
    """The queue as somebody wants to find it again; shared ones stand in everybody's list."""

    owner = models.ForeignKey(USER, on_delete=models.CASCADE, related_name="saved_filters")
    name = models.CharField(max_length=60)
    #: As in the page's address, ordered, without the page.
    query = models.CharField(max_length=500)
    shared = models.BooleanField(default=False)
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="filter_name_once")]

    def __str__(self) -> str:
        return self.name
