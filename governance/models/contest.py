"""Who took part in what an appeal or a complaint contests: one rule for policy, lists and the guards of the database.

It is read from what does not move: entries of the ledger and signatures, not whose desk the case lies on now. Engineers
and release managers carry out what others decided; their signatures under a plan or a release are no part in that.
"""

from __future__ import annotations

from django.db.models import F, Func, IntegerField, Q
from django.db.models.lookups import Exact

#: So many cases up from the one that contests: an appeal may be about the answer to an appeal.
_UP = tuple(f"p{n}" for n in range(1, 7))
_ABOVE = ", ".join(f"{one}.id" for one in _UP)
_JOINED = " ".join(
    f"LEFT JOIN governance_case {one} ON {one}.id = {below}.parent_id"
    for one, below in zip(_UP, ("c", *_UP), strict=False)
)
#: Entries that a person makes by deciding.
_DECIDING = (
    *("decision.proposed", "decision.approved", "abuse.proposed", "abuse.found", "return.proposed", "return.approved"),
    *("plan.signed", "plan.confirmed", "release.signed"),
)
#: A case that is admitted, refused or ended by a person; what only asks, or takes a proof, decides nothing.
_MOVED = (
    "e.action = 'case.advanced' AND o.body ->> 'from' NOT IN ('received', 'proof', 'information') "
    "AND o.body ->> 'to' <> 'information'"
)


def _wrote(who: str) -> str:
    """An entry by which this person decided, or by which the case was theirs."""
    actions = ", ".join(f"'{one}'" for one in _DECIDING)
    number = f"CAST({who} AS text)"
    return (
        f"(o.actor_id = {who} AND o.actor_label NOT IN ('role:engineer', 'role:release') "
        f"AND (e.action IN ({actions}) OR ({_MOVED}))) OR (e.action = 'case.assigned' "
        f"AND {number} IN (CAST(o.body ->> 'person' AS text), CAST(o.body ->> 'from' AS text)))"
    )


def _rows(who: str, case: str) -> str:
    """A row where the case contests what this person took part in, else none."""
    officers = ", ".join(f"{one}.officer_id" for one in _UP)
    signed = (
        "SELECT 1 FROM governance_match m JOIN governance_decision d ON d.match_id = m.id "  # noqa: S608 - no value comes from outside
        f"WHERE m.case_id IN ({_ABOVE}) AND {who} IN (d.proposed_by_id, d.approved_by_id)"
    )
    wrote = (
        'SELECT 1 FROM governance_ledgeropening o JOIN governance_ledgerentry e ON e."index" = o.entry_id '  # noqa: S608
        f"WHERE o.case_id IN ({_ABOVE}) AND ({_wrote(who)})"
    )
    return (
        f"SELECT 1 FROM governance_case c {_JOINED} WHERE c.id = {case} AND c.relation IN ('appeal', 'complaint') "  # noqa: S608
        f"AND ({who} IN ({officers}) OR EXISTS ({signed}) OR EXISTS ({wrote}))"
    )


def contested(who: str, case: str) -> str:
    """The same as a condition of a guard."""
    return f"EXISTS ({_rows(who, case)})"


def took_part(person: int) -> Q:
    """Cases that contest what this person took part in; asked case by case, as `selectors.signable` says why."""
    rows = _rows(str(int(person)), "%(expressions)s")
    return Q(Exact(Func(F("pk"), template=f"COALESCE(({rows} LIMIT 1), 0)", output_field=IntegerField()), 1))
