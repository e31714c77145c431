"""Letters: every template in every language, for every law and kind; no claim beyond the disposition."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest

from governance.clocks import LAWS
from governance.errors import LetterIncomplete
from governance.models import Case, Disposition, Kind, Letter, Message, Report
from governance.notifications import letters as files
from governance.notifications.languages import LANGUAGES, SOURCE, nearest
from governance.services.letters import compose, letter_send
from tests.governance.conftest import file_case

TEXT = "Because “this” & that."
#: Templates by what they need beside the case itself.
TEMPLATES = files.names()
CHILD = {"reopened", "complaint", "put_back"}
KNOWN_LAWS = [
    "works",
    "appeal_us_va",
    "appeal_us_co",
    "gpai",
    "house",
    "gdpr",
    "uk_gdpr",
    "ccpa",
    "us_va",
    "us_co",
    "lgpd",
    "quebec",
]
DECIDED = {"excluded"}


def dressed(case: Case, name: str, kind: str, law: str) -> Case:
    """The case as another kind under another law, with what the template tells of."""
    case.kind, case.law = kind, law
    if name in CHILD:
        case.parent = case
    return case


@pytest.fixture
def reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two people decided, with reasons."""
    monkeypatch.setattr("governance.services.letters.decided_reasons", lambda case: TEXT)


@pytest.mark.usefixtures("reasons")
@pytest.mark.parametrize("language", list(LANGUAGES))
@pytest.mark.parametrize("name", TEMPLATES)
def test_every_letter_is_whole_in_every_language_for_every_law_and_kind(case: Case, name: str, language: str) -> None:
    pairs = [(kind, law.code) for law in LAWS.values() for kind in law.kinds]
    for kind, law in pairs:
        made = compose(dressed(case, name, kind, law), name, text=TEXT, language=language)
        assert made.template.language == language
        assert "\n" not in made.title and 0 < len(made.title) < 110
        text = f"{made.title}\n{made.body}"
        assert case.number in text and "/status/" in text
        assert not re.search(r"\{[a-z_]+\}", text) and "None" not in text and "\n\n\n" not in text
        if "text" in made.template.fields | {f for f in made.template.fields if f == "reasons"}:
            assert TEXT in text


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_every_language_has_every_template_and_every_passage(language: str) -> None:
    for name in TEMPLATES:
        here, source = files.template(name, language), files.template(name, SOURCE)
        assert here.language == language and set(here.passages) == set(source.passages), name
        assert (here.fields, here.optional) == (source.fields, source.optional), name
        for key, text in source.passages.items():
            assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", here.passages[key])), key
    assert {files.passage(f"review.{key}", language) for key in ("source", "translation", "original")}


@pytest.mark.parametrize("law", KNOWN_LAWS)
def test_every_law_has_its_remedies_in_every_language(law: str) -> None:
    for language, name in itertools.product(LANGUAGES, TEMPLATES):
        found = files.template(name, language)
        if "remedies" in found.groups:
            assert len(found.passages[f"remedies.{law}"]) > 60


@pytest.mark.parametrize(
    ("kind", "law", "words"),
    [
        (Kind.PRIVACY, "gdpr", "supervisory authority"),
        (Kind.PRIVACY, "uk_gdpr", "Information Commissioner"),
        (Kind.PRIVACY, "ccpa", "Attorney General"),
        (Kind.PRIVACY, "lgpd", "Autoridade Nacional"),
        (Kind.COPYRIGHT, "house", "answer this letter"),
    ],
)
def test_a_refusal_says_why_and_where_to_complain(kind: Kind, law: str, words: str) -> None:
    case = file_case(kind, law=law)
    body = letter_send(case=case, template="refused", text="The works were never in our data.").body
    assert words in body and "The works were never in our data." in body and LAWS[law].citation in body
    assert ("court" in body) == (law in {"gdpr", "uk_gdpr", "lgpd"})


@pytest.mark.parametrize(
    ("law", "days", "office"), [("us_va", "60 days", "Virginia"), ("us_co", "45 days", "Colorado")]
)
def test_a_statutory_appeal_is_offered_with_its_term_and_the_attorney_general(law: str, days: str, office: str) -> None:
    text = files.template("refused", "en").passages[f"remedies.{law}"]
    assert "appeal" in text and days in text and f"Attorney General of {office}" in text


@pytest.mark.usefixtures("reasons")
@pytest.mark.parametrize("disposition", [d for d in Disposition if d != Disposition.WITHDRAWN])
def test_no_closing_letter_claims_more_than_the_disposition(case: Case, disposition: Disposition) -> None:
    case.disposition = disposition
    letter = letter_send(case=case, template="closed")
    text = f"{letter.title} {letter.body}"
    assert letter.template == disposition
    assert ("is fulfilled" in text) == (disposition == Disposition.FULFILLED)
    assert ("replaced the old one" in text) == (disposition == Disposition.FULFILLED)
    assert ("partly fulfilled" in text) == (disposition == Disposition.PARTLY)
    assert "forgotten" not in text


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_what_is_only_suppressed_is_never_certified(case: Case, language: str) -> None:
    word = re.compile("certif|zertif|bescheinig|attestat|شهادة", re.IGNORECASE)
    for kind in Kind:
        case.kind = kind
        made = compose(case, "partly_fulfilled", language=language)
        assert not word.search(made.title + made.body), (kind, language)


