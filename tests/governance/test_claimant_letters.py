"""Letters: plain text, first line the subject, no claim beyond the disposition."""

from __future__ import annotations

import pytest

from governance.models import Case, Disposition, Kind, Letter, Report
from governance.services.notification import letter_send
from tests.governance.conftest import file_case

TEMPLATES = ["received", "question", "extended", "refused", "withdrawn", "closed"]


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("template", TEMPLATES)
def test_every_letter_can_be_written_for_both_kinds(kind: Kind, template: str) -> None:
    case = file_case(kind, name="Nils O'Brien & Søn")
    letter = letter_send(case=case, template=template, text="Because “this” & that.")
    assert case.number in letter.title and "\n" not in letter.title and len(letter.title) < 100
    assert "Dear Nils O'Brien & Søn," in letter.body
    assert "/status/" in letter.body
    assert "&amp;" not in letter.body and "{%" not in letter.body and "None" not in letter.body
    if template in {"question", "extended", "refused"}:
        assert "Because “this” & that." in letter.body


@pytest.mark.parametrize(
    ("kind", "law", "words"),
    [
        (Kind.PRIVACY, "gdpr", "supervisory authority"),
        (Kind.PRIVACY, "uk_gdpr", "Information Commissioner"),
        (Kind.PRIVACY, "ccpa", "Attorney General"),
        (Kind.PRIVACY, "lgpd", "Autoridade Nacional"),
        (Kind.COPYRIGHT, "copyright_policy", "answer this letter"),
    ],
)
def test_a_refusal_says_where_to_complain(kind: Kind, law: str, words: str) -> None:
    case = file_case(kind, law=law)
    body = letter_send(case=case, template="refused", text="The works were never in our data.").body
    assert words in body
    assert ("court" in body) == (law in {"gdpr", "uk_gdpr", "lgpd"})


@pytest.mark.parametrize("disposition", [d for d in Disposition if d != Disposition.WITHDRAWN])
def test_no_closing_letter_claims_more_than_the_disposition(case: Case, disposition: Disposition) -> None:
    case.disposition = disposition
    letter = letter_send(case=case, template="closed")
    text = f"{letter.title} {letter.body}"
    assert ("is fulfilled" in text) == (disposition == Disposition.FULFILLED)
    assert ("replaced the old one" in text) == (disposition == Disposition.FULFILLED)
    assert ("partly fulfilled" in text) == (disposition == Disposition.PARTLY)
    assert "forgotten" not in text


def test_the_reports_own_headline_stands_in_the_closing_letter(case: Case) -> None:
    Report.objects.create(case=case, number="LR-2", headline="Lumen was retrained", pdf="sha256:a", evidence="sha256:b")
    case.disposition = Disposition.PARTLY
    assert "Lumen was retrained." in letter_send(case=case, template="closed").body


def test_letters_are_sealed_at_rest(case: Case) -> None:
    letter = Letter.objects.latest("id")
    assert b"Dear" not in bytes(letter.__dict__["body"])
