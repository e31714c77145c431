"""What a member of the legal desk has to do today, block by block; each block is cut and its number is bounded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from governance.models import (
    AbuseFinding,
    Answer,
    Case,
    Challenge,
    Erasure,
    Hold,
    IdentityDoubt,
    Interest,
    Letter,
    LetterDraft,
    Message,
    PatchPublication,
    PatchWithdrawal,
    Release,
    Status,
    VerificationPolicy,
    VersionOrder,
)
from governance.policies import CONTESTED, Actor, Permission, demand, may
from governance.selectors import queue
from governance.selectors.paging import COUNTED

P = Permission
#: Rows of a block; the rest is one link away.
SHOWN = 8
#: How many days ahead a reader may look, and how many without a choice.
AHEAD, DEFAULT_AHEAD = (3, 7, 14, 28), 7
#: The newest answers that are looked at: older ones have been read, or their case is late and stands above.
NEWEST = 400
#: An answer moves its case in the same transaction, a moment before it is kept.
MOMENT = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Block:
    """The first rows, and how many there are: up to one more than `COUNTED`."""

    rows: list[Any]
    count: int

    @classmethod
    def of(cls, rows: QuerySet[Any]) -> Block:
        """Cut a query that is ordered."""
        return cls(rows=list(rows[:SHOWN]), count=rows.order_by()[: COUNTED + 1].count())


@dataclass(frozen=True, kw_only=True)
class Waits:
    """Something of a case, or of the house, that waits since a moment. `what` is a key of the page's words."""

    what: str
    since: datetime
    case: Case | None = None
    #: Number of what is no case: a policy's version, an order's id.
    number: int = 0
    by: str = ""


def _mine(actor: Actor, *, desk: bool) -> Q:
    """The reader's cases and those of nobody; with `desk` everybody's. Never one in which they are party."""
    whose = Q() if desk else Q(officer=actor.user) | Q(officer=None)
    return whose & ~Q(pk__in=Interest.objects.filter(person=actor.user).values("case"))


def overdue(actor: Actor, *, desk: bool) -> Block:
    """Open cases whose clock runs and whose last lawful day is over, the longest first."""
    rows = queue.cases(actor, "late").filter(_mine(actor, desk=desk))
    return Block.of(rows.select_related("officer").order_by("due_on", "id"))


def due_within(actor: Actor, days: int, *, desk: bool) -> Block:
    """Open cases whose clock runs out from today on within so many days."""
    today = timezone.localdate()
    soon = Q(paused_on=None, due_on__gte=today, due_on__lte=today + timedelta(days=days))
    rows = queue.cases(actor, "open").filter(soon & _mine(actor, desk=desk))
    return Block.of(rows.select_related("officer").order_by("due_on", "id"))


def told_late(cases: list[Case]) -> set[int]:
    """Which of these claimants were written to that the answer is late."""
    return set(Letter.objects.filter(case__in=cases, template="late").values_list("case_id", flat=True))


def came_in(actor: Actor, *, desk: bool) -> list[Waits]:
    """Answers, proofs, documents, appeals and complaints that nobody has looked at yet, the oldest first."""
    demand(actor, P.SEE_CASES)
    # Another query of the case: conditions on a case that was joined already would be those of the row.
    cases = Case.objects.filter(queue.OPEN & _mine(actor, desk=desk))
    newest = Answer.objects.order_by("-id").values_list("id", flat=True)[:NEWEST]
    answers = Answer.objects.filter(
        pk__in=list(newest), case__in=cases, case__status__in=[Status.PROOF, Status.REVIEW],
        given_at__gte=F("case__changed_at") - MOMENT,
    )  # fmt: skip
    shown = Challenge.objects.filter(state=Challenge.State.WAITING, case__in=cases)
    documents = IdentityDoubt.objects.filter(settled_at=None, upload__isnull=False, case__in=cases)
    contested = cases.filter(relation__in=CONTESTED, status=Status.REVIEW)
    found = [
        *_waits("answer", answers, "given_at"),
        *_waits("proof", shown, "tried_at"),
        *_waits("document", documents, "doubted_at"),
        *(Waits(what=one.relation, case=one, since=one.created_at) for one in contested.order_by("id")[: SHOWN * 2]),
    ]
    return sorted(found, key=lambda one: one.since)


def _waits(what: str, rows: QuerySet[Any], column: str) -> list[Waits]:
    found = rows.select_related("case").order_by("id")[: SHOWN * 2]
    return [Waits(what=what, case=row.case, since=getattr(row, column) or timezone.now()) for row in found]


def second_signatures(actor: Actor) -> list[Waits]:
    """What others proposed and this person may sign as the second, the oldest first; nothing of their own."""
    found: list[Waits] = []
    for permission, read in SECOND.items():
        if may(actor, permission):
            found += read(actor)
    party = set(Interest.objects.filter(person=actor.user).values_list("case_id", flat=True))
    return sorted((one for one in found if one.case is None or one.case.pk not in party), key=lambda one: one.since)


