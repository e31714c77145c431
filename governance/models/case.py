"""A request and what it carries: the word in code is `Case`, since `request` is Django's word for HTTP."""

from __future__ import annotations

import secrets
import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from governance.models.vault import SealedText
from governance.tokens import email_mark, link_token

#: Crockford's alphabet: no I, L, O, U, so that a number survives being read out.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Kind(models.TextChoices):
    """What is asked for."""

    COPYRIGHT = "copyright", _("Copyright opt-out")
    PRIVACY = "privacy", _("Privacy request: erasure")
    OBJECTION = "objection", _("Objection")
    SAFETY = "safety", _("Unsafe or toxic content")
    CORRECTION = "correction", _("Correction or outdated information")


class Relation(models.TextChoices):
    """Why a case follows another."""

    APPEAL = "appeal", _("Appeal")
    COMPLAINT = "complaint", _("Complaint")
    RETURN = "return", _("Taken back after the end")
    REGRESSION = "regression", _("Came back")
    ROLLBACK = "rollback", _("An older version was put back")


class Status(models.TextChoices):
    """Where a case stands; `lifecycle` alone writes it."""

    RECEIVED = "received", _("Received")
    PROOF = "proof", _("Proof")
    REVIEW = "review", _("Review")
    INFORMATION = "information", _("Waiting for information")
    MATCHING = "matching", _("Matching")
    DECISION = "decision", _("Decision")
    PLANNING = "planning", _("Planning")
    UNLEARNING = "unlearning", _("Unlearning")
    VERIFICATION = "verification", _("Verification")
    RELEASE = "release", _("Release")
    REPORTING = "reporting", _("Reporting")
    NOTIFICATION = "notification", _("Notification")
    CLOSED = "closed", _("Closed")


class Disposition(models.TextChoices):
    """How a closed case ended."""

    FULFILLED = "fulfilled", _("Fulfilled")
    PARTLY = "partly_fulfilled", _("Partly fulfilled: suppressed, recoverable")
    EXCLUDED = "excluded", _("Excluded from future training only")
    NO_DATA = "no_data_found", _("No data found")
    NOT_FULFILLED = "not_fulfilled", _("Not fulfilled")
    REFUSED = "refused", _("Refused")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class Channel(models.TextChoices):
    """How the request came in."""

    FORM = "form", _("Public form")
    API = "api", _("Interface")
    POST = "post", _("Post")
    PHONE = "phone", _("Telephone")
    HOUSE = "house", _("Opened by the house")
    IMPORT = "import", _("Taken over from another system")


class Capacity(models.TextChoices):
    """In which capacity somebody asks."""

    SELF = "self", _("For themselves")
    AGENT = "agent", _("As an agent, with a mandate")
    HEIR = "heir", _("As an heir")
    SOCIETY = "society", _("As a collecting society")
    GUARDIAN = "guardian", _("As a parent or guardian")


def house_language() -> str:
    """The language of letters where nothing else is known."""
    return settings.LANGUAGE_CODE


def case_number() -> str:
    """A number that can be read out and does not tell how many cases there are."""
    return (
        "LT-"
        + "".join(secrets.choice(ALPHABET) for _ in range(5))
        + "-"
        + "".join(secrets.choice(ALPHABET) for _ in range(3))
    )


