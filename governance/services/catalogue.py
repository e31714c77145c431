"""The register: datasets, models, versions, where they run and who received them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from governance import dispatch
from governance.errors import Unfit
from governance.evidence import ledger
from governance.models import AiModel, Dataset, Deployment, Medium, ModelVersion, Recipient, Record, Subscription
from governance.policies import Actor, Permission, demand
from governance.selectors.catalogue import MEDIA_KEY
from governance.services import lineages, places, rescans

BATCH = 2000


def _rows(artifact: str) -> Iterator[dict[str, Any]]:
    with dispatch.store().open(artifact) as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield json.loads(line)
            except ValueError as error:
                raise Unfit(f"Line {number} of the dataset is not JSON ({error}); register JSONL.") from error


@transaction.atomic
def dataset_register(
    *, name: str, purpose: Dataset.Purpose, artifact: str, actor: Actor, controls_for: AiModel | None = None
) -> Dataset:
    """Register a stored JSONL dataset: one catalogue row per record, without its text. Opted-out works are looked for.

    Raises:
        Unfit: for one model though no controls, not stored, not JSONL, rows without an id, or ids that appear twice.
    """
    demand(actor, Permission.REGISTER_MODELS, Permission.RUN_MACHINE)
    if not dispatch.store().exists(artifact):
        raise Unfit(f"{artifact} is not in the artefact store; put it there first.")
    if controls_for and purpose != Dataset.Purpose.CONTROLS:
        raise Unfit("Only never-seen controls are for one model; which datasets a version learned is said with it.")
    dataset = Dataset.objects.create(name=name, purpose=purpose, artifact=artifact, controls_for=controls_for)
    rows = _rows(artifact)
    seen: set[str] = set()
    while batch := list(islice(rows, BATCH)):
        Record.objects.bulk_create(_records(dataset, batch, seen))
    Dataset.objects.filter(pk=dataset.pk).update(records_count=len(seen))
    dataset.records_count = len(seen)
    ledger.append(
        action="dataset.registered",
        actor=actor,
        body={"artifact": artifact, "purpose": purpose.value, "records": len(seen)},
    )
    rescans.rescan_start(dataset)
    return dataset


def _records(dataset: Dataset, batch: Iterable[dict[str, Any]], seen: set[str]) -> Iterator[Record]:
    for row in batch:
        identity = str(row.get("id") or "")
        if not identity or identity in seen:
            raise Unfit(f"Record {len(seen) + 1}: its id is missing or appears twice ({identity!r}).")
        seen.add(identity)
        yield Record(
            dataset=dataset,
            record_id=identity,
            source_url=row.get("source_url", ""),
            licence=row.get("licence", ""),
            digest=row.get("digest", ""),
        )


@transaction.atomic
def version_register(
    *,
    model: str,
    artifact: str,
    method: str,
    datasets: Iterable[Dataset],
    state: ModelVersion.State,
    actor: Actor,
    excluded: str = "",
    lineage: str = "",
    medium: str = "",
) -> ModelVersion:
    """Register weights as the next revision of a model, made when it is new; `medium`: what it works with, if said.

    Raises:
        Unfit: the weights are not stored, or no dataset is named: what nobody knows cannot be forgotten. Or the lineage
            is unreadable, contradicts itself, or made other weights.
    """
    demand(actor, Permission.REGISTER_MODELS, Permission.RUN_MACHINE)
    trained_on = list(datasets)
    if problems := _version_problems(artifact, trained_on) or _lineage_problems(lineage, artifact):
        raise Unfit(problems)
    owner, newest = _owner(model, medium, actor)
    version = ModelVersion.objects.create(
        model=owner,
        revision=newest + 1,
        artifact=artifact,
        method=method,
        state=state,
        excluded=excluded,
        lineage=lineage,
    )
    version.datasets.set(trained_on)
    ledger.append(
        action="version.registered",
        actor=actor,
        body={
            "artifact": artifact,
            "method": method,
            "state": state.value,
            "datasets": [d.artifact for d in trained_on],
            **({"lineage": lineage} if lineage else {}),
        },
    )
    return version


def _owner(name: str, medium: str, actor: Actor) -> tuple[AiModel, int]:
    """The model of this name, and its newest revision; what it works with is said once, and corrected by itself."""
    owner, _ = AiModel.objects.get_or_create(name=name)
    if medium and owner.medium not in (medium, Medium.UNKNOWN):
        raise Unfit(
            f"{name} is registered as working with {Medium(owner.medium).label.lower()}; correct that on its page, or "
            "give another name."
        )
    if medium:
        medium_say(model=owner, medium=Medium(medium), actor=actor)
    transaction.on_commit(_forget_media)
    return owner, owner.versions.aggregate(newest=Max("revision"))["newest"] or 0


def _forget_media() -> None:
    cache.delete(MEDIA_KEY)


@transaction.atomic
def medium_say(*, model: AiModel, medium: Medium, actor: Actor) -> AiModel:
    """What a model works with, said or corrected. Everybody is told of the kind, so the ledger holds who said it.

    Raises:
        Unfit: nothing is said.
    """
    demand(actor, Permission.REGISTER_MODELS, Permission.RUN_MACHINE)
    if medium == Medium.UNKNOWN:
        raise Unfit("Say what the model works with.")
    here = AiModel.objects.select_for_update().get(pk=model.pk)
    if here.medium != medium:
        body = {"model": str(here.public_id), "before": here.medium, "medium": medium.value}
        ledger.append(action="model.medium_said", actor=actor, body=body)
        here.medium = medium
        here.save(update_fields=["medium"])
        transaction.on_commit(_forget_media)
    return here


def _version_problems(artifact: str, trained_on: list[Dataset]) -> list[str]:
    problems = [
        f"{one} are never-seen controls; what a version was trained on is registered as training data."
        for one in trained_on
        if one.purpose == Dataset.Purpose.CONTROLS
    ]
    if not dispatch.store().exists(artifact):
        problems.append(f"{artifact} is not in the artefact store; put it there first.")
    if not trained_on:
        problems.append("Name at least one dataset that the version was trained on.")
    return problems


def _lineage_problems(lineage: str, artifact: str) -> list[str]:
    if not lineage:
        return []
    try:
        found = lineages.read(lineage)
        lineages.check_whole(found)
        lineages.check_belongs(found, artifact)
    except Unfit as error:
        return list(error.messages)
    return []


@transaction.atomic
def deployment_register(*, version: ModelVersion, place: str, actor: Actor, pointer: Path | None = None) -> Deployment:
    """A place where a version answers; `pointer` is the file that tells a serving process what to load."""
    demand(actor, Permission.REGISTER_MODELS, Permission.RUN_MACHINE)
    deployment = places.place_create(version, place, str(pointer) if pointer else "", actor.user)
    ledger.append(action="deployment.registered", actor=actor, body={"version": version.artifact, "place": place})
    return deployment


@transaction.atomic
def recipient_register(
    *,
    name: str,
    received_on: date,
    actor: Actor,
    version: ModelVersion | None = None,
    dataset: Dataset | None = None,
    email: str = "",
    subscription: Subscription | None = None,
) -> Recipient:
    """Another organisation that received a version or a dataset, to be told of an erasure (GDPR Art. 19).

    Raises:
        Unfit: neither or both are named, or the day lies in the future.
    """
    demand(actor, Permission.REGISTER_MODELS, Permission.RUN_MACHINE)
    problems = [] if (version is None) != (dataset is None) else ["Name the version or the dataset that was received."]
    if received_on > timezone.localdate():
        problems.append("The day of receipt lies in the future.")
    if problems:
        raise Unfit(problems)
    recipient = Recipient.objects.create(
        version=version, dataset=dataset, name=name, received_on=received_on, email=email, subscription=subscription
    )
    thing = version.artifact if version else dataset.artifact if dataset else ""
    ledger.append(action="recipient.registered", actor=actor, body={"version" if version else "dataset": thing})
    return recipient
