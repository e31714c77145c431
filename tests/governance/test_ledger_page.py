"""The ledger and the reports as an auditor reads them: every leaf can be checked from what the page gives."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from governance import dispatch
from governance.evidence import leaf, merkle
from governance.models import Case, LedgerEntry, Report, Role, Status, User
from governance.models.vault import subject_destroy
from tests.governance.conftest import file_case
from tests.governance.staff import member


@pytest.fixture
def auditor(client: Client) -> User:
    user = member("reader@house.example", role=Role.AUDITOR)
    client.force_login(user)
    return user


def indexes(answer: Any) -> list[int]:
    return [int(row[0]["url"].split("/")[2]) for row in answer.context["rows"]]


def test_an_empty_ledger_says_so(client: Client, auditor: User) -> None:
    assert "The ledger is empty" in client.get("/ledger/").content.decode()


def test_a_leaf_can_be_checked_from_its_json_alone(client: Client, auditor: User, walk: Any) -> None:
    walk(file_case(), Status.DECISION)
    for index in (0, 3, LedgerEntry.objects.latest("index").index):
        found = client.get(reverse("ledger_entry", args=[index])).json()
        data = found["leaf_bytes"].encode()
        assert leaf.canonical(found["leaf"]) == data
        assert merkle.leaf_hash(data).hex() == found["leaf_hash"]
        body = leaf.commit_body(found["opening"]["body"], bytes.fromhex(found["opening"]["salt"]))
        assert body == found["leaf"]["body"]
        merkle.verify_inclusion(
            leaf=merkle.leaf_hash(data),
            index=index,
            size=found["inclusion"]["tree_size"],
            proof=[bytes.fromhex(node) for node in found["inclusion"]["proof"]],
            root=bytes.fromhex(found["inclusion"]["root"]),
        )


def test_entries_are_filtered_by_kind_and_by_case_and_paged(
    client: Client, auditor: User, walk: Any, monkeypatch: Any
) -> None:
    case, other = walk(file_case(), Status.DECISION), file_case()
    assert {r[4]["note"] for r in client.get("/ledger/", {"kind": "letter"}).context["rows"]} == {"letter.written"}
    mine = client.get("/ledger/", {"case": other.number.lower()})
    assert {row[2]["text"] for row in mine.context["rows"]} == {other.number}
    monkeypatch.setattr("governance.selectors.ledger.SIZE", 4)
    seen, address = [], "/ledger/"
    while address:
        answer = client.get(address)
        seen += indexes(answer)
        address = f"/ledger/{answer.context['next_page_url']}" if answer.context["next_page_url"] else ""
    assert seen == list(range(LedgerEntry.objects.count() - 1, -1, -1))
    assert case.number in client.get("/ledger/").content.decode()


@pytest.mark.parametrize("query", ["before=x", "before=-1", "before=99999999999999999999", "kind=nonsense", "case=%00"])
def test_nonsense_in_the_address_filters_nothing_or_finds_nothing(client: Client, auditor: User, query: str) -> None:
    file_case()
    assert client.get(f"/ledger/?{query}").status_code == 200


def test_no_name_stands_in_the_ledger_also_after_the_person_was_erased(
    client: Client, auditor: User, case: Case
) -> None:
    assert "Marun" not in client.get("/ledger/").content.decode()
    subject_destroy(case.claimant.subject)
    assert client.get("/ledger/").status_code == 200


def test_a_report_comes_as_it_was_stored(client: Client, auditor: User, case: Case) -> None:
    assert "No report was signed yet" in client.get("/reports/").content.decode()
    pdf, evidence = dispatch.put_bytes(b"%PDF-1.7 sealed"), dispatch.put_bytes(b'{"schema":"x"}')
    report = Report.objects.create(
        case=case, number="LR-1", pdf=pdf, evidence=evidence, headline="The request was refused"
    )
    page = client.get("/reports/").content.decode()
    assert "1 signed report" in page and "The request was refused" in page
    answer = client.get(reverse("report", args=[report.number]))
    assert answer["Content-Disposition"] == 'attachment; filename="LR-1.pdf"'
    assert "sha256:" + hashlib.sha256(answer.content).hexdigest() == pdf
    assert client.get(reverse("report_evidence", args=[report.number])).json() == {"schema": "x"}


def test_the_executive_reads_reports_without_links_to_cases(client: Client, case: Case) -> None:
    pdf = dispatch.put_bytes(b"%PDF")
    Report.objects.create(case=case, number="LR-1", pdf=pdf, evidence=pdf, headline="x")
    client.force_login(member("board@house.example", role=Role.EXECUTIVE))
    page = client.get("/reports/").content.decode()
    assert case.number in page and str(case.public_id) not in page


def test_the_auditor_has_every_second_signature_compared_with_the_ledger(
    client: Client, auditor: User, walk: Any
) -> None:
    walk(file_case(), Status.PLANNING)
    assert "Compare every second signature" in client.get("/ledger/").content.decode()
    text = client.get("/ledger/", {"check": "signatures"}).content.decode()
    # The people of the tests were not granted their roles by the services, and that is what is said.
    assert "which no two administrators gave it" in text or "the ledger holds no such signature" in text
