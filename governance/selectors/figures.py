"""What the executive page shows beside the statement: the next deadlines, models in service and their verifications."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Count

from governance.models import AiModel, Case, ClaimedItem, ModelVersion, Status, Verification
from governance.policies import Actor, Permission, demand

#: At most this many verifications are drawn, the newest ones.
DRAWN = 200


def demand_dashboard(actor: Actor) -> None:
    """Refuse whoever may not see the executive page."""
    demand(actor, Permission.SEE_DASHBOARD)


def next_deadlines(limit: int = 5) -> list[Case]:
    """The running clocks that end first. Works are counted for these alone, so that no list is grouped."""
    rows = Case.objects.exclude(status=Status.CLOSED).filter(paused_on=None).select_related("officer")
    found = list(rows.order_by("due_on", "id")[:limit])
    counts = ClaimedItem.objects.filter(case__in=found).order_by().values_list("case").annotate(n=Count("id"))
    items = dict(counts)
    for case in found:
        case.items_count = items.get(case.pk, 0)  # type: ignore[attr-defined]
    return found


def verifications(limit: int = DRAWN) -> list[Verification]:
    """The newest verifications with plan, case and models, without their documents."""
    rows = Verification.objects.select_related("plan__case", "plan__base__model", "plan__candidate").defer("document")
    return list(rows.order_by("-created_at", "-id")[:limit])


def named(names: Iterable[str]) -> dict[str, AiModel]:
    """The models of these names."""
    return {model.name: model for model in AiModel.objects.filter(name__in=list(names))}


def released_versions() -> dict[int, ModelVersion]:
    """Model id -> its newest released version."""
    rows = ModelVersion.objects.filter(state=ModelVersion.State.RELEASED).order_by("model", "revision")
    return {version.model_id: version for version in rows}


def last_verifications() -> dict[int, Verification]:
    """Model id -> the verification of the version that is released now, with the document for its intervals.

    A candidate that passed but is not in service yet says nothing about what answers today, and is left out.
    """
    rows = Verification.objects.filter(plan__candidate__state=ModelVersion.State.RELEASED)
    rows = rows.select_related("plan__case", "plan__base__model", "plan__candidate").order_by(
        "plan__candidate__revision"
    )
    return {row.plan.base.model_id: row for row in rows}
