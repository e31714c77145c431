"""Versions that learned the records of a case, beside the one that was replaced, and the places where they answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Q, QuerySet

from governance import dispatch
from governance.models import Case, Decision, Deployment, Disposal, Disposition, ModelVersion, Plan, Record
from governance.services.planning import records_to_forget

S = Deployment.State
#: Of a version other than the one replaced only these are told: the others are behind it, at a place that moved on.
LEFT = (S.SERVING, S.PENDING, S.UNREACHABLE, S.WITHDRAWING)


def versions(case: Case) -> list[int]:
    """Keys of every version that learned records which the case erases; the one that was made for it did not."""
    made = {case.release.version_id} if hasattr(case, "release") else set()
    return [version.pk for version in _that_learned(records_to_forget(case)) if version.pk not in made]


def _that_learned(records: Iterable[Record]) -> list[ModelVersion]:
    """Versions of whatever model that were trained on one of the records at least, in the order of registering."""
    names: dict[int, set[str]] = {}
    for record in records:
        names.setdefault(record.dataset_id, set()).add(record.record_id)
    found = ModelVersion.objects.filter(datasets__in=names).distinct().order_by("pk")
    return [
        version
        for version in found.select_related("model").prefetch_related("datasets")
        if not _left_out(version, {name for one in version.datasets.all() for name in names.get(one.pk, ())})
    ]


def _left_out(version: ModelVersion, names: set[str]) -> bool:
    return bool(version.excluded) and names <= set(dispatch.read_lines(version.excluded))


#: Ends of a case after which a report claims something about records that were accepted.
_ACCEPTED = (Disposition.FULFILLED, Disposition.PARTLY, Disposition.EXCLUDED, Disposition.NOT_FULFILLED)


def others(case: Case, plan: Plan | None) -> list[dict[str, Any]]:
    """Versions on record, of whatever model, that learned records which were accepted and that the report of the case
    does not look at: neither the one to be changed nor any that was made for it, and their weights are still there."""
    if case.disposition not in _ACCEPTED:
        return []
    choices = (Decision.Choice.ERASE, Decision.Choice.EXCLUDE)
    accepted = Record.objects.filter(
        matches__case=case, matches__decision__choice__in=choices, matches__decision__approved_at__isnull=False
    )
    looked_at = {plan.base_id, *case.plans.values_list("candidate", flat=True)} if plan else set()
    gone = Disposal.objects.filter(what=Disposal.What.WEIGHTS, deleted_at__isnull=False)
    looked_at |= set(gone.values_list("version", flat=True))
    return [
        {"model": one.model.name, "revision": one.revision, "digest": one.artifact, "state": one.state}
        for one in _that_learned(accepted.distinct())
        if one.pk not in looked_at
    ]


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
