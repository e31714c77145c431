"""The dashboard's sums: a case is put on and taken off by the cells of its facts, and all of them can be put right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from governance.models import CaseFact, Tally
from governance.services import facts
from governance.services.facts import COLUMNS, Cell

#: What a cell counts, and the sum of what its cases took.
Sums = dict[Cell, list[int]]


def add(sums: Sums, fact: CaseFact | None, sign: int) -> None:
    """Put the facts of a case on sums (1) or take them off (-1)."""
    for cell, count, amount in facts.cells(fact) if fact else ():
        entry = sums.setdefault(cell, [0, 0])
        entry[0] += sign * count
        entry[1] += sign * amount


def settle(old: Mapping[int, CaseFact], fresh: Mapping[int, CaseFact], *, move: bool = True) -> set[int]:
    """Keep the fresh facts of cases and `move` the sums by the difference; returns the cases whose facts differ."""
    changed = {pk for pk, fact in fresh.items() if pk not in old or facts.values(old[pk]) != facts.values(fact)}
    gone = old.keys() - fresh.keys()
    CaseFact.objects.bulk_create(
        [fresh[pk] for pk in changed], batch_size=400, update_conflicts=True, unique_fields=["case_id"],
        update_fields=[name for name in COLUMNS if name != "case_id"],
    )  # fmt: skip
    CaseFact.objects.filter(pk__in=gone).delete()
    if move:
        sums: Sums = {}
        for pk in changed | gone:
            add(sums, old.get(pk), -1)
            add(sums, fresh.get(pk), 1)
        _move({cell: delta for cell, delta in sums.items() if any(delta)})
    return changed | gone


def replace(found: Sums) -> int:
    """Put all sums right; returns how many differed."""
    stand = {key: [count, amount] for key, count, amount in Tally.objects.values_list("key", "count", "amount")}
    wanted = {_key(cell): cell for cell in found if any(found[cell])}
    wrong = [_row(cell, *found[cell]) for key, cell in wanted.items() if stand.get(key) != found[cell]]
    beyond = list(stand.keys() - wanted.keys())
    _write(wrong)
    _delete(beyond)
    return len(wrong) + len(beyond)


def _move(deltas: Sums) -> None:
    stand = {row.key: row for part in _parts([_key(cell) for cell in deltas])
             for row in Tally.objects.filter(key__in=part)}  # fmt: skip
    rows = []
    for cell, (count, amount) in deltas.items():
        before = stand.get(_key(cell))
        rows.append(_row(cell, count + (before.count if before else 0), amount + (before.amount if before else 0)))
    _write([row for row in rows if row.count or row.amount])
    _delete([row.key for row in rows if not row.count and not row.amount])


def _key(cell: Cell) -> str:
    return "|".join(map(str, cell))


def _row(cell: Cell, count: int, amount: int) -> Tally:
    topic, day, kind, region, law, word, number = cell
    return Tally(
        key=_key(cell), topic=topic, day=day, kind=kind, region=region, law=law, word=word, number=number,
        count=count, amount=amount,
    )  # fmt: skip


def _write(rows: list[Tally]) -> None:
    Tally.objects.bulk_create(
        rows, batch_size=500, update_conflicts=True, unique_fields=["key"], update_fields=["count", "amount"]
    )


def _delete(keys: list[str]) -> None:
    for part in _parts(keys):
        Tally.objects.filter(key__in=part).delete()


def _parts(keys: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(keys), 500):
        yield keys[start : start + 500]
