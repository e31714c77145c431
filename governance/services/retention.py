"""Retention: how long a case's own personal data is kept, and how it ends: the person's key is destroyed.

After it nothing sealed can be read and nothing new can be committed about the person; the house's copies of the report
go with it. What stays are numbers, dates, decisions in codes, commitments and the ledger, which still verifies.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from types import MappingProxyType

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from governance import dispatch
from governance.clocks import LAWS
from governance.errors import Conflict, NotAllowed, Unfit
from governance.evidence import ledger
from governance.models import Case, Claimant, Erasure, Job, Paper, Report
from governance.models.vault import subject_destroy, subject_readable
from governance.policies import Actor, Permission, demand, demand_impartial
from governance.selectors.jobs import ACTIVE
from governance.services import answers, sharing

SYSTEM = Actor.system("retention")
GONE = (
    "This person's data was destroyed by the retention policy. The case cannot be replayed and its report cannot be "
    "rendered again; copies that others hold, and the ledger, still verify."
)
BATCH = 100


@dataclass(frozen=True)
class Keep:
    """How long after its end a case is kept; `by_people`: no schedule ends it, since a recourse may be open."""

    months: int
    citation: str
    by_people: bool = False


#: Laws that set a time of their own; every other case is kept for the house's time.
KEEPS: Mapping[str, Keep] = MappingProxyType(
    {
        "ccpa": Keep(24, "11 CCR 7101(a): records of requests for at least 24 months"),
        "us_co": Keep(24, "4 CCR 904-3, Rule 6.11: records of requests for at least 24 months"),
        "quebec": Keep(
            0, "CQLR c. P-39.1, s. 36: after a refusal, until the recourse before the CAI has ended", by_people=True
        ),
    }
)


def keep_of(law: str) -> Keep:
    """The rule for one law: its own, never shorter than what the house defends itself with."""
    house = settings.RETENTION_MONTHS
    own = KEEPS.get(law)
    if own is None:
        return Keep(house, f"House policy: {house} months, to answer claims (GDPR Art. 5(1)(e), 17(3)(e))")
    return Keep(max(own.months, house), own.citation, own.by_people) if own.by_people else own


def _laws(case: Case) -> list[str]:
    return sorted({case.law, *case.clocks.filter(ended_at=None).values_list("law", flat=True)})


def _after(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def due_of(claimant: Claimant) -> tuple[date, Keep] | None:
    """The day from which a person's data may be destroyed, with the rule that sets it; None while a case is open."""
    found: list[tuple[date, Keep]] = []
    for case in claimant.cases.all():
        if case.closed_at is None:
            return None
        closed = timezone.localdate(case.closed_at)
        found += [(_after(closed, keep.months), keep) for keep in map(keep_of, _laws(case))]
    return max(found, key=lambda one: (one[0], one[1].by_people)) if found else None


def problems(claimant: Claimant, *, by_people: bool) -> list[str]:
    """Every reason why a person's data may not be destroyed today."""
    cases = list(claimant.cases.order_by("id"))
    due = due_of(claimant)
    found = [f"Case {case.number} is open." for case in cases if case.is_open]
    found += [f"Case {case.number} is under a legal hold." for case in cases if case.held_at is not None]
    found += [
        f"Case {case.number}: a recipient was not told yet; the notice needs the person's key."
        for case in cases
        if case.recipient_notices.filter(told_at=None).exclude(channel="excused").exists()
    ]
    writing = Job.objects.filter(kind="paper", state__in=ACTIVE, case__in=cases).order_by("case").distinct()
    found += [
        f"Case {number}: a paper of it is being sealed; it is done in a moment, or cancel its job."
        for number in writing.values_list("case__number", flat=True)
    ]
    if due is not None and due[0] > timezone.localdate():
        found.append(f"Kept until {due[0]:%d %B %Y} ({due[1].citation}).")
    if due is not None and not by_people and any(keep_of(law).by_people for case in cases for law in _laws(case)):
        found.append("A recourse may be open; two people end it.")
    if not subject_readable(claimant):
        found.append("Destroyed already.")
    return found


@transaction.atomic
def erasure_ask(*, case: Case, actor: Actor) -> Erasure:
    """First signature: destroy the personal data of a case's person, in this and their other cases.

    Raises:
        Unfit: with every reason against it. Conflict: asked for already.
    """
    demand(actor, Permission.ERASE_ASK)
    demand_impartial(case, actor)
    if actor.user is None:
        raise NotAllowed("A person asks for it; the schedule needs nobody.")
    if found := problems(case.claimant, by_people=True):
        raise Unfit(found)
    try:
        with transaction.atomic():
            erasure = _row(case.claimant, Erasure.Mode.PEOPLE, asked_by=actor.user)
    except IntegrityError as error:
        raise Conflict("It was asked for already; a second person approves it.") from error
    ledger.append(action="erasure.asked", actor=actor, case=case, body={"due_on": erasure.due_on.isoformat()})
    return erasure


