"""The queue: its lists, what is searched, one page at a time, and how much each officer has. Built for a million cases.

A list is walked in its own order along an index that also holds what the queue filters by; nothing is counted beyond
`COUNTED`, and nothing is joined before the page is cut (docs/performance.md).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from django.db.models import Count, IntegerField, Q, QuerySet, Subquery, Value
from django.utils import timezone

from governance.models import (
    Case,
    Claimant,
    ClaimedItem,
    Dataset,
    Job,
    Match,
    Plan,
    Record,
    Role,
    SavedFilter,
    Status,
    User,
)
from governance.policies import GRANTS, Actor, Permission, demand
from governance.selectors import jobs, signable
from governance.selectors.paging import COUNTED, Page, page
from governance.selectors.signable import has, lacks

SIZE = 25
WEEK, AT_RISK = timedelta(days=7), timedelta(days=3)
OPEN = ~Q(status=Status.CLOSED)
#: What is searched leads to at most so many cases.
FOUND = 500
S = Status


def _plans(*states: Plan.State) -> Q:
    return Q(status=S.PLANNING) & has(Plan.objects.filter(state__in=states))


def _stopped() -> Q:
    """A machine's work failed or was cancelled, and nothing waits or runs: the case's own, or the run of another case
    that its plan rides along with."""
    signed = ~Q(status=S.PLANNING) | lacks(Plan.objects.filter(state=Plan.State.PROPOSED))
    alive = Job.objects.filter(state__in=jobs.ACTIVE)
    held = has(jobs.halted()) | (Q(status=S.UNLEARNING) & has(jobs.stranded()))
    return Q(status__in=list(jobs.WORK)) & held & lacks(alive) & signed


def _waiting_for(actor: Actor) -> Q:
    """What this person's role is asked for now and would not be refused; not where they are party to the case."""
    unsigned = Plan.objects.filter(state=Plan.State.PROPOSED, chosen_by=None)
    waiting = {
        Role.LEGAL: Q(status__in=[S.RECEIVED, S.PROOF, S.REVIEW, S.INFORMATION])
        | (Q(status=S.DECISION, proposed_by=None) & has(Match.objects.all())) | signable.second(actor, "release"),
        Role.APPROVER: signable.second(actor, *signable.PARTS),
        Role.ENGINEER: (Q(status=S.PLANNING) & has(unsigned)) | signable.second(actor, "plan") | _stopped(),
        Role.RELEASE: Q(status=S.RELEASE),
    }  # fmt: skip
    role = Role(actor.user.role) if isinstance(actor.user, User) else None
    if role not in waiting:
        return Q(pk__in=[])
    return waiting[role] & OPEN & signable.impartial(actor)


def _running(**due: Any) -> Q:
    return OPEN & Q(paused_on=None, **due)


def _late(actor: Actor) -> Q:
    return _running(due_on__lt=timezone.localdate())


def _week(actor: Actor) -> Q:
    today = timezone.localdate()
    return _running(due_on__gte=today, due_on__lte=today + WEEK)


