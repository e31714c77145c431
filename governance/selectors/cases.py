"""One case with its parts. The lists of cases are in `queue`."""

from __future__ import annotations

import uuid

from django.db.models import QuerySet

from governance.models import Case, CaseLink, Hold, Interest, LedgerOpening, Match, Note, Verification
from governance.policies import Actor, Permission, demand, may

#: Other cases on the same records: so many are named.
NAMED = 20


def case_get(actor: Actor, public_id: uuid.UUID) -> Case:
    """One case.

    Raises:
        NotAllowed: the actor may not see cases.
        Case.DoesNotExist: no such case.
    """
    demand(actor, Permission.SEE_CASES)
    return Case.objects.select_related("claimant", "officer", "entered_by", "parent__officer", "release").get(
        public_id=public_id
    )


def history(case: Case, limit: int = 200) -> list[LedgerOpening]:
    """The case's entries in the ledger, newest first."""
    rows = LedgerOpening.objects.filter(case=case).select_related("entry", "actor")
    return list(rows.order_by("-entry_id")[:limit])


def hits(case: Case, *, texts: bool = False) -> list[Match]:
    """Every hit with its record, item and decision, grouped by item as they were claimed; with all texts on demand."""
    rows = case.matches.select_related("item", "record__dataset", "decision__proposed_by", "decision__approved_by")
    # The one passage that is read fetches its texts by itself.
    rows = rows if texts else rows.defer("excerpt", "item__text")
    return list(rows.order_by("item__position", "id"))


def verifications(case: Case) -> QuerySet[Verification]:
    """What the probes found about the case's plans, in the order in which they were tried."""
    rows = Verification.objects.filter(plan__case=case).select_related(
        "plan__base__model", "plan__reference", "plan__candidate"
    )
    return rows.order_by("plan__attempt")


def notes(case: Case, actor: Actor) -> list[Note]:
    """The case's notes, newest first; none for those who may not read them."""
    if not may(actor, Permission.NOTES):
        return []
    return list(case.notes.select_related("author", "struck_by"))


def interests(case: Case) -> list[Interest]:
    """Who declared a conflict of interest in the case."""
    return list(case.interests.select_related("person"))


def holds(case: Case) -> list[Hold]:
    """The case's legal holds, in their order."""
    return list(case.holds.select_related("placed_by", "lift_asked_by", "lifted_by"))


def family(case: Case) -> list[Case]:
    """The case that this one follows, and those that follow it."""
    found = [case.parent] if case.parent else []
    return [*found, *case.children.select_related("officer").order_by("id")[:NAMED]]


def links(case: Case) -> list[CaseLink]:
    """Cases that somebody or the intake joined to this one, from either side."""
    mine = case.links.select_related("case__officer", "other__officer").order_by("id")[:NAMED]
    others = case.linked_from.select_related("case__officer", "other__officer").order_by("id")[:NAMED]
    return [*mine, *others]


def on_the_same_records(case: Case) -> list[Case]:
    """Other cases that hit a record which this one hit: several claimants on one work."""
    records = case.matches.values("record")
    pks = Match.objects.filter(record__in=records).exclude(case=case).order_by().values_list("case_id", flat=True)
    return list(Case.objects.filter(pk__in=set(pks[: NAMED * 10])).select_related("officer").order_by("-id")[:NAMED])


def of_the_same_claimant(case: Case) -> list[Case]:
    """Other cases of the same address."""
    mark = case.claimant.email_mark
    if not mark:
        return []
    return list(
        Case.objects.filter(claimant__email_mark=mark)
        .exclude(pk=case.pk)
        .select_related("officer")
        .order_by("-id")[:NAMED]
    )
