"""Reports about a private person: facts by their number, refusals by their code, in all but what is the person's own;
who takes such a file stands in the ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation

from governance import dispatch, urls
from governance.errors import NotAllowed
from governance.evidence import pdf, schema, wording
from governance.models import Case, Decision, Kind, LedgerOpening, Report, Role, Status
from governance.policies import Actor
from governance.services import auditor_bundles, clocks, codes, decision, papers, report_copies
from governance.services.intake import Item
from governance.web import case_tabs
from tests.governance.conftest import file_case
from tests.governance.staff import sign_in_to_decide
from tests.governance.test_evidence_pdf import text_of
from tests.governance.test_papers_are_sealed import closed, sealed_all

pytestmark = pytest.mark.database
People = dict[Role, Actor]
SECRETS = ("Illness of Vel Marun", "Vel Marun", "a known carpenter", "many records about the carpenter")
OTHERS = (Role.EXECUTIVE, Role.ENGINEER, Role.RELEASE, Role.AUDITOR)


@pytest.fixture
def about_person(walk: Any, people: People, house: Path) -> Case:
    """A closed erasure request whose hits were refused, with report, certificate and letter."""
    case = file_case(Kind.PRIVACY, items=[Item(form="fact", title=SECRETS[0], text="He lives in Mill Lane.")])
    case = walk(case, Status.DECISION)
    clocks.clock_extend(case=case, actor=people[Role.LEGAL], reasons=f"There are {SECRETS[3]}.")
    refuse = decision.Proposal(
        choice=Decision.Choice.REFUSE, ground=codes.grounds(case)[0][0], reason=f"He is {SECRETS[2]}.",
        exception="17_3_a",
    )  # fmt: skip
    proposals = {match.pk: refuse for match in case.matches.all()}
    decision.decision_propose(case=case, proposals=proposals, actor=people[Role.LEGAL])
    decision.decision_approve(case=case, actor=people[Role.APPROVER], shown=decision.mark(case))
    done = closed(Case.objects.get(pk=case.pk))
    sealed_all()
    return Case.objects.get(pk=done.pk)


def files(report: Report) -> Iterator[tuple[str, str]]:
    for name, ending in (("report", "pdf"), ("report_evidence", "json"), ("report_bundle", "zip")):
        yield reverse(name, args=[report.number]), ending


def test_facts_stand_by_their_number_and_refusals_by_their_code(about_person: Case, tmp_path: Path) -> None:
    report = about_person.report
    evidence = dispatch.read_bytes(report.evidence)
    told = schema.parse(evidence)["case"]
    assert told["items"] == [{"title": "Fact 1"}] and told["clocks"][0]["extended_why"] == ""
    assert told["reason"].endswith("; exception: GDPR Art. 17(3)(a).")
    printed = text_of(dispatch.read_bytes(report.pdf), tmp_path)
    assert "Fact" in printed
    for secret in SECRETS:
        assert secret not in evidence.decode() and secret not in printed
    certificate = dispatch.read_bytes(about_person.papers.get(kind="certificate").evidence).decode()
    assert SECRETS[0] in certificate and SECRETS[2] in certificate


def test_numbers_and_codes_are_printed_in_the_language_of_the_page(about_person: Case, tmp_path: Path) -> None:
    document = schema.parse(dispatch.read_bytes(about_person.report.evidence))
    document["report"]["language"], document["ledger"] = "de", None
    printed = text_of(pdf.render(schema.build(document)), tmp_path)
    assert "Tatsache" in printed and "Ausnahme" in printed and "exception" not in printed


def test_a_work_keeps_the_title_that_it_was_given() -> None:
    with translation.override("de"):
        assert wording.item_words({"case": {"kind": "copyright"}}, {"title": "Fact 1"}) == "Fact 1"
        assert wording.item_words({"case": {"kind": "privacy"}}, {"title": "Fact 1"}) == "Tatsache 1"


def test_each_file_that_staff_take_stands_in_the_ledger(about_person: Case, people: People, client: Client) -> None:
    for role in (Role.LEGAL, *OTHERS):
        sign_in_to_decide(client, people[role].user)
        for address, _ending in files(about_person.report):
            assert client.get(address).status_code == 200
    found = LedgerOpening.objects.filter(case=about_person, entry__action="report.taken").order_by("entry_id")
    assert [(one.actor_id, one.body) for one in found] == [
        (people[role].user.pk, {"of": about_person.report.number, "file": ending})  # type: ignore[union-attr]
        for role in (Role.LEGAL, *OTHERS)
        for _address, ending in files(about_person.report)
    ]


def test_the_persons_own_certificate_is_read_by_those_who_may_know_who_asks(
    about_person: Case, people: People, client: Client
) -> None:
    certificate = about_person.papers.get(kind="certificate")
    order = {"report": about_person.report, "of": certificate.number, "language": "de", "actor": people[Role.AUDITOR]}
    copy = papers.paper_write(job=report_copies.copy_order(**order))
    for role, answer in ((Role.LEGAL, 200), (Role.APPROVER, 200), *((role, 403) for role in OTHERS)):
        sign_in_to_decide(client, people[role].user)
        for one in (certificate, copy):
            address = reverse("report_copy", args=[one.number])
            assert client.get(address).status_code == answer, role
        if role not in (Role.EXECUTIVE,):
            page = client.get(reverse("case", args=[about_person.public_id]), {"tab": "report"}).content.decode()
            assert (reverse("report_copy", args=[certificate.number]) in page) is (answer == 200)


def test_a_report_from_before_opens_to_those_alone_who_may_read_what_it_names(
    about_person: Case, people: People, client: Client
) -> None:
    report = about_person.report
    document = json.loads(dispatch.read_bytes(report.evidence))
    for items in ([{"title": SECRETS[0]}], []):
        document["case"]["items"] = items
        before = dispatch.put_bytes(json.dumps(document).encode())
        Report.objects.filter(pk=report.pk).update(evidence=before)
        for role, answer in ((Role.LEGAL, 200), *((role, 403) for role in OTHERS)):
            sign_in_to_decide(client, people[role].user)
            assert {client.get(address).status_code for address, _ending in files(report)} == {answer}, role
        with pytest.raises(NotAllowed, match="facts about a private person"):
            auditor_bundles.bundle_make(report=Report.objects.get(pk=report.pk), actor=people[Role.AUDITOR])


def test_no_page_of_those_who_may_not_know_who_asks_names_facts(
    about_person: Case, people: People, client: Client, catalogue: dict[str, Any]
) -> None:
    """Every page of staff that takes nothing in its address, and the pages of the case, its report and its data."""
    model, number = catalogue["released"].model, about_person.report.number
    plain = [reverse(one.name) for one in urls.staff if getattr(one, "name", None) and "<" not in str(one.pattern)]
    case = reverse("case", args=[about_person.public_id])
    about = [
        case, *(f"{case}?tab={name}" for name in case_tabs.TABS), reverse("case_print", args=[about_person.public_id]),
        reverse("report_proof", args=[number]), reverse("replay", args=[number]),
        reverse("dataset", args=[catalogue["data"].public_id]), reverse("model", args=[model.public_id]),
        reverse("version", args=[model.public_id, 1]), reverse("figure_cases", args=["closed"]),
    ]  # fmt: skip
    for role in OTHERS:
        sign_in_to_decide(client, people[role].user)
        opened = 0
        for address in (*plain, *about):
            answer = client.get(address)
            if answer.status_code == 200 and not answer.streaming:
                opened += 1
                text = answer.content.decode("utf-8", "replace")
                assert not [one for one in SECRETS if one in text], (role, address)
        assert opened > 10, role


def test_reports_about_works_are_taken_without_an_entry(
    decided: Any, people: People, client: Client, house: Path
) -> None:
    case = closed(decided())
    sign_in_to_decide(client, people[Role.EXECUTIVE].user)
    assert client.get(reverse("report", args=[case.report.number])).status_code == 200
    assert not LedgerOpening.objects.filter(entry__action="report.taken").exists()
