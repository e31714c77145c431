"""Everybody's pages in seven languages: every text is translated, placeholders agree, the choice is kept."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.utils import translation

from governance.catalogues import Text, catalogue, public_texts
from governance.models import Case, Draft
from governance.notifications.languages import LANGUAGES
from governance.services import drafts
from governance.tokens import link_token
from tests.governance.filing import begin, file

OTHERS = [code for code in LANGUAGES if code != "en"]
PERSON = {"name": "Ada Quill", "email": "ada@example.org", "facts": "Ada lives in Ardry.", "law": "gdpr"}
#: Words that are the same in some other language too.
SAME = re.compile(r"^(Lethe|SHA-256.*|.*: (LGPD|CCPA|CDPA|UK GDPR|Privacy Act).*|Text|Website|Error:|Case)$")

#: Forms without a word of their own, and what happens to be written alike in one language: nothing else is copied.
COPIED = {"%(number)d. %(title)s (%(promise)s): %(outcome)s", "%(value)s, n = %(of)s", "n = %(n)s",
          "%(what)s: %(n)s"}  # fmt: skip
ALIKE = {"fr": {"Plan %(n)d, configuration"}, "es": {"plan %(n)s (%(title)s): %(verdict)s"}}


def holders(text: str) -> list[str]:
    return sorted(re.findall(r"%\((\w+)\)[sd]", text))


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_is_translated_and_nothing_is_left_over(language: str) -> None:
    entries = {Text(entry.msgid, entry.msgid_plural): entry for entry in catalogue(language)}
    assert set(entries) == public_texts(), "run `python manage.py catalogues`, then translate what is new"
    empty = [text for text, entry in entries.items() if not entry.translated() or entry.fuzzy]
    assert not empty


@pytest.mark.parametrize("language", OTHERS)
def test_placeholders_agree(language: str) -> None:
    wrong = []
    for entry in catalogue(language):
        for text in entry.msgstr_plural.values() if entry.msgid_plural else [entry.msgstr]:
            if holders(text) != holders(entry.msgid_plural or entry.msgid) and holders(text) != holders(entry.msgid):
                wrong.append((entry.msgid, text))
    assert not wrong


@pytest.mark.parametrize("language", OTHERS)
def test_nothing_was_only_copied(language: str) -> None:
    copied = {
        entry.msgid for entry in catalogue(language) if entry.msgstr == entry.msgid and not SAME.match(entry.msgid)
    }
    assert {text for text in copied if len(text.split()) > 2} <= COPIED | ALIKE.get(language, set())


def test_arabic_has_its_six_plurals_and_is_written_from_the_right(client: Client) -> None:
    for entry in catalogue("ar"):
        assert not entry.msgid_plural or len(entry.msgstr_plural) == 6
    page = client.get("/opt-out/?language=ar").content.decode()
    assert '<html lang="ar" dir="rtl">' in page and "من يطلب؟" in page


@pytest.mark.parametrize("language", OTHERS)
def test_a_page_is_shown_in_the_language_that_was_chosen_and_the_choice_is_kept(client: Client, language: str) -> None:
    with translation.override(language):
        who = translation.gettext("Who asks?")
    chosen = client.get(f"/opt-out/?language={language}")
    assert who in chosen.content.decode() and chosen["Content-Language"] == language
    assert who in client.get("/privacy/").content.decode()


def test_without_a_choice_the_browser_decides(client: Client) -> None:
    page = client.get("/opt-out/", headers={"Accept-Language": "fr-CA,fr;q=0.8"}).content.decode()
    assert "Qui fait la demande\u202f?" in page
    assert "Who asks?" in client.get("/opt-out/", headers={"Accept-Language": "ja"}).content.decode()
    assert "Who asks?" in client.get("/opt-out/?language=xx").content.decode()


def test_the_desk_and_the_interface_speak_english(client: Client) -> None:
    client.get("/?language=de")
    assert "Sign in" in client.get("/accounts/login/").content.decode()
    answer = client.post("/api/v1/requests/", {}, content_type="application/json", headers={"Accept-Language": "de"})
    assert "This field is required." in answer.content.decode()


def test_the_case_keeps_the_language_and_its_private_page_speaks_it(client: Client) -> None:
    client.get("/?language=de")
    file(client, "privacy", PERSON)
    case = Case.objects.get()
    assert case.language == "de" and case.items.get().title == "Fact 1"
    page = f"/status/{link_token(case.public_id, 'status')}/"
    assert "Wir haben Ihren Antrag." in Client().get(page).content.decode()
    assert "We have your request." in Client().get(f"{page}?language=en").content.decode()


def test_an_error_is_told_in_the_language_of_the_page(client: Client) -> None:
    client.get("/?language=it")
    page = begin(client, "privacy", {**PERSON, "email": "ada"}).content.decode()
    assert "Scriva un indirizzo intero" in page


def test_the_letter_with_the_drafts_link_is_written_in_the_language(client: Client, mailoutbox: Any) -> None:
    client.get("/?language=es")
    begin(client, "privacy", PERSON)
    client.post(f"/draft/{drafts.draft_token(Draft.objects.get())}/save/")
    assert mailoutbox[0].subject == "Continúe su solicitud"
