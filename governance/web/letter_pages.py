"""The letters' texts as pages: every template in every language, who has read it, and the mark that somebody has."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_POST, require_safe

from governance.errors import GovernanceError, LetterIncomplete
from governance.forms_renderer import ChoiceCards
from governance.models import LetterReview
from governance.notifications import letters as files
from governance.notifications.languages import LANGUAGES
from governance.policies import Actor, Permission, may
from governance.selectors import letters as select
from governance.services import letters as service
from governance.web import message_tabs as words
from governance.web.guards import staff

P = Permission
FIELD = re.compile(r"\{\w+\}")


class MarkForm(forms.Form):
    """As whom the text was read. The digest says which text was on the page."""

    reader = forms.ChoiceField(label=gettext_lazy("Read by"), widget=ChoiceCards(cards=False))
    digest = forms.CharField(widget=forms.HiddenInput, max_length=71)

    def __init__(self, language: str, done: set[str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        open_now = [r for r in service.readers_needed(language) if str(r) not in done]
        choices = [(str(reader), reader.label) for reader in open_now]
        self.fields["reader"].widget = ChoiceCards(cards=False, choices=choices)
        self.fields["reader"].choices = choices  # type: ignore[attr-defined]
        self.fields["reader"].initial = choices[0][0] if choices else None


def _state(template: files.Template, marks: list[LetterReview]) -> dict[str, str]:
    """A cell: reviewed, half reviewed, or by nobody; with who it still waits for."""
    done = {mark.reader for mark in marks}
    missing = [reader.label for reader in service.readers_needed(template.language) if str(reader) not in done]
    if not missing:
        return {"state": "pass", "text": _("reviewed"), "note": ""}
    note = _("waits for: %(who)s") % {"who": ", ".join(str(label) for label in missing)}
    return {"state": "waiting", "text": _("unreviewed") if not done else _("half reviewed"), "note": note}


def _cell(found: files.Template, language: str, state: dict[str, str]) -> dict[str, str]:
    """Version and review of a text; what a language lacks has no page there."""
    if found.language != language:
        return {"text": _("English")}
    link = reverse("letter", args=[found.name, language])
    return {"text": _("version %(n)d") % {"n": found.version}, "url": link, "note": state["text"]}


def unread() -> list[tuple[files.Template, dict[str, str]]]:
    """The texts that somebody still has to read, with their state, language by language."""
    named = files.names()
    every = [(code, files.template(name, code)) for code in LANGUAGES for name in named]
    own = [text for code, text in every if text.language == code]
    marks = select.reviews(text.digest for text in own)
    states = [(text, _state(text, marks.get(text.digest, []))) for text in own]
    return [(text, state) for text, state in states if state["state"] != "pass"]


def next_unread(after: files.Template | None = None) -> list[dict[str, str]]:
    """The way to the text that is read next: the one that follows in the order of the list, else the first."""
    order = {(code, name): place for place, (code, name) in enumerate((c, n) for c in LANGUAGES for n in files.names())}
    here = order[after.language, after.name] if after else -1
    waiting = [text for text, _state in unread() if order[text.language, text.name] != here]
    later = [text for text in waiting if order[text.language, text.name] > here]
    return [
        {"label": _("Read the next: %(name)s, in %(language)s") % {"name": text.name.replace("_", " "),
                                                                    "language": tongue(text)},
         "url": reverse("letter", args=[text.name, text.language])}
        for text in (later or waiting)[:1]
    ]  # fmt: skip


def tongue(text: files.Template) -> str:
    """The language of a text, in English."""
    return LANGUAGES[text.language].english


@gzip_page
@require_safe
@staff(P.SEE_LETTERS)
def letters(request: HttpRequest) -> HttpResponseBase:
    """Templates by language, with their state."""
    texts = {(n, c): files.template(n, c) for n in files.names() for c in LANGUAGES}
    marks = select.reviews(text.digest for text in texts.values())
    states = {key: _state(text, marks.get(text.digest, [])) for key, text in texts.items()}
    bare = sum(state["state"] != "pass" for state in states.values())
    part = {
        "id": "texts",
        "title": _("Texts"),
        "note": _("A letter that a language lacks is written in English."),
        "columns": [_("Letter"), *(language.english for language in LANGUAGES.values())],
        "rows": [
            [n.replace("_", " "), *(_cell(texts[n, c], c, states[n, c]) for c in LANGUAGES)] for n in files.names()
        ],
    }
    context = {
        "conclusion": _("%(n)d of %(all)d texts are unreviewed") % {"n": bare, "all": len(states)}
        if bare
        else _("Every text was reviewed"),
        "links": next_unread(),
        "sentence": _("A letter from an unreviewed text says so, and a translation brings the English text along."),
        "parts": [part],
        **words.tabs(Actor.of(request.user), "letters"),
    }
    return render(request, "duties/sheet.html", context)


def _fetch(name: str, language: str) -> files.Template:
    try:
        found = files.template(name, language)
    except LetterIncomplete as error:
        raise Http404 from error
    if found.language != language:
        raise Http404
    return found


@require_safe
@staff(P.SEE_LETTERS)
def letter(request: HttpRequest, name: str, language: str) -> HttpResponseBase:
    """One text, its passages, and who has read it."""
    return _page(request, _fetch(name, language))


def _page(request: HttpRequest, found: files.Template, form: MarkForm | None = None, status: int = 200) -> HttpResponse:
    marks = select.reviews([found.digest]).get(found.digest, [])
    state, done = _state(found, marks), {mark.reader for mark in marks}
    tongue = LANGUAGES[found.language]
    side = {"language": found.language, "direction": "rtl" if tongue.right_to_left else "ltr"}
    facts: list[Any] = [
        (_("Language"), tongue.name),
        (_("Version"), str(found.version)),
        {"label": _("Review"), "value": state["text"], "state": state["state"]},
        *((_("Read by %(who)s") % {"who": m.get_reader_display()}, f"{m.by}, {words.when(m.at)}") for m in marks),
        *((_("The file says: %(who)s") % {"who": who}, text) for who, text in _claims(found)),
        (_("Merge fields"), ", ".join(sorted(found.fields | found.optional))),
        {"label": _("Digest"), "value": found.digest, "digest": True},
    ]
    context = {
        "crumbs": [{"label": _("Letters"), "url": reverse("letters")}, {"label": f"{found.name}, {found.language}"}],
        "conclusion": _("%(name)s, in %(language)s")
        % {"name": found.name.replace("_", " ").capitalize(), "language": tongue.english},
        "sentence": state["note"] or _("Reviewed. Any change of the text or of a passage voids the marks."),
        "parts": [
            {"id": "text", "title": _("Text"),
             "letters": [{"title": _fields(found.subject, side), "text": _fields(found.body, side), **side}]},
            {"id": "passages", "title": _("Passages"), "note": _("Chosen by law, kind of case and state."),
             "letters": [
                 {"title": key, "text": _fields(text, side) or "—", **side} for key, text in found.passages.items()
             ]},
            {"id": "review", "title": _("Review"), "facts": facts, "forms": _forms(request, found, done, form),
             "links": next_unread(found)},
        ],
    }  # fmt: skip
    return render(request, "duties/sheet.html", context, status=status)


def _fields(text: str, side: dict[str, str]) -> str:
    """A text as it is read: in Arabic a merge field stands as it is written, and a line of it alone at the right.

    U+200F tells the line's direction, U+2066 and U+2069 keep the field's own braces (Unicode Standard Annex 9).
    """
    return FIELD.sub("\u200f\u2066\\g<0>\u2069", text) if side["direction"] == "rtl" else text


def _claims(found: files.Template) -> list[tuple[str, str]]:
    """Reviews that the file itself names; they are shown and count for nothing, since they are bound to no text."""
    claims = ((_("counsel"), found.counsel), (_("translator"), found.translator))
    return [(who, text) for who, text in claims if text != files.NOBODY]


def _forms(request: HttpRequest, found: files.Template, done: set[str], form: MarkForm | None) -> list[dict[str, Any]]:
    fresh = form or MarkForm(found.language, done, initial={"digest": found.digest})
    if not may(Actor.of(request.user), P.REVIEW_LETTERS) or not fresh.fields["reader"].choices:  # type: ignore[attr-defined]
        return []
    return [
        {
            "title": _("Mark as read"),
            "note": _("Entered in the ledger with your role and the digest of this very text."),
            "form": fresh,
            "action": reverse("letter_review", args=[found.name, found.language]),
            "submit": _("Put on record"),
            "open": form is not None,
        }
    ]


@require_POST
@staff(P.REVIEW_LETTERS, decide=True)
def letter_review(request: HttpRequest, name: str, language: str) -> HttpResponseBase:
    """Put on record that somebody has read this text."""
    found = _fetch(name, language)
    form = MarkForm(found.language, select.readers(found.digest), request.POST)
    if not form.is_valid():
        return _page(request, found, form, 422)
    try:
        service.review_mark(template=name, language=language, actor=Actor.of(request.user), **form.cleaned_data)
    except GovernanceError as error:
        for problem in error.messages:
            form.add_error(None, problem)
        return _page(request, found, form, error.status)
    messages.success(request, _("On record: this text was read."))
    return redirect("letter", name=name, language=language)
