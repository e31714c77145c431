"""A figure of the statement and the days that it is about, as page, table and sealed paper hold them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, kw_only=True)
class Period:
    """The days from `start` to `end`, both counted; `code` is its name, or `dates` where somebody named the days."""

    code: str
    start: date
    end: date

    @property
    def days(self) -> int:
        """How many days."""
        return (self.end - self.start).days + 1

    @property
    def before(self) -> Period:
        """As many days, ending on the day before this begins."""
        return Period(code="before", start=self.start - timedelta(days=self.days), end=self.start - timedelta(days=1))


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number: what it is (`code`), how much, of how many, and what it was in the period before.

    `unit`: cases, days, hours, kwh, places, files, runs, or a currency. `value` is None where there is nothing to
    measure. `low` and `high` bound a forecast. `estimate`: not all of it was read from a meter or a bill.
    """

    code: str
    value: float | int | None
    unit: str = "cases"
    of: int | None = None
    before: float | int | None = None
    before_of: int | None = None
    low: float | None = None
    high: float | None = None
    estimate: bool = False

    @property
    def share(self) -> float | None:
        """Value of `of`, from 0 to 1."""
        return self.value / self.of if self.of and self.value is not None else None
