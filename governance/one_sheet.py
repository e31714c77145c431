"""One style sheet for every page, joined from the rooms of `static/css` when static files are collected or looked for.

Eleven sheets are eleven answers that a telephone waits for before it paints anything. The rooms stay apart in the
source; this finder offers them joined, in the order of their layers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage, Storage

from governance.secrets import BASE_DIR

#: Where pages find it, and its rooms (static/css/NAME.css) in the order of the cascade.
SHEET = "css/all.css"
ROOMS = ("lethe", "fonts", "tokens", "base", "layout", "forms", "components", "states", "scales", "pages", "print")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def joined() -> str:
    """The rooms one after the other, without comments and indentation."""
    rooms = "\n".join((BASE_DIR / "static" / "css" / f"{name}.css").read_text() for name in ROOMS)
    return "\n".join(filter(None, map(str.strip, _COMMENT.sub("", rooms).splitlines()))) + "\n"


class OneSheetFinder(BaseFinder):
    """Finds `SHEET` alone; writes it anew where a room has changed."""

    def __init__(self, *_arguments: Any, **_names: Any) -> None:
        self.storage = FileSystemStorage(location=Path(settings.HOME) / "joined")

    def check(self, **_names: Any) -> list[Any]:
        """Nothing of it can be set wrongly."""
        return []

    def find(self, path: str, find_all: bool = False, **_names: Any) -> Any:
        """The joined sheet on disk."""
        if path != SHEET:
            return []
        found = str(self._written())
        return [found] if find_all else found

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, Storage]]:
        """The joined sheet and where it lies."""
        self._written()
        yield SHEET, self.storage

    def _written(self) -> Path:
        place, text = Path(self.storage.path(SHEET)), joined()
        if not place.exists() or place.read_text() != text:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        return place
