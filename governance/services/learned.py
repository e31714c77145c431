"""Versions that learned the records of a case, beside the one that was replaced, and the places where they answer."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from governance import dispatch
from governance.models import Case, Deployment, ModelVersion, Plan
from governance.services.planning import records_to_forget

S = Deployment.State
#: Of a version other than the one replaced only these are told: the others are behind it, at a place that moved on.
LEFT = (S.SERVING, S.PENDING, S.UNREACHABLE, S.WITHDRAWING)


def versions(case: Case) -> list[int]:
    """Keys of every version that learned records which the case erases; the one that was made for it did not."""
    records = records_to_forget(case)
    datasets = {record.dataset_id for record in records}
    names = {record.record_id for record in records}
    made = {case.release.version_id} if hasattr(case, "release") else set()
    found = ModelVersion.objects.filter(datasets__in=datasets).exclude(pk__in=made).distinct()
    return [v.pk for v in found if not (v.excluded and names <= set(dispatch.read_lines(v.excluded)))]


def _of_the_model(plan: Plan) -> QuerySet[ModelVersion]:
    return ModelVersion.objects.filter(model=plan.base.model_id, pk__in=versions(plan.case))


def followed(plan: Plan) -> QuerySet[Deployment]:
    """Places of the version that the plan replaces, and of each other one of its model that learned the records."""
    older = Q(version__in=_of_the_model(plan), state__in=LEFT)
    return Deployment.objects.filter(Q(version=plan.base_id) | older).select_related("version").order_by("id")


def places(plan: Plan) -> list[tuple[Deployment, str]]:
    """These places with their state as evidence knows it: one that is out of service is none any more."""
    rows = followed(plan).exclude(state=S.WITHDRAWN)
    return [(d, "pending" if d.state == S.WITHDRAWING else d.state) for d in rows]


def place_states(plan: Plan) -> list[str]:
    """The states of these places, as evidence knows them."""
    return [state for _place, state in places(plan)]
