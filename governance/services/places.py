"""Places where versions answer: every change is one line of the place's history, and a place that got another version
is a place of that version from then on."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from governance.errors import Conflict, Unfit
from governance.evidence import ledger
from governance.models import Deployment, ModelVersion, PlaceState, User
from governance.policies import Actor, Permission, demand

S = Deployment.State
#: What a person may record about a place that waits, by the state that it waits in.
ANSWERS = {S.PENDING: (S.REPLACED, S.UNREACHABLE), S.WITHDRAWING: (S.WITHDRAWN, S.UNREACHABLE)}


def place_create(version: ModelVersion, place: str, pointer: str = "", by: User | None = None) -> Deployment:
    """A place where a version answers from now on."""
    made = Deployment.objects.create(version=version, place=place, pointer=pointer, changed_by=by)
    PlaceState.objects.create(deployment=made, state=made.state, by=by)
    return made


def move(
    place: Deployment, state: Deployment.State, *, by: User | None = None, replaced_by: ModelVersion | None = None
) -> None:
    """Write a place's new state, and the place of the version that took over."""
    now = timezone.now()
    Deployment.objects.filter(pk=place.pk).update(state=state, changed_at=now, changed_by=by, replaced_by=replaced_by)
    place.state, place.changed_at, place.changed_by, place.replaced_by = state, now, by, replaced_by
    PlaceState.objects.create(deployment=place, state=state, replaced_by=replaced_by, at=now, by=by)
    if replaced_by is not None and not replaced_by.deployments.filter(place=place.place).exists():
        place_create(replaced_by, place.place, place.pointer, by)


def replace_all(before: ModelVersion, after: ModelVersion) -> None:
    """Every place that serves `before` is to serve `after`: at once by its pointer, else it waits for a person."""
    for place in Deployment.objects.filter(version=before, state__in=[S.SERVING, S.PENDING]).order_by("id"):
        if place.state == S.SERVING:
            move(place, S.PENDING)
        if place.pointer:
            _point(place, after.model.name, after.revision, after.artifact)
            move(place, S.REPLACED, replaced_by=after)


def kept(before: ModelVersion, after: ModelVersion) -> None:
    """Places that never got another version serve what `after` is made of: they are its places from now on."""
    for place in Deployment.objects.filter(version=before, state__in=[S.SERVING, S.PENDING]).order_by("id"):
        move(place, S.REPLACED, replaced_by=after)


def withdraw_all(version: ModelVersion) -> int:
    """Every place of a version is to stop: at once by its pointer, else it waits for a person; how many places."""
    places = list(Deployment.objects.filter(version=version, state__in=[S.SERVING, S.PENDING, S.UNREACHABLE]))
    for place in places:
        if place.pointer and place.state != S.UNREACHABLE:
            _point(place, version.model.name, version.revision, "")
            move(place, S.WITHDRAWN)
        else:
            move(place, S.WITHDRAWING)
    return len(places)


def _point(place: Deployment, model: str, revision: int, artifact: str) -> None:
    """Tell a serving process which weights to load (none: stop answering), and read back what it will find.

    Raises:
        Unfit: the pointer cannot be written, or holds something else; the place keeps its state.
    """
    path = Path(place.pointer)
    told: dict[str, Any] = {"model": model, "revision": revision, "artifact": artifact}
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "w") as file:
            json.dump(told if artifact else {**told, "withdrawn": True}, file)
        os.replace(temporary, path)
        written = json.loads(path.read_text())["artifact"]
    except OSError as error:
        raise Unfit(
            f"{place.place}: its pointer cannot be written ({error.strerror}); mend it and sign again."
        ) from error
    if written != artifact:
        raise Unfit(f"{place.place}: its pointer was changed by somebody else at the same moment; sign again.")


def pointer_write(place: Deployment, version: ModelVersion) -> None:
    """Point a place to a version; see `_point`."""
    _point(place, version.model.name, version.revision, version.artifact)


@transaction.atomic
def place_record(*, place: Deployment, state: Deployment.State, actor: Actor) -> None:
    """A person reports what became of a place that waits, where no case asks: after a withdrawal or a rollback.

    Raises:
        Unfit: a state that does not answer what the place waits for. Conflict: it waits for nothing.
    """
    demand(actor, Permission.UPDATE_DEPLOYMENT)
    allowed = ANSWERS.get(S(place.state))
    if allowed is None:
        raise Conflict(f"{place.place} waits for nothing; it is {place.get_state_display().lower()}.")
    if state not in allowed:
        raise Unfit(f"{place.place}: choose {' or '.join(str(one.label).lower() for one in allowed)}.")
    after = _successor(place) if state == S.REPLACED else None
    move(place, state, by=actor.user, replaced_by=after)
    body = {"place": place.place, "version": place.version.artifact, "state": state.value}
    ledger.append(action="deployment.recorded", actor=actor, body=body)


def _successor(place: Deployment) -> ModelVersion:
    """The version in service of the place's model.

    Raises:
        Unfit: none is.
    """
    rows = place.version.model.versions.filter(state=ModelVersion.State.RELEASED).exclude(pk=place.version_id)
    found = rows.order_by("-revision").first()
    if found is None:
        raise Unfit(f"No other version of {place.version.model} is in service, so nothing can have taken over.")
    return found
