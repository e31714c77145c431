"""The register of processing activities (GDPR Art. 30), worked out from what the house has and does."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import Count
from django.utils import timezone

from governance.clocks import LAWS
from governance.kinds import rule
from governance.models import Case, Dataset, Kind, ModelVersion, PatchSubscriber, Recipient, User
from governance.selectors import organisation
from governance.services import retention

SECURITY = (
    "Names, addresses, works, letters and notes are encrypted under a key per person (AES-256-GCM), kept in a database "
    "of its own.",
    "Destroying a person's key makes every copy of their data unreadable, also in backups, once those of the keys have "
    "rotated.",
    "Decisions, releases, withdrawals and erasures need two people or more, enforced by the database, each with a "
    "second factor.",
    "Every change is an entry of an append-only ledger without personal data, and so is every look at a name.",
    "Machines that train get works as files that are deleted after use, and no database.",
)


def register() -> dict[str, Any]:
    """The whole register, as JSON can hold it."""
    house = organisation.current()
    return {
        "controller": {
            "name": house.name,
            "address": house.address,
            "contact": house.contact,
            "officer": house.officer,
            "representative": house.representative,
        },
        "as_of": timezone.localdate().isoformat(),
        "activities": [_activity(kind) for kind in Kind] + [_training(), _staff(), *_subscribers()],
        "retention": retention.policy(),
        "security": list(SECURITY),
    }


def _recipients() -> list[str]:
    return sorted(set(Recipient.objects.values_list("name", flat=True)))


def _activity(kind: Kind) -> dict[str, Any]:
    cases = Case.objects.filter(kind=kind)
    laws = cases.values("law").annotate(n=Count("pk")).order_by("law")
    return {
        "activity": str(kind.label),
        "purpose": rule(kind).asked,
        "basis": ", ".join(LAWS[row["law"]].title for row in laws if row["law"] in LAWS)
        or "Legal duty to answer requests, or the house's own policy",
        "subjects": "Claimants, and people named in their requests",
        "data": "Name, e-mail address, works or facts named, proofs, letters, decisions",
        "recipients": "Processors: mail provider and hosting of this installation; supervisory authorities on request",
        "transfers": settings.TRANSFERS,
        "retention": "See the retention policy below, by law",
        "count": f"Cases: {cases.count()}",
    }


def _training() -> dict[str, Any]:
    names = _recipients()
    return {
        "activity": "Training sets and models",
        "purpose": "To train models, and to remove from them what was asked to be removed",
        "basis": "Set by the controller for each dataset; not known to this installation",
        "subjects": "People whose data or works are in the datasets",
        "data": "Record ids, sources, licences and digests here; the texts in the artefact store",
        "recipients": ", ".join(names) or "none on record",
        "transfers": settings.TRANSFERS,
        "retention": f"Replaced weights: {settings.DISPOSAL_DAYS} days after their replacement",
        "count": f"Data sets: {Dataset.objects.count()}; versions: {ModelVersion.objects.count()}",
    }


def _staff() -> dict[str, Any]:
    return {
        "activity": "Accounts of staff",
        "purpose": "To know who decided what",
        "basis": "Legitimate interest in accountable decisions (GDPR Art. 5(2), 6(1)(f))",
        "subjects": "Staff",
        "data": "Name, e-mail address, role, sign-ins, signatures",
        "recipients": "Auditors; whoever reads a report",
        "transfers": settings.TRANSFERS,
        "retention": "As long as what they signed is kept",
        "count": f"Accounts: {User.objects.count()}",
    }


def _subscribers() -> list[dict[str, Any]]:
    """Whom to write to at organisations that run a model elsewhere; nothing where nobody is registered."""
    count = PatchSubscriber.objects.filter(removed_at=None).count()
    if not count:
        return []
    return [
        {
            "activity": "Subscribers of patches",
            "purpose": "To tell whoever runs a model elsewhere of patches, and to know who applied them",
            "basis": "Legitimate interest in removals that reach all copies (GDPR Art. 6(1)(f))",
            "subjects": "People to write to at organisations that run a model",
            "data": "Name of the organisation, whom to write to (sealed), public key, signed statements",
            "recipients": "Auditors; whoever reads a report learns the organisation's name and what it stated",
            "transfers": settings.TRANSFERS,
            "retention": "Whom to write to: until the registration ends; statements: as long as the ledger",
            "count": f"{count} organisations",
        }
    ]
