"""Word from a claimant that nobody of the house has read yet: an answer, a proof, further works.

The case says so in the queue and on its page until somebody marks it as read. Staff are mailed once for what is unread:
the officer, or the legal desk where nobody has the case, and the organisation's own mailbox. The mail names the case's
number alone, and waits in the case until the mail server takes it.
"""

from __future__ import annotations

import logging
import uuid

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.urls import reverse
from django.utils import timezone

from governance.errors import Conflict
from governance.evidence import ledger
from governance.models import Case, Role, User
from governance.notifications import mail
from governance.notifications.errors import SendFailed
from governance.policies import Actor, Permission, demand
from governance.selectors import organisation

BATCH = 50
log = logging.getLogger(__name__)


def news_note(case: Case) -> None:
    """Something came; what was unread already stays unread since then, and is not mailed again."""
    now = timezone.now()
    if Case.objects.filter(pk=case.pk, news_at=None).update(news_at=now, news_mailed_at=None):
        case.news_at, case.news_mailed_at = now, None


def news_read(*, case: Case, actor: Actor) -> None:
    """Somebody has read it; the ledger holds who.

    Raises:
        NotAllowed: the policy refuses the actor. Conflict: nothing is unread.
    """
    demand(actor, Permission.REVIEW)
    if not Case.objects.filter(pk=case.pk, news_at__isnull=False).update(news_at=None, news_mailed_at=None):
        raise Conflict(f"Nothing of case {case.number} is unread any more.")
    ledger.append(action="news.read", actor=actor, case=case, body={})


def news_mail() -> int:
    """Mail what is unread and was not mailed; returns for how many cases. Who claims a case first mails it."""
    waiting = Case.objects.filter(news_at__isnull=False, news_mailed_at=None).order_by("news_at")
    return sum(_mail(case) for case in waiting.select_related("officer")[:BATCH])


def _mail(case: Case) -> bool:
    unread = Case.objects.filter(pk=case.pk, news_at=case.news_at)
    if not unread.filter(news_mailed_at=None).update(news_mailed_at=timezone.now()):
        return False
    title = f"Case {case.number}: the claimant wrote or sent something"
    text = f"{title}.\n\n{settings.BASE_URL}{reverse('case', args=[case.public_id])}\n"
    for address in recipients(case):
        key = str(uuid.uuid5(case.public_id, f"news {case.news_at} {address}"))
        try:
            mail.send(mail.Mail(key=key, to=address, title=title, body=text))
        except SendFailed as error:
            if error.permanent or error.bounced:
                log.warning("Word of case %s was refused by a receiver's server.", case.pk)
                continue
            unread.update(news_mailed_at=None)
            log.warning("Word of case %s was not taken by the mail server; it is sent again later.", case.pk)
            return False
    return True


def recipients(case: Case) -> list[str]:
    """The officer, or the legal desk where nobody has the case; and the organisation's mailbox, where it is one."""
    officer = case.officer
    found = {officer.email} if officer and officer.is_active else set()
    if not found:
        found = set(User.objects.filter(role=Role.LEGAL, is_active=True).values_list("email", flat=True))
    contact = organisation.current().contact
    try:
        validate_email(contact)
    except ValidationError:
        return sorted(found)
    return sorted(found | {contact})
