"""Files that a claimant adds to a case behind its private link: what became of each, and its deletion."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from governance import screening
from governance.errors import GovernanceError
from governance.file_words import words
from governance.models import Case, Upload
from governance.policies import CLAIMANT
from governance.services import uploads as service
from governance.services.work_reading import size_words
from governance.web import filing_words
from governance.web.claimant import _private as private
from governance.web.forms import ManyFiles
from governance.web.limits import spend

STATES = {"held": "waiting", "clean": "pass", "refused": "refused", "infected": "refused", "deleted": "info"}


class ManyFilesField(forms.FileField):
    """Several files of any kind; what each of them is, is judged by its bytes."""

    widget = ManyFiles

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        """The files, in the order in which they were chosen; at least one."""
        chosen = data if isinstance(data, list | tuple) else [data] if data else []
        return [super(ManyFilesField, self).clean(one) for one in chosen] or [super().clean(None)]


class FilesForm(forms.Form):
    """What shows that the works are the claimant's, or what they want to be looked at."""

    files = ManyFilesField(  # type: ignore[assignment]
        label=gettext_lazy("Files"),
        allow_empty_file=True,
        help_text=gettext_lazy("Pictures, recordings, PDF, text, or a ZIP of these; at most 20 MB in all."),
        error_messages={"required": gettext_lazy("Choose at least one file.")},
    )


@require_http_methods(["GET", "HEAD", "POST"])
@private
def files(request: HttpRequest, case: Case, token: str) -> HttpResponseBase:
    """The list, and more of them."""
    form = FilesForm(request.POST, request.FILES) if request.method == "POST" else FilesForm()
    if form.is_valid():
        if refused := spend(request, "uploads"):
            return refused
        try:
            for one in form.cleaned_data["files"]:
                service.upload_take(case=case, name=one.name or "", data=one.read())
            return redirect("status_files", token=token)
        except GovernanceError as error:
            for problem in error.messages:
                form.add_error(None, problem)
    context = {
        "form": form,
        "number": case.number,
        "open": case.is_open,
        "files": [_row(one, token) for one in case.uploads.all()],
        "back_url": reverse("status", args=[token]),
    }
    return render(request, "claimant/files.html", context, status=422 if form.errors else 200)


def _row(upload: Upload, token: str) -> dict[str, Any]:
    deletable = upload.state in (Upload.State.HELD, Upload.State.CLEAN) and not upload.is_work
    return {
        "name": upload.name,
        "what": _what(upload),
        "state": STATES[upload.state],
        "word": upload.get_state_display(),
        "why": words(upload.why) or _kept(upload),
        "delete_url": reverse("status_file_delete", args=[token, upload.public_id]) if deletable else "",
    }


def _what(upload: Upload) -> str:
    """Kind and size of a file."""
    kind, size = _("Text") if upload.kind == "text" else upload.kind.upper(), size_words(upload.size)
    return filing_words.joined(kind, size) if kind else size


def _kept(upload: Upload) -> str:
    """What is kept of a file that is a work: its text, or its fingerprint."""
    if not upload.is_work or upload.state != Upload.State.CLEAN:
        return ""
    return (
        _("One of your works: its text is kept.")
        if upload.kind == "text"
        else _("One of your works: only its fingerprint is kept.")
    )


@require_POST
@private
def file_delete(request: HttpRequest, case: Case, token: str, public_id: uuid.UUID) -> HttpResponseBase:
    """Delete one of them."""
    upload = case.uploads.filter(public_id=public_id).first()
    if upload is None:
        raise Http404
    service.upload_delete(upload=upload, actor=CLAIMANT)
    return redirect("status_files", token=token)


def attachment_of(upload: Upload, data: bytes, *, shown: bool) -> HttpResponse:
    """A file to keep: never inline, whatever it is."""
    kind = "image/png" if shown else screening.KINDS[upload.kind]
    response = HttpResponse(data, content_type=kind)
    suffix = "png" if shown else upload.kind
    response["Content-Disposition"] = f'attachment; filename="{str(upload.public_id)[:8]}.{suffix}"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response
