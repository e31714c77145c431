"""Letters of one case: seen before they go out, with their free words; written by hand; in another language."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from governance.errors import Conflict, GovernanceError, LetterIncomplete
from governance.models import Case, Disposition, LetterDraft
from governance.notifications.languages import LANGUAGES
from governance.policies import Actor, Permission, may
from governance.services import letters as service
from governance.services import privacy
from governance.validators import no_nul
from governance.web.casework import fetch
from governance.web.containment import attachment
from governance.web.guards import staff
from governance.web.sent_once import sent_once

P = Permission
#: What a letter that is not written by hand waits for, in the order of the list.
ENDS = tuple(d.value for d in Disposition)
OTHERS = ("received", "question", "extended", "complaint", "reopened")
#: Form of a step on the case -> its letter, and where its words stand.
STEPS = {"refuse": "refused", "ask": "question", "extend": "extended"}


class LetterForm(forms.Form):
    """Which letter, in which language, and its free words."""

    template = forms.ChoiceField(label=gettext_lazy("Letter"))
    language = forms.ChoiceField(
        label=gettext_lazy("Language"), choices=[(c, f"{t.name} ({c})") for c, t in LANGUAGES.items()]
    )
    text = forms.CharField(
        label=gettext_lazy("Your own words"), required=False, max_length=4000, validators=[no_nul],
        help_text=gettext_lazy("A message, reasons, or a note in the closing letter. The claimant reads it."),
        widget=forms.Textarea(attrs={"rows": 6}),
    )  # fmt: skip

    #: Which draft's words stood in the form.
    shown = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        named = {name: name.replace("_", " ").capitalize() for name in (*service.BY_HAND, *ENDS, *OTHERS)}
        self.fields["template"].choices = [  # type: ignore[attr-defined]
            (gettext_lazy("Written by hand"), [(n, named[n]) for n in service.BY_HAND]),
            (gettext_lazy("How the case ends"), [(n, named[n]) for n in ENDS]),
            (gettext_lazy("Written by a step"), [(n, named[n]) for n in OTHERS]),
        ]


@require_POST
@staff(P.REVEAL_PERSON)
def case_letter_pdf(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """The sealed letter that closed the case, as its claimant has it; the ledger holds who opened it."""
    paper, data = privacy.letter_open(case=fetch(request, public_id), actor=Actor.of(request.user))
    return attachment(data, "application/pdf", f"{paper.number}.pdf")


@require_http_methods(["GET", "HEAD", "POST"])
@staff(P.WRITE_LETTER)
def case_letter(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """Look at a letter; keep its words for later, or send one that is written by hand."""
    found = fetch(request, public_id)
    if request.method != "POST":
        return _page(request, found, _fresh(request, found))
    form, actor = LetterForm(request.POST), Actor.of(request.user)
    if not form.is_valid():
        return _page(request, found, form, status=422)
    what = request.POST.get("do", "")
    if what not in ("send", "keep"):
        return _page(request, found, form)

    def do() -> str:
        messages.success(request, _perform(found, form.cleaned_data, what, actor))
        return reverse("case", args=[public_id]) + "?tab=letters"

    try:
        return redirect(sent_once(request, do))
    except GovernanceError as error:
        for problem in error.messages:
            form.add_error(None, problem)
        if isinstance(error, Conflict):
            _stands(found, form)
        return _page(request, found, form, status=error.status)


def _fresh(request: HttpRequest, case: Case) -> LetterForm:
    name = request.GET.get("template", "") or (case.disposition or "message")
    draft, text = _draft(case, name), ""
    if draft:
        text = str(draft.text)
    return LetterForm(initial={"template": name, "language": case.language, "text": text, "shown": _mark(draft)})


def _draft(case: Case, name: str) -> LetterDraft | None:
    return LetterDraft.objects.filter(case=case, template=name).select_related("by").first()


def _mark(draft: LetterDraft | None) -> str:
    return f"{draft.template}:{draft.pk}" if draft else ""


def _stands(case: Case, form: LetterForm) -> None:
    """Beside what was written: the words that stand for this letter by now, which may then be replaced."""
    draft = _draft(case, form.cleaned_data["template"])
    form.data = {**form.data, "shown": _mark(draft)}
    if draft:
        form.add_error(None, _("Kept by %(who)s: %(text)s") % {"who": draft.by, "text": draft.text})


def _perform(case: Case, data: dict[str, Any], what: str, actor: Actor) -> str:
    """Send or keep, in the language that was chosen."""
    if what == "keep":
        name, _sep, draft = data["shown"].partition(":")
        shown = draft if name == data["template"] else ""
        service.draft_keep(case=case, template=data["template"], text=data["text"], actor=actor, shown=shown)
    if data["language"] != case.language:
        service.language_set(case=case, language=data["language"], actor=actor)
    if what == "keep":
        return _("Kept for the letter, sealed.")
    service.letter_by_hand(case=case, template=data["template"], text=data["text"], actor=actor)
    return _("The letter is on its way.")


@require_POST
@staff(P.WRITE_LETTER)
def case_letter_preview(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """The letter that a step on the case would write, from the step's own form as it is filled in now."""
    found = fetch(request, public_id)
    name = STEPS.get(request.POST.get("choice", "") or "extend", "")
    text = request.POST.get("text", "") or request.POST.get("reasons", "")
    initial = {"template": name or "message", "language": found.language, "text": text}
    form = LetterForm(initial)
    form.is_valid()
    return _page(request, found, form, only_look=True, nothing=not name)


def _page(
    request: HttpRequest,
    case: Case,
    form: LetterForm,
    *,
    status: int = 200,
    only_look: bool = False,
    nothing: bool = False,
) -> HttpResponse:
    data = form.cleaned_data if form.is_bound and hasattr(form, "cleaned_data") else form.initial
    name, language, text = (str(data.get(key) or "") for key in ("template", "language", "text"))
    letter: dict[str, Any] = {}
    problems: tuple[str, ...] = (_("This choice writes no letter."),) if nothing else ()
    if not nothing:
        try:
            made = service.compose(case, name, text=text, language=language, masked=True)
            tongue = LANGUAGES[made.template.language]
            letter = {"title": made.title, "text": made.body, "reviewed": made.reviewed, "language": tongue.code,
                      "tongue": tongue.name, "direction": "rtl" if tongue.right_to_left else "ltr",
                      "text_url": reverse("letter", args=[made.template.name, tongue.code])}  # fmt: skip
        except LetterIncomplete as error:
            problems = error.messages
    context = {
        "crumbs": [
            {"label": _("Cases"), "url": reverse("cases")},
            {"label": case.number, "url": reverse("case", args=[case.public_id])},
            {"label": _("Letter")},
        ],
        "case_number": case.number,
        "form": form,
        "letter": letter,
        "problems": problems,
        "only_look": only_look,
        "by_hand": name in service.BY_HAND,
        "open": case.is_open,
        "can_read_texts": may(Actor.of(request.user), P.SEE_LETTERS),
    }
    return render(request, "messages/letter.html", context, status=status)
