"""Idempotency keys, files and taking back by the interface; refusals as problem details."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from governance.models import Case, StoredAnswer, Upload
from governance.services import idempotency
from governance.tokens import link_token
from tests.governance.test_api_files_and_follows import OPT_OUT, REQUEST

pytestmark = pytest.mark.database


def post(body: Any, key: str = "") -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return Client().post("/api/v1/requests/", body, content_type="application/json", headers=headers)


def test_the_same_call_under_the_same_key_is_one_case_and_one_answer() -> None:
    first, second = post(OPT_OUT, "k-1"), post(OPT_OUT, "k-1")
    assert (first.status_code, second.status_code) == (201, 201) and first.json() == second.json()
    assert second["Idempotent-Replay"] == "true" and "Idempotent-Replay" not in first
    assert Case.objects.count() == 1


def test_behind_a_proxy_callers_are_told_apart_by_the_address_that_it_forwards(settings: Any) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}

    def call(body: Any, address: str) -> Any:
        headers = {"Idempotency-Key": "1", "X-Forwarded-For": f"203.0.113.66, {address}"}
        return Client().post("/api/v1/requests/", body, content_type="application/json", headers=headers)

    first = call(OPT_OUT, "198.51.100.1")
    other = call({**OPT_OUT, "email": "other@example.org"}, "198.51.100.2")
    assert (first.status_code, other.status_code) == (201, 201)
    assert call(OPT_OUT, "198.51.100.1")["Idempotent-Replay"] == "true" and Case.objects.count() == 2


def test_another_call_under_the_same_key_is_refused() -> None:
    post(OPT_OUT, "k-1")
    assert post(REQUEST, "k-1").status_code == 422
    assert post(REQUEST, "k-2").status_code == 201


def test_what_was_refused_may_be_put_right_under_the_same_key(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {**OPT_OUT, "email": "nobody"}
    assert post(wrong, "k-1").status_code == 400
    assert post(OPT_OUT, "k-1").status_code == 201


def test_a_call_that_failed_halfway_left_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_data: bytes, _context: str) -> bytes:
        raise RuntimeError("the power went")

    monkeypatch.setattr(idempotency, "house_seal", fails)
    with pytest.raises(RuntimeError):
        post(OPT_OUT, "k-1")
    assert not Case.objects.exists() and not StoredAnswer.objects.exists()
    monkeypatch.undo()
    assert post(OPT_OUT, "k-1").status_code == 201


def test_a_call_under_way_is_told_and_one_that_died_lets_its_key_go() -> None:
    post(OPT_OUT, "k-1")
    StoredAnswer.objects.update(status=None)
    assert post(OPT_OUT, "k-1").status_code == 409
    StoredAnswer.objects.update(begun_at=timezone.now() - idempotency.BUSY - timedelta(seconds=1))
    assert post(OPT_OUT, "k-1").status_code == 201


def test_an_answer_is_kept_for_a_day_and_holds_no_link_in_the_clear() -> None:
    link = post(OPT_OUT, "k-1").json()["status_url"]
    row = StoredAnswer.objects.get()
    assert link.encode() not in bytes(row.body)
    assert idempotency.answers_forget() == 0
    StoredAnswer.objects.update(begun_at=timezone.now() - timedelta(hours=25))
    assert idempotency.answers_forget() == 1


@pytest.mark.parametrize("key", ["x" * 256, "ключ"])
def test_a_key_that_is_no_key_is_refused(key: str) -> None:
    answer = Client().post(
        "/api/v1/requests/", OPT_OUT, content_type="application/json", HTTP_IDEMPOTENCY_KEY=key
    )  # fmt: skip
    assert answer.status_code == 422


def test_refusals_are_problem_details_with_pointers() -> None:
    answer = post({**OPT_OUT, "email": "nobody", "items": [{"form": "text", "text": "x"}]})
    body = answer.json()
    assert answer["Content-Type"] == "application/problem+json"
    assert (body["type"], body["title"], body["status"]) == ("about:blank", "Bad Request", 400)
    assert {one["pointer"] for one in body["errors"]} == {"#/email", "#/items/0/title"}
    accepts = Client().get("/api/v1/requests/nobody/", headers={"Accept": "application/problem+json"})
    assert accepts.status_code == 404 and accepts["Content-Type"] == "application/problem+json"


def test_files_are_sent_listed_and_deleted_behind_the_private_link(case: Case, client: Client) -> None:
    path = f"/api/v1/requests/{link_token(case.public_id, 'status')}/files/"
    sent = client.post(path, {"file": SimpleUploadedFile("poem.txt", b"nine white rows")})
    assert (sent.status_code, sent.json()["state"], sent.json()["kind"]) == (201, "clean", "text")
    refused = client.post(path, {"file": SimpleUploadedFile("x.exe", b"MZ\x90\x00")})
    assert refused.status_code == 201 and refused.json()["state"] == "refused" and refused.json()["why"]
    assert len(client.get(path).json()["results"]) == 2
    assert client.delete(f"{path}{sent.json()['id']}/").status_code == 204
    assert Upload.objects.filter(state="deleted").count() == 1
    assert client.delete(f"{path}00000000-0000-4000-8000-000000000000/").status_code == 404
    assert client.post(path, {}).status_code == 400


def test_a_request_is_taken_back_by_its_link_once(case: Case, client: Client) -> None:
    path = f"/api/v1/requests/{link_token(case.public_id, 'status')}/"
    assert client.delete(path).status_code == 204
    case.refresh_from_db()
    assert case.disposition == "withdrawn"
    assert client.delete(path).status_code == 409


def test_too_much_is_refused_as_a_problem_before_it_is_read(client: Client) -> None:
    answer = client.generic("POST", "/api/v1/requests/", b"{}", "application/json", CONTENT_LENGTH=str(5 * 2**30))
    assert answer.status_code == 413 and json.loads(answer.content)["status"] == 413
