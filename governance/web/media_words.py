"""What a request can do for texts, pictures, music and film, as the register of models stands now, in plain words."""

from __future__ import annotations

from typing import Any

from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from governance.models import ClaimedItem, Draft, Medium
from governance.selectors import catalogue
from governance.services.work_reading import MEDIA, PICTURES, mark_read

#: Kinds of works that people name, in the order of the page.
NAMES: dict[Medium, Any] = {
    Medium.TEXT: gettext_lazy("Texts"),
    Medium.PICTURES: gettext_lazy("Pictures"),
    Medium.SOUND: gettext_lazy("Music and speech"),
    Medium.FILM: gettext_lazy("Film"),
}
_OF_FILE = {kind: Medium.PICTURES if kind in PICTURES else Medium.SOUND for kind in set(MEDIA.values()) - {"PDF"}}


def rows(only: frozenset[Medium] | None = None) -> list[tuple[Any, str]]:
    """Each kind with what a request does for it, kinds with the same answer together; of the register only kinds are
    told."""
    served = catalogue.media()
    told: dict[str, Any] = {}
    for medium, name in NAMES.items():
        if only is None or medium in only:
            sentence = _sentence(medium, served)
            told[sentence] = _listed(told[sentence], _within(str(name))) if sentence in told else name
    return [(names, sentence) for sentence, names in told.items()]


def _listed(one: Any, other: str) -> str:
    """Two kinds in a list: in words of one language, and an isolate that holds only isolates turns from the left."""
    return _("%(one)s, %(other)s") % {"one": one, "other": other}


def _within(name: str) -> str:
    """A kind that does not begin its line; German writes its nouns with a capital everywhere."""
    return name if get_language() == "de" else name[:1].lower() + name[1:]


def unchanged(draft: Draft) -> list[tuple[Any, str]]:
    """The kinds of the draft's works for which no model is changed."""
    named = {medium for work in draft.works.all() if (medium := _medium(work.form, work.text))}
    can = {Medium.TEXT} & catalogue.media()
    return rows(frozenset(named - can))


def _medium(form: str, text: str) -> Medium | None:
    """What a work is, where its form tells it; of an address or a number nobody knows."""
    if form in (ClaimedItem.Form.TEXT, ClaimedItem.Form.FILE):
        return Medium.TEXT
    mark = mark_read(text) if form == ClaimedItem.Form.DIGEST else None
    return _OF_FILE.get(mark.kind) if mark else None


def _sentence(medium: Medium, served: frozenset[str]) -> str:
    if medium not in served and Medium.UNKNOWN in served:
        return _("Of some models of ours it is not recorded what they work with. We undertake to leave your works out "
                 "of all future training.")  # fmt: skip
    if medium not in served:
        return _(
            "No model of ours works with them, so your request changes none. We undertake to leave them out of all "
            "future training."
        )
    if medium == Medium.TEXT:
        return _("We look for them in what our models learned from, and can change a model.")
    return _(
        "A model of ours works with them, but we can change and test models of text alone. We undertake to leave them "
        "out of its future training."
    )