class Claimant(models.Model):
    """Who asks. Personal data is sealed under the claimant's own key."""

    subject = models.UUIDField(unique=True)
    name = SealedText()
    email = SealedText()
    #: For whom they ask, where it is not for themselves.
    principal = SealedText(default=b"")
    #: Keyed hash of the address, by which alone it is searched; cleared with the subject's key.
    email_mark = models.CharField(max_length=32, blank=True, db_index=True)
    email_confirmed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"claimant {self.pk}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """A new claimant is marked, so that the desk finds them by their address."""
        if self._state.adding and not self.email_mark:
            self.email_mark = email_mark(self.email)
        super().save(*args, **kwargs)


#: What the queue filters by. As columns of an index that is walked in the list's order, a rare combination is found
#: without a look at the table itself (docs/performance.md).
_FILTERED = ["status", "law", "kind", "officer", "paused_on", "extended_on", "proposed_by"]
_OPEN, _CLOSED = ~models.Q(status="closed"), models.Q(status="closed")
QUEUE_INDEXES = [
    models.Index(fields=["due_on", "id", *_FILTERED, "received_on"], name="case_open_by_due", condition=_OPEN),
    models.Index(fields=["received_on", "id", *_FILTERED, "due_on"], name="case_open_by_receipt", condition=_OPEN),
    models.Index(fields=["changed_at", "id", *_FILTERED], name="case_open_by_move", condition=_OPEN),
    models.Index(fields=["due_on", "id", "law", "kind", "officer"], name="case_closed_by_due", condition=_CLOSED),
    models.Index(
        fields=["received_on", "id", "law", "kind", "officer", "due_on"], name="case_closed_by_date", condition=_CLOSED
    ),
    models.Index(fields=["changed_at", "id", "law", "kind", "officer"], name="case_closed_by_move", condition=_CLOSED),
    models.Index(fields=["officer", "due_on", "id"], name="case_closed_of_officer", condition=_CLOSED),
    models.Index(
        fields=["proposed_by", "due_on", "id"],
        name="case_proposed",
        condition=models.Q(status="decision", proposed_by__isnull=False),
    ),
    models.Index(fields=["officer", "due_on", "id"], name="case_open_of_officer", condition=_OPEN),
    models.Index(fields=["due_on", "id"], name="case_open_paused", condition=_OPEN & models.Q(paused_on__isnull=False)),
    models.Index(
        fields=["due_on", "id"], name="case_open_extended", condition=_OPEN & models.Q(extended_on__isnull=False)
    ),
    models.Index(fields=["due_on", "id"], name="case_open_held", condition=models.Q(held_at__isnull=False)),
    models.Index(fields=["due_on", "id"], name="case_open_news", condition=models.Q(news_at__isnull=False)),
]


class Case(models.Model):
    """One request on its way from received to closed."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    number = models.CharField(max_length=16, unique=True, default=case_number)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    law = models.CharField(max_length=24)
    channel = models.CharField(max_length=8, choices=Channel.choices)
    #: In which language the claimant is written to.
    language = models.CharField(max_length=8, default=house_language)
    claimant = models.ForeignKey(Claimant, on_delete=models.PROTECT, related_name="cases")
    capacity = models.CharField(max_length=8, choices=Capacity.choices, default=Capacity.SELF)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.RECEIVED)
    return_to = models.CharField(max_length=16, blank=True)
    disposition = models.CharField(max_length=20, choices=Disposition.choices, blank=True)
    received_on = models.DateField()
    due_on = models.DateField()
    paused_on = models.DateField(null=True)
    paused_days = models.PositiveIntegerField(default=0)
    extended_on = models.DateField(null=True)
    officer = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    entered_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    #: The number that the case had in another system; empty where it came here first.
    external = models.CharField(max_length=60, blank=True)
    status_token = models.CharField(max_length=64, unique=True)
    confirm_token = models.CharField(max_length=64, unique=True)
    #: How often the private link was changed, and until when the present one opens the page; a letter renews it.
    link_round = models.PositiveSmallIntegerField(default=0)
    link_until = models.DateTimeField(null=True)
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="children")
    relation = models.CharField(max_length=12, choices=Relation.choices, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True)
    #: Who signed the proposal that now waits for a second person; `services.decision` writes it.
    proposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    #: Since when nothing of the case may be deleted; `services.holds` writes it.
    held_at = models.DateTimeField(null=True)
    #: Since when word of the claimant's waits to be read, and when staff were mailed so; `services.news` writes it.
    news_at = models.DateTimeField(null=True)
    news_mailed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["status", "due_on", "id"], name="case_status_due"),
            models.Index(fields=["-created_at", "-id"], name="case_newest"),
            *QUEUE_INDEXES,
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(status__in=Status.values), name="case_status_known"),
            models.CheckConstraint(condition=models.Q(kind__in=Kind.values), name="case_kind_known"),
            models.UniqueConstraint(fields=["external"], condition=~models.Q(external=""), name="case_external_once"),
            models.CheckConstraint(
                condition=models.Q(parent=None, relation="")
                | models.Q(parent__isnull=False, relation__in=Relation.values),
                name="case_relation_of_children",
            ),
            models.CheckConstraint(
                condition=~models.Q(status="closed") | ~models.Q(disposition=""), name="case_closed_has_disposition"
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def private_token(self) -> str:
        """The secret part of the link to the private page, as it is now."""
        return link_token(self.public_id, "status", self.link_round)

    @property
    def is_open(self) -> bool:
        """Whether anything is still to be done."""
        return self.status != Status.CLOSED


class CaseLink(models.Model):
    """Two cases that belong together without one following the other. Linked cases are never blocked by it."""

    class Why(models.TextChoices):
        """What joins them."""

        DUPLICATE = "duplicate", _("The same request once more")
        SAME_WORK = "same_work", _("Another claimant on the same work")
        SAME_CLAIMANT = "same_claimant", _("The same claimant, other works")

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="links")
    other = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="linked_from")
    why = models.CharField(max_length=16, choices=Why.choices)
    linked_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    linked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["case", "other", "why"], name="case_link_once"),
            models.CheckConstraint(condition=models.Q(case_id__lt=models.F("other_id")), name="case_link_ordered"),
        ]

    def __str__(self) -> str:
        return f"{self.why}: {self.case_id} and {self.other_id}"


