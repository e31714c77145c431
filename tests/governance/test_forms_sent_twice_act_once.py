"""A form that is sent twice, by a double click or a reload, acts once; changed or from another page it acts again."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from governance.models import Case, Note, Role, StoredAnswer
from governance.policies import Actor
from governance.web import sent_once
from tests.governance.conftest import TODAY
from tests.governance.staff import sign_in_to_decide

pytestmark = pytest.mark.database
PAGE, OTHER = "a" * 64, "b" * 64


@pytest.fixture
def desk(client: Client, people: dict[Role, Actor]) -> Client:
    user = people[Role.LEGAL].user
    assert user
    sign_in_to_decide(client, user)
    return client


def entered(desk: Client, page: str, **more: str) -> Any:
    form = {
        "asked": "copyright", "law": "house", "name": "Ada Brenn", "email": "ada@brenn.example", "channel": "post",
        "received_on": TODAY.isoformat(), "title": "Tide", "text": "the salt orchard", "csrfmiddlewaretoken": page,
    }  # fmt: skip
    return desk.post(reverse("case_new"), {**form, **more})


def test_a_request_that_is_entered_twice_is_one_case(desk: Client) -> None:
    first, second = entered(desk, PAGE), entered(desk, PAGE)
    assert first.status_code == second.status_code == 302 and first["Location"] == second["Location"]
    assert Case.objects.count() == 1 and Case.objects.get().letters.count() == 1
    assert "was not done a second time" in desk.get(second["Location"]).content.decode()
    assert entered(desk, PAGE, title="Ebb")["Location"] != first["Location"]
    assert entered(desk, OTHER)["Location"] != first["Location"]
    assert Case.objects.count() == 3


def test_what_was_refused_is_put_right_and_sent_again(desk: Client) -> None:
    for _click in range(2):
        assert entered(desk, PAGE, law="gpai", received_on="2126-01-01").status_code == 422
    assert not Case.objects.exists() and not StoredAnswer.objects.exists()
    assert entered(desk, PAGE).status_code == 302


def test_a_note_a_proof_and_a_letter_are_written_once(desk: Client, case: Case) -> None:
    for _click in range(2):
        for name, sent in (
            ("note", {"text": "She called and asked when."}),
            ("proof", {"level": "3", "note": "A letter with her name.", "then": "stay"}),
            ("letter", {"do": "send", "template": "message", "language": "en", "text": "We are still at it."}),
        ):
            answer = desk.post(reverse(f"case_{name}", args=[case.public_id]), {**sent, "csrfmiddlewaretoken": PAGE})
            assert answer.status_code == 302, name
    assert Note.objects.count() == 1 and case.proofs.filter(level=3).count() == 1
    assert case.letters.filter(template="message").count() == 1


def test_a_second_click_waits_for_what_the_first_one_does(desk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    first = entered(desk, PAGE)
    StoredAnswer.objects.update(status=None)
    looks = []

    def ends(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            StoredAnswer.objects.update(status=302)

    monkeypatch.setattr(sent_once.time, "sleep", ends)
    assert entered(desk, PAGE)["Location"] == first["Location"] and len(looks) == 3
    StoredAnswer.objects.update(status=None)
    assert entered(desk, PAGE).status_code == 409 and Case.objects.count() == 1


def test_each_page_draws_a_token_of_its_own(desk: Client) -> None:
    tokens = {str(desk.get(reverse("case_new")).context["csrf_token"]) for _page in range(2)}
    assert len(tokens) == 2
