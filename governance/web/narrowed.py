"""A list that its address narrows by words, choices and days, and the form that asks for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.http import QueryDict
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from governance.web.duty_pages import iso_day

#: Name of a choice in the address -> its label, and its values with their words.
Choices = Mapping[str, tuple[Any, Iterable[tuple[Any, Any]]]]


@dataclass(frozen=True, kw_only=True)
class Narrowed:
    """What was asked for; a value that means nothing filters nothing."""

    words: str
    chosen: Mapping[str, str]
    first: date | None
    last: date | None

    @classmethod
    def of(cls, asked: QueryDict, choices: Choices) -> Narrowed:
        """What the address says."""
        chosen = {}
        for name, (_label, options) in choices.items():
            value = asked.get(name, "")
            chosen[name] = value if value in {str(one) for one, _word in options} else ""
        words = asked.get("q", "").strip()[:40]
        return cls(words=words, chosen=chosen, first=iso_day(asked.get("from", "")), last=iso_day(asked.get("to", "")))

    @property
    def query(self) -> dict[str, str]:
        """The same for an address."""
        days = {"from": self.first, "to": self.last}
        told = {"q": self.words, **self.chosen, **{name: day.isoformat() if day else "" for name, day in days.items()}}
        return {name: value for name, value in told.items() if value}

    def next_url(self, after: str) -> str:
        """The page after the row `after`; empty where there is none."""
        return f"?{urlencode({**self.query, 'after': after})}" if after else ""

    def context(self, choices: Choices, *, words: str, clear_url: str, days: bool = True) -> dict[str, Any]:
        """What `components/filters.html` takes; without `days` none are asked for."""
        both = (("from", _("From"), self.first), ("to", _("To"), self.last)) if days else ()
        return {
            "filters": [
                {"name": name, "label": label, "options": [
                    {"value": "", "label": _("all"), "selected": not self.chosen[name]},
                    *({"value": value, "label": word, "selected": str(value) == self.chosen[name]}
                      for value, word in options)]}
                for name, (label, options) in choices.items()
            ],
            "fields": [{"name": "q", "label": words, "value": self.words}],
            "ranges": [{"name": name, "label": label, "value": day.isoformat() if day else ""}
                       for name, label, day in both],
            "ranges_open": bool(self.first or self.last), "chosen": bool(self.query), "clear_url": clear_url,
        }  # fmt: skip
