"""Cases as their readers look for them: the queue by due date, the lists of work, one case with its parts."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from types import MappingProxyType

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from governance.models import (
    Case,
    Dataset,
    Decision,
    LedgerOpening,
    Match,
    Plan,
    Record,
    Role,
    Status,
    User,
    Verification,
)
from governance.policies import Actor, Permission, demand
from governance.selectors.paging import Page, counted, page

SIZE = 25
WEEK = timedelta(days=7)
OPEN = ~Q(status=Status.CLOSED)
S = Status


def _proposed(**who: object) -> Exists:
    return Exists(Decision.objects.filter(match__case=OuterRef("pk"), approved_at=None, **who))


def _undecided() -> Exists:
    return Exists(Match.objects.filter(case=OuterRef("pk"), decision=None))


def _signed(side: str) -> Q:
    return Q(**{f"release__{side}_at__isnull": False})


def _waiting_for(actor: Actor) -> Q | Exists:
    """What this person's role is asked for now."""
    at = {status: Q(status=status) for status in Status}
    decide = at[S.DECISION] & ~Q(_undecided()) & Q(_proposed())
    waiting = {
        Role.LEGAL: at[S.RECEIVED] | at[S.PROOF] | at[S.REVIEW] | at[S.INFORMATION]
        | (at[S.DECISION] & Q(_undecided())) | (at[S.RELEASE] & ~_signed("legal")),
        Role.APPROVER: (decide & ~Q(_proposed(proposed_by=actor.user))) | (at[S.RELEASE] & ~_signed("legal")),
        Role.ENGINEER: at[S.PLANNING] & Q(Exists(Plan.objects.filter(case=OuterRef("pk"), state=Plan.State.PROPOSED))),
        Role.RELEASE: at[S.RELEASE],
    }  # fmt: skip
    role = Role(actor.user.role) if isinstance(actor.user, User) else None
    return waiting.get(role, Q(pk__in=[])) if role else Q(pk__in=[])


def _due_this_week(actor: Actor) -> Q:
    return OPEN & Q(paused_on=None, due_on__lte=timezone.localdate() + WEEK)


#: Name of a list -> what stands in it.
VIEWS: Mapping[str, Callable[[Actor], Q | Exists]] = MappingProxyType(
    {
        "waiting": _waiting_for,
        "second": lambda actor: Q(status=S.DECISION) & ~Q(_undecided()) & Q(_proposed()),
        "proposed": lambda actor: Q(status=S.DECISION) & Q(_proposed(proposed_by=actor.user)),
        "open": lambda actor: OPEN,
        "week": _due_this_week,
        "unassigned": lambda actor: OPEN & Q(officer=None),
        "paused": lambda actor: OPEN & Q(paused_on__isnull=False),
        "extended": lambda actor: OPEN & Q(extended_on__isnull=False),
        "failed": lambda actor: (
            Q(status=S.PLANNING)
            & Q(
                Exists(Plan.objects.filter(case=OuterRef("pk"), state__in=[Plan.State.FAILED, Plan.State.INCONCLUSIVE]))
            )
        ),
        "closed": lambda actor: Q(status=S.CLOSED),
    }
)


def cases(actor: Actor, view: str = "open") -> QuerySet[Case]:
    """The cases of a list, unordered.

    Raises:
        NotAllowed: the actor may not see cases.
        KeyError: a list that does not exist.
    """
    demand(actor, Permission.SEE_CASES)
    return Case.objects.filter(VIEWS[view](actor))


def queue_page(actor: Actor, rows: QuerySet[Case], *, after: str = "", newest_first: bool = False) -> Page[Case]:
    """One page by due date, the cases after the one with the public id `after`. An unknown `after` begins anew."""
    demand(actor, Permission.SEE_CASES)
    order = ("-due_on", "-id") if newest_first else ("due_on", "id")
    known = _uuid(after)
    mark = Case.objects.filter(public_id=known).values_list("due_on", "id").first() if known else None
    if mark:
        rows = rows.filter(_beyond(*mark, newest_first=newest_first))
    full = rows.select_related("officer").annotate(items_count=Count("items", distinct=True)).order_by(*order)
    return page(full, SIZE)


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _beyond(due: date, pk: int, *, newest_first: bool) -> Q:
    side = "lt" if newest_first else "gt"
    return Q(**{f"due_on__{side}e": due}) & (Q(**{f"due_on__{side}": due}) | Q(**{f"id__{side}": pk}))


def search(actor: Actor, words: str) -> QuerySet[Case]:
    """Cases whose number begins so, or whose hits name this very record."""
    demand(actor, Permission.SEE_CASES)
    found = words.strip()
    records = Record.objects.filter(dataset__in=Dataset.objects.all(), record_id=found).values_list("pk", flat=True)[
        :50
    ]
    hit = Exists(Match.objects.filter(case=OuterRef("pk"), record__in=list(records)))
    return Case.objects.filter(Q(number__startswith=found.upper()) | Q(hit))


def view_counts(actor: Actor) -> dict[str, str]:
    """How many cases each list holds; beyond a thousand told as "1,000+"."""
    demand(actor, Permission.SEE_CASES)
    return {name: counted(cases(actor, name)) for name in VIEWS}


def headline_counts(actor: Actor) -> tuple[int, int, int]:
    """Open cases, those due within a week, and those whose date has passed."""
    today = timezone.localdate()
    late = Q(paused_on=None, due_on__lt=today)
    found = cases(actor).aggregate(
        open=Count("id"), week=Count("id", filter=_due_this_week(actor) & ~late), late=Count("id", filter=late)
    )
    return found["open"], found["week"], found["late"]


def case_get(actor: Actor, public_id: uuid.UUID) -> Case:
    """One case.

    Raises:
        NotAllowed: the actor may not see cases.
        Case.DoesNotExist: no such case.
    """
    demand(actor, Permission.SEE_CASES)
    return Case.objects.select_related("claimant", "officer", "entered_by", "parent", "release").get(
        public_id=public_id
    )


def history(case: Case, limit: int = 200) -> list[LedgerOpening]:
    """The case's entries in the ledger, newest first."""
    rows = LedgerOpening.objects.filter(case=case).select_related("entry", "actor")
    return list(rows.order_by("-entry_id")[:limit])


def hits(case: Case) -> list[Match]:
    """Every hit with its record, item and decision, grouped by item as they were claimed."""
    rows = case.matches.select_related("item", "record__dataset", "decision__proposed_by", "decision__approved_by")
    return list(rows.order_by("item__position", "id"))


def verifications(case: Case) -> QuerySet[Verification]:
    """What the probes found about the case's plans, in the order in which they were tried."""
    rows = Verification.objects.filter(plan__case=case).select_related(
        "plan__base__model", "plan__reference", "plan__candidate"
    )
    return rows.order_by("plan__attempt")
