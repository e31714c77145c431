"""What learned the records and still answers counts, also where it is older than the version that was replaced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance.errors import Unfit
from governance.evidence import schema
from governance.models import Case, Deployment, Disposition, ModelVersion, Role, Status
from governance.policies import Actor
from governance.services import dossier, learned, recipients, release
from tests.governance.staff import sign_in_to_decide

pytestmark = pytest.mark.database
S = Deployment.State


@pytest.fixture
def signed(
    walk: Callable[..., Case], case: Case, people: dict[Role, Actor], catalogue: dict[str, Any]
) -> tuple[Case, Deployment]:
    """A release whose own places are replaced, and a place of an older version that cannot be reached."""
    older = ModelVersion.objects.create(
        model=catalogue["released"].model, revision=90, artifact="sha256:" + "9" * 64, method="train", state="retired"
    )
    older.datasets.add(catalogue["data"])
    place = older.deployments.create(place="Kiosk", state=S.UNREACHABLE)
    older.deployments.create(place="Attic", state=S.REPLACED)
    walk(case, Status.RELEASE)
    for role in (Role.RELEASE, Role.LEGAL):
        release.release_sign(case=case, actor=people[role])
    for one in Deployment.objects.filter(state=S.PENDING):
        release.deployment_record(deployment=one, state=S.REPLACED, case=case, actor=people[Role.RELEASE])
    case = Case.objects.get(pk=case.pk)
    recipients.recipients_tell(case=case, actor=people[Role.RELEASE])
    return case, place


def test_an_older_version_that_cannot_be_reached_forbids_fulfilled(
    signed: tuple[Case, Deployment], people: dict[Role, Actor]
) -> None:
    case, _place = signed
    done = release.release_finish(case=case, actor=people[Role.RELEASE])
    assert done.disposition != Disposition.FULFILLED
    document = dossier.document(done, number="LR-1", issued_at=timezone.now())
    assert {(one["place"], one["revision"], one["state"]) for one in document["deployments"]} >= {
        ("Kiosk", 90, "unreachable")
    }
    assert "Attic" not in {one["place"] for one in document["deployments"]}
    assert schema.facts(document).still.endswith("revision 90")


def test_one_that_still_serves_holds_the_release_until_a_person_records_it(
    signed: tuple[Case, Deployment], people: dict[Role, Actor]
) -> None:
    case, place = signed
    Deployment.objects.filter(pk=place.pk).update(state=S.SERVING)
    with pytest.raises(Unfit, match="1 places still wait"):
        release.release_finish(case=case, actor=people[Role.RELEASE])
    place.refresh_from_db()
    release.deployment_record(deployment=place, state=S.REPLACED, case=case, actor=people[Role.RELEASE])
    assert release.release_finish(case=case, actor=people[Role.RELEASE]).disposition == Disposition.FULFILLED


def test_a_version_that_left_the_records_out_is_not_followed(signed: tuple[Case, Deployment]) -> None:
    case, place = signed
    plan = case.plans.get(candidate=case.release.version)
    assert place.pk in {one.pk for one in learned.followed(plan)}
    ModelVersion.objects.filter(pk=place.version_id).update(excluded=plan.forget_ids)
    assert place.pk not in {one.pk for one in learned.followed(plan)}


def test_its_place_stands_on_the_page_of_the_release(
    client: Client, signed: tuple[Case, Deployment], people: dict[Role, Actor]
) -> None:
    user = people[Role.RELEASE].user
    assert user is not None
    sign_in_to_decide(client, user)
    case, _place = signed
    page = client.get(reverse("case", args=[case.public_id]), {"tab": "release"}).content.decode()
    assert "Kiosk" in page
