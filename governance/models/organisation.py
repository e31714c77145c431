"""What the house says of itself, version by version: two administrators sign each. Append-only."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from governance.models.two_people import Proposal, by_two


class HouseProfile(Proposal):
    """One version of who is responsible, as privacy notices, letters, reports and the register of processing name it.

    The newest approved version holds; before the first, the settings do. What was proposed never changes.
    """

    name = models.CharField(max_length=200)
    address = models.CharField(max_length=300, blank=True)
    #: Controller, data protection officer (GDPR Art. 37), representative in the Union (Art. 27).
    contact = models.CharField(max_length=200)
    officer = models.CharField(max_length=200, blank=True)
    representative = models.CharField(max_length=200, blank=True)
    authority = models.CharField(max_length=200, blank=True)
    #: Whose public holidays count: `DE-BY`; empty for the Union's.
    place = models.CharField(max_length=12, blank=True)
    #: Codes of the languages that public pages offer; the source language is always among them.
    languages = models.JSONField()
    #: A PNG that this house drew itself from what was sent; empty without one.
    logo = models.BinaryField(default=bytes, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            *by_two("house"),
            models.UniqueConstraint(
                models.Value(1), condition=Q(approved_at=None, returned_at=None), name="house_one_open"
            ),
        ]

    def __str__(self) -> str:
        return f"profile {self.pk}"
