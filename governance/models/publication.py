"""A patch that its owner published, and that it was taken back: each proposed by one and approved by another."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from governance.models.duties import Patch
from governance.models.two_people import Proposal, by_two


class PatchPublication(Proposal):
    """Public from `approved_at` on; never about personal data. One that was given back frees the way for another."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    patch = models.ForeignKey(Patch, on_delete=models.PROTECT, related_name="publications")
    #: The engine's digests of the weights before and after, as the manifest names them.
    base = models.CharField(max_length=71)
    result = models.CharField(max_length=71)
    #: Why it was refused; empty where whoever proposed took it back.
    returned_why = models.TextField(blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            *by_two("publication"),
            models.UniqueConstraint(fields=["patch"], condition=Q(returned_at=None), name="publication_once"),
        ]

    def __str__(self) -> str:
        return f"publication {self.public_id}"

    @property
    def is_open(self) -> bool:
        """Whether it waits for a second person."""
        return self.approved_at is None and self.returned_at is None

    @property
    def withdrawal(self) -> PatchWithdrawal | None:
        """What took it back, once two people signed."""
        return next((one for one in self.withdrawals.all() if one.approved_at), None)


class PatchWithdrawal(Proposal):
    """A publication that is taken back: from `approved_at` on the feed says so, and nobody gets the patch any more."""

    class Reason(models.TextChoices):
        """Why; the code stands in the feed and in the ledger."""

        FLAWED = "flawed", _("The patch does damage, or does not do what it says")
        VERDICT = "verdict", _("Its verdict holds no longer")
        RIGHTS = "rights", _("It should not have been given to everybody")
        REPLACED = "replaced", _("Another patch takes its place")

    publication = models.ForeignKey(PatchPublication, on_delete=models.PROTECT, related_name="withdrawals")
    reason = models.CharField(max_length=8, choices=Reason.choices)

    class Meta:
        ordering = ["id"]
        constraints = [
            *by_two("patch_withdrawal"),
            models.UniqueConstraint(
                fields=["publication"], condition=Q(returned_at=None), name="patch_withdrawal_once"
            ),
        ]

    def __str__(self) -> str:
        return f"withdrawal of {self.publication_id}"
