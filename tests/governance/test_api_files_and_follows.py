"""The interface: filing, following, refusals in one shape, and a schema that is true."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.test import Client

from governance.models import Case, Status
from governance.tokens import link_token

OPT_OUT: dict[str, Any] = {
    "kind": "copyright",
    "name": "Zoë Ængström",
    "email": "zoe@example.org",
    "declared": True,
    "items": [
        {"form": "text", "title": "The Salt Orchard", "text": "Nine white rows."},
        {"form": "url", "text": "https://example.org/poem"},
    ],
}
REQUEST: dict[str, Any] = {
    "kind": "privacy",
    "law": "gdpr",
    "name": "Ada Quill",
    "email": "ada@example.org",
    "items": [{"form": "fact", "text": "Ada Quill lives in Ardry."}],
}


def post(client: Client, body: Any) -> Any:
    return client.post("/api/v1/requests/", body, content_type="application/json")


@pytest.mark.parametrize("body", [OPT_OUT, REQUEST])
def test_a_filed_request_gives_number_private_links_and_deadline(client: Client, body: dict[str, Any]) -> None:
    answer = post(client, body)
    case = Case.objects.get()
    token = link_token(case.public_id, "status")
    assert answer.status_code == 201
    assert answer.json() == {
        "number": case.number,
        "status_url": f"http://127.0.0.1:8000/status/{token}/",
        "status_api_url": f"http://127.0.0.1:8000/api/v1/requests/{token}/",
        "due_on": case.due_on.isoformat(),
    }
    assert (case.channel, case.kind) == ("api", body["kind"])
    assert case.items.count() == len(body["items"])
    assert "no-store" in answer["Cache-Control"]


def test_no_cookie_and_no_token_of_a_form_is_needed() -> None:
    answer = post(Client(enforce_csrf_checks=True), REQUEST)
    assert answer.status_code == 201 and not answer.cookies


def test_the_private_link_tells_where_the_case_stands_and_no_name(client: Client) -> None:
    path = post(client, REQUEST).json()["status_api_url"].removeprefix("http://127.0.0.1:8000")
    answer = client.get(path)
    data = answer.json()
    assert (data["status"], data["disposition"], data["email_confirmed"], data["report"]) == ("received", "", False, "")
    assert "Ada" not in answer.content.decode() and "example.org" not in answer.content.decode()
    Case.objects.update(status=Status.CLOSED, disposition="no_data_found")
    withheld = client.get(path).json()
    assert (withheld["disposition"], withheld["findings_told"]) == ("", False)
    case = Case.objects.get()
    case.proofs.create(subject=case.claimant.subject, level=5, note="Known channel.")
    assert client.get(path).json()["disposition"] == "no_data_found"


@pytest.mark.parametrize(
    ("changes", "messages"),
    [
        (
            {"email": "nobody", "name": ""},
            {"name: This field may not be blank.", "email: Enter a valid email address."},
        ),
        ({"kind": "dmca"}, {'kind: "dmca" is not a valid choice.'}),
        (
            {"declared": False},
            {"declared: Declare that the works are yours, or that you act for whoever holds the rights."},
        ),
        ({"law": "gdpr"}, {"law: With a copyright request one of: gpai, house."}),
        ({"items": []}, {"items: This list may not be empty."}),
        (
            {"items": [{"form": "text", "text": " "}, {"form": "url", "text": "file:///etc/passwd"}]},
            {
                "items.0.text: Write a text, an address or a fact.",
                "items.0.title: Give the work its title.",
                "items.1.text: Write a whole address that begins with https:// or http://.",
            },
        ),
        (
            {"items": REQUEST["items"]},
            {"items: In a copyright request the form of an item is text or url; context comes only beside such items."},
        ),
    ],
)
def test_every_problem_is_told_at_once_with_its_place(client: Client, changes: Any, messages: set[str]) -> None:
    answer = post(client, {**OPT_OUT, **changes})
    assert answer.status_code == 400
    assert set(answer.json()["messages"]) == messages
    assert not Case.objects.exists()


@pytest.mark.parametrize("body", ["{", "[]", "null", '"text"', "\xff"])
def test_what_cannot_be_read_is_refused_in_the_same_shape(client: Client, body: str) -> None:
    answer = client.generic("POST", "/api/v1/requests/", body.encode("latin-1"), "application/json")
    assert answer.status_code == 400 and answer.json()["messages"]


def test_a_wrong_link_and_a_wrong_address_are_not_found(client: Client) -> None:
    for path in ("/api/v1/requests/wrong/", "/api/v1/nothing/"):
        answer = client.get(path)
        assert answer.status_code == 404 and answer.json()["messages"]


def test_the_list_of_requests_needs_a_key(client: Client) -> None:
    assert client.get("/api/v1/requests/").status_code == 401


def test_the_schema_is_complete_and_free_of_warnings(client: Client) -> None:
    out, err = StringIO(), StringIO()
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=out, stderr=err)
    schema = yaml.safe_load(out.getvalue())
    assert schema["openapi"].startswith("3.1")
    for path, operations in schema["paths"].items():
        for name, operation in operations.items():
            assert {"401", "429"} <= set(operation["responses"]), (path, name)
    assert client.get("/api/schema/").status_code == 200


def test_an_unknown_address_answers_programs_whatever_the_method() -> None:
    answer = Client(enforce_csrf_checks=True).post("/api/v2/requests/", {}, content_type="application/json")
    assert answer.status_code == 404 and answer.json()["messages"]