@pytest.mark.parametrize("kind", list(Kind))
def test_a_letter_speaks_of_what_was_asked(case: Case, kind: Kind) -> None:
    words = {"copyright": "works", "privacy": "erasing", "objection": "objection", "safety": "harmful",
             "correction": "outdated"}  # fmt: skip
    case.kind = kind
    for name in ("received", "fulfilled", "partly_fulfilled"):
        assert words[kind] in compose(case, name).body


def test_the_reports_own_headline_stands_in_the_closing_letter(case: Case) -> None:
    Report.objects.create(case=case, number="LR-2", headline="Lumen was retrained", pdf="sha256:a", evidence="sha256:b")
    case.disposition = Disposition.PARTLY
    assert "Lumen was retrained." in letter_send(case=case, template="closed").body


def test_letters_are_sealed_at_rest(case: Case) -> None:
    letter = Letter.objects.latest("id")
    assert b"Dear" not in bytes(letter.__dict__["body"])


def test_what_the_claimant_wrote_is_never_taken_for_markup(case: Case) -> None:
    body = letter_send(case=case, template="question", text="{name} {{ x }} <b> & {% if %}").body
    assert "{name} {{ x }} <b> & {% if %}" in body


@pytest.mark.parametrize(("template", "field"), [("extended", "text"), ("refused", "reasons"), ("question", "text")])
def test_a_missing_merge_field_is_named_and_nothing_is_written_or_sent(case: Case, template: str, field: str) -> None:
    letters, messages = Letter.objects.count(), Message.objects.count()
    case.language = "de"
    with pytest.raises(LetterIncomplete) as caught:
        letter_send(case=case, template=template)
    assert caught.value.messages == (
        f"Letter “{template}”, language German (de): the merge field “{field}” is missing.",
    )
    assert (Letter.objects.count(), Message.objects.count()) == (letters, messages)


def test_a_letter_that_does_not_exist_is_refused(case: Case) -> None:
    with pytest.raises(LetterIncomplete, match="no letter “praise”"):
        letter_send(case=case, template="praise")


def test_a_declared_field_that_is_not_used_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    (tmp_path / "en").mkdir()
    head = "---\nversion: 1\ncounsel: none\nfields: number name\n---\n"
    (tmp_path / "en" / "hello.txt").write_text(head + "Hello {number}\n\nDear {nam},\n")
    (tmp_path / "en" / "_passages.txt").write_text("")
    monkeypatch.setattr(files, "FOLDER", tmp_path)
    files._load.cache_clear()
    files._passages.cache_clear()
    with pytest.raises(LetterIncomplete, match="declared and used fields differ: nam, name"):
        files.template("hello", "en")
    files._load.cache_clear()
    files._passages.cache_clear()


@pytest.mark.parametrize(("tag", "language"), [("pt-BR", "pt"), ("de_AT", "de"), ("sv", "en"), ("", "en")])
def test_a_language_that_is_not_there_falls_back(tag: str, language: str) -> None:
    assert nearest(tag) == language


def test_a_law_without_words_in_a_language_makes_the_letter_english(case: Case) -> None:
    found = files.template("refused", "fr")
    choices = {"about": "copyright", "report": "absent", "page": "status", "remedies": "gdpr"}
    assert files.fitting("refused", "fr", choices) == found
    with pytest.raises(LetterIncomplete, match="passage “remedies.moon” is missing"):
        files.fitting("refused", "fr", {**choices, "remedies": "moon"})


def test_a_case_in_another_language_is_written_to_in_it_with_its_dates() -> None:
    case = file_case(language="de-CH")
    letter = Letter.objects.latest("id")
    assert (case.language, letter.language) == ("de", "de")
    assert letter.title.startswith("Ihr Antrag") and re.search(r"am \d+\. \w+ 20\d\d erhalten", letter.body)


def test_what_runs_from_right_to_left_sets_numbers_apart() -> None:
    case = file_case(language="ar")
    letter = Letter.objects.latest("id")
    assert f"\u2068{case.number}\u2069" in letter.title
    links = [line for line in letter.body.splitlines() if line.startswith("http")]
    assert links and not any("\u2068" in link for link in links)


def test_the_outcome_of_an_appeal_offers_no_second_one(case: Case) -> None:
    case.kind, case.law, case.relation = "privacy", "us_va", "appeal"
    body = compose(case, "refused", text="The first decision was right.").body
    assert "This was the appeal" in body and "write “appeal”" not in body


def test_what_rests_on_our_policy_alone_cites_no_directive_on_works(case: Case) -> None:
    case.kind = "safety"
    body = compose(case, "refused", text="It could not be shown again.").body
    assert "Company policy on safety." in body and "2019/790" not in body
