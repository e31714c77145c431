"""Dictionaries of RFC 9651 (structured fields), as far as preferences use them: bare tokens as values."""

from __future__ import annotations

import re

_KEY = re.compile(r"[a-z*][a-z0-9_\-.*]*")
#: Commas that divide members: not those within a quoted string or an inner list.
_MEMBER = re.compile(r"(?:[^,\"(]|\"(?:[^\"\\]|\\.)*\"|\([^)]*\))+")


def dictionary(text: str) -> dict[str, str] | None:
    """Keys and their bare values, parameters left out; the last of equal keys counts. None where it cannot be parsed.

    What cannot be parsed is ignored as a whole (RFC 9651, 4.2): half a statement is none.
    """
    if not text.isascii() or text.strip().endswith(","):
        return None
    found: dict[str, str] = {}
    rest = _MEMBER.sub("", text).replace(",", "").strip()
    if rest:
        return None
    for member in _MEMBER.findall(text):
        key, equals, value = member.strip().partition("=")
        key = key.partition(";")[0] if not equals else key
        if not _KEY.fullmatch(key):
            return None
        found.pop(key, None)
        found[key] = value.partition(";")[0].strip() if equals else "?1"
    return found
