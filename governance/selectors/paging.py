"""Keyset paging: a page begins after a row, never at an offset, and nobody counts what nobody reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Generic, TypeVar

from django.db.models import Model, Q, QuerySet
from django.utils import timezone

Row = TypeVar("Row", bound=Model)
#: Beyond this a count is told as "more than".
COUNTED = 1000


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Rows in their order, and whether others follow."""

    rows: list[Row]
    more: bool

    @property
    def last(self) -> Row | None:
        """The row after which the next page begins."""
        return self.rows[-1] if self.rows and self.more else None


def page(rows: QuerySet[Row], size: int) -> Page[Row]:
    """The first `size` rows of a query that is ordered and already begins where it should."""
    found = list(rows[: size + 1])
    return Page(rows=found[:size], more=len(found) > size)


def onward(rows: QuerySet[Row], column: str, after: Row | None, size: int, *, down: bool = False) -> Page[Row]:
    """The rows after one, ordered by a column that is never empty and then by id, upward or `down`; from the beginning
    where there is none."""
    if after is not None:
        value, side = getattr(after, column), "lt" if down else "gt"
        rows = rows.filter(Q(**{f"{column}__{side}": value}) | Q(**{column: value, f"pk__{side}": after.pk}))
    sign = "-" if down else ""
    return page(rows.order_by(f"{sign}{column}", f"{sign}pk"), size)


def newest(rows: QuerySet[Row], after: Row | None, size: int) -> Page[Row]:
    """The rows after one, the newest first."""
    return onward(rows, "created_at", after, size, down=True)


def of_days(rows: QuerySet[Row], column: str, first: date | None, last: date | None) -> QuerySet[Row]:
    """The rows whose moment in `column` lies in these days of the house; without a day that end is open."""
    start, end = moments(first, last)
    rows = rows.filter(**{f"{column}__gte": start}) if start else rows
    return rows.filter(**{f"{column}__lt": end}) if end else rows


def moments(first: date | None, last: date | None) -> tuple[datetime | None, datetime | None]:
    """When the first day begins and the last one is over, as the house reckons. The first and the last day that a
    calendar has, whose moments no clock tells, leave their end open, as no day does."""
    start = _midnight(first) if first and first != date.min else None
    end = _midnight(last + timedelta(days=1)) if last and last != date.max else None
    return start, end


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))


def named(rows: QuerySet[Row], **columns: str) -> Row | None:
    """The row that an address names; none where it names nothing. No text of ours holds NUL, and PostgreSQL refuses
    to be asked for it."""
    if not all(columns.values()) or any("\0" in value for value in columns.values()):
        return None
    return rows.filter(**columns).first()


def counting(rows: QuerySet[Row], limit: int = COUNTED) -> tuple[int, str]:
    """How many rows, as far as anybody counts (`limit` and one), and that in words: `17`, `1,000+`."""
    number = rows.order_by()[: limit + 1].count()
    return number, f"{number:,}" if number <= limit else f"{limit:,}+"


def counted(rows: QuerySet[Row], limit: int = COUNTED) -> str:
    """A count in words, exact up to `limit`."""
    return counting(rows, limit)[1]
