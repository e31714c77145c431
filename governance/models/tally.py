"""What the dashboard counts, kept as it changes: a line for each case, sums of those lines, what waits to be counted.

Triggers (`models.triggers`) note every change of a case that a figure depends on; `services.tallies` counts it.
Nothing here is personal: kinds, laws, countries, days and numbers.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class CaseFact(models.Model):
    """What the figures know of one case. Without a foreign key: a line outlives its case until it is taken off."""

    case_id = models.BigIntegerField(primary_key=True)
    kind = models.CharField(max_length=16)
    law = models.CharField(max_length=24)
    #: ISO 3166-1 country of the case's first clock, or EU; that of the law where the case has no clock.
    region = models.CharField(max_length=2)
    status = models.CharField(max_length=16)
    received_on = models.DateField()
    due_on = models.DateField()
    paused = models.BooleanField()
    closed_on = models.DateField(null=True)
    #: How it ended: the disposition, or, where it was fulfilled, the guarantee under which. Empty while open.
    ending = models.CharField(max_length=20, blank=True)
    #: Whether it was closed on or before its last lawful day; null while open, and where it was withdrawn.
    kept = models.BooleanField(null=True)
    #: After how many days it was closed; null while open.
    days = models.IntegerField(null=True)
    #: The day of its signed report, and how many days after the receipt that was.
    proved_on = models.DateField(null=True)
    proof_days = models.IntegerField(null=True)
    #: The engine's runs for it that ended well, what they took, and how many told energy by estimate or not at all.
    runs = models.PositiveIntegerField(default=0)
    milliseconds = models.BigIntegerField(default=0)
    milliwatthours = models.BigIntegerField(default=0)
    estimated = models.PositiveIntegerField(default=0)
    unmetered = models.PositiveIntegerField(default=0)

    class Meta:
        indexes = [
            models.Index(fields=["received_on", "case_id"], name="fact_received"),
            models.Index(fields=["closed_on", "case_id"], name="fact_closed", condition=~models.Q(closed_on=None)),
            models.Index(fields=["due_on", "case_id"], name="fact_open", condition=models.Q(closed_on=None)),
            models.Index(fields=["proved_on", "case_id"], name="fact_proved", condition=~models.Q(proved_on=None)),
        ]

    def __str__(self) -> str:
        return f"facts of case {self.case_id}"


class Tally(models.Model):
    """How many cases share a day, kind, region, law, word and number, and the sum of what they took."""

    #: The number of closed cases that were withdrawn: no answer was due, so none was in time or late.
    WITHDRAWN = 2

    class Topic(models.TextChoices):
        """What is counted, and what day, word and number then are."""

        RECEIVED = "received", "received: the day"
        OPEN = "open", "open: the last lawful day, the stage, 1 where paused"
        CLOSED = "closed", "closed: the day, how it ended, 1 inside the clock"
        TOOK = "took", "closed: the day, the days that it took"
        PROVED = "proved", "report signed: the day, the days that it took"
        RUNS = "runs", "closed with runs of the engine: the day, what is summed"

    key = models.CharField(max_length=120, unique=True)
    topic = models.CharField(max_length=8, choices=Topic.choices)
    day = models.DateField()
    kind = models.CharField(max_length=16)
    region = models.CharField(max_length=2)
    law = models.CharField(max_length=24)
    word = models.CharField(max_length=20)
    number = models.IntegerField()
    count = models.BigIntegerField()
    amount = models.BigIntegerField(default=0)

    class Meta:
        indexes = [models.Index(fields=["topic", "day"], name="tally_topic_day")]

    def __str__(self) -> str:
        return f"{self.key}: {self.count}"


class TallyTouch(models.Model):
    """A case changed and was not counted again yet. Triggers write these rows, nobody else."""

    case_id = models.BigIntegerField()

    def __str__(self) -> str:
        return f"case {self.case_id}"


class TallyState(models.Model):
    """One row: until when all is counted, a number that grows with every change, and the last count of everything."""

    version = models.PositiveBigIntegerField(default=0)
    counted_at = models.DateTimeField(null=True)
    recounted_at = models.DateTimeField(null=True)
    #: Cases and sums that the last count of everything found other than they stood here; null before the first.
    differences = models.PositiveIntegerField(null=True)
    #: Somebody asked for a count of everything that has not begun.
    asked_at = models.DateTimeField(null=True)
    #: Until then one process counts everything, and it alone counts what changes meanwhile.
    recounting_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"version {self.version}"


class StatementMail(models.Model):
    """One's own wish to be mailed the figures: opt-in, by the person themselves."""

    class Every(models.TextChoices):
        """How often."""

        WEEK = "week", _("every Monday")
        MONTH = "month", _("on the first of each month")

    person = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="statement_mail")
    every = models.CharField(max_length=5, choices=Every.choices)
    next_on = models.DateField()
    asked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(every__in=["week", "month"]), name="statement_mail_every_known")
        ]

    def __str__(self) -> str:
        return f"{self.person_id}: {self.every}"
