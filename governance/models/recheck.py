"""Earlier cases whose probes are run again on a later version of their model."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from governance.models.case import Case
from governance.models.catalogue import ModelVersion
from governance.models.job import Job, Plan


class Recheck(models.Model):
    """One earlier case against one later version. The pair is checked once."""

    class State(models.TextChoices):
        """What is known."""

        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("Running")
        HELD = "held", _("Still forgotten")
        INCONCLUSIVE = "inconclusive", _("Not decided")
        REGRESSED = "regressed", _("Came back")
        IMPOSSIBLE = "impossible", _("Cannot be checked")

    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="rechecks")
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="rechecks")
    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING)
    job = models.OneToOneField(Job, null=True, on_delete=models.PROTECT, related_name="recheck")
    #: The engine's verdict, its document and that file's name; empty until the probes have run.
    verdict = models.CharField(max_length=12, blank=True)
    document = models.JSONField(default=dict)
    artifact = models.CharField(max_length=71, blank=True)
    #: Why it cannot be checked, or why the probes broke.
    reason = models.CharField(max_length=400, blank=True)
    #: The case that follows a regression; null where there is none, or nobody is left to open it for.
    child = models.ForeignKey(Case, null=True, on_delete=models.PROTECT, related_name="regressions")
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["state", "id"], name="recheck_state")]
        constraints = [
            models.UniqueConstraint(fields=["plan", "version"], name="recheck_once"),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "running", "held", "inconclusive", "regressed", "impossible"]),
                name="recheck_state_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.plan_id} on {self.version_id}: {self.state}"
