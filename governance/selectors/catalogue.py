"""The register as its readers want it: models with versions and places, datasets with records."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.core.cache import cache
from django.db.models import Count, F, Prefetch, Q, QuerySet

from governance.models import AiModel, Dataset, Deployment, Disposal, Job, ModelVersion, Plan, Recipient, Record
from governance.policies import Actor, Permission, demand
from governance.selectors.paging import Page, page

#: Where it is kept what the models in service work with, and for how many seconds.
MEDIA_KEY, MEDIA_SECONDS = "catalogue:media", 300
RECORDS = 50
DELETIONS = 50
#: Plans that a model's page names.
PLANS = 50
RUNNING_PLANS = Q(state__in=[Plan.State.PROPOSED, Plan.State.CONFIRMED])


def models(actor: Actor) -> list[AiModel]:
    """Every model with its versions (newest first), their places and their recipients: four queries in all."""
    demand(actor, Permission.SEE_MODELS)
    versions = ModelVersion.objects.order_by("-revision").annotate(given_to=Count("recipients"))
    return list(
        AiModel.objects.order_by("name").prefetch_related(
            Prefetch("versions", queryset=versions),
            Prefetch("versions__deployments", queryset=Deployment.objects.select_related("replaced_by").order_by("id")),
        )
    )


def media() -> frozenset[str]:
    """What the models in service work with: told to everybody, so kinds alone, no name and no number."""
    known = cache.get(MEDIA_KEY)
    if known is None:
        released = AiModel.objects.filter(versions__state=ModelVersion.State.RELEASED)
        known = sorted(set(released.values_list("medium", flat=True)))
        cache.set(MEDIA_KEY, known, MEDIA_SECONDS)
    return frozenset(known)


def controls_of(base: ModelVersion, until: datetime | None = None) -> Dataset | None:
    """The never-seen controls for a verdict on this version: the newest that are named for its model, else the newest
    for every model. Never any that share a record with what a version of the model was trained on: it saw them.
    `until`: of those that were registered by then.
    """
    learned = Record.objects.filter(dataset__versions__model=base.model_id).exclude(digest="")
    seen = Dataset.objects.filter(records__digest__in=learned.values("digest"))
    found = Dataset.objects.filter(
        Q(controls_for=base.model_id) | Q(controls_for=None), purpose=Dataset.Purpose.CONTROLS
    ).exclude(pk__in=seen.filter(purpose=Dataset.Purpose.CONTROLS).values("pk"))
    if until is not None:
        found = found.filter(created_at__lte=until)
    return found.order_by(F("controls_for").asc(nulls_last=True), "-created_at").first()


def waiting_cases() -> dict[int, int]:
    """Model id -> cases whose plan for it is proposed or running."""
    rows = Plan.objects.filter(RUNNING_PLANS).values("base__model").annotate(n=Count("case", distinct=True))
    return {row["base__model"]: row["n"] for row in rows}


def model_get(actor: Actor, public_id: uuid.UUID) -> AiModel:
    """One model.

    Raises:
        AiModel.DoesNotExist: no such model.
    """
    demand(actor, Permission.SEE_MODELS)
    return AiModel.objects.get(public_id=public_id)


def versions(model: AiModel) -> list[ModelVersion]:
    """Newest first, with parent and datasets."""
    return list(model.versions.select_related("parent", "model").prefetch_related("datasets").order_by("-revision"))


def version_get(actor: Actor, model: uuid.UUID, revision: int) -> ModelVersion:
    """One version of a model, with parent and datasets.

    Raises:
        ModelVersion.DoesNotExist: no such version.
    """
    demand(actor, Permission.SEE_MODELS)
    rows = ModelVersion.objects.select_related("model", "parent__model").prefetch_related("datasets")
    return rows.get(model__public_id=model, revision=revision)


def deletions(model: AiModel) -> list[Plan]:
    """Plans whose pass over a lineage of the model ended, oldest first, at most the newest fifty."""
    rows = Plan.objects.filter(base__model=model, candidate__isnull=False, leader=None).exclude(deletion={})
    return list(rows.select_related("leader").order_by("-id")[:DELETIONS])[::-1]


def plans(model: AiModel, candidate: ModelVersion | None = None) -> list[Plan]:
    """The newest plans for a model, or those that made a version, with case, candidate, verification (without its
    document) and jobs of the engine."""
    rows = Plan.objects.filter(base__model=model)
    rows = rows.filter(candidate=candidate) if candidate else rows
    rows = rows.select_related("case", "base__model", "candidate", "verification")
    engine = Prefetch("jobs", Job.objects.filter(queue=Job.Queue.GPU).order_by("created_at"), to_attr="runs")
    return list(rows.defer("verification__document").prefetch_related(engine).order_by("-id")[:PLANS])


def places(model: AiModel) -> QuerySet[Deployment]:
    """Where versions of the model answer or answered."""
    rows = Deployment.objects.filter(version__model=model)
    return rows.select_related("version__model", "replaced_by__model", "changed_by").order_by(
        "-version__revision", "id"
    )


def recipients(model: AiModel) -> QuerySet[Recipient]:
    """Who received a version, with the number of notices that reached them."""
    told = Count("notices", filter=Q(notices__told_at__isnull=False))
    rows = Recipient.objects.filter(version__model=model).annotate(told=told)
    return rows.select_related("version").order_by("received_on", "id")


def disposals(model: AiModel) -> QuerySet[Disposal]:
    """Old weights, checkpoints and caches with their dates."""
    return (
        Disposal.objects.filter(version__model=model).select_related("version__model", "case").order_by("due_on", "id")
    )


def datasets(actor: Actor) -> list[Dataset]:
    """Every dataset with the number of versions trained on it and of records left out."""
    demand(actor, Permission.SEE_MODELS)
    held = Count("records", filter=Q(records__quarantined_at__isnull=False), distinct=True)
    rows = Dataset.objects.annotate(versions_count=Count("versions", distinct=True), held_count=held)
    return list(rows.order_by("purpose", "name", "id"))


def dataset_get(actor: Actor, public_id: uuid.UUID) -> Dataset:
    """One dataset.

    Raises:
        Dataset.DoesNotExist: no such dataset.
    """
    demand(actor, Permission.SEE_MODELS)
    return Dataset.objects.get(public_id=public_id)


def records(dataset: Dataset, *, after: str = "", held: bool = False) -> Page[Record]:
    """Records by id, those after the id `after`; with `held` only those that left the training catalogue."""
    rows = dataset.records.filter(record_id__gt=after) if after and "\0" not in after else dataset.records.all()
    return page((rows.filter(quarantined_at__isnull=False) if held else rows).order_by("record_id"), RECORDS)
