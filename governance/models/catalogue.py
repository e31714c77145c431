"""What the organisation has: datasets and their records, models and their versions, where they run, who got them."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Dataset(models.Model):
    """A set of records, by digest. Controls are never trained on."""

    class Purpose(models.TextChoices):
        """What it may be used for."""

        TRAINING = "training", _("Training")
        CONTROLS = "controls", _("Never-seen controls")
        TOKENIZER = "tokenizer", _("Text of the tokenizer")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=120)
    purpose = models.CharField(max_length=12, choices=Purpose.choices)
    artifact = models.CharField(max_length=71)
    records_count = models.PositiveIntegerField(default=0)
    #: Of controls: the one model whose verdicts they are for; empty where they serve every model.
    controls_for = models.ForeignKey("AiModel", null=True, on_delete=models.PROTECT, related_name="controls")
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class Record(models.Model):
    """One row of a dataset's manifest. The text itself stays in the artefact store."""

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="records")
    record_id = models.CharField(max_length=120)
    source_url = models.CharField(max_length=500, blank=True)
    licence = models.CharField(max_length=80, blank=True)
    digest = models.CharField(max_length=71)
    quarantined_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["dataset", "record_id"], name="record_once")]

    def __str__(self) -> str:
        return self.record_id


class Medium(models.TextChoices):
    """What a model works with, as whoever registers it says; of some nobody has said it yet."""

    UNKNOWN = "unknown", _("Not said yet")
    TEXT = "text", _("Texts")
    PICTURES = "pictures", _("Pictures")
    SOUND = "sound", _("Music and speech")
    FILM = "film", _("Film")
    TABLES = "tables", _("Tables")


class AiModel(models.Model):
    """A model that the organisation serves, across its versions."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=120, unique=True)
    #: Told to claimants, as a kind alone; what changes and tests models works with texts and tables only.
    medium = models.CharField(max_length=8, choices=Medium.choices, default=Medium.UNKNOWN)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class ModelVersion(models.Model):
    """One set of weights, by digest."""

    class State(models.TextChoices):
        """Where the version stands."""

        CANDIDATE = "candidate", _("Candidate")
        RELEASED = "released", _("Released")
        RETIRED = "retired", _("Retired")
        REFERENCE = "reference", _("Laboratory reference")
        REJECTED = "rejected", _("Rejected")
        WITHDRAWN = "withdrawn", _("Withdrawn from service")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    model = models.ForeignKey(AiModel, on_delete=models.PROTECT, related_name="versions")
    revision = models.PositiveIntegerField()
    artifact = models.CharField(max_length=71)
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="children")
    method = models.CharField(max_length=32)
    datasets = models.ManyToManyField(Dataset, related_name="versions")
    #: Artefact with the ids of the records left out, one a line; empty when nothing was.
    excluded = models.CharField(max_length=71, blank=True)
    #: Tree of the lineage that the weights were trained with; from it records can be deleted exactly. May be empty.
    lineage = models.CharField(max_length=71, blank=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.CANDIDATE)
    created_at = models.DateTimeField(default=timezone.now)
    released_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["model", "revision"], name="revision_once")]

    def __str__(self) -> str:
        return f"{self.model.name} rev. {self.revision}"


class Deployment(models.Model):
    """A place where a version answers."""

    class State(models.TextChoices):
        """What is known about the place."""

        SERVING = "serving", _("Serving")
        PENDING = "pending", _("Replacement pending")
        REPLACED = "replaced", _("Replaced")
        UNREACHABLE = "unreachable", _("Unreachable")
        WITHDRAWING = "withdrawing", _("Withdrawal pending")
        WITHDRAWN = "withdrawn", _("Out of service")

    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="deployments")
    place = models.CharField(max_length=120)
    #: File that tells a serving process which version to load; empty where people replace by hand.
    pointer = models.CharField(max_length=500, blank=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.SERVING)
    replaced_by = models.ForeignKey(ModelVersion, null=True, on_delete=models.PROTECT, related_name="+")
    changed_at = models.DateTimeField(default=timezone.now)
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    def __str__(self) -> str:
        return self.place


class PlaceState(models.Model):
    """One line of a place's history; never changed (`0013_orders`)."""

    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="history")
    state = models.CharField(max_length=12, choices=Deployment.State.choices)
    replaced_by = models.ForeignKey(ModelVersion, null=True, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.deployment_id}: {self.state}"


class Recipient(models.Model):
    """Another organisation that received a version or a dataset (GDPR Art. 19)."""

    version = models.ForeignKey(ModelVersion, null=True, on_delete=models.PROTECT, related_name="recipients")
    dataset = models.ForeignKey(Dataset, null=True, on_delete=models.PROTECT, related_name="recipients")
    name = models.CharField(max_length=120)
    received_on = models.DateField()
    #: Where notices go; empty where people write by hand. A webhook goes before the e-mail address.
    email = models.EmailField(blank=True)
    subscription = models.ForeignKey(
        "governance.Subscription", null=True, on_delete=models.PROTECT, related_name="recipients"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(version__isnull=False, dataset__isnull=True)
                | models.Q(version__isnull=True, dataset__isnull=False),
                name="recipient_of_one_thing",
            )
        ]

    def __str__(self) -> str:
        return self.name


class Disposal(models.Model):
    """Old weights, lineages, checkpoints or caches with the date on which they are deleted."""

    class What(models.TextChoices):
        """What is to go."""

        WEIGHTS = "weights", _("Weights")
        CHECKPOINTS = "checkpoints", _("Checkpoints")
        CACHE = "cache", _("Cache")
        LINEAGE = "lineage", _("Lineage, with the records it keeps")
        PATCH = "patch", _("Patch, which beside its result is the old weights")

    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="disposals")
    case = models.ForeignKey("governance.Case", null=True, on_delete=models.PROTECT, related_name="disposals")
    what = models.CharField(max_length=12, choices=What.choices)
    artifact = models.CharField(max_length=71)
    due_on = models.DateField()
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "what", "artifact"], name="disposal_once")]

    def __str__(self) -> str:
        return f"{self.what} due {self.due_on}"
