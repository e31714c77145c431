"""What the figures know of each case, read from the case itself: the one place where a fact is derived."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from governance import dispatch
from governance.clocks import LAWS, home_of
from governance.models import Case, CaseClock, CaseFact, Disposition, Job, Plan, Status, Tally
from governance.selectors import organisation

T = Tally.Topic
#: What is compared to find a fact that has changed.
COLUMNS = tuple(field.name for field in CaseFact._meta.concrete_fields)
#: What of a case's runs is summed; the names of `Tally.word` under the topic `runs`.
SUMS = ("runs", "milliseconds", "milliwatthours", "estimated", "unmetered")
Cell = tuple[str, Any, str, str, str, str, int]


def derive(cases: QuerySet[Case]) -> list[CaseFact]:
    """The facts of these cases, fresh from the database; four queries, whatever the number."""
    regions, methods, runs = _regions(cases), _methods(cases), _runs(cases)
    rows = cases.order_by().values_list(
        "pk", "kind", "law", "status", "disposition", "received_on", "due_on", "paused_on", "closed_at", "changed_at",
        "report__created_at",
    )  # fmt: skip
    found, homes = [], {law: _home(law) for law in {row[2] for row in rows}}
    for pk, kind, law, status, disposition, received, due, paused, closed_at, changed_at, report_at in rows:
        closed = timezone.localdate(closed_at or changed_at) if status == Status.CLOSED else None
        proved = timezone.localdate(report_at) if report_at else None
        found.append(
            CaseFact(
                case_id=pk, kind=kind, law=law, region=regions.get(pk) or homes[law], status=status,
                received_on=received, due_on=due, paused=paused is not None, closed_on=closed,
                ending=_ending(disposition, methods.get(pk, "")) if closed else "",
                kept=_kept(closed, due, disposition), days=(closed - received).days if closed else None,
                proved_on=proved, proof_days=(proved - received).days if proved else None, **runs.get(pk, {}),
            )
        )  # fmt: skip
    return found


def _kept(closed: date | None, due: date, disposition: str) -> bool | None:
    """Whether an answer came in time; None where none came yet, or none was due any more."""
    return None if closed is None or disposition == Disposition.WITHDRAWN else closed <= due


def _regions(cases: QuerySet[Case]) -> dict[int, str]:
    """The country of the first clock that still counts."""
    rows = CaseClock.objects.filter(case__in=cases, ended_at=None).order_by("-id")
    return dict(rows.values_list("case_id", "country"))


def _home(law: str) -> str:
    return home_of(LAWS[law].newest, organisation.current().place).country if law in LAWS else ""


def _methods(cases: QuerySet[Case]) -> dict[int, str]:
    """The method of the last plan that passed."""
    rows = Plan.objects.filter(case__in=cases, state=Plan.State.PASSED).order_by("attempt")
    return dict(rows.values_list("case_id", "method"))


def _ending(disposition: str, method: str) -> str:
    """A fulfilled case is told by the guarantee of its method, since "fulfilled" alone would claim more."""
    entry = dispatch.METHODS.get(method)
    return str(entry.guarantee.value) if disposition == Disposition.FULFILLED and entry else disposition


def _runs(cases: QuerySet[Case]) -> dict[int, dict[str, int]]:
    """Time and energy of the engine's runs that ended well, as their workers told them."""
    ended = Job.objects.filter(case__in=cases, state=Job.State.SUCCEEDED, kind__startswith="engine.").order_by()
    found: dict[int, dict[str, int]] = {}
    for pk, summary in ended.values_list("case_id", "summary"):
        sums = found.setdefault(pk, dict.fromkeys(SUMS, 0))
        energy = summary.get("energy") or {}
        sums["runs"] += 1
        sums["milliseconds"] += round(1000 * float(summary.get("seconds") or 0))
        sums["milliwatthours"] += round(1000 * float(energy.get("wh") or 0))
        sums["estimated"] += bool(energy.get("estimated"))
        sums["unmetered"] += not energy
    return found


def cells(fact: CaseFact) -> Iterator[tuple[Cell, int, int]]:
    """The sums that a case is part of: (topic, day, kind, region, law, word, number), its count and its amount."""
    who = (fact.kind, fact.region, fact.law)
    yield (T.RECEIVED, fact.received_on, *who, "", 0), 1, 0
    if fact.proved_on is not None and fact.proof_days is not None:
        yield (T.PROVED, fact.proved_on, *who, "", fact.proof_days), 1, 0
    if fact.closed_on is None:
        yield (T.OPEN, fact.due_on, *who, fact.status, int(fact.paused)), 1, 0
        return
    inside = Tally.WITHDRAWN if fact.kept is None else int(fact.kept)
    yield (T.CLOSED, fact.closed_on, *who, fact.ending, inside), 1, 0
    yield (T.TOOK, fact.closed_on, *who, "", fact.days or 0), 1, 0
    for name in SUMS:
        if amount := getattr(fact, name):
            yield (T.RUNS, fact.closed_on, *who, name, 0), 1, amount


def values(fact: CaseFact) -> tuple[Any, ...]:
    """All columns, for comparing."""
    return tuple(getattr(fact, name) for name in COLUMNS)
