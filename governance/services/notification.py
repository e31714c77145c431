"""Letters to the claimant: kept sealed, sent by e-mail; the last one closes the case."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from governance.clocks import LAWS
from governance.evidence import ledger
from governance.lifecycle import advance
from governance.models import Case, Disposition, Job, Letter, Status
from governance.policies import Actor
from governance.tokens import link_token

SYSTEM = Actor.system("notification")


def private_link(case: Case, purpose: str) -> str:
    """The claimant's link to `status` or `confirm`."""
    return settings.BASE_URL + reverse(purpose, args=[link_token(case.public_id, purpose)])


def letter_send(*, case: Case, template: str, text: str = "") -> Letter:
    """Write a letter from `templates/letters/TEMPLATE.txt` (first line: subject) and send it on commit.

    Must run in the transaction of what it reports, which is refused if the letter cannot be written.
    """
    context = {
        "case": case,
        "name": case.claimant.name,
        "text": text,
        "law": LAWS[case.law],
        "organisation": settings.ORGANISATION,
        "status_link": private_link(case, "status"),
        "confirm_link": private_link(case, "confirm"),
    }
    title, _, body = render_to_string(f"letters/{template}.txt", context).strip().partition("\n")
    letter = Letter.objects.create(
        case=case, subject=case.claimant.subject, template=template, title=title.strip(), body=body.strip()
    )
    ledger.append(action="letter.written", actor=SYSTEM, case=case, body={"template": template})
    transaction.on_commit(lambda: deliver(letter))
    return letter


def deliver(letter: Letter) -> bool:
    """Send one letter; False when the mail server does not take it (the sweeper tries again)."""
    try:
        send_mail(letter.title, letter.body, settings.DEFAULT_FROM_EMAIL, [letter.case.claimant.email])
    except OSError:
        return False
    return bool(Letter.objects.filter(pk=letter.pk, sent_at=None).update(sent_at=timezone.now()))


def letters_resend() -> int:
    """Try every unsent letter again; returns how many went out."""
    waiting = Letter.objects.filter(sent_at=None, created_at__lt=timezone.now() - timedelta(minutes=1))
    return sum(deliver(letter) for letter in waiting.select_related("case__claimant").order_by("id")[:100])


def _closing_letter(case: Case) -> str:
    """The letter that ends a case; a refusal at review was explained in a letter of its own when it was decided."""
    if case.disposition == Disposition.REFUSED and case.letters.filter(template="refused").exists():
        return ""
    return "withdrawn" if case.disposition == Disposition.WITHDRAWN else "closed"


@transaction.atomic
def case_close(*, job: Job) -> Case:
    """Job `notify`: tell the claimant how it ended, then close."""
    case = job.load_case()
    if template := _closing_letter(case):
        letter_send(case=case, template=template)
    return advance(case=case, to=Status.CLOSED, actor=SYSTEM, reason="Claimant notified")
