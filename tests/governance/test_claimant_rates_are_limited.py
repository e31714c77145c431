"""How often one address may do something; pages and interface draw on one budget."""

from __future__ import annotations

import pytest
from django.test import Client
from rest_framework.throttling import SimpleRateThrottle

from governance.models import Case
from tests.governance.filing import file
from tests.governance.test_claimant_files_a_privacy_request import GOOD


@pytest.fixture(autouse=True)
def _small_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {"filing": "2/hour", "filing_plain": "2/hour", "status": "3/hour", "pages": "50/hour", "verify": "1/hour"}
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", rates)


def test_the_third_request_of_an_hour_is_refused_in_plain_words(client: Client) -> None:
    assert [file(client, "privacy", GOOD).status_code for _ in range(3)] == [302, 302, 429]
    answer = file(client, "privacy", GOOD)
    assert answer.status_code == 429
    assert "Too many at once from your address." in answer.content.decode()
    assert 3500 < int(answer["Retry-After"]) <= 3601
    assert Case.objects.count() == 2


def test_the_interface_draws_on_the_same_budget(client: Client) -> None:
    for _ in range(2):
        file(client, "privacy", GOOD)
    body = {
        "kind": "privacy",
        "law": "gdpr",
        "name": "A",
        "email": "a@example.org",
        "items": [{"form": "fact", "text": "x"}],
    }
    assert client.post("/api/v1/requests/", body, content_type="application/json").status_code == 429


def test_looking_for_private_links_is_slowed_down(client: Client) -> None:
    assert [client.get(f"/status/guess{n}/").status_code for n in range(4)] == [404, 404, 404, 429]


def test_a_claimed_address_of_a_proxy_does_not_escape_the_count(client: Client) -> None:
    answers = [file(Client(headers={"X-Forwarded-For": f"10.0.0.{n}"}), "privacy", GOOD).status_code for n in range(3)]
    assert answers == [302, 302, 429]


def test_looking_at_a_form_is_free(client: Client) -> None:
    assert {client.get("/privacy/").status_code for _ in range(8)} == {200}