class ClaimedItem(models.Model):
    """One work that the claimant names, or one fact about a person."""

    class Form(models.TextChoices):
        """How it was handed in."""

        TEXT = "text", _("Pasted text")
        FILE = "file", _("File")
        URL = "url", _("Address")
        FACT = "fact", _("Fact")
        DOMAIN = "domain", _("Website with works")
        NUMBER = "number", _("Registry number")
        #: Of a picture, a recording or a document only the digest is kept.
        DIGEST = "digest", _("File, kept as its digest only")
        #: Read by people, never looked for: the question that led to a passage, a person's own situation.
        CONTEXT = "context", _("What the claimant adds")

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="items")
    subject = models.UUIDField()
    position = models.PositiveIntegerField()
    form = models.CharField(max_length=8, choices=Form.choices)
    title = SealedText()
    text = SealedText()
    #: Of a correction: what is right instead; may be empty.
    replacement = SealedText(default=b"")
    #: Of a work that was added: which of the staff entered it, and how and on which day word of it came.
    entered_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    channel = models.CharField(max_length=8, choices=Channel.choices, blank=True)
    came_on = models.DateField(null=True)

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["case", "position"], name="item_position_once")]

    def __str__(self) -> str:
        return f"item {self.position}"


class ProofQuerySet(models.QuerySet["Proof"]):
    """Proofs; those that a person refused later stay in the record and count no more."""

    def counting(self) -> ProofQuerySet:
        """Those that nobody refused."""
        return self.filter(refused_at=None)


class Proof(models.Model):
    """Evidence of ownership or identity, at a level of `law.md` (P1 to P5)."""

    class Level(models.IntegerChoices):
        """What was shown; what each level unlocks is in `policies`."""

        P1 = 1, _("Link in an e-mail")
        P2 = 2, _("Code on the claimant's own public profile")
        P3 = 3, _("Control of the claimant's domain, or a signed challenge")
        P4 = 4, _("Content credentials, registry number or timestamped declaration")
        P5 = 5, _("A known account or channel of the person")

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="proofs")
    subject = models.UUIDField()
    level = models.PositiveSmallIntegerField(choices=Level.choices)
    note = SealedText()
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    recorded_at = models.DateTimeField(default=timezone.now)
    #: Since when it counts no more, by whose word, and why.
    refused_at = models.DateTimeField(null=True)
    refused_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    refusal = SealedText(default=b"")

    objects = ProofQuerySet.as_manager()

    def __str__(self) -> str:
        return f"P{self.level}"
