"""Signs and spaces as each language sets them: what translators need not type, and nobody has to look for.

French has a narrow space before ; ! ? and a space before : and within « », and none of these may break; every language
has one apostrophe and its own quotation marks. Placeholders, tags, addresses and times stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

NARROW, SPACE = "\N{NARROW NO-BREAK SPACE}", "\N{NO-BREAK SPACE}"
#: Language -> its quotation marks.
QUOTES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"de": ("„", "“"), "fr": ("«", "»"), "es": ("«", "»"), "it": ("«", "»"), "pt": ("«", "»"), "ar": ("«", "»")}
)
#: What no rule touches: placeholders of Python and of letters, tags, entities, addresses, what stands in backticks.
_KEPT = re.compile(r"%\(\w+\)[sd]|%%|\{\w+\}|<[^<>]+>|&\w+;|https?://\S+|`[^`]*`")
_MARK = "\ue000"
#: A straight or a curly apostrophe between letters, or between a letter and what is kept.
_APOSTROPHE = re.compile(r"(?<=[\w\ue000])['\u2018](?=[\w\ue000«])")
_QUOTED = re.compile(r"[\"“„]([^\"“”„«»]*)[\"“”]")
_BLANK = f"[ {SPACE}{NARROW}]*"
#: A colon between digits is a time or a ratio; one that begins a line has nothing before it.
_COLON = re.compile(rf"(?<=[^\s:;!?«]){_BLANK}:(?=\s|$|[{SPACE}{NARROW}])")
_HIGH = re.compile(rf"(?<=[^\s;!?«(…]){_BLANK}([;!?])(?=[\s;!?»).]|$)")
_OPEN, _CLOSE = re.compile(rf"«{_BLANK}"), re.compile(rf"{_BLANK}»")


def set_right(text: str, language: str) -> str:
    """A translated text with the signs and spaces of its language; what is right already stays as it is."""
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(found.group())
        return _MARK

    told = _KEPT.sub(keep, text)
    told = _APOSTROPHE.sub("’", told)
    opening, closing = QUOTES[language]
    told = _QUOTED.sub(lambda found: f"{opening}{found[1]}{closing}", told)
    if language == "fr":
        told = _OPEN.sub(f"«{SPACE}", told)
        told = _CLOSE.sub(f"{SPACE}»", told)
        told = _COLON.sub(f"{SPACE}:", told)
        told = _HIGH.sub(rf"{NARROW}\1", told)
    rest = iter(kept)
    return re.sub(_MARK, lambda _found: next(rest), told)


def letter_set_right(text: str, language: str) -> str:
    """A file of letters: its head, where it has one, is for programs and stays."""
    head, mark, body = text.rpartition("---\n")
    return head + mark + set_right(body, language)
