"""That works are given back at the claimant's word: proposed by one person, approved by another."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from governance.models.case import Case
from governance.models.two_people import Proposal, by_two


class WorksReturn(Proposal):
    """One at a time for each case that gives works back. Only who approved it is named as having ended what is held,
    save what a search of a new dataset found (`guards`)."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="works_returns")

    class Meta:
        ordering = ["id"]
        constraints = [
            *by_two("works_return"),
            models.UniqueConstraint(fields=["case"], condition=Q(returned_at=None), name="works_return_once"),
        ]

    def __str__(self) -> str:
        return f"works given back in {self.case_id}"
