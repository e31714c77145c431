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
def dataset_register(*, name: str, purpose: Dataset.Purpose, artifact: str, actor: Actor) -> Dataset:
    """Register a stored JSONL dataset: one catalogue row per record, without its text. Opted-out works are looked for.

    Raises:
        Unfit: not stored, not JSONL, rows without an id, or ids that appear twice.
    """
    demand(actor, Permission.REGISTER_MODELS, Permission.RUN_MACHINE)
    if not dispatch.store().exists(artifact):
        raise Unfit(f"{artifact} is not in the artefact store; put it there first.")
    dataset = Dataset.objects.create(name=name, purpose=purpose, artifact=artifact)
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
    """Register weights as the next revision of a model (made when it is new, working with `medium`, by default texts).

    Raises:
        Unfit: the weights are not stored, or no dataset is named: what nobody knows cannot be forgotten. Or the lineage
            is unreadable, contradicts itself, or made other weights.
    """
    demand(actor, Permission.REGISTER_MODELS, Permission.RUN_MACHINE)
    problems = []
    if not dispatch.store().exists(artifact):
        problems.append(f"{artifact} is not in the artefact store; put it there first.")
    trained_on = list(datasets)
    if not trained_on:
        problems.append("Name at least one dataset that the version was trained on.")
    if problems := problems or _lineage_problems(lineage, artifact):
        raise Unfit(problems)
    owner, newest = _owner(model, medium)
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


def _owner(name: str, medium: str) -> tuple[AiModel, int]:
    """The model of this name, and its newest revision; what it works with is said once, with its first version."""
    owner, _ = AiModel.objects.get_or_create(name=name, defaults={"medium": medium or Medium.TEXT})
    if medium and medium != owner.medium:
        raise Unfit(f"{name} is registered as working with {Medium(owner.medium).label.lower()}; give another name.")
    cache.delete(MEDIA_KEY)
    return owner, owner.versions.aggregate(newest=Max("revision"))["newest"] or 0


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
