"""Whoever names a work is told whether any model of ours works with its kind, and nothing else of the register."""

from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client, TestCase
from django.urls import reverse
from django.utils import translation

from governance.errors import Unfit
from governance.models import AiModel, LedgerOpening, ModelVersion, Role
from governance.policies import Actor
from governance.selectors import catalogue as register
from governance.services.catalogue import version_register
from governance.web import media_words
from tests.governance.filing import begin

NONE = "No model of ours works with them, so your request changes none."
LEFT = "but we can change and test models of text alone"
CHANGED = "We look for them in what our models learned from, and can change a model."
OPEN = "Of some models of ours it is not recorded what they work with."
PERSON = {"name": "Vel", "email": "v@marun.example"}


def kinds(client: Client) -> list[str]:
    """The sentence of each kind on the page of the works: texts, pictures, sound, film."""
    page = client.get(begin(client, "opt-out", PERSON)["Location"]).content.decode()
    assert "Lumen" not in page
    rows = page.split('<dl class="answers">')[1].split("</dl>")[0].split("</dd>")[:-1]
    told = {
        name: sentence
        for row in rows
        for name in ("Texts", "Pictures", "Music and speech", "Film")
        for sentence in (NONE, LEFT, CHANGED, OPEN)
        if name.lower() in row.split("</dt>")[0].lower() and sentence in row
    }
    assert len(rows) == len(set(told.values())), "kinds with one answer stand together, and it is said once"
    return [told[name] for name in ("Texts", "Pictures", "Music and speech", "Film")]


def test_the_page_asks_the_register(client: Client, catalogue: dict[str, Any], people: dict[Role, Actor]) -> None:
    assert kinds(client) == [CHANGED, NONE, NONE, NONE]
    known = {"artifact": catalogue["released"].artifact, "method": "train", "datasets": [catalogue["data"]],
             "state": ModelVersion.State.RELEASED, "actor": people[Role.ENGINEER]}  # fmt: skip
    with TestCase.captureOnCommitCallbacks(execute=True):
        version_register(model="Lumen Pictures", medium="pictures", **known)
    assert kinds(client) == [CHANGED, LEFT, NONE, NONE]
    version_register(model="Lumen Pictures", **known)
    with pytest.raises(Unfit, match="working with pictures"):
        version_register(model="Lumen Pictures", medium="film", **known)
    assert "Lumen" not in client.get("/unlearning/").content.decode()


def test_kinds_that_stand_together_are_listed_from_the_right_in_arabic(db: None) -> None:
    with translation.override("ar"):
        names, _sentence = media_words.rows()[0]
    assert names.startswith("النصوص، الصور،") and not set(names) & set("\u2066\u2067\u2068\u2069")


def test_no_registered_model_is_said_and_the_answer_is_kept(client: Client, django_assert_num_queries: Any) -> None:
    assert kinds(client) == [NONE] * 4
    with django_assert_num_queries(0):
        register.media()
    AiModel.objects.create(name="Only entered")
    assert kinds(client) == [NONE] * 4


def test_what_a_model_works_with_is_said_by_somebody_and_can_be_corrected(
    client: Client, catalogue: dict[str, Any], people: dict[Role, Actor]
) -> None:
    model = AiModel.objects.get(name="Lumen")
    AiModel.objects.update(medium="unknown")
    register.cache.clear()
    assert kinds(client) == [OPEN] * 4
    address = reverse("model_medium", args=[model.public_id])
    client.force_login(people[Role.ENGINEER].user)
    assert client.post(address, {"medium": "unknown"}).status_code == 422
    for medium, said in (("pictures", [NONE, LEFT, NONE, NONE]), ("text", [CHANGED, NONE, NONE, NONE])):
        with TestCase.captureOnCommitCallbacks(execute=True):
            assert client.post(address, {"medium": medium}).status_code == 302
        assert kinds(Client()) == said
    entries = LedgerOpening.objects.filter(entry__action="model.medium_said").order_by("entry_id")
    assert [(one.body["before"], one.body["medium"]) for one in entries] == [
        ("unknown", "pictures"),
        ("pictures", "text"),
    ]
    assert "Texts" in client.get(reverse("model", args=[model.public_id])).content.decode()
    assert AiModel._meta.get_field("medium").default == "unknown", "nobody's word is no word"


def test_of_models_from_before_nobody_said_what_they_work_with(db: None) -> None:
    AiModel.objects.bulk_create([AiModel(name=medium, medium=medium) for medium in ("text", "pictures")])
    migration = importlib.import_module("governance.migrations.0052_medium_said")
    migration.unsaid(apps, SimpleNamespace(connection=connection))
    assert set(AiModel.objects.values_list("name", "medium")) == {("text", "unknown"), ("pictures", "pictures")}


def test_before_sending_it_is_said_for_which_works_no_model_is_changed(
    client: Client, catalogue: dict[str, Any]
) -> None:
    address = begin(client, "opt-out", PERSON)["Location"]
    image = SimpleUploadedFile("cover.png", b"\x89PNG\r\n\x1a\n" + b"0" * 30)
    for data, said in (({"title": "Tide", "text": "Nine white rows."}, False), ({"files": image}, True)):
        check = client.post(address, data)["Location"]
        page = client.get(check).content.decode()
        assert ("What your request cannot do" in page) is said and ("<dt>Pictures</dt>" in page) is said
