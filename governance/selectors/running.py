"""What the engine's runs cost, and which places still answer from old weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from governance.models import Deployment, Disposal, ModelVersion
from governance.selectors.sums import Sums

F = TypeVar("F")
D = Deployment.State


def old_places() -> QuerySet[Deployment]:
    """Places that answer, or may answer, from a version that is not the released one."""
    waiting = Q(state__in=[D.PENDING, D.UNREACHABLE, D.WITHDRAWING])
    left = Q(state=D.SERVING) & ~Q(version__state=ModelVersion.State.RELEASED)
    rows = Deployment.objects.filter(waiting | left).select_related("version__model", "replaced_by__model")
    return rows.order_by("changed_at", "id")


def overdue_disposals() -> QuerySet[Disposal]:
    """Old weights, checkpoints and caches that should be deleted by now."""
    return Disposal.objects.filter(deleted_at=None, due_on__lt=timezone.localdate()).order_by("due_on", "id")


def places(figure: Callable[..., F]) -> Iterable[F]:
    """The two figures of old weights."""
    total = Deployment.objects.exclude(state__in=[D.REPLACED, D.WITHDRAWN]).count()
    yield figure(code="old_places", value=old_places().count(), of=total, unit="places")
    yield figure(code="old_weights", value=overdue_disposals().count(), unit="files")


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


def costs(now: Sums, then: Sums, figure: Callable[..., F]) -> Iterable[F]:
    """Runs, hours, energy and money of the cases closed in the period: together, and for each that had a run."""
    rough = bool(now.amount("estimated") or now.amount("unmetered"))
    cases, before = now.with_runs(), then.with_runs()
    yield figure(code="runs", value=now.amount("runs"), unit="runs", before=then.amount("runs"), of=None)
    for code, unit, one in (("hours", "hours", hours), ("energy", "kwh", energy), ("money", "money", price)):
        value, earlier = one(now), one(then)
        guess = code == "money" or (code == "energy" and rough)
        yield figure(code=code, unit=unit, value=value, before=earlier, estimate=guess)
        yield figure(
            code=f"{code}_case", unit=unit, value=_each(value, cases), of=cases, before=_each(earlier, before),
            before_of=before, estimate=guess,
        )  # fmt: skip


def _each(total: float | None, cases: int) -> float | None:
    return total / cases if total is not None and cases else None