def _decisions(actor: Actor) -> list[Waits]:
    rows = queue.cases(actor, "second").exclude(proposed_by=actor.user).exclude(entered_by=actor.user)
    back = Case.objects.filter(status=Status.REVIEW, proposed_by__isnull=False).exclude(proposed_by=actor.user)
    both = [("decision", rows), ("return", back)]
    return [
        Waits(what=what, case=case, since=case.changed_at, by=str(case.proposed_by or ""))
        for what, cases in both
        for case in cases.select_related("proposed_by").order_by("due_on", "id")[:SHOWN]
    ]


def _releases(actor: Actor) -> list[Waits]:
    signed = Release.objects.filter(legal_at__isnull=False).values("case")
    rows = queue.cases(actor).filter(status=Status.RELEASE).exclude(pk__in=signed)
    rows = rows.exclude(pk__in=Release.objects.filter(released_by=actor.user).values("case"))
    cases = [Waits(what="release", case=case, since=case.changed_at) for case in rows.order_by("due_on", "id")[:SHOWN]]
    orders = VersionOrder.objects.filter(done_at=None, refused_at=None, legal_by=None)
    orders = orders.filter(Q(proposed_by=None) | ~Q(proposed_by=actor.user)).exclude(release_by=actor.user)
    patches = PatchPublication.objects.filter(approved_at=None).exclude(proposed_by=actor.user)
    taken_back = PatchWithdrawal.objects.filter(approved_at=None, returned_at=None).exclude(proposed_by=actor.user)
    others = [*_proposed("order", orders), *_proposed("patch", patches), *_proposed("withdrawal", taken_back)]
    return [*cases, *others]


def _holds(actor: Actor) -> list[Waits]:
    rows = Hold.objects.filter(lift_asked_at__isnull=False, lifted_at=None).exclude(lift_asked_by=actor.user)
    return [
        Waits(what="hold", case=row.case, since=row.lift_asked_at or row.placed_at, by=str(row.lift_asked_by))
        for row in rows.select_related("case", "lift_asked_by").order_by("lift_asked_at")[:SHOWN]
    ]


def _proposed(what: str, rows: QuerySet[Any]) -> list[Waits]:
    """Rows that one person proposed, named by their version or id."""
    return [
        Waits(what=what, since=row.proposed_at, number=getattr(row, "version", 0) if what == "policy" else row.pk,
              by=str(row.proposed_by or ""))
        for row in rows.select_related("proposed_by").order_by("proposed_at")[:SHOWN]
    ]  # fmt: skip


def _policies(actor: Actor) -> list[Waits]:
    open_now = VerificationPolicy.objects.filter(approved_at=None, returned_at=None)
    return _proposed("policy", open_now.exclude(proposed_by=actor.user))


def _erasures(actor: Actor) -> list[Waits]:
    rows = Erasure.objects.filter(done_at=None, approved_at=None, mode=Erasure.Mode.PEOPLE)
    rows = rows.exclude(asked_by=actor.user).select_related("asked_by")
    return [
        Waits(what="erasure", since=row.asked_at, number=row.pk, by=str(row.asked_by or ""))
        for row in rows.order_by("asked_at")[:SHOWN]
    ]


def _abuses(actor: Actor) -> list[Waits]:
    rows = AbuseFinding.objects.filter(approved_at=None, returned_at=None).exclude(proposed_by=actor.user)
    found = rows.select_related("case", "proposed_by").order_by("proposed_at")[:SHOWN]
    return [Waits(what="abuse", case=row.case, since=row.proposed_at, by=str(row.proposed_by)) for row in found]


#: Permission -> what its holders sign as the second person.
SECOND: Mapping[Permission, Callable[[Actor], list[Waits]]] = MappingProxyType(
    {
        P.APPROVE: _decisions,
        P.RELEASE_LEGAL: _releases,
        P.HOLD: _holds,
        P.APPROVE_POLICY: _policies,
        P.ERASE_APPROVE: _erasures,
        P.APPROVE_ABUSE: _abuses,
    }
)


def letters(actor: Actor) -> tuple[Block, Block]:
    """Letters that did not arrive or wait for another try, and one's own words that are kept for a letter to come."""
    demand(actor, P.SEE_OUTBOX)
    stuck = Q(state__in=[Message.State.FAILED, Message.State.BOUNCED]) | Q(state=Message.State.QUEUED, attempts__gt=0)
    rows = Message.objects.filter(stuck, channel=Message.Channel.EMAIL).select_related("case", "letter")
    drafts = LetterDraft.objects.filter(by=actor.user).exclude(case__status=Status.CLOSED).select_related("case")
    return Block.of(rows.order_by("created_at", "id")), Block.of(drafts.order_by("at", "id"))
