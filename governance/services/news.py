"""Word from a claimant that nobody of the house has read yet: an answer, a proof, further works.

The case says so in the queue and on its page until somebody marks it as read. Staff are mailed once for what is unread:
the officer, or the legal desk where nobody has the case, and the organisation's own mailbox. The mail names the case's
number alone, and waits in the case until the mail server takes it.
"""

from __future__ import annotations

import logging

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from governance.errors import Conflict
from governance.evidence import ledger
from governance.models import Case, LedgerOpening, Role, User
from governance.notifications import mail
from governance.policies import CLAIMANT, Actor, Permission, demand
from governance.selectors import organisation

BATCH = 50
#: Entries of what the claimant did, or began and the machine ended: a proof that it saw, a text that it read late.
_word = Q(actor_label=CLAIMANT.label) | Q(
    actor_label__startswith="system:", entry__action__in=("proof.recorded", "works.added")
)
log = logging.getLogger(__name__)


def news_note(case: Case) -> None:
    """Something came; what was unread already stays unread since then, and is not mailed again."""
    now = timezone.now()
    if Case.objects.filter(pk=case.pk, news_at=None).update(news_at=now, news_mailed_at=None):
        case.news_at, case.news_mailed_at = now, None


def newest(case: Case) -> int | None:
    """The case's newest entry in the ledger: how far a page goes that is loaded now."""
    return LedgerOpening.objects.filter(case=case).order_by("-entry_id").values_list("entry_id", flat=True).first()


@transaction.atomic
def news_read(*, case: Case, upto: int, actor: Actor) -> bool:
    """Somebody has read it, up to an entry of the ledger; which holds who. False where the claimant did more since:
    that stays unread, from its own moment on, and is mailed.

    Raises:
        NotAllowed: the policy refuses the actor. Conflict: nothing is unread.
    """
    demand(actor, Permission.REVIEW)
    mine = Case.objects.filter(pk=case.pk)
    if mine.select_for_update(no_key=True).get().news_at is None:
        raise Conflict(f"Nothing of case {case.number} is unread any more.")
    # Writers of the ledger wait for one another: whatever came before this entry is seen below.
    ledger.append(action="news.read", actor=actor, case=case, body={"upto": upto})
    later = LedgerOpening.objects.filter(_word, case=case, entry_id__gt=upto)
    since = later.order_by("entry_id").values_list("entry__at", flat=True).first()
    mine.update(news_at=since, news_mailed_at=None)
    return since is None


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
    if mail.send_each(recipients(case), title, text, key=f"news {case.public_id} {case.news_at}"):
        return True
    unread.update(news_mailed_at=None)
    log.warning("Word of case %s was not taken by the mail server; it is sent again later.", case.pk)
    return False


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
