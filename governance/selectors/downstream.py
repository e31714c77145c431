"""Who may still run old weights: our own places, and whoever runs the model elsewhere, as far as they told us."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from governance.models import (
    Deployment,
    Message,
    ModelVersion,
    PatchAcknowledgement,
    PatchPublication,
    PatchSubscriber,
    Release,
)

S = Message.State
#: Sent, and not come back.
ARRIVED = (S.SENT, S.DELIVERED)
#: What is known of a subscriber, the least first: nothing, that we told them, and what they stated themselves.
UNTOLD, TOLD = "untold", "told"
FETCHED, APPLIED = PatchAcknowledgement.State.FETCHED.value, PatchAcknowledgement.State.APPLIED.value


@dataclass(frozen=True)
class Standing:
    """One subscriber: how far they are, since when, and the statement that says so."""

    subscriber: PatchSubscriber
    state: str
    since: datetime | None
    word: PatchAcknowledgement | None = None


@dataclass(frozen=True)
class Downstream:
    """What is known of the weights of one version after another one took its place."""

    version: ModelVersion
    publication: PatchPublication | None
    places: tuple[Deployment, ...]
    subscribers: tuple[Standing, ...]

    @property
    def silent(self) -> tuple[Standing, ...]:
        """Who has not stated that they applied the patch."""
        return tuple(one for one in self.subscribers if one.state != APPLIED)


def replaced(version: ModelVersion) -> bool:
    """Whether another version was released in its place, or it left service: its weights are old."""
    gone = version.state in (ModelVersion.State.RETIRED, ModelVersion.State.WITHDRAWN)
    return gone or Release.objects.filter(version__parent=version, released_at__isnull=False).exists()


def standing(version: ModelVersion, after: ModelVersion | None = None) -> Downstream:
    """Everybody who may still run the weights of a version, by the patch that leads to the version `after`; by the
    newest one that leads away from it where none is named.
    """
    publication = _publication(version, after)
    rows = registered().filter(model=version.model_id)
    places = version.deployments.order_by("id")
    return Downstream(version, publication, tuple(places), tuple(_subscribers(rows, publication)))


def registered() -> QuerySet[PatchSubscriber]:
    """Subscribers whose registration holds."""
    return (
        PatchSubscriber.objects.filter(removed_at=None).select_related("model", "subscription").order_by("name", "id")
    )


def _publication(version: ModelVersion, after: ModelVersion | None) -> PatchPublication | None:
    """The patch from these weights that was published: one that holds before one that was withdrawn, the newest."""
    rows = PatchPublication.objects.filter(patch__release__version__parent=version, approved_at__isnull=False)
    if after is not None:
        rows = rows.filter(patch__release__version=after)
    found = list(rows.select_related("patch").prefetch_related("withdrawals").order_by("-id"))
    return next((one for one in found if not one.withdrawal), found[0] if found else None)


def _subscribers(rows: QuerySet[PatchSubscriber], publication: PatchPublication | None) -> Iterator[Standing]:
    words: dict[int, PatchAcknowledgement] = {}
    told: dict[int, datetime] = {}
    if publication is not None:
        for word in publication.acknowledgements.order_by("id"):
            if words.get(word.subscriber_id) is None or word.state == APPLIED:
                words[word.subscriber_id] = word
        messages = Message.objects.filter(
            event="patch.published", payload__data__publication=str(publication.public_id), state__in=ARRIVED
        )
        told = {one.subscription_id: one.sent_at for one in messages if one.subscription_id and one.sent_at}
    for row in rows:
        if said := words.get(row.pk):
            yield Standing(row, said.state, said.stated_at, said)
        elif at := told.get(row.subscription_id or 0):
            yield Standing(row, TOLD, at)
        else:
            yield Standing(row, UNTOLD, publication.approved_at if publication else None)