#: Name of a list -> what stands in it.
VIEWS: Mapping[str, Callable[[Actor], Q]] = MappingProxyType(
    {
        "waiting": _waiting_for,
        "mine": lambda actor: OPEN & Q(officer=actor.user),
        "second": lambda actor: signable.complete(),
        "proposed": lambda actor: Q(status=S.DECISION, proposed_by=actor.user),
        "open": lambda actor: OPEN,
        "late": _late,
        "week": _week,
        "news": lambda actor: Q(news_at__isnull=False),
        "unassigned": lambda actor: OPEN & Q(officer=None),
        "paused": lambda actor: OPEN & Q(paused_on__isnull=False),
        "extended": lambda actor: OPEN & Q(extended_on__isnull=False),
        "held": lambda actor: Q(held_at__isnull=False),
        "failed": lambda actor: _plans(Plan.State.FAILED, Plan.State.INCONCLUSIVE),
        "stopped": lambda actor: _stopped(),
        "closed": lambda actor: Q(status=S.CLOSED),
    }
)
#: Name of an order -> column and direction; `id` follows, so that a page never repeats or drops a case.
SORTS: Mapping[str, str] = MappingProxyType(
    {
        "due": "due_on",
        "due_last": "-due_on",
        "oldest": "received_on",
        "newest": "-received_on",
        "moved": "-changed_at",
        "still": "changed_at",
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


def queue_page(
    actor: Actor, rows: QuerySet[Case], *, after: str = "", sort: str = "due", size: int | None = None
) -> Page[Case]:
    """One page in the given order, the cases after the one with the public id `after`; unknown ones begin anew."""
    demand(actor, Permission.SEE_CASES)
    column = SORTS.get(sort, SORTS["due"])
    descending, name = column.startswith("-"), column.lstrip("-")
    known = _uuid(after)
    mark = Case.objects.filter(public_id=known).values_list(name, "id").first() if known else None
    if mark:
        rows = rows.filter(_beyond(name, *mark, side="lt" if descending else "gt"))
    full = rows.select_related("officer").order_by(column, "-id" if descending else "id")
    found = page(full, size or SIZE)
    _count_items(found.rows)
    return found


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _beyond(name: str, value: Any, pk: int, *, side: str) -> Q:
    return Q(**{f"{name}__{side}e": value}) & (Q(**{f"{name}__{side}": value}) | Q(**{f"id__{side}": pk}))


def _count_items(rows: list[Case]) -> None:
    """How many works each case of the page names: asked for the page alone, so that no list is grouped."""
    counts = ClaimedItem.objects.filter(case__in=rows).order_by().values_list("case").annotate(n=Count("id"))
    found = dict(counts)
    for case in rows:
        case.items_count = found.get(case.pk, 0)  # type: ignore[attr-defined]


def search(actor: Actor, words: str) -> QuerySet[Case]:
    """Cases whose number begins so, or whose hits name this very record: open and closed ones, at most `FOUND`.

    They are looked up first and ordered afterwards: an order by date would walk the whole table for a rare number.
    """
    demand(actor, Permission.SEE_CASES)
    found = words.strip()
    if "\0" in found:  # no name of ours has one, and PostgreSQL refuses the question
        return Case.objects.none()
    number = found.upper()
    if not number.startswith("LT-"):
        # Asked by dataset, since that is how records are indexed.
        same = Record.objects.filter(dataset__in=Dataset.objects.all(), record_id=found)
        if records := list(same.values_list("pk", flat=True)[:50]):
            hit = Match.objects.filter(record__in=records).order_by().values_list("case_id", flat=True)
            return Case.objects.filter(pk__in=set(hit[:FOUND]))
        number = f"LT-{number}"
    begins = Case.objects.filter(number__startswith=number).order_by().values_list("pk", flat=True)
    return Case.objects.filter(pk__in=list(begins[:FOUND]))


def of_person(actor: Actor, mark: str) -> QuerySet[Case]:
    """Cases of the claimants with this mark of an e-mail address (`tokens.email_mark`).

    Raises:
        NotAllowed: the actor may not know who asks.
    """
    demand(actor, Permission.REVEAL_PERSON)
    if not mark or "\0" in mark:
        return Case.objects.none()
    claimants = Claimant.objects.filter(email_mark=mark).values_list("pk", flat=True)
    return Case.objects.filter(claimant__in=list(claimants[:FOUND]))


class _Bounded(Subquery):
    """How many rows a query has, as one value; the query is cut beforehand, so that counting ends early."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) bounded)"
    output_field = IntegerField()


def view_counts(actor: Actor) -> dict[str, int]:
    """How many cases each list holds, up to one more than `COUNTED`: one query for all of them."""
    demand(actor, Permission.SEE_CASES)
    # Walked by due date as the list itself: without an order every index that could serve would be read whole.
    rows = {name: cases(actor, name).order_by("due_on", "id").annotate(one=Value(1)).values("one") for name in VIEWS}
    counts = {f"n_{name}": _Bounded(found[: COUNTED + 1]) for name, found in rows.items()}
    if actor.user is None:
        return dict.fromkeys(VIEWS, 0)
    told: dict[str, Any] = dict(User.objects.filter(pk=actor.user.pk).values(**counts).get())
    # A list that can hold nothing (an auditor waits for nothing) is no query at all.
    return {name: told[f"n_{name}"] or 0 for name in VIEWS}


def next_waiting(actor: Actor, case: Case | None = None) -> Case | None:
    """The case that waits for this person next: the first by due date, other than the one on the desk."""
    rows = cases(actor, "waiting").order_by("due_on", "id")
    return (rows.exclude(pk=case.pk) if case else rows).only("public_id", "number").first()


def officers() -> list[User]:
    """Who can be given cases, by name."""
    roles = [role for role, granted in GRANTS.items() if Permission.ASSIGN in granted]
    return list(User.objects.filter(is_active=True, role__in=roles).order_by("last_name", "first_name", "email"))


@dataclass(frozen=True, kw_only=True)
class Load:
    """What one officer has on the desk; `officer` is None for what nobody has."""

    officer: User | None
    open: int
    late: int
    at_risk: int
    week: int
    paused: int


def workload(actor: Actor) -> list[Load]:
    """Open cases per officer: most first, those of nobody on top, officers without any at the end."""
    demand(actor, Permission.SEE_CASES)
    today = timezone.localdate()
    running = Q(paused_on=None)
    soon = running & Q(due_on__gte=today)
    rows = (
        Case.objects.filter(OPEN)
        .order_by()
        .values("officer")
        .annotate(
            open=Count("id"),
            late=Count("id", filter=running & Q(due_on__lt=today)),
            at_risk=Count("id", filter=soon & Q(due_on__lte=today + AT_RISK)),
            week=Count("id", filter=soon & Q(due_on__lte=today + WEEK)),
            paused=Count("id", filter=Q(paused_on__isnull=False)),
        )
    )
    found: dict[int | None, dict[str, Any]] = {row["officer"]: dict(row) for row in rows}
    known = {user.pk: user for user in User.objects.filter(pk__in=[pk for pk in found if pk])}
    known |= {user.pk: user for user in officers()}
    loads = [_load(user, found.get(pk, {})) for pk, user in known.items()]
    loads.sort(key=lambda load: (-load.open, str(load.officer)))
    return [_load(None, found[None]), *loads] if None in found else loads


def _load(officer: User | None, row: Mapping[str, Any]) -> Load:
    return Load(
        officer=officer,
        **{name: row.get(name, 0) for name in ("open", "late", "at_risk", "week", "paused")},
    )


def saved_filters(actor: Actor) -> list[SavedFilter]:
    """One's own filters and those that others share."""
    demand(actor, Permission.SEE_CASES)
    rows = SavedFilter.objects.filter(Q(owner=actor.user) | Q(shared=True)).select_related("owner")
    return list(rows.order_by("name", "id")[:40])
