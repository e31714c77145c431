"""A request about a person: before identity is proven, no page and no interface tells whether anything was found."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from governance.models import Case, Claimant, Disposition, Kind, Match, Record, Status
from governance.policies import findings_told
from governance.services import letters
from governance.services.children import follow_ups
from governance.tokens import link_token
from tests.governance.conftest import file_case

AFTER = [
    S for S in Status if S not in {Status.RECEIVED, Status.PROOF, Status.REVIEW, Status.INFORMATION, Status.CLOSED}
]


@pytest.fixture
def about_a_person() -> Case:
    """A confirmed address (P1) and no more."""
    case = file_case(Kind.PRIVACY)
    case.proofs.create(subject=case.claimant.subject, level=1, note="")
    Claimant.objects.filter(pk=case.claimant_id).update(email_confirmed_at=timezone.now())
    return case


def put(case: Case, status: Status, disposition: str = "") -> None:
    closed = case.created_at if status == Status.CLOSED else None
    Case.objects.filter(pk=case.pk).update(status=status, disposition=disposition, closed_at=closed)


def seen(client: Client, case: Case) -> str:
    """What a visitor and a program read, without what differs between any two loads."""
    token = link_token(case.public_id, "status")
    page = client.get(f"/status/{token}/").content.decode()
    return (
        re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", page)
        + client.get(f"/api/v1/requests/{token}/").content.decode()
    )


def hit(case: Case, catalogue: dict[str, Any]) -> None:
    Match.objects.create(
        case=case, item=case.items.earliest("pk"), record=Record.objects.get(record_id="r1"), method="exact",
        excerpt="x", subject=case.claimant.subject,
    )  # fmt: skip


def test_hits_and_no_hits_read_the_same(client: Client, about_a_person: Case, catalogue: dict[str, Any]) -> None:
    case, without = about_a_person, {}
    for status in AFTER:
        put(case, status)
        without[status] = seen(client, case)
    hit(case, catalogue)
    for status in AFTER:
        put(case, status)
        assert seen(client, case) == without[status], status


def test_every_end_but_a_withdrawal_reads_the_same(client: Client, about_a_person: Case) -> None:
    told = {}
    for disposition in Disposition:
        put(about_a_person, Status.CLOSED, disposition)
        told[disposition] = seen(client, about_a_person)
    own = told.pop(Disposition.WITHDRAWN)
    assert "You took your request back." in own
    assert len(set(told.values())) == 1 and "Your case is closed." in told[Disposition.NO_DATA]


def test_the_person_learns_it_once_identity_is_proven(client: Client, about_a_person: Case) -> None:
    put(about_a_person, Status.CLOSED, Disposition.NO_DATA)
    assert not findings_told(about_a_person) and "No data found" not in seen(client, about_a_person)
    about_a_person.proofs.create(subject=about_a_person.claimant.subject, level=5, note="Known channel.")
    assert findings_told(about_a_person) and "No data found" in seen(client, about_a_person)


def test_what_may_follow_does_not_tell_that_records_are_held(about_a_person: Case, catalogue: dict[str, Any]) -> None:
    put(about_a_person, Status.CLOSED, Disposition.EXCLUDED)
    about_a_person.refresh_from_db()
    before = follow_ups(about_a_person, claimant=True)
    hit(about_a_person, catalogue)
    about_a_person.quarantines.create(record=Record.objects.get(record_id="r1"), cause="decided")
    assert follow_ups(about_a_person, claimant=True) == before


def test_downloads_stay_closed(client: Client, about_a_person: Case) -> None:
    put(about_a_person, Status.CLOSED, Disposition.EXCLUDED)
    token = link_token(about_a_person.public_id, "status")
    for rest in ("report.pdf", "evidence.json", "bundle.zip", "recipients.csv"):
        assert client.get(f"/status/{token}/{rest}").status_code == 404, rest


def test_a_request_about_works_is_told_at_once(client: Client, case: Case) -> None:
    put(case, Status.CLOSED, Disposition.NO_DATA)
    assert findings_told(case) and "No data found" in seen(client, case)


def test_the_closing_letter_tells_no_more_than_the_page() -> None:
    case = file_case(Kind.PRIVACY)
    Case.objects.filter(pk=case.pk).update(status=Status.CLOSED, disposition=Disposition.NO_DATA)
    case.refresh_from_db()
    letter = letters.compose(case, "closed")
    assert letter.template.name == "untold" and "no record" not in letter.body
    case.proofs.create(subject=case.claimant.subject, level=5, note="Known account.")
    assert letters.letter_name(case, "closed") == Disposition.NO_DATA
