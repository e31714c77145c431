"""The clocks of a case: laws added or ended, pauses and the extension. What the law does not know is refused, cited."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from governance.clocks import law_get, local_day, rows
from governance.clocks.reckon import words
from governance.errors import Conflict, Unfit
from governance.evidence import ledger
from governance.models import Case, CaseClock, ClockExtension, ClockPause
from governance.policies import Actor, Permission, demand, demand_impartial
from governance.services.notification import letter_send

#: Shorter reasons are none.
SENTENCE = 20


@transaction.atomic
def clock_add(*, case: Case, actor: Actor, law: str, because: str, place: str = "") -> CaseClock:
    """One more law on the case, from the same receipt; the earliest date governs from now on.

    Raises:
        Unfit: the law does not fit, is there already, or nothing says why it applies.
    """
    demand(actor, Permission.EXTEND)
    case = _locked(case, actor)
    if len(because.strip()) < SENTENCE:
        raise Unfit("Write in one full sentence why this law applies as well.")
    present = rows.ensure(case)
    if law in {clock.law for clock in present}:
        raise Unfit(f"The clock of {law_get(law).title} runs on this case already.")
    if case.kind not in law_get(law).kinds:
        raise Unfit(f"{law_get(law).title} covers no {case.get_kind_display().lower()}.")
    received: datetime = present[0].received_at
    clock = rows.begin(case, received=received, because=because.strip()[:400], law=law, place=place, by=actor.user)
    clock.case = case
    clock.save()
    _settle(case)
    ledger.append(action="clock.added", actor=actor, case=case, body=_facts(case, clock))
    return clock


@transaction.atomic
def clock_end(*, clock: CaseClock, actor: Actor, because: str) -> None:
    """A law that was added by mistake no longer counts; the row and the reason stay.

    Raises:
        Unfit: it is the last one, it ended before, or nothing says why.
    """
    demand(actor, Permission.EXTEND)
    case = _locked(clock.case, actor)
    if len(because.strip()) < SENTENCE:
        raise Unfit("Write in one full sentence why this law does not apply.")
    if clock.law == case.law:
        raise Unfit("The law under which the case was filed stays; another one may be added beside it.")
    ended = CaseClock.objects.filter(pk=clock.pk, ended_at=None)
    if not ended.update(ended_at=timezone.now(), ended_because=because.strip()[:400], ended_by=actor.user):
        raise Conflict("This clock was ended before.")
    _settle(case)
    ledger.append(action="clock.ended", actor=actor, case=case, body=_facts(case, clock))


@transaction.atomic
def clock_extend(*, case: Case, actor: Actor, reasons: str) -> Case:
    """Extend every clock that its law lets be extended, once, in time, with reasons; the claimant is told at once.

    Raises:
        Unfit: no law of the case allows it now, each with its citation, or the reasons are missing.
    """
    demand(actor, Permission.EXTEND)
    current = _locked(case, actor)
    problems, extended = [], []
    if len(reasons.strip()) < SENTENCE:
        raise Unfit("Write the reasons in at least one full sentence; the claimant reads them.")
    for clock in rows.ensure(current):
        if problem := refusal_to_extend(clock):
            problems.append(problem)
        else:
            extended.append(_extension(clock, actor, reasons))
    if not extended:
        raise Unfit(problems)
    _settle(current)
    body = {"due_on": current.due_on.isoformat(), "laws": [clock.law for clock in extended]}
    ledger.append(action="clock.extended", actor=actor, case=current, body=body)
    letter_send(case=current, template="extended", text=reasons)
    _copy(current, case)
    return case


def refusal_to_extend(clock: CaseClock) -> str:
    """Why the law does not let this clock be extended now; empty where it does."""
    title = law_get(clock.law).title
    if hasattr(clock, "extension"):
        return f"{title}: Extended once already, on {timezone.localdate(clock.extension.notice_at):%d %B %Y}."
    asked = rows.asked(clock)
    rule = asked.rule
    if rule.extension is None:
        return f"{title} knows no extension. {rule.no_extension or rule.citation}"
    if local_day(timezone.now(), asked.place) > clock.due:
        return (
            f"{title}: The deadline has passed; notice and reasons had to be sent by {words(clock.due)} "
            f"({rule.extension.article})."
        )
    return ""


def _extension(clock: CaseClock, actor: Actor, reasons: str) -> CaseClock:
    try:
        with transaction.atomic():
            ClockExtension.objects.create(
                clock=clock, subject=clock.case.claimant.subject, reasons=reasons.strip(), notice_at=timezone.now(),
                by=actor.user,
            )  # fmt: skip
    except IntegrityError as error:
        raise Conflict("Somebody else extended the clock in the meantime; load the case again.") from error
    return clock


def refusal_to_pause(clock: CaseClock, cause: str) -> str:
    """Why the law does not let this clock stand still for that cause; empty where it does."""
    rule, title = rows.rule_of(clock), law_get(clock.law).title
    if cause == ClockPause.Cause.IDENTITY and rule.restarts:
        return ""
    if rule.stop_for(clock.case.kind, cause) is None:
        return f"{title}: the clock does not pause. {rule.no_stop or rule.citation}"
    if rows.today_at(clock) > (clock.extended_due or clock.due):
        return f"{title}: the clock ran out on {words(clock.extended_due or clock.due)}; it can no longer pause."
    return ""


def pause_begin(*, case: Case, actor: Actor, reasons: str, cause: str = ClockPause.Cause.IDENTITY) -> list[str]:
    """Let every clock stand still whose law knows this pause; returns those laws. Belongs in a transaction.

    Raises:
        Unfit: no law of the case knows it, each with its citation.
    """
    demand(actor, Permission.EXTEND)
    problems, stopped = [], []
    for clock in rows.ensure(_locked(case, actor)):
        if problem := refusal_to_pause(clock, cause):
            problems.append(problem)
            continue
        if rows.stands(clock):
            raise Conflict("The clock stands still already.")
        ClockPause.objects.create(
            clock=clock, cause=cause, subject=case.claimant.subject, reasons=reasons.strip(),
            first_at=timezone.now(), asked_by=actor.user,
        )  # fmt: skip
        stopped.append(clock.law)
    if not stopped:
        raise Unfit(problems)
    return stopped


def pause_end(*, case: Case, actor: Actor) -> list[str]:
    """The answer came: what stood still runs on; returns those laws. Belongs in a transaction."""
    waiting = ClockPause.objects.filter(clock__case=_locked(case, actor), clock__ended_at=None, last_at=None)
    laws = list(waiting.values_list("clock__law", flat=True))
    waiting.update(last_at=timezone.now(), ended_by=actor.user)
    return laws


def _locked(case: Case, actor: Actor) -> Case:
    """The case, held until the end of the transaction, so that two officers cannot cross. After its end no date moves.

    Raises:
        NotAllowed: the actor is party to the case. Conflict: it is closed.
    """
    found = Case.objects.select_for_update(of=("self",), no_key=True).select_related("claimant").get(pk=case.pk)
    demand_impartial(found, actor)
    if not found.is_open:
        raise Conflict(f"Case {found.number} is closed.")
    return found


def _settle(case: Case) -> None:
    columns = rows.settle(case)
    Case.objects.filter(pk=case.pk).update(**columns)
    for name, value in columns.items():
        setattr(case, name, value)


def _copy(source: Case, target: Case) -> None:
    for name in ("due_on", "paused_on", "paused_days", "extended_on"):
        setattr(target, name, getattr(source, name))


def _facts(case: Case, clock: CaseClock) -> dict[str, str]:
    return {
        "law": clock.law,
        "rule": f"{clock.law} {clock.version}",
        "day": (clock.extended_due or clock.due).isoformat(),
        "due_on": case.due_on.isoformat(),
    }
