"""Signed statements about versions and patches: provenance, verdicts, bill of materials, card."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from governance.models.catalogue import ModelVersion
from governance.models.duties import Patch


class AttestationSet(models.Model):
    """The statements about a version (`patch` null), or about the patch that leads to it."""

    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="attestations")
    patch = models.OneToOneField(Patch, null=True, on_delete=models.PROTECT, related_name="attestations")
    job = models.OneToOneField("governance.Job", on_delete=models.PROTECT, related_name="attestations")
    #: Tree of the set's folder and the digest that all its statements are about; empty until the job has ended.
    artifact = models.CharField(max_length=71, blank=True)
    subject = models.CharField(max_length=71, blank=True)
    asked_at = models.DateTimeField(default=timezone.now)
    made_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["version"], condition=Q(patch__isnull=True), name="attestation_once_a_version"
            )
        ]

    def __str__(self) -> str:
        return f"statements about {self.version_id}"
