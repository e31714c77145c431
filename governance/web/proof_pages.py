"""A claimant's own proofs, behind the private link: what each way unlocks, one way at a time, and what came of it."""

from __future__ import annotations

import uuid
from contextlib import suppress
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from governance.errors import Conflict, GovernanceError
from governance.kinds import rule
from governance.models import Case, Challenge, Upload
from governance.proof_words import DECLARATION, SHOWN, STATES, UNLOCKS, WAYS, not_shown, steps
from governance.services import doubts
from governance.services import proofs as service
from governance.web.claimant import _private as private
from governance.web.limits import spend
from governance.web.way import day

M, State = Challenge.Method, Challenge.State


class BeginForm(forms.Form):
    """What is to be shown; a declaration where it is about works."""

    target = forms.CharField(max_length=service.MAX_TARGET)
    declared = forms.BooleanField(
        label=DECLARATION,
        error_messages={"required": gettext_lazy("Without this declaration it shows control, not that it is yours.")},
    )

    def __init__(self, case: Case, method: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _title, _takes, question, example = WAYS[method]
        if method == M.CREDENTIALS:
            taken = case.uploads.filter(state=Upload.State.CLEAN, kind__in=_SIGNED_KINDS).exclude(artifact="")
            self.fields["target"] = forms.ChoiceField(choices=[(str(one.public_id), one.name) for one in taken])
        if method == M.CHANNEL:
            del self.fields["declared"]
        self.fields["target"].label, self.fields["target"].help_text = question, example
        self.fields["target"].error_messages["required"] = _("Fill this in, so that we know where to look.")


#: What a state looks like.
_GLYPHS = {State.PROVEN: "pass", State.REFUSED: "refused", State.SPENT: "refused", State.ENDED: "info"}
#: Refusals that the address itself brings; all others are about the whole form.
_OF_TARGET = frozenset({"no_target", "no_domain", "no_page", "no_number", "no_file", "no_credentials",
                        "altered_file", "broken_credentials"})  # fmt: skip
_SIGNED_KINDS = ("jpeg", "png", "webp", "tiff", "gif", "pdf", "mp3", "wav", "flac")


class AnswerForm(forms.Form):
    """The signature or the code that was told; nothing where we look ourselves."""

    answer = forms.CharField(
        max_length=service.MAX_ANSWER, widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false"})
    )

    def __init__(self, method: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["answer"]
        if method == M.SIGNATURE:
            field.label = _("The signature")
            field.error_messages["required"] = _("Paste here what the command printed.")
        elif method == M.CHANNEL:
            field.label, field.widget = _("The code that we sent you"), forms.TextInput(attrs={"autocomplete": "off"})
            field.error_messages["required"] = _("Enter the code, once it has come through the channel.")
        else:
            del self.fields["answer"]


@require_safe
@private
def overview(request: HttpRequest, case: Case, token: str) -> HttpResponseBase:
    """What is shown, what it unlocks, and which ways there are."""
    counting = set(case.proofs.counting().values_list("level", flat=True))
    tries = [_row(one, token) for one in case.challenges.all()]
    ready = case.is_open and case.claimant.email_confirmed_at is not None
    context = {
        **_frame(case, token),
        "enough": service.enough(case),
        "confirmed": case.claimant.email_confirmed_at is not None,
        "shown": [{"what": SHOWN[n], "unlocks": UNLOCKS[n]} for n in sorted(counting)],
        "ways": [_way(method, token) for method in service.methods(case)] if ready else [],
        "person": rule(case.kind).personal,
        "going": [one for one in tries if one["going"]],
        "first_url": next((one["url"] for one in tries if one["url"]), ""),
        "over": [one for one in tries if not one["going"]],
        "document_url": reverse("proof_document", args=[token]) if doubts.open_doubt(case) else "",
    }
    return render(request, "claimant/proof.html", context)


def _frame(case: Case, token: str) -> dict[str, Any]:
    return {"number": case.number, "back_url": reverse("status", args=[token])}


def _way(method: Challenge.Method, token: str) -> dict[str, Any]:
    title, takes, _question, _example = WAYS[method]
    url = reverse("proof_begin", args=[token, method.value])
    return {"title": title, "takes": takes, "unlocks": UNLOCKS[service.LEVELS[method]], "url": url}


def _row(one: Challenge, token: str) -> dict[str, Any]:
    late = one.state == State.OPEN and one.is_late
    return {
        "title": WAYS[one.method][0],
        "target": one.target,
        "note": service.note_of(one),
        "state": "refused" if late else _GLYPHS.get(State(one.state), "waiting"),
        "word": _("Expired") if late else STATES[State(one.state)],
        "going": not late and one.state in (State.OPEN, State.WAITING),
        "url": "" if late or one.state != State.OPEN else reverse("proof_challenge", args=[token, one.public_id]),
    }


@require_http_methods(["GET", "HEAD", "POST"])
@private
def begin(request: HttpRequest, case: Case, token: str, method: str) -> HttpResponseBase:
    """One way: what it takes and unlocks, then the question."""
    if method not in {one.value for one in service.methods(case)}:
        raise Http404
    form = BeginForm(case, method, request.POST if request.method == "POST" else None)
    if form.is_valid():
        if refused := spend(request, "proof"):
            return refused
        data = form.cleaned_data
        try:
            row = service.challenge_begin(
                case=case, method=method, target=data["target"], declared=bool(data.get("declared"))
            )
        except GovernanceError as error:
            for problem in error.messages:
                form.add_error("target" if error.code in _OF_TARGET else None, problem)
        else:
            if row.state == State.WAITING:
                return redirect("proof", token=token)
            return redirect("proof_challenge", token=token, public_id=row.public_id)
    context = {
        **_frame(case, token),
        "back_url": reverse("proof", args=[token]),
        "way": _way(M(method), token),
        "form": form,
        "files_url": reverse("status_files", args=[token]) if method == M.CREDENTIALS else "",
    }
    return render(request, "claimant/proof_begin.html", context, status=422 if form.errors else 200)


def _own(case: Case, public_id: uuid.UUID) -> Challenge:
    found = case.challenges.filter(public_id=public_id).first()
    if found is None:
        raise Http404
    found.case = case
    return found


@require_http_methods(["GET", "HEAD", "POST"])
@private
def challenge(request: HttpRequest, case: Case, token: str, public_id: uuid.UUID) -> HttpResponseBase:
    """What is to be done, word for word; then we look."""
    row = _own(case, public_id)
    form = AnswerForm(row.method, request.POST if request.method == "POST" else None)
    problem = ""
    if form.is_valid():
        if refused := spend(request, "proof"):
            return refused
        try:
            came = service.challenge_try(challenge=row, answer=form.cleaned_data.get("answer", ""))
        except GovernanceError as error:
            problem = " ".join(error.messages)
        else:
            if came.shown:
                return redirect("proof", token=token)
            problem = str(not_shown(came.why, came.detail))
        row.refresh_from_db()
    context = {
        **_frame(case, token),
        "back_url": reverse("proof", args=[token]),
        "way": _way(M(row.method), token),
        "method": row.method,
        "target": row.target,
        "form": form,
        "problem": problem,
        "open": row.state == State.OPEN and not row.is_late,
        "until": day(row.expires_at),
        "left": service.MAX_TRIES - row.tries,
        "end_url": reverse("proof_end", args=[token, public_id]),
        "doing": steps(row),
    }
    return render(request, "claimant/proof_challenge.html", context, status=422 if problem or form.errors else 200)


@require_POST
@private
def end(request: HttpRequest, case: Case, token: str, public_id: uuid.UUID) -> HttpResponseBase:
    """The claimant does not go on with it; what is over already stands in the list as such."""
    with suppress(Conflict):
        service.challenge_end(challenge=_own(case, public_id))
    return redirect("proof", token=token)


class DocumentForm(forms.Form):
    """One document, in answer to a doubt that a person recorded."""

    file = forms.FileField(
        label=gettext_lazy("A photograph, a scan or a PDF"),
        help_text=gettext_lazy("Cover everything but your name and what the doubt is about. We delete it after we have "
                               "looked."),
        error_messages={"required": gettext_lazy("Choose a file first.")},
    )  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
@private
def document(request: HttpRequest, case: Case, token: str) -> HttpResponseBase:
    """Why a document is asked for, and its upload; nobody else is asked for one."""
    doubt = doubts.open_doubt(case)
    if doubt is None:
        raise Http404
    form = DocumentForm(request.POST, request.FILES) if request.method == "POST" else DocumentForm()
    if form.is_valid():
        if refused := spend(request, "uploads"):
            return refused
        sent = form.cleaned_data["file"]
        try:
            doubts.document_take(case=case, name=sent.name or "", data=sent.read())
            return redirect("proof_document", token=token)
        except GovernanceError as error:
            for problem in error.messages:
                form.add_error("file", problem)
    there = doubt.upload is not None and doubt.upload.state in (Upload.State.HELD, Upload.State.CLEAN)
    context = {
        **_frame(case, token),
        "back_url": reverse("proof", args=[token]),
        "reason": doubt.reason,
        "form": form,
        "there": there,
    }
    return render(request, "claimant/proof_document.html", context, status=422 if form.errors else 200)
