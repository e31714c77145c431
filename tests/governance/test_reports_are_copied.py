"""A report or certificate once more in another language: the same evidence, a seal of its own, the first one named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from django.urls import reverse

from governance import dispatch
from governance.errors import Conflict, KeyDestroyed, NotAllowed, Unfit
from governance.evidence.printing import grouped
from governance.models import Case, Erasure, Job, LedgerOpening, Paper, Role
from governance.policies import Actor
from governance.services import papers, report_copies, retention
from governance.tokens import link_token
from lethe_verify import Outcome, judge
from lethe_verify.trust import read
from tests.governance.staff import member
from tests.governance.test_evidence_pdf import text_of
from tests.governance.test_papers_are_sealed import closed, genuine, sealed_all

#: What a copy may say otherwise than its record.
OWN = {"number", "language", "copy"}


@pytest.fixture
def record(decided: Any, house: Path) -> Case:
    """A closed case with its report and its certificate."""
    case = closed(decided())
    sealed_all()
    return Case.objects.get(pk=case.pk)


def ordered(case: Case, of: str, language: str, actor: Actor) -> Paper:
    return papers.paper_write(job=report_copies.copy_order(report=case.report, of=of, language=language, actor=actor))


def test_the_copy_is_drawn_from_the_same_evidence_and_names_the_record(
    record: Case, house: Path, client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    auditor = member("copies@house.example", role=Role.AUDITOR)
    certificate = record.papers.get(kind="certificate")
    trust = read(client.get("/.well-known/lethe-trust.json").content.decode())
    for first, language, words in (
        (record.report, "de", "Kopie in einer anderen Sprache"),
        (certificate, "ar", certificate.number),
    ):
        made = ordered(record, first.number, language, Actor.of(auditor))
        before, after = genuine_of(first, house), genuine(made, house)
        assert made.number == f"{first.number}-{language.upper()}" and made.language == language
        told = after["report"]["copy"]
        assert (told["of"], told["pdf"], told["evidence"]) == (first.number, first.pdf, first.evidence)
        for name in set(before) - {"report", "ledger", "case"}:
            assert after[name] == before[name], name
        same = {name: value for name, value in after["report"].items() if name not in OWN}
        assert same == {name: value for name, value in before["report"].items() if name not in OWN}
        assert {**after["case"], "remedies": 0} == {**before["case"], "remedies": 0}
        data = dispatch.read_bytes(made.pdf)
        text = re.sub(r"\s+", " ", text_of(data, tmp_path))
        assert words in text and grouped(first.pdf)[:17] in text
        verdict = judge(data, trust)
        assert verdict.outcome is Outcome.GENUINE, verdict.findings
        [copied] = [one.text for one in verdict.findings if one.code == "copy"]
        assert first.pdf.removeprefix("sha256:") in copied and "it counts" in copied
        page = client.post("/verify/", {"file": SimpleUploadedFile("r.pdf", data)}).content.decode()
        assert "This report is genuine." in page and "This is a copy in another language." in page
    capsys.readouterr()
    call_command("report", rebuild=[])
    assert capsys.readouterr().out.count("the same to the last byte") == 5
    opening = LedgerOpening.objects.filter(entry__action="report.copy_ordered").earliest("entry_id")
    assert opening.actor == auditor
    assert opening.body == {"of": record.report.number, "file": record.report.pdf, "language": "de"}


def genuine_of(one: Any, house: Path) -> dict[str, Any]:
    return genuine(one, house)


def test_who_may_and_of_what(record: Case, people: dict[Role, Actor]) -> None:
    number, auditor = record.report.number, Actor.of(member("copies@house.example", role=Role.AUDITOR))
    for actor in (people[Role.ENGINEER], Actor.system("test")):
        with pytest.raises(NotAllowed):
            report_copies.copy_order(report=record.report, of=number, language="de", actor=actor)
    for of, language in (("LR-other", "de"), (number, "en"), (number, "xx"), (f"{number}-DE", "fr")):
        with pytest.raises(Unfit):
            report_copies.copy_order(report=record.report, of=of, language=language, actor=auditor)
    report_copies.copy_order(report=record.report, of=number, language="de", actor=auditor)
    with pytest.raises(Conflict):
        report_copies.copy_order(report=record.report, of=number, language="de", actor=auditor)
    job = Job.objects.get(key=f"paper:copy:{number}-DE")
    Job.objects.filter(pk=job.pk).update(state=Job.State.FAILED, error={"messages": ["the certificate is over"]})
    report_copies.copy_order(report=record.report, of=number, language="de", actor=auditor)
    job.refresh_from_db()
    assert (job.state, job.attempt) == ("queued", 1)


def test_it_is_ordered_and_taken_on_the_reports_page_and_is_no_claimants_paper(record: Case, client: Client) -> None:
    client.force_login(member("copies@house.example", role=Role.AUDITOR))
    number = record.report.number
    page = reverse("report_proof", args=[number])
    order = reverse("report_copy_order", args=[number])
    assert order in client.get(page).content.decode()
    answer = client.post(order, {"of": number, "language": "fr"})
    assert answer.status_code == 302 and answer["Location"] == f"{page}#copies"
    assert "Waiting" in (told := client.get(page).content.decode()) and "The copy is ordered." in told
    assert client.post(order, {"of": number, "language": "en"}).status_code == 422
    papers.paper_write(job=(job := Job.objects.get(key=f"paper:copy:{number}-FR")))
    Job.objects.filter(pk=job.pk).update(state=Job.State.SUCCEEDED)
    address = reverse("report_copy", args=[f"{number}-FR"])
    assert address in client.get(page).content.decode() and client.get(address).content.startswith(b"%PDF-")
    client.force_login(member("release@copies.example", role=Role.RELEASE))
    assert client.get(address).status_code == 200 and order not in client.get(page).content.decode()
    certificate = record.papers.get(kind="certificate")
    link = reverse("report_copy", args=[certificate.number])
    assert link in client.get(page).content.decode() and client.get(link).content.startswith(b"%PDF-")
    tab = client.get(reverse("case", args=[record.public_id]), {"tab": "report"})
    assert link in tab.content.decode()
    letter = record.papers.filter(kind="letter").first()
    assert not letter or client.get(reverse("report_copy", args=[letter.number])).status_code == 404
    client.logout()
    token = link_token(record.public_id, "status")
    assert f"{number}-FR" not in client.get(reverse("status", args=[token])).content.decode()
    assert client.get(reverse("status_paper", args=[token, "copy"])).status_code == 404


def test_a_paper_that_is_being_sealed_stands_against_an_erasure(record: Case) -> None:
    auditor = Actor.of(member("copies@house.example", role=Role.AUDITOR))
    Job.objects.filter(kind="paper").update(state=Job.State.SUCCEEDED)
    assert not [one for one in retention.problems(record.claimant, by_people=True) if "sealed" in one]
    job = report_copies.copy_order(report=record.report, of=record.report.number, language="de", actor=auditor)
    [found] = [one for one in retention.problems(record.claimant, by_people=True) if "sealed" in one]
    assert record.number in found
    Job.objects.filter(pk=job.pk).update(state=Job.State.CANCELLED)
    assert not [one for one in retention.problems(record.claimant, by_people=True) if "sealed" in one]


@pytest.mark.parametrize("finished", [False, True])
def test_a_copy_of_somebody_who_is_erased_while_it_is_drawn_leaves_no_file(
    record: Case, monkeypatch: pytest.MonkeyPatch, finished: bool
) -> None:
    auditor = Actor.of(member("copies@house.example", role=Role.AUDITOR))
    job = report_copies.copy_order(report=record.report, of=record.report.number, language="de", actor=auditor)
    seal, put, kept = papers.seal.seal, dispatch.put_bytes, []

    def erased_meanwhile(*args: Any, **named: Any) -> bytes:
        erasure = Erasure.objects.create(
            claimant=record.claimant, mode=Erasure.Mode.SCHEDULE, due_on=record.received_on, rule="Test."
        )
        with transaction.atomic():
            retention._carry_out(erasure, retention.SYSTEM)
        if finished:
            retention.finish(erasure)
        monkeypatch.setattr(dispatch, "put_bytes", lambda data: kept.append(put(data)) or kept[-1])
        return seal(*args, **named)

    monkeypatch.setattr(papers.seal, "seal", erased_meanwhile)
    with pytest.raises(KeyDestroyed):
        papers.paper_write(job=job)
    assert len(kept) == 2 and not any(dispatch.exists(ref) for ref in kept)
    assert not Paper.objects.filter(job=job).exists()
