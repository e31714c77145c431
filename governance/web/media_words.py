"""What a request can do for texts, pictures, music and film, as the register of models stands now, in plain words."""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from governance.models import ClaimedItem, Draft, Medium
from governance.selectors import catalogue
from governance.services.work_reading import MEDIA

#: Kinds of works that people name, in the order of the page.
NAMES: dict[Medium, Any] = {
    Medium.TEXT: gettext_lazy("Texts"),
    Medium.PICTURES: gettext_lazy("Pictures"),
    Medium.SOUND: gettext_lazy("Music and speech"),
    Medium.FILM: gettext_lazy("Film"),
}
_PICTURES = frozenset({"PNG", "JPEG", "GIF", "WebP", "TIFF"})
_OF_FILE = {kind: Medium.PICTURES if kind in _PICTURES else Medium.SOUND for kind in set(MEDIA.values()) - {"PDF"}}
_KIND = re.compile(r"\((\w+), ")


def rows(only: frozenset[Medium] | None = None) -> list[tuple[Any, str]]:
    """Each kind with what a request does for it; nothing of the register but kinds is told."""
    served = catalogue.media()
    return [(name, _sentence(medium, served)) for medium, name in NAMES.items() if only is None or medium in only]


def unchanged(draft: Draft) -> list[tuple[Any, str]]:
    """The kinds of the draft's works for which no model is changed."""
    named = {medium for work in draft.works.all() if (medium := _medium(work.form, work.text))}
    can = {Medium.TEXT} & catalogue.media()
    return rows(frozenset(named - can))


def _medium(form: str, text: str) -> Medium | None:
    """What a work is, where its form tells it; of an address or a number nobody knows."""
    if form in (ClaimedItem.Form.TEXT, ClaimedItem.Form.FILE):
        return Medium.TEXT
    found = _KIND.search(text) if form == ClaimedItem.Form.DIGEST else None
    return _OF_FILE.get(found[1]) if found else None


def _sentence(medium: Medium, served: frozenset[str]) -> str:
    if medium not in served:
        return _(
            "No model of ours works with them, so your request changes none. They are left out of all future training."
        )
    if medium == Medium.TEXT:
        return _("We look for them in what our models learned from, and can change a model.")
    return _(
        "A model of ours works with them, but we can change and test models of text alone. They are left out of its "
        "future training."
    )
