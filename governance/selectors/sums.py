"""The kept sums of a span of days, read once and then asked in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Case as DbCase
from django.db.models import Q, Sum, Value, When

from governance.models import Disposition, Kind, Status, Tally

T = Tally.Topic
#: Guarantees first, the strongest before the others, then how else a case ends.
#: A running clock is at risk on its last lawful day and the three days before; due this week on that and seven before.
AT_RISK, WEEK = timedelta(days=3), timedelta(days=7)
#: How near the last lawful day is: over, at risk, due within a week but not yet at risk, later.
LEFT = ("late", "at_risk", "week", "later")
ENDINGS = ("exact", "certified", "approximate", *Disposition.values)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A sum over the days of a span; `left` only of open cases: how near their last lawful day is (`LEFT`)."""

    topic: str
    left: str
    kind: str
    region: str
    law: str
    word: str
    number: int
    count: int
    amount: int


@dataclass(frozen=True, kw_only=True)
class Sums:
    """What was received, closed and proved from `start` to `end`, and what is open now."""

    cells: Mapping[str, tuple[Cell, ...]]

    def _count(self, topic: str, **fields: Any) -> int:
        return sum(cell.count for cell in self.cells.get(topic, ()) if _fits(cell, fields))

    def received(self, **fields: Any) -> int:
        """Requests that came; `fields`: kind, region, law."""
        return self._count(T.RECEIVED, **fields)

    def closed(self, **fields: Any) -> int:
        """Cases that were closed; `fields`: also `word` (how it ended), `number` (1 inside the clock)."""
        return self._count(T.CLOSED, **fields)

    def answered(self) -> int:
        """Cases that were closed with an answer, in time or late: all but those that were withdrawn."""
        return self.closed(number=1) + self.closed(number=0)

    def open(self, **fields: Any) -> int:
        """Cases open now; `fields`: also `word` (the stage)."""
        return self._count(T.OPEN, **fields)

    def paused(self) -> int:
        """Open cases whose clock stands still."""
        return self._count(T.OPEN, number=1)

    def due(self, *left: str, **fields: Any) -> int:
        """Open cases with a running clock that have so much left: any of `LEFT`."""
        return sum(self._count(T.OPEN, number=0, left=one, **fields) for one in left)

    def days(self, topic: str, **fields: Any) -> Counter[int]:
        """Days -> how many cases took so many, of `took` (to the answer) or `proved` (to the signed report)."""
        found: Counter[int] = Counter()
        for cell in self.cells.get(topic, ()):
            if _fits(cell, fields):
                found[cell.number] += cell.count
        return found

    def amount(self, word: str) -> int:
        """What the engine's runs of the closed cases took together."""
        return sum(cell.amount for cell in self.cells.get(T.RUNS, ()) if cell.word == word)

    def with_runs(self) -> int:
        """How many of the closed cases had runs of the engine."""
        return self._count(T.RUNS, word="runs")

    def keys(self, name: str) -> list[str]:
        """The kinds, regions or laws that were received, closed or are open: kinds in their order, others by size."""
        sizes: Counter[str] = Counter()
        for topic in (T.RECEIVED, T.CLOSED, T.OPEN):
            for cell in self.cells.get(topic, ()):
                sizes[getattr(cell, name)] += cell.count
        if name == "kind":
            return [kind for kind in Kind.values if kind in sizes]
        return [key for key, _size in sorted(sizes.items(), key=lambda item: (-item[1], item[0]))]

    @staticmethod
    def stages() -> list[str]:
        """The stages of an open case, in their order."""
        return [stage for stage in Status.values if stage != Status.CLOSED]

    def endings(self, other: Sums) -> list[str]:
        """How cases ended in either span, the strongest guarantee first."""
        there = {cell.word for sums in (self, other) for cell in sums.cells.get(T.CLOSED, ())}
        return [word for word in ENDINGS if word in there]


def _fits(cell: Cell, fields: dict[str, Any]) -> bool:
    return all(getattr(cell, name) == value for name, value in fields.items())


def spans(start: date, end: date, today: date | None = None) -> Sums:
    """The sums of these days, and with `today` of what is open; one query each."""
    columns = ("topic", "kind", "region", "law", "word", "number")
    sums = {"count": Sum("count"), "amount": Sum("amount")}
    found: dict[str, list[Cell]] = {}
    inside = Tally.objects.filter(~Q(topic=T.OPEN), day__gte=start, day__lte=end).order_by()
    for row in inside.values(*columns).annotate(**sums):
        found.setdefault(row["topic"], []).append(Cell(left="", **row))
    if today:
        near = DbCase(
            When(day__lt=today, then=Value("late")),
            When(day__lte=today + AT_RISK, then=Value("at_risk")),
            When(day__lte=today + WEEK, then=Value("week")),
            default=Value("later"),
        )
        opened = Tally.objects.filter(topic=T.OPEN).order_by().annotate(left=near)
        found[T.OPEN] = [Cell(**row) for row in opened.values("left", *columns).annotate(**sums)]
    return Sums(cells={topic: tuple(cells) for topic, cells in found.items()})
