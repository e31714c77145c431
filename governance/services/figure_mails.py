"""The figures by e-mail, for whoever of the staff asked for them: weekly or monthly, numbers and the way to the page.

Nobody is mailed who did not ask or may no longer see the page. A letter that the mail server does not take goes out
with the next round.
"""

from __future__ import annotations

import logging
from datetime import date, timedelta

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.errors import NotAllowed, Unfit
from governance.evidence import figure_words as words
from governance.models import StatementMail, User
from governance.notifications import mail
from governance.notifications.errors import SendFailed
from governance.policies import Actor, Permission, demand, may
from governance.selectors import organisation, statement
from governance.statement_figures import Figure

log = logging.getLogger(__name__)
#: Days that a letter looks back on, by how often it comes.
PERIODS = {StatementMail.Every.WEEK.value: "30d", StatementMail.Every.MONTH.value: "90d"}


def wish_set(*, every: str, actor: Actor, today: date | None = None) -> StatementMail | None:
    """Keep the actor's own wish; an empty one ends it.

    Raises:
        NotAllowed: the actor may not see the figures.
        Unfit: no such rhythm.
    """
    demand(actor, Permission.SEE_DASHBOARD)
    if actor.user is None:
        raise NotAllowed("Figures are mailed to people.")
    if not every:
        StatementMail.objects.filter(person=actor.user).delete()
        return None
    if every not in PERIODS:
        raise Unfit(f"{every!r}: choose one of {', '.join(PERIODS)}, or none.")
    fields = {"every": every, "next_on": _next(every, today or timezone.localdate())}
    row, _made = StatementMail.objects.update_or_create(person=actor.user, defaults=fields)
    return row


def _next(every: str, today: date) -> date:
    """The next Monday, or the first of the next month; never today."""
    if every == StatementMail.Every.WEEK:
        return today + timedelta(days=7 - today.weekday())
    return (today.replace(day=1) + timedelta(days=32)).replace(day=1)


def mails_send(today: date | None = None) -> int:
    """Send what is due; returns how many letters went out. Who moves the date first sends the letter."""
    day = today or timezone.localdate()
    due = StatementMail.objects.filter(next_on__lte=day).select_related("person")
    return sum(_send(row, day) for row in due)


def _send(row: StatementMail, day: date) -> bool:
    before = row.next_on
    claimed = StatementMail.objects.filter(pk=row.pk, next_on=before).update(next_on=_next(row.every, day))
    actor = Actor.of(row.person)
    if not claimed or not _may_read(row.person):
        return False
    title, text = letter(row, actor, day)
    try:
        mail.send(mail.Mail(key=f"figures-{row.pk}-{before}", to=row.person.email, title=title, body=text))
    except SendFailed:
        StatementMail.objects.filter(pk=row.pk).update(next_on=before)
        log.warning("The figures for account %s were not taken by the mail server; they go out later.", row.person_id)
        return False
    return True


def _may_read(person: User) -> bool:
    return may(Actor.of(person), Permission.SEE_DASHBOARD)


def letter(row: StatementMail, actor: Actor, day: date) -> tuple[str, str]:
    """Title and text: every figure with its unit, what it is of, and what it was before. It names nobody."""
    found = statement.statement(actor, statement.period_of(PERIODS[row.every], day), day)
    lines = [_line(word.name, found.figures[code]) for code, word in words.FIGURES.items() if code in found.figures]
    context = {
        "lines": lines,
        "period": words.period_days(found.period),
        "url": settings.BASE_URL + reverse("dashboard"),
        "organisation": organisation.current().name,
    }
    title = _("Compliance figures of %(organisation)s") % {"organisation": context["organisation"]}
    return title, render_to_string("executive/mail.txt", context)


def _line(name: str, figure: Figure) -> str:
    then = words.shown_before(figure)
    beside = [_("an estimate")] * bool(figure.estimate and figure.value is not None)
    beside += [f"{_('before')}: {then}"] if then else []
    return f"{name}: {words.shown(figure)}" + (f" ({', '.join(beside)})" if beside else "")
