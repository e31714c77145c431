"""Reads about versions in service: orders, what can be ordered, and the history of places."""

from __future__ import annotations

from django.db.models import QuerySet

from governance.models import Case, Deployment, ModelVersion, PlaceState, VersionOrder
from governance.policies import Actor, Permission, demand

SHOWN = 100
_PEOPLE = ("proposed_by", "legal_by", "release_by", "refused_by")


def orders(actor: Actor) -> QuerySet[VersionOrder]:
    """Every order, newest first."""
    demand(actor, Permission.SEE_DUTIES)
    rows = VersionOrder.objects.select_related("version__model", "target__model", "result__model", "case", *_PEOPLE)
    return rows.order_by("-id")


def order_get(actor: Actor, pk: int) -> VersionOrder:
    """One order.

    Raises:
        VersionOrder.DoesNotExist: no such order.
    """
    return orders(actor).get(pk=pk)


def withdrawable() -> QuerySet[ModelVersion]:
    """Versions that are or were in service."""
    rows = ModelVersion.objects.filter(state__in=[ModelVersion.State.RELEASED, ModelVersion.State.RETIRED])
    return rows.select_related("model").order_by("model__name", "-revision")


def undoable() -> QuerySet[Case]:
    """Closed cases whose release is the version in service."""
    rows = Case.objects.filter(status="closed", release__version__state=ModelVersion.State.RELEASED)
    return rows.select_related("claimant", "release__version__model", "release__version__parent__model").order_by("-id")


def waiting_places() -> QuerySet[Deployment]:
    """Places that wait for a person."""
    rows = Deployment.objects.filter(state__in=[Deployment.State.PENDING, Deployment.State.WITHDRAWING])
    return rows.select_related("version__model").order_by("id")


def place_history(actor: Actor) -> list[PlaceState]:
    """The newest lines of the history of places."""
    demand(actor, Permission.SEE_DUTIES)
    rows = PlaceState.objects.select_related("deployment__version__model", "replaced_by__model", "by").order_by("-id")
    return list(rows[:SHOWN])
