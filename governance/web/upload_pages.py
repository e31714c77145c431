"""The desk's page of claimants' files: what became of each, a picture drawn anew, the file as an attachment."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from governance.file_words import words
from governance.models import Upload
from governance.policies import Actor, Permission, may
from governance.selectors import uploads as select
from governance.services import uploads as service
from governance.services.work_reading import size_words
from governance.web.claimant_files import STATES, attachment_of
from governance.web.duty_pages import case_cell, perform, sheet, when
from governance.web.guards import staff

P = Permission
SHOWN = 50
_THERE = (Upload.State.HELD, Upload.State.CLEAN)


@require_safe
@staff(P.REVEAL_PERSON)
def uploads(request: HttpRequest) -> HttpResponseBase:
    """Every file, the newest first."""
    return _page(request, None, 200)


def _page(request: HttpRequest, form: forms.Form | None, status: int) -> HttpResponse:
    actor = Actor.of(request.user)
    rows = select.uploads(actor, state=request.GET.get("state", ""))
    page = Paginator(rows, SHOWN).get_page(request.GET.get("page"))
    held = select.held()
    context = {
        "conclusion": ngettext("%(n)d file waits for its scan", "%(n)d files wait for their scan", held) % {"n": held},
        "sentence": _("Judged by its bytes, scanned where a scanner is configured, given out as an attachment only."),
        "parts": [
            {"id": "files", "title": _("Files"),
             "columns": [_("Case"), _("File"), _("State"), _("Received"), _("Shown"), _("As sent")],
             "rows": [_row(actor, one) for one in page.object_list],
             "empty": _("No file came."),
             "next": _("Claimants add files on the private page of their case."),
             "next_page_url": f"?page={page.next_page_number()}" if page.has_next() else "",
             "forms": [_delete(one) for one in page.object_list if _deletable(actor, one)]},
        ],
    }  # fmt: skip
    return sheet(request, "uploads", context, status)


def _deletable(actor: Actor, upload: Upload) -> bool:
    return may(actor, P.RECORD_PROOF) and upload.state in _THERE and not upload.is_work


def _delete(upload: Upload) -> dict[str, Any]:
    words = {"kind": upload.kind.upper(), "case": upload.case.number if upload.case else ""}
    return {
        "title": _("Delete the %(kind)s of %(case)s") % words,
        "note": _("What you have seen is written down as a proof; the file is not needed any more."),
        "form": forms.Form(), "action": reverse("upload_delete", args=[upload.public_id]), "submit": _("Delete"),
    }  # fmt: skip


def _row(actor: Actor, upload: Upload) -> list[Any]:
    what = f"{upload.kind.upper()}, {size_words(upload.size)}" if upload.kind else size_words(upload.size)
    state = {"state": STATES[upload.state], "text": upload.get_state_display(), "note": words(upload.why)}
    links: list[Any] = ["", ""]
    if upload.state == Upload.State.CLEAN and upload.artifact:
        args = [upload.public_id]
        links = [
            {"text": _("Picture"), "url": reverse("upload_shown", args=args)} if upload.shown else "",
            {"text": _("File"), "url": reverse("upload_file", args=args)},
        ]
    return [case_cell(upload.case, actor), what, state, when(upload.received_at), *links]


def _fetch(request: HttpRequest, public_id: uuid.UUID) -> Upload:
    found = select.uploads(Actor.of(request.user)).filter(public_id=public_id).first()
    if found is None:
        raise Http404
    return found


@require_safe
@staff(P.REVEAL_PERSON)
def upload_file(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """The file as it was sent."""
    upload = _fetch(request, public_id)
    return attachment_of(upload, service.upload_read(upload=upload, actor=Actor.of(request.user)), shown=False)


@require_safe
@staff(P.REVEAL_PERSON)
def upload_shown(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """The picture drawn anew from its pixels."""
    upload = _fetch(request, public_id)
    data = service.upload_read(upload=upload, actor=Actor.of(request.user), shown=True)
    return attachment_of(upload, data, shown=True)


@require_POST
@staff(P.RECORD_PROOF, decide=True)
def upload_delete(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """The file was seen and goes."""
    upload = _fetch(request, public_id)

    def do() -> str:
        service.upload_delete(upload=upload, actor=Actor.of(request.user))
        return _("The file is deleted; that it was there stays in the record.")

    return perform(request, forms.Form(request.POST), do, _page, "uploads")
