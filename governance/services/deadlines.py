"""Deadlines: staff are warned before a statutory date, and a missed one is recorded the same day."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.utils import timezone

from governance.evidence import ledger
from governance.models import Case, LedgerOpening, Role, Status, User
from governance.policies import Actor

SYSTEM = Actor.system("deadlines")
WARN_DAYS = 7


def deadlines_watch() -> int:
    """Write one ledger entry and one mail per case that came within a week, and again when it is missed."""
    today = timezone.localdate()
    near = Case.objects.exclude(status=Status.CLOSED).filter(
        paused_on=None, due_on__lte=today + timedelta(days=WARN_DAYS)
    )
    told = 0
    for case in near.select_related("claimant", "officer").order_by("due_on", "id"):
        action = "deadline.missed" if case.due_on < today else "deadline.near"
        with transaction.atomic():
            body = {"due_on": case.due_on.isoformat()}
            if LedgerOpening.objects.filter(case=case, entry__action=action, body=body).exists():
                continue
            ledger.append(action=action, actor=SYSTEM, case=case, body=body)
            transaction.on_commit(partial(_warn, case))
        told += 1
    return told


def _warn(case: Case) -> None:
    """A mail that names the case's number and date only."""
    officers = [case.officer] if case.officer else list(User.objects.filter(role=Role.LEGAL, is_active=True))
    addresses = [user.email for user in officers if user]
    days = (case.due_on - timezone.localdate()).days
    title = (
        f"Case {case.number}: due {case.due_on:%d %B %Y}, {days} days left"
        if days >= 0
        else f"Case {case.number}: the deadline of {case.due_on:%d %B %Y} was missed"
    )
    if addresses:
        send_mail(
            title, f"{title}\n\n{settings.BASE_URL}/cases/{case.public_id}/\n", settings.DEFAULT_FROM_EMAIL, addresses
        )
