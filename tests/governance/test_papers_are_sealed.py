"""Certificate, letter, statement and register: ordered, sealed, told only to whom they concern, rebuilt to the byte."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance import dispatch
from governance.errors import NotAllowed, Unfit
from governance.evidence import schema
from governance.evidence.check import check
from governance.evidence.identity import CERTIFICATE_FILE, certificate_fingerprint
from governance.logs import without_secrets
from governance.models import Case, Job, LedgerEntry, Paper, Role
from governance.policies import Actor
from governance.services import notification, papers, reporting
from governance.tokens import link_token
from tests.governance.staff import member


def closed(case: Case) -> Case:
    """What the signing worker, then the default worker do."""
    reporting.report_write(job=Job.objects.filter(case=case, kind="report").latest("created_at"))
    return notification.case_close(job=Job.objects.filter(case=case, kind="notify").latest("created_at"))


def sealed_all() -> list[Paper]:
    return [papers.paper_write(job=job) for job in Job.objects.filter(kind="paper").order_by("created_at")]


def genuine(paper: Paper, house: Path) -> dict[str, Any]:
    found = check(dispatch.read_bytes(paper.pdf), [certificate_fingerprint(house / CERTIFICATE_FILE)], rerender=True)
    assert found.genuine, found.findings
    return schema.parse(dispatch.read_bytes(paper.evidence))


def test_the_claimant_gets_certificate_and_letter_in_their_language(
    client: Client, decided: Any, house: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = decided()
    Case.objects.filter(pk=case.pk).update(language="ar")
    case = closed(Case.objects.get(pk=case.pk))
    made = {one.kind: one for one in sealed_all()}
    assert set(made) == {"certificate", "letter"}
    certificate, letter = genuine(made["certificate"], house), genuine(made["letter"], house)
    full = schema.parse(dispatch.read_bytes(case.report.evidence))
    assert {one["report"]["language"] for one in (full, certificate, letter)} == {"ar"}
    assert case.report.headline == case.report.headline_in("en") != case.report.headline_in("ar")
    assert case.report.headline_in("ar") in case.letters.order_by("-id").first().body
    assert certificate["report"]["full"] == case.report.number and certificate["case"]["remedies"]
    assert certificate["report"]["seal"]["class"] == "self_issued" and certificate["report"]["seal"]["time"] == "none"
    assert case.claimant.name not in dispatch.read_bytes(made["certificate"].evidence).decode()
    sent = case.letters.order_by("-id").first().body
    assert letter["content"]["body"] == without_secrets(sent) and link_token(case.public_id, "status") in sent
    assert link_token(case.public_id, "status") not in letter["content"]["body"]
    assert sealed_all() == [papers.paper_write(job=one.job) for one in Paper.objects.order_by("created_at")]
    assert LedgerEntry.objects.filter(action=papers.SEALED_ACTION).count() == 2
    token = link_token(case.public_id, "status")
    page = client.get(reverse("status", args=[token])).content.decode()
    for kind in ("certificate", "letter"):
        address = reverse("status_paper", args=[token, kind])
        assert address in page and client.get(address).content.startswith(b"%PDF-")
    assert client.get(reverse("status_paper", args=[token, "statement"])).status_code == 404
    client.force_login(member("paper.auditor@house.example", role=Role.AUDITOR))
    assert client.get(reverse("paper", args=[made["letter"].number])).status_code == 404
    call_command("report", rebuild=[])
    assert capsys.readouterr().out.count("the same to the last byte") == 3


def test_executives_order_a_statement_of_the_quarter_and_the_register(client: Client, house: Path) -> None:
    client.force_login(member("paper.executive@house.example", role=Role.EXECUTIVE))
    for order in (
        {"kind": "statement", "period": "last_quarter", "size": "Letter", "language": "de"},
        {"kind": "register", "size": "A4", "language": "ar"},
    ):
        assert client.post(reverse("paper_order"), order).status_code == 302
    shown = client.get(reverse("papers"))
    assert len(shown.context["ordered_rows"]) == 2 and "The paper is ordered." in shown.content.decode()
    one = Job.objects.filter(kind="paper")[0]
    Job.objects.filter(pk=one.pk).update(state=Job.State.FAILED, error={"messages": ["the certificate is over"]})
    told = client.get(reverse("papers")).content.decode()
    assert "The certificate is over." in told and "An engineer lets it run again" in told
    Job.objects.filter(pk=one.pk).update(state=Job.State.QUEUED, error={})
    statement, register = (genuine(one, house) for one in sealed_all())
    assert (statement["report"]["language"], register["report"]["language"]) == ("de", "ar")
    assert statement["report"]["size"] == "Letter" and statement["content"]["end"] < statement["report"]["issued_at"]
    assert {one["code"] for one in statement["content"]["figures"]} >= {"received", "kept", "answer_median"}
    assert register["content"]["controller"]["name"] == register["report"]["issuer"]
    page = client.get(reverse("papers")).content.decode()
    for one in Paper.objects.all():
        assert reverse("paper", args=[one.number]) in page


def test_a_statement_of_any_days_is_ordered_where_they_make_a_period(client: Client, house: Path) -> None:
    client.force_login(member("paper.days@house.example", role=Role.AUDITOR))
    today = timezone.localdate()
    order = {"kind": "statement", "period": "last_quarter", "size": "A4", "language": "en"}
    for first, last in ((today, today + timedelta(days=1)), (today, today - timedelta(days=1)), (today, "")):
        answer = client.post(reverse("paper_order"), {**order, "first": first, "last": last})
        page = answer.content.decode()
        assert answer.status_code == 422 and "none after today" in page and f'value="{today}"' in page
    assert not Job.objects.filter(kind="paper").exists()
    first, last = today - timedelta(days=41), today - timedelta(days=3)
    shown = client.get(reverse("papers"), {"first": first, "last": last}).content.decode()
    assert f'value="{first}"' in shown and f'value="{last}"' in shown
    assert client.post(reverse("paper_order"), {**order, "first": first, "last": last}).status_code == 302
    [made] = sealed_all()
    assert made.period == f"{first}/{last}" and made.number.startswith(f"LS-{first:%Y%m%d}-{last:%Y%m%d}-")
    assert client.post(reverse("paper_order"), {**order, "kind": "letter"}).status_code == 422


def test_papers_are_found_and_paged(client: Client, house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boss = member("paper.many@house.example", role=Role.EXECUTIVE)
    client.force_login(boss)
    for n in range(5):
        job = Job.objects.create(key=f"paper:statement:{n}", kind="paper", queue="signing", state=Job.State.SUCCEEDED)
        Paper.objects.create(
            job=job, kind="register" if n == 4 else "statement", number=f"LS-{n}", size="A4", language="en",
            created_at=timezone.now() - timedelta(days=n),
        )  # fmt: skip
    monkeypatch.setattr("governance.selectors.papers.SIZE", 2)
    seen, address = [], reverse("papers")
    while address:
        answer = client.get(address)
        seen += [row[0]["text"] for row in answer.context["rows"]]
        onward = answer.context["next_page_url"]
        address = reverse("papers") + onward if onward else ""
    assert seen == [f"LS-{n}" for n in range(5)] and "5 papers of the house" in answer.content.decode()

    def found(**asked: Any) -> list[str]:
        return [row[0]["text"] for row in client.get(reverse("papers"), asked).context["rows"]]

    today = timezone.localdate()
    assert found(q="ls-3") == ["LS-3"] and found(kind="register") == ["LS-4"] and found(q="%00") == []
    assert found(**{"from": today - timedelta(days=1)}) == ["LS-0", "LS-1"]
    assert found(to=today - timedelta(days=3)) == ["LS-3", "LS-4"]
    assert "No paper answers to this." in client.get(reverse("papers"), {"q": "LS-9"}).content.decode()


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({"kind": "letter", "size": "A4", "language": "en"}, "no paper that can be ordered"),
        ({"kind": "register", "size": "A5", "language": "en"}, "no size of paper"),
        ({"kind": "register", "size": "A4", "language": "la"}, "no language that papers"),
        ({"kind": "statement", "size": "A4", "language": "en"}, "needs a first and a last day"),
    ],
)
def test_an_order_that_cannot_be_met_is_refused_with_its_reason(order: dict[str, str], words: str) -> None:
    with pytest.raises(Unfit, match=words):
        papers.paper_order(**order, actor=Actor.of(member("paper.boss@house.example", role=Role.EXECUTIVE)))
    with pytest.raises(NotAllowed):
        papers.paper_order(**order, actor=Actor.of(member("paper.engineer@house.example", role=Role.ENGINEER)))
