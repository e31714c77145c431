"""A case says where its papers stand, from order to seal; its closing letter opens to few, and the ledger says who."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from governance.errors import KeyDestroyed, NotAllowed
from governance.models import Case, Job, LedgerOpening, Paper, Role
from governance.models.vault import subject_destroy
from governance.policies import Actor
from governance.services import papers, privacy, report_copies, reporting
from tests.governance.staff import member
from tests.governance.test_papers_are_sealed import closed, sealed_all

pytestmark = pytest.mark.database

People = dict[Role, Actor]
OPENED = "Open the closing letter"


def rows(client: Client, case: Case) -> dict[str, list[Any]]:
    found = client.get(reverse("case", args=[case.public_id])).context["tab_rows"]
    return {row[0]: row for row in found}


def reader(client: Client, role: Role) -> str:
    user = member(f"{role.value}.papers@house.example", role=role)
    client.force_login(user)
    return str(user)


def test_each_paper_stands_there_from_its_order_to_its_seal(client: Client, decided: Any, house: Path) -> None:
    case = decided()
    reader(client, Role.LEGAL)
    row = rows(client, case)["Report"]
    assert row[2]["text"] == "ordered" and row[3]["note"] == "approver" and row[1]["text"] == ""
    job = Job.objects.get(case=case, kind="report")
    waits = {"messages": ["the authority of the time does not answer"], "waits": True}
    Job.objects.filter(pk=job.pk).update(error=waits)
    row = rows(client, case)["Report"]
    assert row[2]["text"] == "waits" and "The authority of the time does not answer." in row[2]["note"]
    Job.objects.filter(pk=job.pk).update(error={})
    case = closed(case)
    Job.objects.filter(case=case, kind__in=["report", "notify"]).update(state="succeeded")
    found = rows(client, Case.objects.get(pk=case.pk))
    assert found["Report"][2]["text"] == "signed" and found["Report"][1]["text"] == case.report.number
    for kind in ("Certificate", "Letter"):
        assert found[kind][2]["text"] == "ordered" and "machine" in found[kind][3]["note"]
    broken = {"type": "DocumentError", "messages": ["the figures contradict each other"]}
    Job.objects.filter(key=f"paper:certificate:{case.pk}").update(state="failed", error=broken)
    state = rows(client, case)["Certificate"][2]
    assert state["text"] == "Failed" and "The figures contradict each other." in state["note"]
    assert "ML engineer" in state["note"]
    sealed_all()
    Job.objects.filter(kind="paper").update(state="succeeded")
    found = rows(client, case)
    assert {found[kind][2]["text"] for kind in ("Report", "Certificate", "Letter")} == {"signed"}
    assert found["Certificate"][1]["url"] and "url" not in found["Letter"][1]


def test_a_report_that_is_sealed_waits_for_its_proof(client: Client, decided: Any, house: Path) -> None:
    case = decided()
    reporting.report_write(job=Job.objects.get(case=case, kind="report"))
    Job.objects.filter(case=case, kind="report").update(
        state="queued", error={"messages": ["0 of 1 witnesses signed"], "waits": True}
    )
    reader(client, Role.AUDITOR)
    state = rows(client, case)["Report"][2]
    assert "its proof is to come" in state["text"] and "0 of 1 witnesses" in state["note"]


def test_who_ordered_a_copy_stands_beside_it(client: Client, decided: Any, house: Path) -> None:
    case = closed(decided())
    auditor = member("orders.copies@house.example", role=Role.AUDITOR)
    actor = Actor.of(auditor)
    report_copies.copy_order(report=case.report, of=case.report.number, language="de", actor=actor)
    reader(client, Role.LEGAL)
    assert rows(client, case)["Copy in another language"][3]["note"] == str(auditor)
    page = reverse("report_proof", args=[case.report.number])
    assert f"ordered by {auditor}" in client.get(page).content.decode()
    sealed_all()
    assert f"ordered by {auditor}" in client.get(page).content.decode()


def test_who_ordered_a_paper_of_the_house_stands_beside_it(client: Client, house: Path) -> None:
    name = reader(client, Role.EXECUTIVE)
    order = {"kind": "register", "size": "A4", "language": "en"}
    assert client.post(reverse("paper_order"), order).status_code == 302
    page = client.get(reverse("papers")).context
    assert page["ordered_rows"][0][1]["note"] == name
    papers.paper_write(job=Job.objects.get(kind="paper"))
    Job.objects.filter(kind="paper").update(state="succeeded")
    page = client.get(reverse("papers")).context
    assert name in page["rows"][0] and not page["ordered_rows"]


@pytest.mark.parametrize("role", [Role.LEGAL, Role.APPROVER])
def test_who_may_read_the_name_opens_the_closing_letter_and_the_ledger_holds_it(
    client: Client, decided: Any, house: Path, role: Role
) -> None:
    case = closed(decided())
    reader(client, role)
    address = reverse("case_letter_pdf", args=[case.public_id])
    assert client.post(address).status_code == 409
    assert OPENED not in client.get(reverse("case", args=[case.public_id])).content.decode()
    sealed_all()
    letter = Paper.objects.get(kind="letter")
    assert OPENED in client.get(reverse("case", args=[case.public_id])).content.decode()
    answer = client.post(address)
    assert answer.content.startswith(b"%PDF-") and f"{letter.number}.pdf" in answer["Content-Disposition"]
    opening = LedgerOpening.objects.filter(entry__action="person.revealed").latest("entry_id")
    assert opening.body == {"paper": letter.number} and opening.case == case and opening.actor.role == role
    page = client.get(reverse("case", args=[case.public_id])).content.decode()
    assert f"opened the closing letter {letter.number}" in page
    assert OPENED not in client.get(reverse("case_print", args=[case.public_id])).content.decode()


@pytest.mark.parametrize("role", [Role.ENGINEER, Role.RELEASE, Role.AUDITOR])
def test_others_see_that_it_exists(client: Client, decided: Any, house: Path, role: Role) -> None:
    case = closed(decided())
    sealed_all()
    letter = Paper.objects.get(kind="letter")
    reader(client, role)
    page = client.get(reverse("case", args=[case.public_id])).content.decode()
    assert letter.number in page and OPENED not in page
    assert client.post(reverse("case_letter_pdf", args=[case.public_id])).status_code == 403
    assert client.get(reverse("report_copy", args=[letter.number])).status_code == 404
    assert not LedgerOpening.objects.filter(entry__action="person.revealed").exists()


def test_it_opens_to_nobody_once_the_persons_key_is_gone(decided: Any, house: Path, people: People) -> None:
    case = closed(decided())
    sealed_all()
    with pytest.raises(NotAllowed):
        privacy.letter_open(case=case, actor=people[Role.AUDITOR])
    subject_destroy(case.claimant.subject)
    with pytest.raises(KeyDestroyed):
        privacy.letter_open(case=case, actor=people[Role.LEGAL])
