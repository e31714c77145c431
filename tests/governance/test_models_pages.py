"""The register: what stands in it, who may add to it, and what an addition is refused for."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from governance import dispatch
from governance.models import AiModel, Dataset, Deployment, ModelVersion, Recipient, Role, Status, User, Verification
from governance.policies import Actor
from governance.services import release
from tests.governance.conftest import file_case
from tests.governance.staff import member


@pytest.fixture
def engineer(client: Client) -> User:
    user = member("register@house.example", role=Role.ENGINEER)
    client.force_login(user)
    return user


def model_page(client: Client, model: AiModel) -> str:
    return str(client.get(reverse("model", args=[model.public_id])).content.decode())


def test_an_empty_register_says_what_comes_next(client: Client, engineer: User) -> None:
    assert "No model is registered" in client.get("/models/").content.decode()
    assert "No dataset is registered" in client.get("/datasets/").content.decode()


def test_a_model_shows_versions_places_and_what_they_learned(client: Client, engineer: User, catalogue: Any) -> None:
    text = client.get("/models/").content.decode()
    assert "1 model is registered" in text and "Serving 1" in text
    text = model_page(client, catalogue["released"].model)
    for words in ("rev. 1", "Laboratory reference", "Production", "Works", "without listed records"):
        assert words in text


def test_a_place_that_still_answers_from_an_old_version_is_told(client: Client, walk: Any, people: Any) -> None:
    case = walk(file_case(), Status.RELEASE)
    for role in (Role.RELEASE, Role.LEGAL):
        release.release_sign(case=case, actor=people[role])
    client.force_login(people[Role.ENGINEER].user)
    text = client.get("/models/").content.decode()
    assert "Places of Lumen still answer from an old version" in text
    text = model_page(client, AiModel.objects.get())
    assert "To be deleted" in text and case.number in text and "Replacement pending" in text


def test_a_model_shows_what_was_tried_and_found(client: Client, walk: Any, people: Any) -> None:
    case = walk(file_case(), Status.RELEASE)
    Verification.objects.filter(plan__case=case, plan__attempt=2).update(forget_quality=0.4, utility=0.97)
    waiting = walk(file_case(), Status.PLANNING)
    seen = reverse("verification", args=[case.public_id])
    for role, cases, jobs in ((Role.ENGINEER, True, True), (Role.EXECUTIVE, False, False)):
        client.force_login(people[role].user)
        answer = client.get(reverse("model", args=[AiModel.objects.get().public_id]))
        rows, text = answer.context["plan_rows"], answer.content.decode()
        tried = [row for row in rows if row[0]["text"] == case.number]
        assert [row[1]["note"] for row in tried] == ["plan 2", "plan 1"]
        assert (tried[0][4], tried[0][5]) == ("0.4", "97%") and tried[1][2]["state"] == "fail"
        assert waiting.number in text or not waiting.plans.exists()
        assert (seen in text, reverse("case", args=[case.public_id]) in text, "/jobs/" in text) == (cases, cases, jobs)
        for row in tried:
            assert client.get(row[3]["url"]).status_code == 200
        made = client.get(tried[0][6]["url"])
        assert [row[1]["note"] for row in made.context["plan_rows"]] == ["plan 2"]
        assert "97%" in made.content.decode() and case.number in made.content.decode()


def test_the_executive_sees_the_register_without_links_to_cases(client: Client, walk: Any, people: Any) -> None:
    case = walk(file_case(), Status.RELEASE)
    for role in (Role.RELEASE, Role.LEGAL):
        release.release_sign(case=case, actor=people[role])
    client.force_login(people[Role.EXECUTIVE].user)
    text = model_page(client, AiModel.objects.get())
    assert case.number in text and str(case.public_id) not in text and "Register a place" not in text


def test_an_engineer_registers_dataset_version_place_and_recipient(client: Client, engineer: User) -> None:
    data = dispatch.put_rows([{"id": "r1", "text": "x"}, {"id": "r2", "text": "y"}])
    answer = client.post(reverse("datasets_register"), {"name": "Works", "purpose": "training", "artifact": data})
    assert answer.status_code == 302
    dataset = Dataset.objects.get()
    assert dataset.records_count == 2
    weights = dispatch.put_bytes(b"weights")
    version = {"model": "Lumen", "artifact": weights, "method": "train", "state": "released", "datasets": [dataset.pk]}
    assert client.post(reverse("models_register"), version).status_code == 302
    model = AiModel.objects.get()
    made = ModelVersion.objects.get()
    place = {"version": made.pk, "place": "Production"}
    assert client.post(reverse("model_place", args=[model.public_id]), place).status_code == 302
    given = {"version": made.pk, "name": "Tarn Institute", "received_on": "2026-03-02"}
    assert client.post(reverse("model_recipient", args=[model.public_id]), given).status_code == 302
    assert Deployment.objects.get().place == "Production" and Recipient.objects.get().name == "Tarn Institute"


@pytest.mark.parametrize(
    ("artifact", "words"),
    [
        ("sha256:" + "0" * 64, "is not in the artefact store"),
        ("../../etc/passwd", "Write the whole digest"),
        ("", "This field is required"),
    ],
)
def test_what_is_not_stored_is_refused_and_the_form_stays_open(
    client: Client, engineer: User, artifact: str, words: str
) -> None:
    sent = {"name": "Works", "purpose": "training", "artifact": artifact}
    answer = client.post(reverse("datasets_register"), sent)
    assert answer.status_code == 422
    text = answer.content.decode()
    assert words in text and 'class="extra" open' in text and 'value="Works"' in text
    assert not Dataset.objects.exists()


def test_a_place_of_another_models_version_is_refused(client: Client, engineer: User, catalogue: Any) -> None:
    other = AiModel.objects.create(name="Tarn")
    sent = {"version": catalogue["released"].pk, "place": "X"}
    assert client.post(reverse("model_place", args=[other.public_id]), sent).status_code == 422


def test_records_are_paged_by_their_id_and_filtered(
    client: Client, engineer: User, catalogue: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("governance.selectors.catalogue.RECORDS", 2)
    address = reverse("dataset", args=[catalogue["data"].public_id])
    first = client.get(address)
    assert "r1" in first.content.decode() and "r3" not in first.content.decode()
    assert "r3" in client.get(address + first.context["next_page_url"]).content.decode()
    assert "No record stands here" in client.get(address, {"held": "1"}).content.decode()


def test_more_versions_ask_no_more_queries(client: Client, engineer: User, catalogue: Any) -> None:
    client.get("/models/")
    with CaptureQueriesContext(connection) as few:
        client.get("/models/")
    for n in range(3, 12):
        version = ModelVersion.objects.create(
            model=catalogue["released"].model, revision=n, artifact=f"sha256:{n:064x}", method="train"
        )
        version.deployments.create(place=f"Place {n}")
    with CaptureQueriesContext(connection) as many:
        client.get("/models/")
    assert len(many) == len(few)


def test_the_register_asks_the_policy_itself() -> None:
    from governance.errors import NotAllowed
    from governance.selectors import catalogue as select

    administrator = Actor.of(member("a@house.example", role=Role.ADMINISTRATOR))
    for read in (select.models, select.datasets):
        with pytest.raises(NotAllowed):
            read(administrator)
