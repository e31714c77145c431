"""Compiles the translations: locale/*/LC_MESSAGES/django.po into the .mo files that Django reads. Those newer stay."""

from __future__ import annotations

from pathlib import Path

import polib

LOCALES = Path(__file__).resolve().parent.parent / "locale"


def main() -> None:
    """Compile what is older than its source. GNU gettext is not needed."""
    for source in sorted(LOCALES.glob("*/LC_MESSAGES/*.po")):
        target = source.with_suffix(".mo")
        if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
            written = target.with_suffix(".mo.new")
            polib.pofile(str(source)).save_as_mofile(str(written))
            written.replace(target)


if __name__ == "__main__":
    main()
