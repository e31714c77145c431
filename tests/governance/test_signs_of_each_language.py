"""Every catalogue and every letter has the signs and spaces of its language, and one word for one thing."""

from __future__ import annotations

import re

import pytest

from governance.catalogues import catalogue, letters_of
from governance.notifications.languages import LANGUAGES
from governance.typography import letter_set_right, set_right

OTHERS = [code for code in LANGUAGES if code != "en"]
#: Words that stood beside the one of the glossary: opt-out (a reservation of rights, no booking and no misgiving),
#: request and case (a file of an office, no lawsuit).
SECOND = {
    "de": r"Opt-out|Anfrage",
    "fr": r"opt-out|réserves(?! de droits)",
    "es": r"opt-out|(?<!ese )\b[Cc]asos?\b|reservas(?! de derechos)",
    "it": r"opt-out|riserve(?! dei diritti)",
    "pt": r"opt-out|\bprocesso\b|reservas(?! de direitos)",
    "ar": r"قضية|قضيت|قضايا|تحفظ",
}


def texts(language: str) -> list[str]:
    found = [text for entry in catalogue(language) for text in (entry.msgstr, *entry.msgstr_plural.values())]
    return [*found, *(path.read_text(encoding="utf-8") for path in letters_of(language))]


@pytest.mark.parametrize("language", OTHERS)
def test_signs_and_spaces_are_those_of_the_language(language: str) -> None:
    wrong = [text for entry in catalogue(language) for text in (entry.msgstr, *entry.msgstr_plural.values())
             if set_right(text, language) != text]  # fmt: skip
    assert not wrong, "run `python manage.py catalogues`"
    letters = {path.name: path.read_text(encoding="utf-8") for path in letters_of(language)}
    assert len(letters) > 20
    assert not [name for name, text in letters.items() if letter_set_right(text, language) != text]


@pytest.mark.parametrize("language", OTHERS)
def test_one_thing_has_one_word(language: str) -> None:
    assert not [text[:80] for text in texts(language) if re.search(SECOND[language], text)]


@pytest.mark.parametrize(
    ("typed", "set_as"),
    [
        ("Qui ? Moi ; lui!", "Qui\u202f? Moi\u202f; lui\u202f!"),
        ('L\'œuvre "Marée": prête', "L’œuvre «\u00a0Marée\u00a0»\u00a0: prête"),
        ("%(what)s: %(n)s ;", "%(what)s\u00a0: %(n)s\u202f;"),
        ("l'{name}, aujourd'hui", "l’{name}, aujourd’hui"),
        ("Vraiment ?!", "Vraiment\u202f?!"),
        ("« … à Ardry. »", "«\u00a0… à Ardry.\u00a0»"),
    ],
)
def test_french_is_set_from_what_is_typed(typed: str, set_as: str) -> None:
    assert set_right(typed, "fr") == set_as
    assert set_right(set_as, "fr") == set_as, "what is right stays"


@pytest.mark.parametrize(
    "text",
    ["à 10:30", "https://example.org/?a=1;b", '<span class="ltr mono">%(before)s</span>', "a&nbsp;b",
     "ISO 32000-2:2020", "`dig TXT '_lethe'`"],
)  # fmt: skip
def test_times_addresses_tags_and_code_stay(text: str) -> None:
    assert set_right(text, "fr") == text


def test_quotation_marks_are_those_of_the_language() -> None:
    assert set_right('"Flut"', "de") == "„Flut“" and set_right("“Marea”", "it") == "«Marea»"


def test_the_head_of_a_letter_is_for_programs() -> None:
    head = "---\nversion: 1\ncounsel: none\n---\n"
    assert letter_set_right(f"{head}Votre demande: reçue\n", "fr") == f"{head}Votre demande\u00a0: reçue\n"
