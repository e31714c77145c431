"""Deadlines: staff are warned 14, 7, 3 and 1 days before a date, legal as a whole from 3; a missed one is recorded.

An alarm is a row that can exist once: of two workers that look at the same moment, one raises it. The ledger gets its
entry in the same transaction. The mail is another matter: it waits in the row until the mail server takes it.
"""

from __future__ import annotations

import logging
from datetime import date, timedelta
from functools import partial

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from governance.clocks import law_get, rows
from governance.errors import KeyDestroyed
from governance.evidence import ledger
from governance.models import Case, CaseClock, ClockAlarm, Disposition, Role, Status, User
from governance.models.vault import subject_key
from governance.notifications import mail
from governance.policies import Actor
from governance.selectors.deadlines import RECEIPTS

SYSTEM = Actor.system("deadlines")
Step = ClockAlarm.Step
#: Days left -> the step; the first that holds is raised.
STEPS = ((1, Step.DAYS_1), (3, Step.DAYS_3), (7, Step.DAYS_7), (14, Step.DAYS_14))
#: From here on the whole legal desk is told, beside the officer.
LOUD = frozenset({Step.DAYS_3, Step.DAYS_1, Step.MISSED, Step.UNCONFIRMED, Step.UNTOLD})
#: A receipt that was not confirmed, or a notice that has not left, is told so many days before it must be.
CONFIRM_AHEAD = timedelta(days=2)
#: How far back closed cases are looked through for a miss that no watch saw.
LOOK_BACK = timedelta(days=30)
ACTIONS = {
    Step.MISSED: "deadline.missed",
    Step.UNCONFIRMED: "deadline.unconfirmed",
    Step.UNTOLD: "deadline.untold",
}
log = logging.getLogger(__name__)


def deadlines_watch() -> int:
    """Raise what is to be raised, and send the mails that wait; returns how many alarms are new."""
    told = sum(clock_watch(clock) for clock in _near().iterator(chunk_size=500))
    told += sum(_raise(clock, Step.MISSED, clock.extended_due or clock.due) for clock in _ended_late())
    alarms_mail()
    return told


def _clocks() -> QuerySet[CaseClock]:
    found = CaseClock.objects.filter(ended_at=None).select_related("case__claimant", "case__officer", "extension")
    return found.prefetch_related("pauses", "alarms").order_by("id")


def _near() -> QuerySet[CaseClock]:
    """Clocks of open cases that come near a date, of the answer or of the confirmation."""
    horizon = timezone.localdate() + timedelta(days=STEPS[-1][0] + 1)
    confirm = Q(confirm_by__lte=horizon, confirm_by__gte=horizon - timedelta(days=30))
    near = Q(case__due_on__lte=horizon) | confirm | Q(extension__isnull=False, due__lte=horizon)
    return _clocks().filter(near).exclude(case__status=Status.CLOSED)


def _ended_late() -> QuerySet[CaseClock]:
    """Cases that were closed after their date, between two looks: closing must not hide a miss."""
    day = Coalesce("extended_due", "due")
    late = _clocks().filter(case__status=Status.CLOSED, case__closed_at__gte=timezone.now() - LOOK_BACK)
    late = late.annotate(last=day).filter(case__closed_at__date__gt=F("last"))
    return late.exclude(alarms__step=Step.MISSED).exclude(case__disposition=Disposition.WITHDRAWN)


def clock_watch(clock: CaseClock) -> int:
    """Raise the alarms of one clock that are due now and were not raised before; returns how many."""
    return date_watch(clock) + _confirmation_watch(clock) + _notice_watch(clock)


def date_watch(clock: CaseClock) -> int:
    """The alarm of the last lawful day, if one is due; none while the clock stands still."""
    day = clock.extended_due or clock.due
    step = step_of((day - rows.today_at(clock)).days)
    return _raise(clock, step, day) if step and not rows.stands(clock) else 0


def _confirmation_watch(clock: CaseClock) -> int:
    day = clock.confirm_by
    if day is None or rows.today_at(clock) < day - CONFIRM_AHEAD or _confirmed(clock.case):
        return 0
    return _raise(clock, Step.UNCONFIRMED, day)


