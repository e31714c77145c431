"""Review: is the request admissible, or is something asked first?"""

from __future__ import annotations

from django.db import transaction

from governance.clocks import rows
from governance.errors import Conflict, Unfit
from governance.evidence import ledger
from governance.lifecycle import advance
from governance.models import Answer, Case, Disposition, Status
from governance.policies import Actor, Permission, demand, demand_impartial
from governance.services import clocks, news
from governance.services.notification import letter_send

#: Characters of an answer.
MAX_ANSWER = 20_000


@transaction.atomic
def case_admit(*, case: Case, actor: Actor) -> Case:
    """Admissible: the works are looked for in the datasets, and the claimant is told that work has begun."""
    demand_impartial(case, actor)
    moved = advance(case=case, to=Status.MATCHING, actor=actor, reason="Admissible", officer=actor.user)
    letter_send(case=moved, template="admitted")
    return moved


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
        Unfit: an empty question, or a pause that no law of the case knows, with its citation.
    """
    demand_impartial(case, actor)
    if not question.strip():
        raise Unfit("Write the question that the claimant is to answer.")
    back = case.status
    stopped = clocks.pause_begin(case=case, actor=actor, reasons=question) if pauses_clock else []
    advance(
        case=case,
        to=Status.INFORMATION,
        actor=actor,
        reason="Asked the claimant a question",
        body={"paused": stopped} if stopped else None,
        return_to=back,
        **(rows.settle(case) if stopped else {}),
    )
    letter_send(case=case, template="question", text=question)
    return case


@transaction.atomic
def information_receive(*, case: Case, actor: Actor) -> Case:
    """The answer came: back to where it was asked, and the clock runs on.

    Raises:
        Conflict: no question is open.
    """
    demand_impartial(case, actor)
    if case.status != Status.INFORMATION:
        raise Conflict(f"Case {case.number} is not waiting for an answer.")
    resumed = clocks.pause_end(case=case, actor=actor)
    return advance(
        case=case,
        to=Status(case.return_to),
        actor=actor,
        reason="Information received",
        body={"resumed": resumed} if resumed else None,
        return_to="",
        **(rows.settle(case) if resumed else {}),
    )


@transaction.atomic
def information_answer(*, case: Case, text: str, actor: Actor) -> Case:
    """The claimant answers by the private page: the words are kept sealed, and the clock runs on from this moment.

    A pause that went on until somebody read the answer would be longer than the law allows.

    Raises:
        NotAllowed: the policy refuses the actor.
        Unfit: nothing was written, or too much.
        Conflict: no question is open.
    """
    demand(actor, Permission.ANSWER)
    words = text.strip()
    if not words:
        raise Unfit("Write your answer.")
    if len(words) > MAX_ANSWER:
        raise Unfit(f"{len(words):,} characters are more than {MAX_ANSWER:,}; send the rest as a file.")
    moved = information_receive(case=case, actor=actor)
    Answer.objects.create(case=moved, subject=moved.claimant.subject, text=words)
    ledger.append(action="answer.given", actor=actor, case=moved, body={"characters": len(words)})
    news.news_note(moved)
    return moved
