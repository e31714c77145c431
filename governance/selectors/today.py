"""What a member of the legal desk has to do today, block by block; each block is cut and its number is bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from governance.models import (
    AbuseFinding,
    Answer,
    Case,
    Challenge,
    ClaimedItem,
    Erasure,
    Hold,
    IdentityDoubt,
    Interest,
    Letter,
    LetterDraft,
    Message,
    PatchPublication,
    PatchWithdrawal,
    Plan,
    Quarantine,
    Status,
    VerificationPolicy,
    VersionOrder,
)
from governance.policies import CONTESTED, Actor, Permission, demand, may
from governance.selectors import queue, signable
from governance.selectors.paging import COUNTED

P = Permission
#: Rows of a block; the rest is one link away.
SHOWN = 8
#: How many days ahead a reader may look, and how many without a choice.
AHEAD, DEFAULT_AHEAD = (3, 7, 14, 28), 7


@dataclass(frozen=True, kw_only=True)
class Block:
    """The first rows, and how many there are: up to one more than `COUNTED`."""

    rows: list[Any]
    count: int

    @classmethod
    def of(cls, rows: QuerySet[Any]) -> Block:
        """Cut a query that is ordered; what was read whole is not counted once more."""
        first = list(rows[: SHOWN + 1])
        count = rows[: COUNTED + 1].count() if len(first) > SHOWN else len(first)
        return cls(rows=first[:SHOWN], count=count)

    @classmethod
    def joined(cls, blocks: Iterable[Block]) -> Block:
        """What waits of several kinds, the oldest first."""
        found = list(blocks)
        rows = sorted((one for block in found for one in block.rows), key=lambda one: one.since)
        return cls(rows=rows[:SHOWN], count=min(COUNTED + 1, sum(block.count for block in found)))

    def each(self, told: Callable[[Any], Waits]) -> Block:
        """The same with its rows told as what waits."""
        return Block(rows=[told(row) for row in self.rows], count=self.count)


@dataclass(frozen=True, kw_only=True)
class Waits:
    """Something of a case, or of the house, that waits since a moment. `what` is a key of the page's words."""

    what: str
    since: datetime
    case: Case | None = None
    #: Number of what is no case: a policy's version, an order's id.
    number: int = 0
    by: str = ""


def _party(actor: Actor) -> QuerySet[Any, Any]:
    """The cases in which the reader is party."""
    return Interest.objects.filter(person=actor.user).values("case")


def _own(actor: Actor) -> Q:
    """Rows of cases in which they are party, or entered the request or works of it: they do not sign there."""
    works = ClaimedItem.objects.filter(entered_by=actor.user).values("case")
    return Q(case__entered_by=actor.user) | Q(case__in=works) | Q(case__in=_party(actor))


def whose(actor: Actor, *, desk: bool) -> Q:
    """The reader's cases and those of nobody; with `desk` everybody's. Never one in which they are party."""
    return (Q() if desk else Q(officer=actor.user) | Q(officer=None)) & signable.impartial(actor)


def overdue(actor: Actor, *, desk: bool) -> Block:
    """Open cases whose clock runs and whose last lawful day is over, the longest first."""
    rows = queue.cases(actor, "late").filter(whose(actor, desk=desk))
    return Block.of(rows.select_related("officer").order_by("due_on", "id"))


def due_within(actor: Actor, days: int, *, desk: bool) -> Block:
    """Open cases whose clock runs out from today on within so many days."""
    today = timezone.localdate()
    soon = Q(paused_on=None, due_on__gte=today, due_on__lte=today + timedelta(days=days))
    rows = queue.cases(actor, "open").filter(soon & whose(actor, desk=desk))
    return Block.of(rows.select_related("officer").order_by("due_on", "id"))


def stopped(actor: Actor, *, desk: bool) -> Block:
    """Open cases whose work by a machine failed or was cancelled, the first to fall due first."""
    rows = queue.cases(actor, "stopped").filter(whose(actor, desk=desk))
    return Block.of(rows.select_related("officer").order_by("due_on", "id"))


def told_late(cases: list[Case]) -> set[int]:
    """Which of these claimants were written to that the answer is late."""
    return set(Letter.objects.filter(case__in=cases, template="late").values_list("case_id", flat=True))


def came_in(actor: Actor, *, desk: bool) -> Block:
    """Answers, proofs, documents, appeals and complaints that nobody has looked at yet, the oldest first."""
    demand(actor, P.SEE_CASES)
    # Another query of the case: conditions on a case that was joined already would be those of the row.
    cases = Case.objects.filter(queue.OPEN & whose(actor, desk=desk))
    answers = Answer.objects.filter(taken_up_at=None, case__in=cases.filter(status__in=[Status.PROOF, Status.REVIEW]))
    shown = Challenge.objects.filter(state=Challenge.State.WAITING, case__in=cases)
    documents = IdentityDoubt.objects.filter(settled_at=None, upload__isnull=False, case__in=cases)
    contested = cases.filter(relation__in=CONTESTED, status=Status.REVIEW).order_by("id")
    return Block.joined([
        _waits("answer", answers, "given_at"),
        _waits("proof", shown, "tried_at"),
        _waits("document", documents, "doubted_at"),
        Block.of(contested).each(lambda case: Waits(what=case.relation, case=case, since=case.created_at)),
    ])  # fmt: skip


