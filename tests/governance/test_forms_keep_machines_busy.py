"""The hidden field and the proof of work: told, counted, never a wall."""

from __future__ import annotations

import hashlib
import re
from itertools import count
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone
from rest_framework.throttling import SimpleRateThrottle

from governance import work
from governance.models import Role
from governance.policies import Actor
from governance.web import limits
from tests.governance.agents import known
from tests.governance.test_api_files_and_follows import REQUEST


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.WORK_BITS = 8
    rates = {"filing": "4/hour", "filing_plain": "2/hour", "pages": "100/hour", "agents": "100/min"}
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", rates)


def solve(challenge: str) -> str:
    """What the script does, slower."""
    bits = int(challenge.split(".")[2])
    for n in count():
        answer = f"{challenge}:{n}"
        if int.from_bytes(hashlib.sha256(answer.encode()).digest(), "big") >> (256 - bits) == 0:
            return answer
    raise AssertionError


def file(**fields: str) -> HttpResponse | None:
    return limits.spend(RequestFactory().post("/", fields), "filing")


def test_work_is_counted_once() -> None:
    answer = solve(work.challenge())
    assert work.proven(answer)
    assert not work.proven(answer)


@pytest.mark.parametrize("answer", ["", ":", "a.b.c.d:1", "x" * 500, "1.2.3.é:1", "...:0"])
def test_what_is_no_answer_is_none(answer: str) -> None:
    assert not work.proven(answer)


def test_an_old_challenge_and_a_forged_one_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    easy = work.challenge().rsplit(".", 2)
    assert not work.proven(solve(f"{easy[0]}.0.{easy[2]}"))
    answer = solve(work.challenge())
    monkeypatch.setattr("time.time", lambda: 10**10)
    assert not work.proven(answer)


def test_whoever_computes_files_more_and_whoever_does_not_is_not_shut_out() -> None:
    assert [file(), file()] == [None, None]
    third = file()
    assert third is not None and third.status_code == 429
    assert file(work=solve(work.challenge())) is None


def test_the_hidden_field_is_told_not_dropped() -> None:
    answer = file(website="https://spam.example")
    assert answer is not None and answer.status_code == 422
    assert "people do not see" in answer.content.decode()


def test_every_public_form_carries_both_and_its_script_is_no_inline_one(client: Client) -> None:
    for path in ("/opt-out/", "/privacy/", "/objection/", "/safety/", "/correction/"):
        page = client.get(path).content.decode()
        assert 'name="website"' in page and "data-work=" in page, path
        assert re.search(r'<script src="[^"]*js/work[^"]*" defer></script>', page), path


def test_the_interface_asks_alike_and_says_where_the_work_is(client: Client) -> None:
    def call(**headers: str) -> Any:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.post("/api/v1/requests/", REQUEST, content_type="application/json", headers=sent)

    assert [call().status_code, call(Lethe_Work="no answer").status_code] == [201, 201]
    refused = call()
    assert refused.status_code == 429 and "/api/v1/work/" in refused.json()["detail"]
    assert 3500 < int(refused["Retry-After"]) <= 3600
    asked = client.get("/api/v1/work/").json()
    assert asked["bits"] == 8 and asked["expires_at"] > timezone.now().isoformat()
    assert call(Lethe_Work=solve(asked["challenge"])).status_code == 201
    # Pages and interface draw on one budget, which is used up now: work is not spent on what is refused.
    answer = solve(work.challenge())
    assert call(Lethe_Work=answer).status_code == 429 and work.proven(answer)


def test_a_key_needs_no_work(people: dict[Role, Actor]) -> None:
    agent = known(people[Role.LEGAL])
    mandate = str(agent.mandate.public_id)
    body = {
        "kind": "copyright",
        "mandate": mandate,
        "declared": True,
        "items": [{"form": "url", "text": "https://a.example"}],
    }
    assert [agent.post("/api/v1/requests/", body).status_code for _n in range(5)] == [201] * 5
