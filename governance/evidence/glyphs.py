"""Characters that no font of the report has are printed by their numbers: an empty box would break PDF/A and PDF/UA."""

from __future__ import annotations

import functools
import re
import subprocess
import unicodedata
from pathlib import Path
from typing import Final

#: Beside the report's own fonts: Debian's fonts-dejavu-core and fonts-droid-fallback (the letters of East Asia).
SYSTEM_FONTS: Final = ("DejaVu Sans", "Droid Sans Fallback")
_SPECIAL = re.compile(r"[^\x09\x0a\x0d\x20-\x7e\xa0-\xff]")


@functools.cache
def covered() -> frozenset[int]:
    """Code points that some font of the report can draw; the fonts are those that WeasyPrint finds on this machine."""
    from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

    from governance.evidence.rendering import STATIC

    points: set[int] = set()
    for path in [*sorted((STATIC / "fonts").glob("*.woff2")), *map(_system_font, SYSTEM_FONTS)]:
        if path is not None:
            with TTFont(path, lazy=True) as font:
                points |= set(font.getBestCmap())
    return frozenset(points)


def _system_font(family: str) -> Path | None:
    found = subprocess.run(  # noqa: S603
        ["fc-list", "--format", "%{file}\n", family],  # noqa: S607
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    files = [one for one in found.stdout.split("\n") if one.endswith((".ttf", ".otf"))]
    # The plain cut of a family has the shortest name: DejaVuSans.ttf beside DejaVuSans-Bold.ttf.
    return Path(min(files, key=lambda one: (len(Path(one).name), one))) if files else None


def printable(text: str) -> str:
    """The text with `[U+1F600]` in place of what cannot be drawn, and without what no text may hold."""
    return _SPECIAL.sub(lambda found: _shown(found.group()), text)


def _shown(character: str) -> str:
    kind = unicodedata.category(character)
    if kind == "Cf" or character in "\u2028\u2029" or 0xFE00 <= ord(character) <= 0xFE0F:
        # Marks of direction and of joining are drawn as nothing; a choice of picture means nothing on paper.
        return "" if 0xFE00 <= ord(character) <= 0xFE0F or ord(character) > 0xFFFF else character
    if kind in ("Cc", "Cs", "Co", "Cn"):
        return f"[U+{ord(character):04X}]"
    return character if ord(character) in covered() else f"[U+{ord(character):04X}]"