def _waits(what: str, rows: QuerySet[Any], column: str) -> Block:
    found = Block.of(rows.select_related("case").order_by("id"))
    return found.each(lambda row: Waits(what=what, case=row.case, since=getattr(row, column) or timezone.now()))


def second_signatures(actor: Actor) -> Block:
    """What others proposed and this person may sign as the second, the oldest first; nothing of their own."""
    granted = [read for permission, read in SECOND.items() if may(actor, permission)]
    blocks = [block for read in granted for block in read(actor)]
    names = [name for permission, mine in IN_CASES.items() if may(actor, permission) for name in mine]
    return Block.joined([_in_cases(actor, names), *blocks] if names else blocks)


def _in_cases(actor: Actor, names: list[str]) -> Block:
    """Of all kinds at once: where a case stands says what is signed there."""
    cases = Case.objects.filter(signable.second(actor, *names) & signable.impartial(actor))
    found = Block.of(cases.select_related("proposed_by").order_by("due_on", "id"))
    # The case's own proposer stays with it after the decision; whoever signed first later is another.
    planned = [case for case in found.rows if case.status == Status.PLANNING]
    plans = Plan.objects.filter(case__in=planned, state=Plan.State.PROPOSED).select_related("chosen_by")
    first = {plan.case_id: plan.chosen_by for plan in plans} if planned else {}
    first |= {case.pk: case.proposed_by for case in found.rows if case.status in (Status.DECISION, Status.REVIEW)}
    return found.each(
        lambda case: Waits(what=AT[case.status], case=case, since=case.changed_at, by=str(first.get(case.pk) or ""))
    )


def _releases(actor: Actor) -> Iterable[Block]:
    orders = VersionOrder.objects.filter(done_at=None, refused_at=None, legal_by=None)
    yield _proposed("order", orders.exclude(release_by=actor.user), actor)
    yield _proposed("patch", PatchPublication.objects.filter(approved_at=None, returned_at=None), actor)
    yield _proposed("withdrawal", PatchWithdrawal.objects.filter(approved_at=None, returned_at=None), actor)


def _proposed(what: str, rows: QuerySet[Any], actor: Actor) -> Block:
    """Rows that another person proposed, named by their version or id."""
    number = "version" if what == "policy" else "pk"
    found = Block.of(rows.exclude(proposed_by=actor.user).select_related("proposed_by").order_by("proposed_at", "pk"))
    return found.each(
        lambda row: Waits(what=what, since=row.proposed_at, number=getattr(row, number), by=str(row.proposed_by or ""))
    )


def _holds(actor: Actor) -> Iterable[Block]:
    rows = Hold.objects.filter(lift_asked_at__isnull=False, lifted_at=None).exclude(lift_asked_by=actor.user)
    rows = rows.exclude(case__in=_party(actor)).select_related("case", "lift_asked_by")
    yield Block.of(rows.order_by("lift_asked_at", "pk")).each(
        lambda row: Waits(what="hold", case=row.case, since=row.lift_asked_at, by=str(row.lift_asked_by))
    )


def _lifts(actor: Actor) -> Iterable[Block]:
    rows = Quarantine.objects.filter(cause=Quarantine.Cause.RETURNED, ended_at=None, lift_asked_by__isnull=False)
    rows = rows.exclude(lift_asked_by=actor.user).exclude(case__in=_party(actor)).select_related("lift_asked_by")
    yield Block.of(rows.order_by("lift_asked_at", "pk")).each(
        lambda row: Waits(what="lift", since=row.lift_asked_at, number=row.pk, by=str(row.lift_asked_by))
    )


def _policies(actor: Actor) -> Iterable[Block]:
    yield _proposed("policy", VerificationPolicy.objects.filter(approved_at=None, returned_at=None), actor)


def _erasures(actor: Actor) -> Iterable[Block]:
    rows = Erasure.objects.filter(done_at=None, approved_at=None, returned_at=None, mode=Erasure.Mode.PEOPLE)
    rows = rows.exclude(asked_by=actor.user).select_related("asked_by")
    yield Block.of(rows.order_by("asked_at", "pk")).each(
        lambda row: Waits(what="erasure", since=row.asked_at, number=row.pk, by=str(row.asked_by or ""))
    )


def _abuses(actor: Actor) -> Iterable[Block]:
    rows = AbuseFinding.objects.filter(approved_at=None, returned_at=None).exclude(proposed_by=actor.user)
    rows = rows.exclude(_own(actor)).select_related("case", "proposed_by")
    yield Block.of(rows.order_by("proposed_at", "pk")).each(
        lambda row: Waits(what="abuse", case=row.case, since=row.proposed_at, by=str(row.proposed_by))
    )


#: Permission -> what its holders sign as the second person in a case, by the names of `signable.PARTS`.
IN_CASES: Mapping[Permission, tuple[str, ...]] = MappingProxyType(
    {P.APPROVE: ("decision", "return"), P.CONFIRM_PLAN: ("plan",), P.RELEASE_LEGAL: ("release",)}
)
#: Stage of a case -> what is signed there.
AT = MappingProxyType(
    {Status.DECISION: "decision", Status.REVIEW: "return", Status.PLANNING: "plan", Status.RELEASE: "release"}
)
#: Permission -> what its holders sign as the second person elsewhere.
SECOND: Mapping[Permission, Callable[[Actor], Iterable[Block]]] = MappingProxyType(
    {
        P.RELEASE_LEGAL: _releases,
        P.HOLD: _holds,
        P.LIFT_QUARANTINE: _lifts,
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
