"""Who files for others: agents and collecting societies, their mandates, keys of the interface, batches of works."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from governance.models.case import Case, Kind
from governance.models.vault import SealedText
from governance.tokens import link_token

USER = settings.AUTH_USER_MODEL


class Agent(models.Model):
    """An organisation or person that the desk knows. Contact and mandates are sealed under its own key."""

    class What(models.TextChoices):
        """What it is."""

        AGENT = "agent", _("Agent")
        SOCIETY = "society", _("Collecting society")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    subject = models.UUIDField(unique=True)
    what = models.CharField(max_length=8, choices=What.choices)
    name = models.CharField(max_length=200)
    email = SealedText()
    created_by = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name


class Mandate(models.Model):
    """For whom an agent may ask what, until when. A revoked one stays in the record and files nothing more."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="mandates")
    subject = models.UUIDField()
    principal = SealedText()
    #: What shows the mandate, as the desk saw it.
    evidence = SealedText()
    #: Kinds of request that it covers.
    kinds = models.JSONField()
    valid_from = models.DateField()
    valid_until = models.DateField()
    recorded_by = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    recorded_at = models.DateTimeField(default=timezone.now)
    revoked_by = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(valid_until__gte=models.F("valid_from")), name="mandate_ends_after_it_begins"
            )
        ]

    def __str__(self) -> str:
        return f"mandate {self.pk}"


class ApiKey(models.Model):
    """A key of the interface. Only its hash is kept; `prefix` is what people tell keys apart by."""

    class Scope(models.TextChoices):
        """What it opens."""

        FILE = "file", _("File requests")
        READ = "read", _("Read own requests and batches")
        BULK = "bulk", _("Send batches")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="keys")
    label = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12)
    hash = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField()
    expires_on = models.DateField()
    created_by = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    #: To the hour, so that not every call writes.
    used_at = models.DateTimeField(null=True)
    revoked_by = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.prefix}…"


class AgentCase(models.Model):
    """Which agent filed a case, and by which mandate."""

    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="filed")
    case = models.OneToOneField(Case, on_delete=models.PROTECT, related_name="filed_by")
    mandate = models.ForeignKey(Mandate, on_delete=models.PROTECT, related_name="cases")

    def __str__(self) -> str:
        return f"{self.agent_id}: {self.case_id}"


class Batch(models.Model):
    """Many works at once: parts come in, are closed, and are filed in cases of at most 200 works."""

    class State(models.TextChoices):
        """Where it stands."""

        OPEN = "open", _("Parts are coming in")
        QUEUED = "queued", _("Waiting to be filed")
        RUNNING = "running", _("Being filed")
        DONE = "done", _("Filed")
        STOPPED = "stopped", _("Stopped: the mandate ended")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="batches")
    mandate = models.ForeignKey(Mandate, on_delete=models.PROTECT, related_name="batches")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    law = models.CharField(max_length=24)
    format = models.CharField(max_length=8)
    label = models.CharField(max_length=80, blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    #: Lines in all parts; how many have their result, by what it is.
    lines = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    accepted = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    doubled = models.PositiveIntegerField(default=0)
    #: Until when a worker has it; one that died lets it go by not renewing this.
    leased_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    #: How often the link of its page was changed, and until when the present one opens it (null: since its begin).
    link_round = models.PositiveSmallIntegerField(default=0)
    link_until = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["state", "leased_until"], name="batch_waiting")]

    def __str__(self) -> str:
        return f"batch {self.pk}: {self.state}"

    @property
    def private_token(self) -> str:
        """The secret part of the link to its page, as it is now."""
        return link_token(self.public_id, "batch", self.link_round)


class BatchPart(models.Model):
    """A piece of a batch, sealed under the agent's key. The same piece sent again changes nothing."""

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="parts")
    number = models.PositiveIntegerField()
    digest = models.CharField(max_length=71)
    artifact = models.CharField(max_length=71)
    size = models.PositiveIntegerField()
    lines = models.PositiveIntegerField()
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["batch", "number"], name="batch_part_once")]

    def __str__(self) -> str:
        return f"part {self.number}"


class BatchItem(models.Model):
    """What became of one line."""

    class State(models.TextChoices):
        """The result."""

        ACCEPTED = "accepted", _("Filed")
        REFUSED = "refused", _("Not filed")
        DOUBLED = "doubled", _("Filed already")

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="items")
    position = models.PositiveIntegerField()
    #: The agent's own number for the work.
    ref = models.CharField(max_length=100, blank=True)
    state = models.CharField(max_length=8, choices=State.choices)
    why = models.CharField(max_length=200, blank=True)
    #: Keyed hash of what was named, by which the same work is known again.
    mark = models.CharField(max_length=32, blank=True)
    case = models.ForeignKey(Case, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["batch", "position"], name="batch_item_once")]
        indexes = [models.Index(fields=["mark"], name="batch_item_mark", condition=~models.Q(mark=""))]

    def __str__(self) -> str:
        return f"{self.position}: {self.state}"


class StoredAnswer(models.Model):
    """The answer to a call with an idempotency key, sealed, for a day: the same call again gets the same answer."""

    mark = models.CharField(max_length=64, primary_key=True)
    #: Of method, address and body: another call under the same key is refused.
    call = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.BinaryField(default=b"")
    begun_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return self.mark[:8]
