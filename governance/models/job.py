"""Plans, jobs and verifications. The job table is the truth; messages only carry its ids."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from governance.errors import Unfit
from governance.models.case import Case
from governance.models.catalogue import Dataset, ModelVersion

#: Between a plan's number and a shard's in the key of a job that trains one shard alone.
SHARD = ":shard:"


class Plan(models.Model):
    """How a case's records are to be unlearned, and how that will be judged: fixed before the run."""

    class State(models.TextChoices):
        """Where the plan stands."""

        PROPOSED = "proposed", _("Proposed")
        CONFIRMED = "confirmed", _("Confirmed")
        FAILED = "failed", _("Failed")
        INCONCLUSIVE = "inconclusive", _("Inconclusive")
        PASSED = "passed", _("Passed")

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="plans")
    attempt = models.PositiveIntegerField()
    method = models.CharField(max_length=32)
    config = models.JSONField(default=dict)
    seed = models.PositiveIntegerField()
    base = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="+")
    reference = models.ForeignKey(ModelVersion, null=True, on_delete=models.PROTECT, related_name="+")
    #: What the candidate is compared with; fixed with the thresholds, so that nobody picks it by a result. Empty in
    #: plans of earlier versions, and until the first signature where none were registered.
    controls = models.ForeignKey(Dataset, null=True, on_delete=models.PROTECT, related_name="+")
    forget_ids = models.CharField(max_length=71)
    forget_count = models.PositiveIntegerField()
    #: Records that earlier decisions set aside: neither forgotten again nor ever trained on again; may be empty.
    exclude_ids = models.CharField(max_length=71, blank=True)
    policy = models.JSONField()
    policy_digest = models.CharField(max_length=71)
    state = models.CharField(max_length=12, choices=State.choices, default=State.PROPOSED)
    #: First signature, the engineer's; void again where what was signed changes before the second.
    chosen_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    chosen_at = models.DateTimeField(null=True)
    #: Second signature, another person's: the run starts.
    confirmed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    confirmed_at = models.DateTimeField(null=True)
    #: Several plans share one where several cases were deleted in one pass.
    candidate = models.ForeignKey(
        ModelVersion, null=True, on_delete=models.PROTECT, related_name="plans", related_query_name="plan"
    )
    #: The plan of another case whose pass deletes this one's records too; this plan then runs no pass of its own.
    leader = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="riders")
    #: Of a deletion from a lineage: which stages are trained again, and what that costs (`services.lineages.foresee`).
    deletion = models.JSONField(default=dict)
    #: Every way that was weighed, in order, with the policy of the house that it was weighed under, and what a person
    #: chose instead of the first (`services.candidates`).
    ranking = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["attempt"]
        indexes = [models.Index(fields=["case", "state"], name="plan_case_state")]
        constraints = [
            models.UniqueConstraint(fields=["case", "attempt"], name="plan_attempt_once"),
            models.CheckConstraint(
                condition=Q(confirmed_by=None) | ~Q(confirmed_by=F("chosen_by")), name="plan_four_eyes"
            ),
        ]

    def __str__(self) -> str:
        return f"plan {self.attempt}: {self.method}"


