"""Whoever names a work is told whether any model of ours works with its kind, and nothing else of the register."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from governance.errors import Unfit
from governance.models import AiModel, ModelVersion, Role
from governance.policies import Actor
from governance.selectors import catalogue as register
from governance.services.catalogue import version_register
from tests.governance.filing import begin

NONE = "No model of ours works with them, so your request changes none."
LEFT = "but we can change and test models of text alone"
CHANGED = "We look for them in what our models learned from, and can change a model."
PERSON = {"name": "Vel", "email": "v@marun.example"}


def kinds(client: Client) -> list[str]:
    """The sentence of each kind on the page of the works: texts, pictures, sound, film."""
    page = client.get(begin(client, "opt-out", PERSON)["Location"]).content.decode()
    assert "Lumen" not in page
    return [
        next(sentence for sentence in (NONE, LEFT, CHANGED) if sentence in part)
        for part in page.split('<dl class="answers">')[1].split("</dd>")[:4]
    ]


def test_the_page_asks_the_register(client: Client, catalogue: dict[str, Any], people: dict[Role, Actor]) -> None:
    assert kinds(client) == [CHANGED, NONE, NONE, NONE]
    known = {"artifact": catalogue["released"].artifact, "method": "train", "datasets": [catalogue["data"]],
             "state": ModelVersion.State.RELEASED, "actor": people[Role.ENGINEER]}  # fmt: skip
    version_register(model="Lumen Pictures", medium="pictures", **known)
    assert kinds(client) == [CHANGED, LEFT, NONE, NONE]
    version_register(model="Lumen Pictures", **known)
    with pytest.raises(Unfit, match="working with pictures"):
        version_register(model="Lumen Pictures", medium="film", **known)
    assert "Lumen" not in client.get("/unlearning/").content.decode()


def test_no_registered_model_is_said_and_the_answer_is_kept(client: Client, django_assert_num_queries: Any) -> None:
    assert kinds(client) == [NONE] * 4
    with django_assert_num_queries(0):
        register.media()
    AiModel.objects.create(name="Only entered")
    assert kinds(client) == [NONE] * 4


def test_before_sending_it_is_said_for_which_works_no_model_is_changed(
    client: Client, catalogue: dict[str, Any]
) -> None:
    address = begin(client, "opt-out", PERSON)["Location"]
    image = SimpleUploadedFile("cover.png", b"\x89PNG\r\n\x1a\n" + b"0" * 30)
    for data, said in (({"title": "Tide", "text": "Nine white rows."}, False), ({"files": image}, True)):
        check = client.post(address, data)["Location"]
        page = client.get(check).content.decode()
        assert ("What your request cannot do" in page) is said and ("<dt>Pictures</dt>" in page) is said