@transaction.atomic
def erasure_return(*, erasure: Erasure, actor: Actor, reason: str = "") -> Erasure:
    """The data stays: whoever may approve refuses, or whoever asked takes it back. It may be asked for again.

    Raises:
        NotAllowed: neither of them. Unfit: refused without a reason. Conflict: answered or done already.
    """
    own = answers.taken_back(erasure.asked_by_id, actor, Permission.ERASE_APPROVE, reason=reason)
    cases = list(erasure.claimant.cases.select_related("claimant").order_by("id"))
    said = answers.why(own, reason)
    if not own:
        for case in cases:
            demand_impartial(case, actor)
    _answer(erasure, returned_by=actor.user, returned_at=timezone.now(), returned_why=said.get("why", ""))
    for case in cases:
        ledger.append(action=f"erasure.{'taken_back' if own else 'refused'}", actor=actor, case=case, body=said)
    return erasure


def _answer(erasure: Erasure, **columns: object) -> None:
    if not Erasure.objects.filter(pk=erasure.pk, done_at=None, returned_at=None).update(**columns):
        raise Conflict("This was answered already, or the person's data was destroyed.")
    erasure.refresh_from_db()


def _row(claimant: Claimant, mode: Erasure.Mode, **columns: object) -> Erasure:
    due = due_of(claimant)
    if due is None:
        raise Unfit("A case of this person is open.")
    return Erasure.objects.create(claimant=claimant, mode=mode, due_on=due[0], rule=due[1].citation, **columns)


@transaction.atomic
def erasure_approve(*, erasure: Erasure, actor: Actor) -> Erasure:
    """Second signature: the key is destroyed.

    Raises:
        NotAllowed: whoever asked. Unfit: what stands against it by now. Conflict: done already.
    """
    demand(actor, Permission.ERASE_APPROVE)
    if actor.user is None or actor.user == erasure.asked_by:
        raise NotAllowed("You asked for it; a second person approves.")
    for case in erasure.claimant.cases.all():
        demand_impartial(case, actor)
    if erasure.done_at is None and (found := problems(erasure.claimant, by_people=True)):
        raise Unfit(found)
    _carry_out(erasure, actor, approved_by=actor.user, approved_at=timezone.now())
    return erasure


def claimant_lock(pk: int) -> bool:
    """Keep erasure and what is written about a person apart until the transaction ends; True once they are erased."""
    Claimant.objects.select_for_update(no_key=True).get(pk=pk)
    return Erasure.objects.filter(claimant=pk, done_at__isnull=False).exists()


def _carry_out(erasure: Erasure, actor: Actor, **columns: object) -> None:
    now = timezone.now()
    claimant_lock(erasure.claimant_id)
    _answer(erasure, done_at=now, **columns)
    body = {"mode": str(erasure.mode), "due_on": erasure.due_on.isoformat(), "rule": erasure.rule}
    for case in erasure.claimant.cases.select_related("claimant").order_by("id"):
        # The last entry that can be committed under the person's own key.
        ledger.append(action="person.erased", actor=actor, case=case, body={**body, "number": case.number})
        sharing.drop(case)  # nobody could take the consent back any more
    transaction.on_commit(partial(finish, erasure))


def finish(erasure: Erasure) -> None:
    """Destroy the key and the house's copies of the reports; safe to repeat."""
    subject_destroy(erasure.claimant.subject)
    for report in Report.objects.filter(case__claimant=erasure.claimant):
        closed = report.auditor_bundles.values_list("archive", flat=True)
        before = [ref for pair in report.earlier.values_list("pdf", "proofs") for ref in pair]
        for ref in (report.pdf, report.evidence, report.readme, report.proofs, *before, *closed):
            if ref:
                dispatch.discard(ref)
    for paper in Paper.objects.filter(case__claimant=erasure.claimant):
        for ref in (paper.pdf, paper.evidence):
            dispatch.discard(ref)


def retention_run() -> int:
    """What the schedule may do alone, and what a crash left half done; how many persons' data was destroyed."""
    for left in Erasure.objects.filter(done_at__isnull=False).select_related("claimant").order_by("-id")[:BATCH]:
        if subject_readable(left.claimant):
            finish(left)
    if settings.RETENTION != "schedule":
        return 0
    done = 0
    others = Claimant.objects.exclude(pk__in=Erasure.claimants())
    waiting = others.filter(cases__closed_at__isnull=False).distinct().order_by("id")
    for claimant in waiting.iterator():
        if problems(claimant, by_people=False):
            continue
        with transaction.atomic():
            _carry_out(_row(claimant, Erasure.Mode.SCHEDULE), SYSTEM)
        done += 1
        if done >= BATCH:
            break
    return done


def erased(case: Case) -> str:
    """What to say of a case whose person's data is gone; empty while it is there."""
    return "" if subject_readable(case.claimant) else GONE


def policy() -> list[dict[str, str]]:
    """The retention policy as it stands, a line a law."""
    return [
        {
            "law": law.title,
            "months": str(keep.months),
            "citation": keep.citation,
            "ends": "two people" if keep.by_people or settings.RETENTION != "schedule" else "the schedule",
        }
        for law, keep in ((law, keep_of(code)) for code, law in LAWS.items())
    ]
