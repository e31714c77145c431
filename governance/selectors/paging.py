"""Keyset paging: a page begins after a row, never at an offset, and nobody counts what nobody reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet

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


def counted(rows: QuerySet[Row], limit: int = COUNTED) -> str:
    """A count in words, exact up to `limit`: `17`, `more than 1,000`."""
    number = rows.order_by()[: limit + 1].count()
    return f"{number:,}" if number <= limit else f"{limit:,}+"
