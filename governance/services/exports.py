"""What auditors take along: cases, decisions, ledger entries and policies of some days, row by row, never who asked.

Free words of officers are left out, since they may name somebody; members of the staff stand under the number of their
account. Each export is an entry of the ledger before its first row leaves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from governance.errors import Unfit
from governance.evidence import ledger
from governance.models import Case, Decision, LedgerEntry, VerificationPolicy
from governance.policies import Actor, Permission, demand
from governance.selectors.ledger import day_range
from governance.selectors.paging import of_days

CHUNK = 2000
Row = list[Any]


@dataclass(frozen=True)
class Kind:
    """Columns of an export, its rows between two days, and how one is written."""

    columns: tuple[str, ...]
    rows: Callable[[date, date], QuerySet[Any]]
    write: Callable[[Any], Row]


def _moment(value: datetime | None) -> str:
    return value.isoformat(timespec="seconds") if value else ""


def _cases(first: date, last: date) -> QuerySet[Case]:
    rows = Case.objects.filter(received_on__gte=first, received_on__lte=last).select_related("parent")
    return rows.order_by("received_on", "id")


def _case(case: Case) -> Row:
    return [
        case.number, case.kind, case.law, case.channel, case.capacity, case.status, case.disposition, case.received_on,
        case.due_on, case.paused_on, case.paused_days, case.extended_on, _moment(case.closed_at), case.relation,
        case.parent.number if case.parent else "", case.officer_id,
    ]  # fmt: skip


def _decisions(first: date, last: date) -> QuerySet[Decision]:
    rows = of_days(Decision.objects.all(), "proposed_at", first, last)
    rows = rows.select_related("match__case", "match__item", "match__record__dataset")
    return rows.defer("match__excerpt", "match__item__text", "reason").order_by("proposed_at", "id")


def _decision(one: Decision) -> Row:
    match = one.match
    return [
        match.case.number, match.item.position, match.record.dataset.name, match.record.record_id, match.method,
        match.score, one.choice, one.ground, one.exception, one.proposed_by_id, _moment(one.proposed_at),
        one.approved_by_id, _moment(one.approved_at),
    ]  # fmt: skip


def _entries(first: date, last: date) -> QuerySet[LedgerEntry]:
    low, high = day_range(first, last)
    rows = LedgerEntry.objects.filter(index__gte=low or 0)
    rows = rows if high is None else rows.filter(index__lt=high)
    return rows.select_related("opening__case").order_by("index")


def _entry(entry: LedgerEntry) -> Row:
    opening = getattr(entry, "opening", None)
    return [
        entry.index, entry.at.isoformat(), entry.action, opening.actor_label if opening else "",
        opening.actor_id if opening else None, opening.case.number if opening and opening.case else "",
        bytes(entry.hash).hex(), bytes(entry.leaf).decode(), bytes(opening.salt).hex() if opening else "",
        json.dumps(opening.body, ensure_ascii=False, sort_keys=True) if opening else "",
    ]  # fmt: skip


def _policies(first: date, last: date) -> QuerySet[VerificationPolicy]:
    return of_days(VerificationPolicy.objects.all(), "proposed_at", first, last).order_by("version")


def _policy(one: VerificationPolicy) -> Row:
    return [
        one.version, one.name, one.digest, one.proposed_by_id, _moment(one.proposed_at), one.approved_by_id,
        _moment(one.approved_at), one.returned_by_id, _moment(one.returned_at),
        json.dumps(one.policy, sort_keys=True),
    ]  # fmt: skip


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "cases": Kind(
            ("case", "kind", "law", "channel", "capacity", "stage", "outcome", "received_on", "due_on", "paused_on",
             "paused_days", "extended_on", "closed_at", "relation", "follows", "officer"), _cases, _case),
        "decisions": Kind(
            ("case", "item", "dataset", "record", "found_by", "score", "choice", "ground", "exception", "proposed_by",
             "proposed_at", "approved_by", "approved_at"), _decisions, _decision),
        "ledger": Kind(
            ("index", "at", "action", "actor", "account", "case", "leaf_hash", "leaf", "salt", "body"),
            _entries, _entry),
        "policies": Kind(
            ("version", "name", "digest", "proposed_by", "proposed_at", "approved_by", "approved_at", "returned_by",
             "returned_at", "policy"), _policies, _policy),
    }
)  # fmt: skip


@transaction.atomic
def export_take(*, what: str, first: date, last: date, form: str, actor: Actor) -> Iterator[Row]:
    """The head, then each row. The entry of the ledger is written before; the rows are read as they are taken.

    Raises:
        NotAllowed: the policy refuses the actor. Unfit: no such export, or days that end before they begin.
    """
    demand(actor, Permission.AUDIT)
    if what not in KINDS or form not in ("csv", "json"):
        raise Unfit(f"There is no export of {what!r} as {form!r}; choose from the lists.")
    if first > last:
        raise Unfit("The days end before they begin.")
    kind = KINDS[what]
    rows = kind.rows(first, last)
    body = {"what": what, "from": first.isoformat(), "to": last.isoformat(), "form": form, "rows": rows.count()}
    ledger.append(action="export.taken", actor=actor, body=body)
    return _written(kind, rows)


def _written(kind: Kind, rows: QuerySet[Any]) -> Iterator[Row]:
    yield list(kind.columns)
    for one in rows.iterator(chunk_size=CHUNK):
        yield kind.write(one)
