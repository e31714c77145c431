"""Review: is the request admissible? Also the clock's lawful pauses and extensions."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from governance.clocks import LAWS, due_date
from governance.errors import Conflict, Unfit
from governance.evidence import ledger
from governance.lifecycle import advance
from governance.models import Case, Disposition, Status
from governance.policies import Actor, Permission, demand, demand_impartial
from governance.services.notification import letter_send


@transaction.atomic
def case_admit(*, case: Case, actor: Actor) -> Case:
    """Admissible: the works are looked for in the datasets."""
    demand_impartial(case, actor)
    return advance(case=case, to=Status.MATCHING, actor=actor, reason="Admissible", officer=actor.user)


@transaction.atomic
def case_refuse(*, case: Case, actor: Actor, reason: str) -> Case:
    """Not admissible. The claimant reads the reasons, and where to complain.

    Raises:
        Unfit: without reasons.
    """
    demand_impartial(case, actor)
    if len(reason.strip()) < 20:
        raise Unfit("Write the reasons in at least one full sentence; the claimant reads them.")
    advance(
        case=case,
        to=Status.NOTIFICATION,
        actor=actor,
        reason="Refused as inadmissible",
        disposition=Disposition.REFUSED,
        officer=actor.user,
    )
    letter_send(case=case, template="refused", text=reason)
    return case


@transaction.atomic
def information_ask(*, case: Case, actor: Actor, question: str, pauses_clock: bool) -> Case:
    """Ask the claimant something; the clock pauses only where the law knows that pause.

    Raises:
        Unfit: an empty question, or a pause that this law does not know.
    """
    law = LAWS[case.law]
    if not question.strip():
        raise Unfit("Write the question that the claimant is to answer.")
    if pauses_clock and not law.pause_for_identity:
        raise Unfit(f"{law.title}: the clock does not pause, whatever is asked.")
    back = case.status
    advance(
        case=case,
        to=Status.INFORMATION,
        actor=actor,
        reason="Asked the claimant a question",
        return_to=back,
        paused_on=timezone.localdate() if pauses_clock else None,
    )
    letter_send(case=case, template="question", text=question)
    return case


@transaction.atomic
def information_receive(*, case: Case, actor: Actor) -> Case:
    """The answer came: back to where it was asked, and the clock runs on.

    Raises:
        Conflict: no question is open.
    """
    if case.status != Status.INFORMATION:
        raise Conflict(f"Case {case.number} is not waiting for an answer.")
    paused = case.paused_days + ((timezone.localdate() - case.paused_on).days if case.paused_on else 0)
    due = due_date(case.law, case.received_on, paused_days=paused, extended=case.extended_on is not None).due
    return advance(
        case=case,
        to=Status(case.return_to),
        actor=actor,
        reason="Information received",
        return_to="",
        paused_on=None,
        paused_days=paused,
        due_on=due,
    )


@transaction.atomic
def clock_extend(*, case: Case, actor: Actor, reasons: str) -> Case:
    """Extend once, with reasons, before the first deadline has passed; the claimant is told at once.

    Raises:
        Unfit: the law knows no extension, it was used, it comes too late, or the reasons are missing.
    """
    demand(actor, Permission.EXTEND)
    law = LAWS[case.law]
    today = timezone.localdate()
    problems = []
    if not (law.extension_months or law.extension_days):
        problems.append(f"{law.title} knows no extension.")
    if case.extended_on:
        problems.append(f"Extended once already, on {case.extended_on:%d %B %Y}.")
    if today > case.due_on:
        problems.append("The deadline has passed; it can no longer be extended.")
    if len(reasons.strip()) < 20:
        problems.append("Write the reasons in at least one full sentence; the claimant reads them.")
    if problems:
        raise Unfit(problems)
    due = due_date(case.law, case.received_on, paused_days=case.paused_days, extended=True).due
    if not Case.objects.filter(pk=case.pk, extended_on=None, status=case.status).update(extended_on=today, due_on=due):
        raise Unfit("Somebody else changed the case in the meantime; load it again.")
    case.extended_on, case.due_on = today, due
    ledger.append(action="clock.extended", actor=actor, case=case, body={"due_on": due.isoformat()})
    letter_send(case=case, template="extended", text=reasons)
    return case
