"""The private person's form."""

from __future__ import annotations

import time

import pytest
from django.test import Client

from governance.models import Case
from tests.governance.filing import file

GOOD = {
    "name": "Ada Quill",
    "email": "ada@example.org",
    "law": "gdpr",
    "facts": "Ada Quill lives at 4 Mill Lane in Ardry.\n\n Ada Quill was born in 1961. ",
}


@pytest.mark.parametrize("law", ["gdpr", "uk_gdpr", "ccpa", "lgpd"])
def test_each_fact_is_an_item_and_the_law_sets_the_clock(client: Client, law: str) -> None:
    assert file(client, "privacy", {**GOOD, "law": law})["Location"] == "/receipt/"
    case = Case.objects.get()
    assert (case.kind, case.law) == ("privacy", law)
    assert [(item.form, item.text) for item in case.items.all()] == [
        ("fact", "Ada Quill lives at 4 Mill Lane in Ardry."),
        ("fact", "Ada Quill was born in 1961."),
    ]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"facts": " \n "}, "Write at least one fact"),
        ({"law": ""}, "Choose the law"),
        ({"law": "house"}, "Select a valid choice"),
        ({"facts": "a fact\n" * 201}, "201 facts in one request"),
        ({"facts": "a\x00b"}, "ull characters"),
    ],
)
def test_a_wrong_answer_is_explained(client: Client, changes: dict[str, str], sentence: str) -> None:
    answer = file(client, "privacy", {**GOOD, **changes})
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert not Case.objects.exists()


def test_the_receipt_is_gone_for_whoever_did_not_file(client: Client) -> None:
    assert file(client, "privacy", GOOD).status_code == 302
    number = Case.objects.get().number
    assert number in client.get("/receipt/").content.decode()
    other = Client().get("/receipt/").content.decode()
    assert number not in other and "no longer shown" in other


def test_the_receipt_is_gone_after_a_quarter_of_an_hour(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    file(client, "privacy", GOOD)
    now = time.time()
    monkeypatch.setattr("governance.web.claimant.time.time", lambda: now + 901)
    assert "no longer shown" in client.get("/receipt/").content.decode()
