"""Keyset paging: a page begins after a row, never at an offset, and nobody counts what nobody reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Generic, TypeVar

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


def newest(rows: QuerySet[Row], after: Any, size: int) -> Page[Row]:
    """Newest first by `created_at`, the rows after the one `after`; from the beginning where that is none."""
    if after is not None:
        rows = rows.filter(Q(created_at__lt=after.created_at) | Q(created_at=after.created_at, pk__lt=after.pk))
    return page(rows.order_by("-created_at", "-pk"), size)


def of_days(rows: QuerySet[Row], column: str, first: date | None, last: date | None) -> QuerySet[Row]:
    """The rows whose moment in `column` lies in these days of the house; without a day that end is open."""
    if first:
        rows = rows.filter(**{f"{column}__gte": _midnight(first)})
    return rows.filter(**{f"{column}__lt": _midnight(last + timedelta(days=1))}) if last else rows


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))


def counting(rows: QuerySet[Row], limit: int = COUNTED) -> tuple[int, str]:
    """How many rows, as far as anybody counts (`limit` and one), and that in words: `17`, `1,000+`."""
    number = rows.order_by()[: limit + 1].count()
    return number, f"{number:,}" if number <= limit else f"{limit:,}+"


def counted(rows: QuerySet[Row], limit: int = COUNTED) -> str:
    """A count in words, exact up to `limit`."""
    return counting(rows, limit)[1]
