"""Images beside each other, from a safe source only: small ones that were stored with the case, as data.

Nothing is ever loaded from an address that somebody named: that would tell its owner who looks, and when.
"""

from __future__ import annotations

import base64
import binascii
import re

#: Larger ones are no thumbnails.
LONGEST = 90_000
_DATA = re.compile(r"data:image/(png|jpeg|webp);base64,([A-Za-z0-9+/]+={0,2})\s*", re.ASCII)
#: First bytes of each kind; a picture that says it is something else is not shown. No SVG: it can hold scripts.
_BEGINS = {"png": (b"\x89PNG\r\n\x1a\n",), "jpeg": (b"\xff\xd8\xff",), "webp": (b"RIFF",)}


def thumbnail(text: str) -> str:
    """The stored text as an image's `src`, if that is what it is; else empty."""
    if len(text) > LONGEST:
        return ""
    found = _DATA.fullmatch(text)
    if found is None:
        return ""
    try:
        data = base64.b64decode(found[2], validate=True)
    except binascii.Error:
        return ""
    return text.strip() if data.startswith(_BEGINS[found[1]]) else ""
