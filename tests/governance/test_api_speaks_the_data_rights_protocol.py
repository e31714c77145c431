"""The states of a case in the words of the Data Rights Protocol, as docs/api.md has them; nothing withheld is told."""

from __future__ import annotations

import pytest
from django.test import Client

from governance.api.drp import REASONS, STATUSES, state_of
from governance.models import Case, Disposition, Kind, Role, Status
from governance.policies import Actor
from governance.services import abuse
from governance.services.intake import Item
from tests.architecture.tree import ROOT
from tests.governance.conftest import file_case

S, D = Status, Disposition


@pytest.mark.parametrize(
    ("status", "disposition", "expected"),
    [
        (S.RECEIVED, "", ("open", "")),
        (S.PROOF, "", ("in_progress", "need_user_verification")),
        (S.INFORMATION, "", ("in_progress", "need_user_verification")),
        (S.REPORTING, D.EXCLUDED, ("in_progress", "")),
        (S.CLOSED, D.EXCLUDED, ("fulfilled", "")),
        (S.CLOSED, D.PARTLY, ("fulfilled", "")),
        (S.NOTIFICATION, D.WITHDRAWN, ("revoked", "")),
        (S.CLOSED, D.NO_DATA, ("denied", "no_match")),
        (S.CLOSED, D.NOT_FULFILLED, ("denied", "other")),
        (S.CLOSED, D.REFUSED, ("denied", "other")),
    ],
)
def test_every_state_has_its_word(case: Case, status: Status, disposition: str, expected: tuple[str, str]) -> None:
    case.status, case.disposition = status, disposition
    assert state_of(case) == expected


def test_refusals_say_why(case: Case, people: dict[Role, Actor]) -> None:
    abuse.abuse_propose(case=case, ground="flood", reasons="Four hundred in one minute.", actor=people[Role.LEGAL])
    case.status, case.disposition = S.CLOSED, D.REFUSED
    assert state_of(case) == ("denied", "other")
    abuse.abuse_approve(
        case=Case.objects.get(pk=case.pk), shown=str(case.abuse_findings.get().pk), actor=people[Role.APPROVER]
    )
    assert state_of(case) == ("denied", "too_many_requests")


def test_what_is_withheld_reads_the_same_however_it_ended(client: Client) -> None:
    case = file_case(Kind.PRIVACY, items=[Item(form="fact", title="Fact 1", text="Ada lives in Ardry.")])
    path = f"/api/v1/requests/{case.private_token}/"
    assert client.get(path).json()["drp"]["user_verification_url"].endswith("/proof/")
    told = set()
    for ended in (D.NO_DATA, D.FULFILLED, D.REFUSED):
        Case.objects.update(status=S.CLOSED, disposition=ended)
        told.add(str(client.get(path).json()["drp"]))
    assert told == {"{'status': 'denied', 'reason': 'insuf_verification', 'user_verification_url': ''}"}


def test_the_documentation_names_every_word() -> None:
    page = (ROOT / "docs/api.md").read_text()
    assert [word for word in (*STATUSES, *REASONS) if f"`{word}`" not in page] == []
