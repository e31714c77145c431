"""Keeps the dashboard's sums current, counts everything anew on demand, and tells what that found.

Triggers note which case changed (`models.triggers`). Here the old facts of such a case are taken off the sums and the
new ones are put on, in one transaction under the lock of one row, so that the sums are at every moment exactly those
of the facts, and the facts those of the cases but for what is noted. A note is deleted only by whoever has read the
case after it: a change between reading and deleting leaves a note of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from governance.models import Case, CaseFact, Tally, TallyState, TallyTouch
from governance.policies import Actor, Permission, demand
from governance.services import facts
from governance.services.facts import COLUMNS, Cell

#: Notes that are counted in one transaction, and how many such a task does at most.
BATCH, ROUNDS = 2000, 20
Sums = dict[Cell, list[int]]


def tallies_run() -> int:
    """What the scheduler does every few seconds: count what is noted; count everything where that was asked for, or
    never done. Returns how many notes were counted."""
    state = TallyState.objects.filter(pk=1).first()
    if state is None or state.recounted_at is None or state.asked_at is not None:
        tallies_recount()
    done = 0
    for _round in range(ROUNDS):
        counted = tallies_update()
        done += counted
        if counted < BATCH:
            break
    return done


@transaction.atomic
def tallies_update() -> int:
    """Count the cases that changed; returns how many notes that were. Nothing where another process is at it."""
    state = _lock()
    if state is None:
        return 0
    notes = list(TallyTouch.objects.order_by("id").values_list("id", "case_id")[:BATCH])
    if notes:
        _count({case for _id, case in notes})
        TallyTouch.objects.filter(pk__in=[pk for pk, _case in notes]).delete()
        TallyState.objects.filter(pk=state.pk).update(version=F("version") + 1)
    TallyState.objects.filter(pk=state.pk).update(counted_at=timezone.now())
    return len(notes)


def recount_ask(*, actor: Actor) -> None:
    """Somebody wants everything counted anew; the scheduler begins within seconds.

    Raises:
        NotAllowed: the actor may not see the dashboard.
    """
    demand(actor, Permission.SEE_DASHBOARD)
    TallyState.objects.get_or_create(pk=1)
    TallyState.objects.filter(pk=1, asked_at=None).update(asked_at=timezone.now())


@transaction.atomic
def tallies_recount() -> int:
    """Count every case anew and put right what differs; returns how many cases and sums stood otherwise here.

    A case that changed meanwhile is no difference: it is noted, and counted next. Nothing where another process is
    at it.
    """
    state = _lock()
    if state is None:
        return 0
    found: Sums = {}
    wrong: set[int] = set()
    last = 0
    while ids := list(Case.objects.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH]):
        fresh, stored = facts.derive(ids), _stored(last, ids[-1])
        changed = [fact for fact in fresh if stored.get(fact.case_id) != facts.values(fact)]
        wrong |= {fact.case_id for fact in changed} | (set(stored) - set(ids))
        _write(changed, set(stored) - set(ids))
        for fact in fresh:
            _add(found, fact, 1)
        last = ids[-1]
    beyond = set(CaseFact.objects.filter(pk__gt=last).values_list("pk", flat=True))
    _write([], beyond)
    noted = set(TallyTouch.objects.values_list("case_id", flat=True))
    differences = len((wrong | beyond) - noted) if state.recounted_at else 0
    differences += _replace(found, told=state.recounted_at is not None and not wrong | beyond)
    now = timezone.now()
    TallyState.objects.filter(pk=state.pk).update(
        recounted_at=now, counted_at=now, differences=differences, asked_at=None, version=F("version") + 1
    )
    return differences


def _lock() -> TallyState | None:
    TallyState.objects.get_or_create(pk=1)
    return TallyState.objects.select_for_update(skip_locked=True).filter(pk=1).first()


def _stored(after: int, upto: int) -> dict[int, tuple[Any, ...]]:
    rows = CaseFact.objects.filter(pk__gt=after, pk__lte=upto)
    return {row[0]: row for row in rows.values_list(*COLUMNS)}


def _count(cases: set[int]) -> None:
    """Take the old facts of these cases off the sums and put the new ones on."""
    old = CaseFact.objects.in_bulk(cases)
    new = {fact.case_id: fact for fact in facts.derive(cases)}
    sums: Sums = {}
    changed = [fact for pk, fact in new.items() if pk not in old or facts.values(old[pk]) != facts.values(fact)]
    gone = set(old) - set(new)
    for fact in changed:
        _add(sums, fact, 1)
    for pk in {fact.case_id for fact in changed} & set(old) | gone:
        _add(sums, old[pk], -1)
    _write(changed, gone)
    _apply({cell: delta for cell, delta in sums.items() if any(delta)})


def _write(changed: list[CaseFact], gone: set[int]) -> None:
    CaseFact.objects.bulk_create(
        changed, batch_size=400, update_conflicts=True, unique_fields=["case_id"],
        update_fields=[name for name in COLUMNS if name != "case_id"],
    )  # fmt: skip
    CaseFact.objects.filter(pk__in=gone).delete()


def _add(sums: Sums, fact: CaseFact, sign: int) -> None:
    for cell, count, amount in facts.cells(fact):
        entry = sums.setdefault(cell, [0, 0])
        entry[0] += sign * count
        entry[1] += sign * amount


def _key(cell: Cell) -> str:
    return "|".join(map(str, cell))


def _row(cell: Cell, count: int, amount: int) -> Tally:
    topic, day, kind, region, law, word, number = cell
    return Tally(
        key=_key(cell), topic=topic, day=day, kind=kind, region=region, law=law, word=word, number=number,
        count=count, amount=amount,
    )  # fmt: skip


def _apply(deltas: Sums) -> None:
    stand = {row.key: row for part in _parts([_key(cell) for cell in deltas])
             for row in Tally.objects.filter(key__in=part)}  # fmt: skip
    rows = []
    for cell, (count, amount) in deltas.items():
        before = stand.get(_key(cell))
        rows.append(_row(cell, count + (before.count if before else 0), amount + (before.amount if before else 0)))
    _upsert(rows)


def _upsert(rows: list[Tally]) -> None:
    kept = [row for row in rows if row.count or row.amount]
    Tally.objects.bulk_create(
        kept, batch_size=500, update_conflicts=True, unique_fields=["key"], update_fields=["count", "amount"]
    )
    for part in _parts([row.key for row in rows if not row.count and not row.amount]):
        Tally.objects.filter(key__in=part).delete()


def _replace(found: Sums, *, told: bool) -> int:
    """Put the sums right; returns how many differed, where that is to be `told` (else the facts already differed)."""
    stand = {key: (count, amount) for key, count, amount in Tally.objects.values_list("key", "count", "amount")}
    wanted = {_key(cell): cell for cell in found}
    wrong = [_row(cell, *found[cell]) for key, cell in wanted.items() if stand.get(key) != tuple(found[cell])]
    _upsert(wrong)
    beyond = [key for key in stand if key not in wanted]
    for part in _parts(beyond):
        Tally.objects.filter(key__in=part).delete()
    return len(wrong) + len(beyond) if told else 0


def _parts(keys: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(keys), 500):
        yield keys[start : start + 500]
