"""Notification: the last letter closes the case."""

from __future__ import annotations

from django.db import transaction

from governance.lifecycle import advance
from governance.models import Case, Disposition, Job, Status
from governance.policies import Actor
from governance.services import papers
from governance.services.letters import letter_send, private_link

__all__ = ["case_close", "letter_send", "private_link"]

SYSTEM = Actor.system("notification")


def _told_already(case: Case) -> bool:
    """A refusal at review was explained in a letter of its own when it was decided."""
    return case.disposition == Disposition.REFUSED and case.letters.filter(template="refused").exists()


@transaction.atomic
def case_close(*, job: Job) -> Case:
    """Job `notify`: tell the claimant how it ended, then close."""
    case = job.load_case()
    if not _told_already(case):
        letter_send(case=case, template="closed")
    closed = advance(case=case, to=Status.CLOSED, actor=SYSTEM, reason="Claimant notified")
    papers.case_papers_order(closed)
    return closed
