"""The legal clocks of a case: one per law, with the version of the rule, its pauses, its extension, what was raised."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from governance.models.case import Case
from governance.models.vault import SealedText


class CaseClock(models.Model):
    """One law's clock on one case. Its rule is the version in force on receipt, and stays that."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="clocks")
    law = models.CharField(max_length=24)
    version = models.PositiveSmallIntegerField()
    #: The rule's own: empty, or appeal or complaint where the law has a clock for them.
    relation = models.CharField(max_length=16, blank=True)
    country = models.CharField(max_length=2)
    subdivision = models.CharField(max_length=24, blank=True)
    zone = models.CharField(max_length=40)
    received_at = models.DateTimeField()
    confirm_by = models.DateField(null=True)
    due = models.DateField()
    extended_due = models.DateField(null=True)
    #: How this law came to govern the case, for whoever asks later.
    because = models.CharField(max_length=400)
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    #: A law that was added by mistake no longer counts; the row stays.
    ended_at = models.DateTimeField(null=True)
    ended_because = models.CharField(max_length=400, blank=True)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["case", "law"], condition=Q(ended_at=None), name="clock_once_per_law"),
            models.CheckConstraint(
                condition=Q(extended_due=None) | Q(extended_due__gte=models.F("due")),
                name="clock_extension_never_shortens",
            ),
        ]
        indexes = [
            models.Index(
                fields=["confirm_by"], name="clock_confirm", condition=Q(ended_at=None, confirm_by__isnull=False)
            )
        ]

    def __str__(self) -> str:
        return f"{self.law} {self.version} of case {self.case_id}"


class ClockPause(models.Model):
    """The clock stands still from a question to its answer; `last_at` is null while it is awaited."""

    class Cause(models.TextChoices):
        """Why."""

        IDENTITY = "identity", _("identity in doubt")
        CLARIFICATION = "clarification", _("clarification of an access request")

    clock = models.ForeignKey(CaseClock, on_delete=models.PROTECT, related_name="pauses")
    cause = models.CharField(max_length=16, choices=Cause.choices)
    subject = models.UUIDField()
    reasons = SealedText(default=b"")
    first_at = models.DateTimeField()
    last_at = models.DateTimeField(null=True)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["first_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["clock"], condition=Q(last_at=None), name="pause_one_open"),
            models.CheckConstraint(
                condition=Q(last_at=None) | Q(last_at__gte=models.F("first_at")), name="pause_ends_after_it_began"
            ),
        ]

    def __str__(self) -> str:
        return f"pause of clock {self.clock_id}"


class ClockExtension(models.Model):
    """More time, once, with the reasons that the claimant was told."""

    clock = models.OneToOneField(CaseClock, on_delete=models.PROTECT, related_name="extension")
    subject = models.UUIDField()
    reasons = SealedText(default=b"")
    notice_at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    def __str__(self) -> str:
        return f"extension of clock {self.clock_id}"


class ClockAlarm(models.Model):
    """One warning before a date, or the record that it was missed: raised once, however many workers look."""

    class Step(models.TextChoices):
        """How near the date is, or what was missed."""

        DAYS_14 = "14", _("14 days left")
        DAYS_7 = "7", _("7 days left")
        DAYS_3 = "3", _("3 days left")
        DAYS_1 = "1", _("1 day left")
        MISSED = "missed", _("missed")
        UNCONFIRMED = "confirm", _("receipt not confirmed in time")
        UNTOLD = "untold", _("notice of the extension has not left")

    clock = models.ForeignKey(CaseClock, on_delete=models.PROTECT, related_name="alarms")
    step = models.CharField(max_length=8, choices=Step.choices)
    day = models.DateField()
    raised_at = models.DateTimeField(default=timezone.now)
    #: Null until the mail server took it; the watch tries again.
    mailed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["clock", "step", "day"], name="alarm_once")]
        indexes = [models.Index(fields=["id"], name="alarm_unmailed", condition=Q(mailed_at=None))]

    def __str__(self) -> str:
        return f"{self.step} of clock {self.clock_id}"
