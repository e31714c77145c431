"""The ledger and the reports as an auditor reads them: every leaf can be checked from what the page gives."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance import dispatch
from governance.evidence import leaf, merkle, proof_steps
from governance.evidence.errors import ProofError
from governance.models import Case, Job, Kind, LedgerEntry, Paper, Report, Role, Status, User
from governance.models.triggers import drop
from governance.models.vault import subject_destroy
from governance.policies import Actor
from governance.selectors import ledger as select
from governance.services import checkpoints
from governance.web.auditor import KINDS
from governance.web.case_history import WORDS
from tests.governance.conftest import file_case
from tests.governance.staff import member
from tests.governance.test_ledger_tiles import write

pytestmark = pytest.mark.database


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


def test_every_kind_that_is_written_can_be_listed(client: Client, auditor: User) -> None:
    found = set(re.findall(r'action=\(?"([a-z_]+)\.', "".join(p.read_text() for p in Path("governance").rglob("*.py"))))
    assert len(found) > 30 and found | {name.partition(".")[0] for name in WORDS} <= set(KINDS)
    case = file_case()
    page = client.get("/ledger/", {"case": case.number}).content.decode()
    assert f'name="case" value="{case.number}"' in page and '<option value="policy"' in page
    unknown = client.get("/ledger/", {"kind": "nonsense"})
    assert unknown.context["rows"] == [] and "No entry answers to this filter" in unknown.content.decode()


def test_the_proofs_of_an_entry_are_drawn_and_can_be_worked_out_from_the_page(
    client: Client, auditor: User, house: Path
) -> None:
    write(5)
    address = reverse("ledger_proof", args=[2])
    assert "it is not signed yet" in client.get(address).content.decode()
    first = checkpoints.checkpoint_make()
    write(9)
    signed = checkpoints.checkpoint_make()
    answer = client.get(address)
    page, shown = answer.content.decode(), answer.context
    assert "Entry 2 is in the ledger of 14 entries" in page and "<svg" in page and "manage.py ledger prove 2" in page
    assert "is the root that was signed" in page and "Both roots are those that were signed" in page
    hashed = bytes(LedgerEntry.objects.get(index=2).hash)
    for row in shown["picture"]["rows"]:
        given = bytes.fromhex(row[3]["digest"])
        hashed = merkle.node_hash(given, hashed) if row[2] == "left" else merkle.node_hash(hashed, given)
        assert row[4]["digest"] == hashed.hex() and row[4]["digest"] in page
    assert hashed == bytes(signed.root)
    assert (shown["grown"]["old"], shown["grown"]["new"]) == (first.size, 14)
    for old, new in ((1, 14), (8, 14), (5, 9), (13, 14)):
        found = client.get(address, {"old": old, "new": new}).context["grown"]
        assert found["holds"] and found["picture"]["nodes"], (old, new)
    for old, new in (("9", "5"), ("0", "5"), ("x", "5"), ("5", "15"), ("", "9" * 30)):
        answer = client.get(address, {"old": old, "new": new})
        assert answer.status_code == 200 and "of at most 14 entries" in answer.content.decode()
    drop(connection)
    LedgerEntry.objects.filter(index=2).update(hash=b"x" * 32)
    assert "does not lead to the root" in client.get(address).content.decode()


def test_every_proof_is_drawn_as_it_is_defined() -> None:
    leaves = [merkle.leaf_hash(b"%d" % n) for n in range(21)]
    tree = merkle.Tree(leaves)
    for size in range(1, 22):
        for index in range(size):
            found = proof_steps.of_inclusion(
                leaf=leaves[index], index=index, size=size, proof=tree.inclusion_proof(index, size)
            )
            assert found.root == tree.root(size) and (found.steps[-1].reach if found.steps else (0, 1)) == (0, size)
        for old in range(1, size):
            grown = proof_steps.of_consistency(
                old=old, new=size, old_root=tree.root(old), proof=tree.consistency_proof(old, size)
            )
            assert (grown.old_root, grown.root) == (tree.root(old), tree.root(size))
            assert all(step.older == (step.over[1] <= old) for step in grown.steps)
    with pytest.raises(ProofError):
        proof_steps.of_inclusion(leaf=leaves[0], index=0, size=21, proof=[])


def test_any_entry_is_reached_by_its_number_and_pages_lead_both_ways(
    client: Client, auditor: User, walk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk(file_case(), Status.DECISION)
    last = LedgerEntry.objects.count() - 1
    monkeypatch.setattr("governance.selectors.ledger.SIZE", 3)
    first = client.get("/ledger/", {"entry": "5"})
    assert indexes(first) == [5, 4, 3] and 'name="entry" value="5"' in first.content.decode()
    older = client.get("/ledger/" + first.context["next_page_url"])
    assert indexes(older) == [2, 1, 0] and older.context["next_page_url"] == ""
    assert indexes(client.get("/ledger/" + older.context["newer_url"])) == [5, 4, 3]
    newest = client.get("/ledger/", {"entry": f"{last:,}"})
    assert indexes(newest)[0] == last and newest.context["newer_url"] == ""
    for wanted in (str(last + 1), "nonsense", "9" * 30):
        page = client.get("/ledger/", {"entry": wanted})
        assert indexes(page)[0] == last and f"There is no entry {wanted[:20]}." in page.content.decode()
    proof = client.get(reverse("ledger_proof", args=[5])).content.decode()
    for url in (reverse("ledger_proof", args=[4]), reverse("ledger_proof", args=[6]), "/ledger/?entry=5"):
        assert f'href="{url}"' in proof
    ends = [client.get(reverse("ledger_proof", args=[n])).context for n in (0, last)]
    assert ends[0]["before_url"] == "" == ends[1]["after_url"]


def test_a_filter_of_kind_and_case_holds_on_every_page(
    client: Client, auditor: User, walk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = walk(file_case(), Status.DECISION)
    walk(file_case(), Status.DECISION)
    monkeypatch.setattr("governance.selectors.ledger.SIZE", 1)
    mine = LedgerEntry.objects.filter(opening__case=case, action__startswith="case.").order_by("-index")
    seen, address = [], f"/ledger/?kind=case&case={case.number}"
    while address:
        answer = client.get(address)
        seen += indexes(answer)
        older = answer.context["next_page_url"]
        address = f"/ledger/{older}" if older else ""
    assert len(seen) > 2 and seen == list(mine.values_list("index", flat=True))
    back = client.get("/ledger/" + answer.context["newer_url"])
    assert indexes(back) == [seen[-2]]


def test_a_long_ledger_is_read_by_its_indexes(auditor: User) -> None:
    rows = select.entries_rows(Actor.of(auditor), kind="policy").order_by("-index")[:50]
    with connection.cursor() as cursor, transaction.atomic():
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
        assert "entry_kind" in rows.explain()
    if connection.vendor == "sqlite":
        assert "TEMP B-TREE" not in rows.explain(), "it is read in its order, and no further than the page"


def test_a_case_leads_to_its_entries_for_those_who_may_see_the_ledger(
    client: Client, auditor: User, walk: Any, people: dict[Role, Actor]
) -> None:
    case = walk(file_case(), Status.DECISION)
    url, page = reverse("case", args=[case.public_id]), f'href="/ledger/?case={case.number}"'
    entry = LedgerEntry.objects.filter(opening__case=case).latest("index")
    shown = client.get(url).content.decode()
    assert page in shown and f'href="{reverse("ledger_proof", args=[entry.index])}"' in shown
    release = people[Role.RELEASE].user
    assert release
    client.force_login(release)
    shown = client.get(url).content.decode()
    assert "/ledger/" not in shown and f"{entry.index:,}" in shown


@pytest.mark.parametrize(
    "query",
    [
        "before=x",
        "after=x",
        "entry=%00",
        "entry=-1",
        "after=99999999999",
        "before=-1",
        "before=99999999999999999999",
        "kind=nonsense",
        "kind=%00",
        "case=%00",
    ],
)
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


def test_reports_are_found_by_case_sheet_kind_outcome_and_days(
    client: Client, auditor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [file_case(kind=kind) for kind in (Kind.COPYRIGHT, Kind.PRIVACY, Kind.PRIVACY)]
    pdf = dispatch.put_bytes(b"%PDF")
    for n, (case, ended) in enumerate(zip(cases, ("refused", "fulfilled", "refused"), strict=True)):
        Case.objects.filter(pk=case.pk).update(status=Status.CLOSED, disposition=ended, closed_at=timezone.now())
        made = timezone.now() - timedelta(days=n)
        Report.objects.create(case=case, number=f"LR-{n}", pdf=pdf, evidence=pdf, headline="x", created_at=made)
    job = Job.objects.create(key="paper:certificate:1", kind="paper", queue="signing", case=cases[1])
    Paper.objects.create(job=job, case=cases[1], kind="certificate", number="LC-77", language="en", size="A4",
                         pdf=pdf, evidence=pdf)  # fmt: skip

    def found(**asked: Any) -> list[str]:
        return [row[0]["text"] for row in client.get("/reports/", asked).context["rows"]]

    today = timezone.localdate()
    assert found() == ["LR-0", "LR-1", "LR-2"]
    assert found(q=cases[2].number.lower()) == ["LR-2"] and found(q="lr-1") == ["LR-1"] == found(q="LC-7")
    assert found(kind="privacy") == ["LR-1", "LR-2"] and found(outcome="refused", kind="privacy") == ["LR-2"]
    assert found(**{"from": today - timedelta(days=1), "to": today - timedelta(days=1)}) == ["LR-1"]
    assert found(file="there") == found(kind="nonsense") == found() and found(file="erased") == found(q="\0") == []
    assert "No report answers to this." in client.get("/reports/", {"q": "LR-9"}).content.decode()
    listed = client.get("/reports/" + client.get("/reports/", {"kind": "privacy"}).context["csv_url"])
    rows = b"".join(listed.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert [row.split(",")[0] for row in rows] == ["report", "LR-2", "LR-1"] and rows[1].endswith(f"{pdf},{pdf}")
    assert client.get("/reports/", {"q": "LS-2026"})["Location"] == "/reports/papers/?q=LS-2026"
    monkeypatch.setattr("governance.selectors.ledger.SIZE", 1)
    first = client.get("/reports/", {"kind": "privacy"})
    assert "2 signed reports" in first.content.decode()
    second = client.get("/reports/" + first.context["next_page_url"])
    assert [row[0]["text"] for row in second.context["rows"]] == ["LR-2"] and not second.context["next_page_url"]


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
