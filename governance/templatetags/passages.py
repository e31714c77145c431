"""Passages for reading: word-by-word difference of two texts, and masks for personal data."""

from __future__ import annotations

import difflib
import re

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

MASK = re.compile(r"\[\[([^\[\]]{1,40})\]\]")


def mask(kind: str) -> SafeString:
    """A black bar that names the kind of what it hides."""
    return format_html('<span class="mask"><span class="visually-hidden">{} </span>{}</span>', _("masked:"), kind)


def masked(text: str) -> SafeString:
    """Text in which `[[kind]]` stands for hidden personal data."""
    pieces = MASK.split(text)
    return format_html_join("", "{}", ((mask(piece) if index % 2 else piece,) for index, piece in enumerate(pieces)))


def diff(left: str, right: str) -> tuple[SafeString, SafeString]:
    """Both texts with their differing words in `<mark class="differs">`, masks kept.

    Words are compared by their letters, with differences of case and white space ignored.
    """
    a, b = _words(left), _words(right)
    keys = [[word.strip().casefold() for word in side] for side in (a, b)]
    matcher = difflib.SequenceMatcher(a=keys[0], b=keys[1], autojunk=False)
    out: tuple[list[SafeString], list[SafeString]] = ([], [])
    for tag, a1, a2, b1, b2 in matcher.get_opcodes():
        for side, words in ((0, a[a1:a2]), (1, b[b1:b2])):
            if words:
                out[side].append(_run("".join(words), differs=tag != "equal"))
    return _joined(out[0]), _joined(out[1])


def _words(text: str) -> list[str]:
    """Words with the white space that follows them; a mask is one word."""
    return re.findall(r"\[\[[^\[\]]{1,40}\]\][^\s\[]*\s*|[^\s\[]+\s*|\[\s*|\s+", text)


def _run(text: str, *, differs: bool) -> SafeString:
    if not differs:
        return masked(text)
    body = text.rstrip()
    return format_html('<mark class="differs">{}</mark>{}', masked(body), text[len(body) :])


def _joined(parts: list[SafeString]) -> SafeString:
    return format_html_join("", "{}", ((part,) for part in parts))
