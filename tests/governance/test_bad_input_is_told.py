"""What no form ever sends: told in a sentence, never a server error (the table in docs/uploads-and-abuse.md)."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from governance.models import Draft
from tests.governance.filing import begin

FORM = "application/x-www-form-urlencoded"
PERSON = {"name": "Zoë", "email": "zoe@example.org"}


@pytest.mark.parametrize("kind", [f"{FORM}; charset=utf-16", f'{FORM}; charset="klingon"'])
def test_a_form_in_another_encoding_is_told_so(client: Client, kind: str) -> None:
    answer = client.generic("POST", "/opt-out/", b"name=Zoe", kind)
    assert answer.status_code == 415 and "Send it as UTF-8" in answer.content.decode()
    assert client.generic("POST", "/opt-out/", b"name=Zoe", f"{FORM}; charset=UTF-8").status_code == 422


def test_a_body_without_a_size_is_not_read_as_empty(client: Client) -> None:
    def send(path: str) -> Any:
        return client.generic("POST", path, b"", FORM, HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH="")

    assert send("/opt-out/").status_code == 411
    answer = send("/api/v1/requests/x/files/")
    assert answer.status_code == 411 and answer["Content-Type"] == "application/problem+json"
    assert "not announced" in answer.json()["messages"][0]


def test_a_name_whose_letters_were_lost_is_not_kept(client: Client) -> None:
    answer = client.generic("POST", "/opt-out/", b"name=Zo%EB&email=z%40example.org&capacity=self", FORM)
    assert answer.status_code == 422 and "Some letters did not arrive" in answer.content.decode()
    assert not Draft.objects.exists()


def test_an_address_that_no_mail_reaches_is_told(client: Client) -> None:
    long = f"{'a' * 60}@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 60}.org"
    answer = begin(client, "opt-out", {**PERSON, "email": long})
    assert answer.status_code == 422 and "254" in answer.content.decode()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"[" * 100_000, "nested too deeply"),
        ('{"name": "Zoë"}'.encode("latin-1"), "byte 12 cannot be read"),
        ('{"name": "Zoë"}'.encode("utf-16"), "Send JSON as UTF-8"),
        (b'{"kind": NaN}', "JSON parse error"),
    ],
)
def test_json_that_cannot_be_read_says_what_to_do(client: Client, body: bytes, said: str) -> None:
    answer = client.generic("POST", "/api/v1/requests/", body, "application/json")
    assert answer.status_code == 400 and said in answer.json()["detail"]
