"""How long cases stayed at each stage: one row for each stage that a case has left."""

from __future__ import annotations

from django.db import models

from governance.models.case import Case, Status


class StageStay(models.Model):
    """`lifecycle.advance` writes it in the transaction of the step. What a case is at now has no row yet: it is at it
    since `Case.changed_at`."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="stays")
    stage = models.CharField(max_length=16, choices=Status.choices)
    entered_at = models.DateTimeField()
    #: The day on which it was left, by the house's calendar, and the whole hours until then.
    left_on = models.DateField()
    hours = models.PositiveIntegerField()

    class Meta:
        indexes = [
            # Both hold all that is asked of them, so that the table itself is not read.
            models.Index(fields=["left_on", "stage", "hours"], name="stay_by_day"),
            models.Index(fields=["stage", "-hours", "-id", "left_on", "case"], name="stay_longest"),
        ]

    def __str__(self) -> str:
        return f"{self.stage} of case {self.case_id}: {self.hours} h"