class Job(models.Model):
    """One piece of work on a queue: outbox, lease, heartbeat, idempotency key and attempt counter in one row."""

    class State(models.TextChoices):
        """Where the job stands."""

        QUEUED = "queued", _("Waiting")
        RUNNING = "running", _("Running")
        SUCCEEDED = "succeeded", _("Done")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    class Queue(models.TextChoices):
        """Who takes it."""

        DEFAULT = "default", "default"
        GPU = "gpu", "gpu"
        SIGNING = "signing", "signing"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    key = models.CharField(max_length=120, unique=True)
    kind = models.CharField(max_length=24)
    queue = models.CharField(max_length=8, choices=Queue.choices)
    case = models.ForeignKey(Case, null=True, on_delete=models.PROTECT, related_name="jobs")
    plan = models.ForeignKey(Plan, null=True, on_delete=models.PROTECT, related_name="jobs")
    spec = models.CharField(max_length=71, blank=True)
    result = models.CharField(max_length=71, blank=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.QUEUED)
    attempt = models.PositiveIntegerField(default=0)
    #: Who has or had it, by the name of the worker; empty before.
    worker = models.CharField(max_length=120, blank=True)
    lease_until = models.DateTimeField(null=True)
    progress = models.JSONField(default=dict)
    summary = models.JSONField(default=dict)
    error = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["state", "lease_until"], name="job_lease"),
            models.Index(fields=["-created_at", "-id"], name="job_newest"),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(queue__in=["default", "gpu", "signing"]), name="job_queue_known")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def shard(self) -> int | None:
        """The one shard of a lineage that this job trains; None for every other job."""
        head, _sep, number = self.key.rpartition(SHARD)
        return int(number) if head else None

    def load_case(self, *, lock: bool = False) -> Case:
        """The job's case, fresh from the database; with `lock` its row is held to the end of the transaction.

        Raises:
            Unfit: the job belongs to none.
        """
        if self.case_id is None:
            raise Unfit(f"Job {self.pk} belongs to no case.")
        cases = Case.objects.select_for_update(of=("self",), no_key=True) if lock else Case.objects
        return cases.select_related("claimant").get(pk=self.case_id)

    def load_plan(self) -> Plan:
        """The job's plan with what it names, fresh from the database.

        Raises:
            Unfit: the job belongs to none.
        """
        if self.plan_id is None:
            raise Unfit(f"Job {self.pk} belongs to no plan.")
        related = Plan.objects.select_related("case__claimant", "base__model", "candidate", "reference", "dataset")
        return related.get(pk=self.plan_id)


class Worker(models.Model):
    """A process that takes jobs, as it tells of itself every few seconds; forgotten a day after its last word."""

    name = models.CharField(max_length=120, unique=True)
    queues = models.JSONField(default=list)
    #: Cores, load, memory, devices (`unlearning_engine.presence`): numbers and names of hardware.
    machine = models.JSONField(default=dict)
    #: Seconds after which the next word was due.
    every = models.FloatField()
    since = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Forecast(models.Model):
    """What a plan's run, or its verification, was expected to take, and what it took: the planner is scored by this.

    `reckoned` are the seconds of the arithmetic alone, `seconds` those told before the run, corrected by earlier ones.
    """

    VERIFY = "verify"

    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="forecasts")
    #: The method, or `VERIFY` of the plan's verification.
    method = models.CharField(max_length=32)
    device = models.CharField(max_length=80)
    reckoned = models.FloatField()
    seconds = models.FloatField()
    #: Of all jobs of the run together; null until it ended well.
    actual = models.FloatField(null=True)
    job = models.OneToOneField(Job, null=True, on_delete=models.PROTECT, related_name="forecast")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["plan", "method"], name="forecast_once")]

    def __str__(self) -> str:
        return f"{self.method} on {self.device}: {self.seconds:.0f} s"


class JobPoint(models.Model):
    """One point of a job's loss curve."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="points")
    stage = models.CharField(max_length=40)
    step = models.PositiveIntegerField()
    values = models.JSONField()

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["job", "stage", "step"], name="point_once")]

    def __str__(self) -> str:
        return f"{self.stage} {self.step}"


class Verification(models.Model):
    """What the probes found about a plan's candidate."""

    plan = models.OneToOneField(Plan, on_delete=models.PROTECT, related_name="verification")
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="verification")
    verdict = models.CharField(max_length=12)
    document = models.JSONField()
    artifact = models.CharField(max_length=71)
    #: For the executive's chart: forget quality (KS p) and utility kept (worst component), or null.
    forget_quality = models.FloatField(null=True)
    utility = models.FloatField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.verdict
