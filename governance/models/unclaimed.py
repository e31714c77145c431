"""Files that were stored for a row which may never come: a worker can die between the two."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class Unclaimed(models.Model):
    """A name in the artefact store, noted before the file is stored and taken away with the row that names it."""

    ref = models.CharField(max_length=71, unique=True)
    at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return self.ref
