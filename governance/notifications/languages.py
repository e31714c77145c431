"""The languages of the letters: code, own name, direction of writing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Language:
    """One language of letters."""

    code: str
    name: str
    english: str
    right_to_left: bool = False


#: The language in which letters are drafted. Its text governs a translation that nobody has reviewed.
SOURCE = "en"

LANGUAGES: Mapping[str, Language] = MappingProxyType(
    {
        language.code: language
        for language in (
            Language("en", "English", "English"),
            Language("de", "Deutsch", "German"),
            Language("fr", "Français", "French"),
            Language("es", "Español", "Spanish"),
            Language("it", "Italiano", "Italian"),
            Language("pt", "Português", "Portuguese"),
            Language("ar", "العربية", "Arabic", right_to_left=True),
        )
    }
)


def nearest(code: str) -> str:
    """The language of letters for a language tag: `pt-BR` is `pt`; what is not there is English."""
    short = code.lower().replace("_", "-").partition("-")[0]
    return short if short in LANGUAGES else SOURCE
