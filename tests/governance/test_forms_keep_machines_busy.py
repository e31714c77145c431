"""The hidden field and the proof of work: told, counted, never a wall."""

from __future__ import annotations

import hashlib
import re
from itertools import count
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory
from rest_framework.throttling import SimpleRateThrottle

from governance.web import limits, work


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.WORK_BITS = 8
    rates = {"filing": "4/hour", "filing_plain": "2/hour", "pages": "100/hour"}
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
