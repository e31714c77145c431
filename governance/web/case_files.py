"""The files of a case for staff: what came, what it is by its bytes, and what is kept of it."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from governance.errors import KeyDestroyed
from governance.file_words import words
from governance.models import Case, ClaimedItem, Upload
from governance.policies import Actor, Permission, may
from governance.services.work_reading import size_words
from governance.web import case_matches
from governance.web.case_panel import when
from governance.web.claimant_files import STATES

S = Upload.State
_F = ClaimedItem.Form


def tab(case: Case, actor: Actor) -> dict[str, Any]:
    """Every file, the newest first; then works that came as files before files of works had rows of their own."""
    reads = may(actor, Permission.REVEAL_PERSON)
    uploads = list(case.uploads.select_related("item"))
    alone = case.items.filter(form__in=(_F.FILE, _F.DIGEST), upload=None)
    rows = [_row(case, one, n, reads) for n, one in zip(range(len(uploads), 0, -1), uploads, strict=True)]
    return {
        "tab_template": "casework/_tab_plain.html",
        "tab_title": _("Files"),
        "tab_note": _("Judged by their bytes, never by their names, and given out as attachments only."),
        "tab_facts": [{"label": _("All cases"), "value": _("Files of every case"), "url": reverse("uploads")}]
        if reads
        else [],
        "tab_columns": [_("File"), _("Is"), _("Digest"), _("State"), _("Kept"), _("Received")],
        "tab_rows": rows + [_older(case, item, actor) for item in alone],
        "tab_empty": _("No file came with this case."),
    }


def _row(case: Case, upload: Upload, number: int, reads: bool) -> list[Any]:
    kind = upload.kind.upper() or _("unknown")
    state = {"state": STATES[upload.state], "text": upload.get_state_display(), "note": words(upload.why)}
    return [
        _name(case, upload, number, reads),
        {"text": kind, "note": size_words(upload.size)},
        {"digest": upload.digest},
        state,
        _kept(upload),
        when(upload.received_at),
    ]


def _name(case: Case, upload: Upload, number: int, reads: bool) -> dict[str, Any]:
    """The name as it was sent, for those who may know who asks; a link to the file where it can be opened."""
    text = _("File %(n)d") % {"n": number}
    if not reads:
        return {"text": text}
    try:
        named = case_matches.masked(case, upload.name).replace("[[", "").replace("]]", "")
    except KeyDestroyed:
        return {"text": text}
    url = reverse("upload_file", args=[upload.public_id]) if upload.state == S.CLEAN and upload.artifact else ""
    return {"text": named or text, "url": url}


def _kept(upload: Upload) -> str:
    if upload.state == S.HELD:
        return _("sealed, until it is scanned")
    if upload.state != S.CLEAN:
        return _("nothing")
    if upload.artifact:
        return _("the file, sealed")
    return _("its text, as a work") if upload.kind == "text" else _("its fingerprint only, as a work")


def _older(case: Case, item: ClaimedItem, actor: Actor) -> list[Any]:
    title = {"text": case_matches.item_title(case, item, actor).replace("[[", "").replace("]]", "")}
    kept = _("its text, as a work") if item.form == _F.FILE else _("its fingerprint only, as a work")
    mark, _space, what = item.text.partition(" ") if item.form == _F.DIGEST else ("", "", "")
    state = {"state": STATES[S.CLEAN], "text": S.CLEAN.label}
    is_what = what.strip("()") or _("Text, %(n)d characters") % {"n": len(item.text)}
    return [title, is_what, {"digest": mark} if mark else "", state, kept, when(case.created_at)]
