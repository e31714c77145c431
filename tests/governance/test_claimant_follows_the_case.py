"""Private links: the confirmation, the page of the case, withdrawal, downloads. A wrong link tells nothing."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import get_resolver

from governance import dispatch
from governance.logs import MaskLinks, without_secrets
from governance.models import Case, Disposition, Kind, Report, Role, Status
from governance.policies import Actor
from governance.services import review
from governance.tokens import link_token
from tests.governance.conftest import Walk, file_case
from tests.governance.staff import sign_in_to_decide


def link(case: Case, purpose: str, rest: str = "") -> str:
    return f"/{purpose}/{link_token(case.public_id, purpose)}/{rest}"


def page(client: Client, case: Case) -> str:
    return client.get(link(case, "status")).content.decode()


def test_opening_the_link_of_the_letter_changes_nothing(client: Client, case: Case) -> None:
    answer = client.get(link(case, "confirm"))
    assert answer.status_code == 200 and "Yes, I filed this request" in answer.content.decode()
    client.head(link(case, "confirm"))
    case.refresh_from_db()
    assert case.status == Status.RECEIVED


def test_the_button_confirms_once_and_a_second_press_changes_nothing(client: Client, case: Case) -> None:
    for _press in range(2):
        answer = client.post(link(case, "confirm"), follow=True)
        assert "Your address is confirmed." in answer.content.decode()
    case.refresh_from_db()
    assert case.status == Status.PROOF
    assert case.proofs.count() == 1


def test_confirming_needs_the_token_of_the_form(case: Case) -> None:
    assert Client(enforce_csrf_checks=True).post(link(case, "confirm")).status_code == 403


@pytest.mark.parametrize("purpose", ["confirm", "status"])
def test_a_wrong_link_is_not_found_and_says_nothing(client: Client, case: Case, purpose: str) -> None:
    right = link_token(case.public_id, purpose)
    other = link_token(case.public_id, "confirm" if purpose == "status" else "status")
    for wrong in ("x", right[:-1], right + "a", right.upper(), other):
        answer = client.get(f"/{purpose}/{wrong}/")
        assert answer.status_code == 404, wrong
        assert case.number not in answer.content.decode()


def test_a_wrong_link_opens_no_room_behind_the_page(client: Client, case: Case) -> None:
    wrong = link_token(case.public_id, "confirm")
    for rest in ("report.pdf", "evidence.json", "withdraw/"):
        assert client.get(f"/status/{wrong}/{rest}").status_code == 404
    for rest in ("resend/", "withdraw/"):
        assert client.post(f"/status/{wrong}/{rest}", {"sure": "on"}).status_code == 404


def test_private_pages_are_kept_out_of_caches_and_search_engines(client: Client, case: Case) -> None:
    answer = client.get(link(case, "status"))
    assert "no-store" in answer["Cache-Control"] and answer["X-Robots-Tag"] == "noindex"
    assert answer["Referrer-Policy"] == "same-origin"


def test_the_secret_of_a_link_stands_in_no_log(case: Case) -> None:
    secret = link(case, "status")
    record = logging.LogRecord("django.request", logging.WARNING, "", 0, "Not Found: %s", (secret,), None)
    assert MaskLinks().filter(record)
    assert record.getMessage() == "Not Found: /status/…/"


#: What stands for a part of an address: `<slug:token>`, `(?P<key>.+)`.
PLACE = re.compile(r"\(\?P<(\w+)>[^()]*\)|<(?:\w+:)?(\w+)>")
SECRET_PARTS = ("token", "key")


def addresses(patterns: list[Any], before: str = "/") -> Iterator[str]:
    """Every address of the house, as its table writes it."""
    for one in patterns:
        route = before + str(one.pattern).removeprefix("^").removesuffix("$")
        if hasattr(one, "url_patterns"):
            yield from addresses(one.url_patterns, route)
        else:
            yield route


def test_no_address_with_a_secret_stands_in_a_log_as_it_is() -> None:
    """Whatever is added to the table: what names a token or a key is masked."""
    filled = [
        PLACE.sub(lambda part: "SECRET" if (part[1] or part[2]) in SECRET_PARTS else "x", route)
        for route in addresses(get_resolver().url_patterns)
    ]
    found = [address for address in filled if "SECRET" in address]
    assert {address.split("/")[1] for address in found} == {
        "accounts", "api", "batches", "confirm", "deadlines", "draft", "status"
    }  # fmt: skip
    for address in found:
        assert "SECRET" not in without_secrets(address), address


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("status", [status for status in Status if status not in {Status.CLOSED}])
def test_every_status_has_its_words(client: Client, kind: Kind, status: Status) -> None:
    case = file_case(kind)
    Case.objects.filter(pk=case.pk).update(status=status, return_to="review" if status == "information" else "")
    text = page(client, case)
    assert case.number in text and "<h1></h1>" not in text
    assert "None" not in text and case.claimant.email not in text and case.claimant.name not in text


@pytest.mark.parametrize("disposition", list(Disposition))
def test_every_disposition_has_its_words(client: Client, case: Case, disposition: Disposition) -> None:
    Case.objects.filter(pk=case.pk).update(status=Status.CLOSED, disposition=disposition, closed_at=case.created_at)
    text = page(client, case)
    assert str(disposition.label) in text
    assert ("is fulfilled" in text) == (disposition == Disposition.FULFILLED)
    assert "Take the request back" not in text and "Final answer by" not in text


def test_a_failed_try_is_told(client: Client, case: Case, walk: Walk) -> None:
    walk(case, Status.VERIFICATION)
    assert "2 training records match what you sent." in page(client, case)
    assert "2 to be erased from the models." in page(client, case)
    walk(case, Status.RELEASE)
    assert "waits to replace the old one" in page(client, case)


def test_nothing_is_told_of_a_decision_that_one_person_proposed(client: Client, case: Case, walk: Walk) -> None:
    walk(case, Status.DECISION)
    text = page(client, case)
    assert "We found 2 records. Two people decide." in text and "to be erased" not in text


def test_a_request_is_taken_back_after_a_page_that_asks(client: Client, case: Case) -> None:
    assert "Take the request back?" in client.get(link(case, "status", "withdraw/")).content.decode()
    assert client.post(link(case, "status", "withdraw/")).status_code == 422
    case.refresh_from_db()
    assert case.status == Status.RECEIVED
    client.post(link(case, "status", "withdraw/"), {"sure": "on"})
    case.refresh_from_db()
    assert (case.status, case.disposition) == (Status.NOTIFICATION, Disposition.WITHDRAWN)
    assert "You took your request back." in page(client, case)
    assert client.post(link(case, "status", "withdraw/"), {"sure": "on"}).status_code == 302


def test_a_case_whose_model_is_being_changed_cannot_be_taken_back(client: Client, case: Case) -> None:
    Case.objects.filter(pk=case.pk).update(status=Status.UNLEARNING)
    assert "Take the request back" not in page(client, case)
    client.post(link(case, "status", "withdraw/"), {"sure": "on"})
    case.refresh_from_db()
    assert case.status == Status.UNLEARNING


def test_the_letter_with_the_link_can_be_sent_again(
    client: Client, case: Case, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        assert client.post(link(case, "status", "resend/")).status_code == 302
    assert link_token(case.public_id, "confirm") in mail.outbox[-1].body
    client.post(link(case, "confirm"))
    sent = len(mail.outbox)
    client.post(link(case, "status", "resend/"))
    assert len(mail.outbox) == sent


def test_the_report_is_offered_once_it_is_signed(client: Client, case: Case) -> None:
    assert client.get(link(case, "status", "report.pdf")).status_code == 404
    refs = {"pdf": dispatch.put_bytes(b"%PDF-1.7 sealed"), "evidence": dispatch.put_bytes(b'{"a": 1}')}
    Report.objects.create(case=case, number="LR-1", headline="Nothing was found", **refs)
    assert "Report LR-1, signed (PDF)" in page(client, case)
    pdf = client.get(link(case, "status", "report.pdf"))
    assert (pdf.content, pdf["Content-Type"]) == (b"%PDF-1.7 sealed", "application/pdf")
    assert pdf["Content-Disposition"] == 'attachment; filename="LR-1.pdf"'
    assert client.get(link(case, "status", "evidence.json")).json() == {"a": 1}


def test_a_step_that_was_skipped_by_withdrawal_does_not_count_as_done(client: Client, case: Case) -> None:
    client.post(link(case, "confirm"))
    client.post(link(case, "status", "withdraw/"), {"sure": "on"})
    text = page(client, case)
    assert "You confirmed your address" in text
    assert "You showed that the works are yours" not in text and "You receive a signed report" not in text


@pytest.mark.parametrize("kind", [Kind.COPYRIGHT, Kind.PRIVACY])
def test_a_question_is_answered_on_the_page_and_the_clock_runs_on(
    client: Client, kind: Kind, people: dict[Role, Actor]
) -> None:
    case = file_case(kind)
    door = link(case, "status", "answer/")
    assert client.get(door).status_code == 302
    client.post(link(case, "confirm"))
    case.refresh_from_db()
    asked = review.information_ask(case=case, actor=people[Role.LEGAL], question="Which book?", pauses_clock=False)
    assert "Answer our question" in page(client, asked)
    wrong = client.post(door, {"text": "  "})
    assert wrong.status_code == 422 and "Write your answer." in wrong.content.decode()
    assert client.post(door, {"text": "The second edition \u202e <b>of 1999</b>"}).status_code == 302
    case.refresh_from_db()
    assert case.status == Status.PROOF and "1999" in case.answers.get().text
    assert client.post(door, {"text": "Again"}).status_code == 302 and case.answers.count() == 1
    sign_in_to_decide(client, people[Role.LEGAL].user)  # type: ignore[arg-type]
    text = client.get(f"/cases/{case.public_id}/?tab=request").content.decode()
    assert "Answer to our question" in text and "<b>of 1999" not in text
