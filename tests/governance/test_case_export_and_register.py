"""A whole case leaves as a ZIP with the ledger's proofs; the register of processing is worked out from the house."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from governance import dispatch
from governance.errors import NotAllowed
from governance.evidence import merkle
from governance.models import Case, LedgerEntry, LedgerOpening, Role, Status
from governance.policies import Actor
from governance.services import case_export, processing
from tests.governance.staff import sign_in_to_decide

Walk = Callable[..., Case]
People = dict[Role, Actor]


def test_the_archive_holds_the_case_its_letters_and_proofs_that_verify(walk: Walk, case: Case, people: People) -> None:
    walk(case, Status.RELEASE)
    data = case_export.case_export(case=case, actor=people[Role.LEGAL])
    archive = zipfile.ZipFile(io.BytesIO(data))
    names = set(archive.namelist())
    assert {"README.txt", "case.json", "decisions.json", "plans.json", "recipients.json", "ledger.json"} <= names
    assert any(name.startswith("letters/001-received") for name in names)
    told = json.loads(archive.read("case.json"))
    assert (
        told["person"] == {"name": "Vel Marun", "email": "vel@marun.example", "acts_for": ""}
        and told["items"][0]["text"]
    )
    assert len(json.loads(archive.read("decisions.json"))) == 2
    found = json.loads(archive.read("ledger.json"))
    for entry in found["entries"]:
        index = entry["leaf"]["index"]
        leaf = bytes(LedgerEntry.objects.get(index=index).hash)
        proof = [bytes.fromhex(node) for node in entry["proof"]]
        root = bytes.fromhex(found["root"])
        merkle.verify_inclusion(leaf=leaf, index=index, size=found["size"], proof=proof, root=root)


def test_the_ledger_holds_who_took_it_and_its_digest(walk: Walk, case: Case, people: People) -> None:
    data = case_export.case_export(case=case, actor=people[Role.APPROVER])
    opening = LedgerOpening.objects.get(entry__action="case.exported")
    assert opening.body["archive"] == dispatch.bytes_digest(data) and opening.actor == people[Role.APPROVER].user


@pytest.mark.parametrize("role", [Role.ENGINEER, Role.RELEASE, Role.AUDITOR, Role.EXECUTIVE, Role.ADMINISTRATOR])
def test_nobody_else_exports(case: Case, people: People, role: Role) -> None:
    with pytest.raises(NotAllowed):
        case_export.case_export(case=case, actor=people[role])


def test_the_case_page_offers_it_to_those_who_may(client: Client, case: Case, people: People) -> None:
    user = people[Role.LEGAL].user
    assert user
    sign_in_to_decide(client, user)
    assert "Export as ZIP" in client.get(reverse("case", args=[case.public_id])).content.decode()
    answer = client.post(reverse("case_zip", args=[case.public_id]))
    assert answer["Content-Type"] == "application/zip" and answer.content[:2] == b"PK"


def test_the_register_names_controller_purposes_recipients_and_retention(
    client: Client, case: Case, people: People, settings: Any, catalogue: dict[str, Any]
) -> None:
    settings.ORGANISATION, settings.DPO = "Meridian Loom", "Ada Quill"
    found = processing.register()
    named = {"name": "Meridian Loom", "address": "", "contact": "", "officer": "Ada Quill", "representative": ""}
    assert found["controller"] == named
    assert any(one["count"] == "Cases: 1" for one in found["activities"])
    assert any("7101" in one["citation"] for one in found["retention"])
    user = people[Role.AUDITOR].user
    assert user
    sign_in_to_decide(client, user)
    address = reverse("register_of_processing")
    page = client.get(address).content.decode()
    assert "Meridian Loom" in page and "Ada Quill" in page and "Security" in page
    assert json.loads(client.get(address + "?format=json").content)["controller"]["name"] == "Meridian Loom"
    assert client.get(address + "?format=csv").content.decode().startswith("activity,purpose")
    assert "Marun" not in page
