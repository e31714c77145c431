"""The shape of a rule: how long, from when, by which calendar, what may pause or extend it. Each cites its source.

A `Law` is a regime with one or more `Rule`s, each with a version and the day from which it applies. The rule in force
on the day of receipt governs a request to its end; a case keeps the version, so that its dates never move under it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from governance.clocks.places import UNION, Place, place_of
from governance.errors import Unfit

#: What is asked; "access" is no kind of case here, but statutes and regulators explain their clocks by it.
KINDS = ("copyright", "privacy", "objection", "safety", "correction", "access")


@dataclass(frozen=True, kw_only=True)
class Span:
    """A length of time: months, calendar days or working days; one of the three."""

    months: int = 0
    days: int = 0
    working_days: int = 0

    def __str__(self) -> str:
        number, unit = next(
            (n, unit)
            for n, unit in ((self.months, "month"), (self.days, "day"), (self.working_days, "working day"))
            if n
        )
        return f"{number} {unit}{'' if number == 1 else 's'}"

    def words(self) -> str:
        """At the beginning of a sentence: `One month`, `45 days`."""
        return str(self).replace("1 ", "One ") if str(self).startswith("1 ") else str(self)


@dataclass(frozen=True, kw_only=True)
class Stop:
    """A pause that the law knows, and for which kinds of request.

    `whole_days`: both the day of asking and the day of the answer are left out; else the answer's day counts again.
    """

    cause: str
    kinds: frozenset[str]
    article: str
    whole_days: bool = False


@dataclass(frozen=True, kw_only=True)
class More:
    """An extension: once, with reasons, told within the first period. `cap` bounds all days since receipt."""

    span: Span
    article: str
    cap: int = 0


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One version of one clock."""

    law: str
    version: int
    applies_from: date
    kinds: frozenset[str]
    answer: Span
    article: str
    citation: str
    relation: str = ""
    confirm: Span | None = None
    confirm_article: str = ""
    extension: More | None = None
    no_extension: str = ""
    stops: tuple[Stop, ...] = ()
    no_stop: str = ""
    #: Identity (or a fee) asked for: the period begins when it has come, instead of a pause.
    restarts: str = ""
    next_working_day: bool = False
    countries: frozenset[str] | None = None
    home: str = UNION
    calendar: str = ""

    def stop_for(self, kind: str, cause: str = "") -> Stop | None:
        """The pause that this kind of request knows, by its cause where one is named."""
        fitting = (stop for stop in self.stops if kind in stop.kinds and cause in ("", stop.cause))
        return next(fitting, None)

    def place(self, text: str) -> Place:
        """The place whose calendar counts.

        Raises:
            Unfit: an unknown place, or one by whose calendar this law does not count.
        """
        place = place_of(text)
        if self.countries is not None and place.country not in self.countries:
            wanted = ", ".join(sorted(self.countries))
            raise Unfit(f"{self.law} does not count by the calendar of {place} ({self.calendar}); one of {wanted}.")
        home = place_of(self.home)
        elsewhere = place.subdivision not in ("", home.subdivision)
        if home.subdivision and self.countries == frozenset({home.country}) and elsewhere:
            raise Unfit(f"{self.law} counts by the calendar of {home}, not of {place}.")
        return place


@dataclass(frozen=True, kw_only=True)
class Law:
    """A regime: its name, what it grants for each kind of request, and its rules, oldest first."""

    code: str
    title: str
    grounds: Mapping[str, str]
    rules: tuple[Rule, ...]
    policy_only: bool = False

    def ground(self, kind: str) -> str:
        """On what a request of this kind rests; empty where the law grants none."""
        return self.grounds.get(kind, "")

    def rule_on(self, day: date, relation: str = "") -> Rule:
        """The rule in force on a day; where an appeal or complaint has no clock of its own, the ordinary one.

        Raises:
            Unfit: the law did not apply yet.
        """
        for wanted in dict.fromkeys((relation, "")):
            found = [rule for rule in self.rules if rule.relation == wanted and rule.applies_from <= day]
            if found:
                return found[-1]
        first = min(rule.applies_from for rule in self.rules if not rule.relation)
        raise Unfit(f"{self.title} did not apply on {day:%d %B %Y}; its first rule here is of {first:%d %B %Y}.")

    def version_of(self, version: int, relation: str = "") -> Rule | None:
        """The rule of that version, if there is one."""
        return next((rule for rule in self.rules if (rule.relation, rule.version) == (relation, version)), None)

    @property
    def newest(self) -> Rule:
        """The newest ordinary rule: what the law says now."""
        return [rule for rule in self.rules if not rule.relation][-1]

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of case that may rest on it today."""
        return self.newest.kinds - {"access"}

    @property
    def erasure_ground(self) -> str:
        """The ground of the kind for which the law is used most."""
        return next(iter(self.grounds.values()))

    @property
    def article(self) -> str:
        """Where the clock of today stands."""
        return self.newest.article

    @property
    def citation(self) -> str:
        """On what the newest rule rests."""
        return self.newest.citation

    @property
    def version(self) -> int:
        """The newest rule's version."""
        return self.newest.version

    @property
    def applies_from(self) -> date:
        """Since when the newest rule applies."""
        return self.newest.applies_from

    @property
    def extends(self) -> bool:
        """Whether the newest rule knows an extension."""
        return self.newest.extension is not None
