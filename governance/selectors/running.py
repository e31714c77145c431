"""What the engine's runs cost, and which places still answer from old weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from governance.models import AiModel, Deployment, Disposal, ModelVersion, Plan
from governance.selectors.catalogue import RUNNING_PLANS
from governance.selectors.sums import Sums

T = TypeVar("T")
D = Deployment.State
RELEASED = Q(case__release__legal_at__isnull=False, case__release__released_at__isnull=False)


@dataclass(frozen=True, kw_only=True)
class Model:
    """What one model was made to forget, what waits for it, and how many places and files still hold old weights.

    `applied`: cases whose release two people signed. `waiting`: cases whose plan for it is proposed or running.
    `released`: versions that are released now. `old_weights`: files past their day of deletion.
    """

    name: str
    released: int
    applied: int
    waiting: int
    places: int
    old_places: int
    old_weights: int


def models() -> list[Model]:
    """Every model of which a number is told, by name; one query."""
    today = timezone.localdate()
    counts = {
        "released": _each_of("model", ModelVersion.objects.filter(state=ModelVersion.State.RELEASED)),
        "applied": _each_of("base__model", applied_plans(), "case"),
        "waiting": _each_of("base__model", waiting_plans(), "case"),
        "places": _each_of("version__model", places_in_use()),
        "old_places": _each_of("version__model", old_places()),
        "old_weights": _each_of("version__model", old_files(today)),
    }
    rows = AiModel.objects.annotate(**counts).order_by("name").values("name", *counts)
    return [Model(**row) for row in rows if any(row[name] for name in counts)]


def applied_plans() -> QuerySet[Plan]:
    """Plans whose candidate two people released."""
    return Plan.objects.filter(RELEASED, candidate=F("case__release__version"))


def waiting_plans() -> QuerySet[Plan]:
    """Plans that are proposed or running."""
    return Plan.objects.filter(RUNNING_PLANS)


def places_in_use() -> QuerySet[Deployment]:
    """Places that are neither replaced nor withdrawn."""
    rows = Deployment.objects.exclude(state__in=[D.REPLACED, D.WITHDRAWN])
    return rows.select_related("version__model").order_by("changed_at", "id")


def _each_of(model: str, rows: QuerySet[Any], what: str = "pk") -> Coalesce:
    """How many different `what` of these rows belong to the model of the outer row."""
    own = rows.filter(**{model: OuterRef("pk")}).order_by().values(model)
    return Coalesce(Subquery(own.annotate(n=Count(what, distinct=True)).values("n")), 0)


def old_places() -> QuerySet[Deployment]:
    """Places that answer, or may answer, from a version that is not the released one."""
    waiting = Q(state__in=[D.PENDING, D.UNREACHABLE, D.WITHDRAWING])
    left = Q(state=D.SERVING) & ~Q(version__state=ModelVersion.State.RELEASED)
    rows = Deployment.objects.filter(waiting | left).select_related("version__model", "replaced_by__model")
    return rows.order_by("changed_at", "id")


def old_files(today: date, *, then: bool = False) -> QuerySet[Disposal]:
    """Old weights and what belongs to them that should be deleted by now, the longest first; `then`: that were still
    there at the end of that day, too."""
    there = Q(deleted_at=None)
    if then:
        there |= Q(deleted_at__gte=timezone.make_aware(datetime.combine(today + timedelta(days=1), time())))
    rows = Disposal.objects.filter(there, due_on__lt=today).select_related("version__model", "case")
    return rows.order_by("due_on", "id")


def places(found: Sequence[Model], day: date, figure: Callable[..., T]) -> Iterable[T]:
    """The two figures of old weights, from those of the models; files also as they were at the end of `day`."""
    total = sum(model.places for model in found)
    yield figure(code="old_places", value=sum(model.old_places for model in found), of=total, unit="places")
    then = old_files(day, then=True).count()
    yield figure(code="old_weights", value=sum(model.old_weights for model in found), unit="files", before=then)


def price(sums: Sums) -> float | None:
    """What the runs cost by the prices of an hour and of a kilowatt-hour; None where neither was configured."""
    hour, kwh = float(settings.PLAN_HARDWARE["rate"]), float(settings.PRICE_KWH)
    if not hour and not kwh:
        return None
    return hours(sums) * hour + energy(sums) * kwh


def hours(sums: Sums) -> float:
    """Hours of computing."""
    return sums.amount("milliseconds") / 3.6e6


def energy(sums: Sums) -> float:
    """Kilowatt-hours, of the runs whose workers told them."""
    return sums.amount("milliwatthours") / 1e6


def costs(now: Sums, then: Sums, figure: Callable[..., T]) -> Iterable[T]:
    """Runs, hours, energy and money of the cases closed in the period: together, and for each that had a run."""
    rough = bool(now.amount("estimated") or now.amount("unmetered"))
    cases, before = now.with_runs(), then.with_runs()
    currency = str(settings.PLAN_HARDWARE["currency"]) or "money"
    yield figure(code="runs", value=now.amount("runs"), unit="runs", before=then.amount("runs"), of=None)
    for code, unit, one in (("hours", "hours", hours), ("energy", "kwh", energy), ("money", currency, price)):
        value, earlier = one(now), one(then)
        guess = code == "money" or (code == "energy" and rough)
        yield figure(code=code, unit=unit, value=value, before=earlier, estimate=guess)
        yield figure(
            code=f"{code}_case", unit=unit, value=_each(value, cases), of=cases, before=_each(earlier, before),
            before_of=before, estimate=guess,
        )  # fmt: skip


def _each(total: float | None, cases: int) -> float | None:
    return total / cases if total is not None and cases else None