def _notice_watch(clock: CaseClock) -> int:
    """An extension counts only when its notice has left before the first date: a mail that waits is told in time."""
    extension = getattr(clock, "extension", None)
    if extension is None or rows.today_at(clock) < clock.due - CONFIRM_AHEAD:
        return 0
    sent = clock.case.letters.filter(template="extended", sent_at__isnull=False)
    return 0 if sent.exists() else _raise(clock, Step.UNTOLD, clock.due)


def step_of(left: int) -> Step | None:
    """The alarm that so many days left call for."""
    if left < 0:
        return Step.MISSED
    return next((step for days, step in STEPS if left <= days), None)


def _confirmed(case: Case) -> bool:
    """Whether a letter that confirms receipt has left the house."""
    return case.letters.filter(template__in=RECEIPTS, sent_at__isnull=False).exists()


def _raise(clock: CaseClock, step: Step, day: date) -> int:
    if any((alarm.step, alarm.day) == (step, day) for alarm in clock.alarms.all()):
        return 0
    try:
        with transaction.atomic():
            alarm = ClockAlarm.objects.create(clock=clock, step=step, day=day)
            action = ACTIONS.get(step, "deadline.near")
            body = {"due_on": day.isoformat(), "law": clock.law, "step": step.value}
            ledger.append(action=action, actor=SYSTEM, case=_reachable(clock.case), body=body)
            transaction.on_commit(partial(_mail, alarm.pk))
    except IntegrityError:
        return 0
    return 1


def _reachable(case: Case) -> Case | None:
    """The case, unless its person was erased and nothing can be committed about them any more."""
    try:
        subject_key(case.claimant.subject)
    except KeyDestroyed:
        return None
    return case


def alarms_mail() -> int:
    """Send what the mail server has not taken yet; returns how many went out."""
    waiting = ClockAlarm.objects.filter(mailed_at=None, raised_at__lt=timezone.now() - timedelta(minutes=1))
    return sum(_mail(pk) for pk in waiting.values_list("pk", flat=True)[:100])


def _mail(pk: int) -> bool:
    """Send one alarm; who claims the row first sends it, and gives it back when the mail server is down."""
    if not ClockAlarm.objects.filter(pk=pk, mailed_at=None).update(mailed_at=timezone.now()):
        return False
    alarm = ClockAlarm.objects.select_related("clock__case__officer").get(pk=pk)
    addresses = recipients(alarm)
    if not addresses:
        return False
    title, text = _words(alarm)
    key = f"alarm {alarm.clock.case.public_id} {alarm.step} {alarm.day}"
    if mail.send_each(addresses, title, text, key=key):
        return True
    ClockAlarm.objects.filter(pk=pk).update(mailed_at=None)
    log.warning("Alarm %s was not taken by the mail server; it is sent again later.", pk)
    return False


def recipients(alarm: ClockAlarm) -> list[str]:
    """The officer; from the loud steps on, or where nobody has the case, the legal desk as well."""
    officer = alarm.clock.case.officer
    found = {officer.email} if officer and officer.is_active else set()
    if not found or Step(alarm.step) in LOUD:
        found |= set(User.objects.filter(role=Role.LEGAL, is_active=True).values_list("email", flat=True))
    return sorted(found)


def _words(alarm: ClockAlarm) -> tuple[str, str]:
    """A mail that names the case's number, law and date only."""
    clock = alarm.clock
    case, day, law = clock.case, f"{alarm.day:%d %B %Y}", law_get(clock.law).title
    if alarm.step == Step.MISSED:
        title = f"Case {case.number}: the deadline of {day} was missed"
    elif alarm.step == Step.UNTOLD:
        title = f"Case {case.number}: the notice of the extension must leave by {day}, and has not"
    elif alarm.step == Step.UNCONFIRMED:
        title = f"Case {case.number}: receipt must be confirmed by {day}, and no letter has left"
    else:
        days = (alarm.day - rows.today_at(clock)).days
        title = f"Case {case.number}: due {day}, {days} {'day' if days == 1 else 'days'} left"
    return title, f"{title} ({law}).\n\n{settings.BASE_URL}/cases/{case.public_id}/\n"
