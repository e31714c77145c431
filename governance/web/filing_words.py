"""Words around a request that is being written: its works, answers, the privacy notice, the letter with its link."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from governance.evidence.numerals import apart
from governance.file_words import words as file_words
from governance.models import Case, ClaimedItem, Draft, Upload
from governance.selectors import organisation
from governance.services.work_reading import Mark, mark_read, size_words

_F = ClaimedItem.Form
FORMS: dict[str, Any] = {
    _F.TEXT: gettext_lazy("Pasted text"),
    _F.FILE: gettext_lazy("Text file"),
    _F.URL: gettext_lazy("Address"),
    _F.DOMAIN: gettext_lazy("Website"),
    _F.NUMBER: gettext_lazy("Registry number"),
    _F.DIGEST: gettext_lazy("Only the file's fingerprint is kept"),
}
START = 120
#: So many works stand on the page of a case; all of them on the page on which works are added.
NEWEST = 5


def mask_address(address: str) -> str:
    """`m…@example.org`: enough to recognise one's own address; isolated, or Arabic around it puts its host first."""
    local, _at, host = address.rpartition("@")
    return f"\u2066{local[:1]}…@{host}\u2069"


def works(draft: Draft) -> list[dict[str, Any]]:
    """Each work as a row: what it is, how long, how it begins."""
    return [_row(work, work.characters) for work in draft.works.select_related("upload")]


def claimed(case: Case) -> list[dict[str, Any]]:
    """The works of a case as rows; what only explains the request is none."""
    return [_row(one, len(one.text)) for one in _of_case(case)]


def newest(case: Case) -> dict[str, Any]:
    """How many works a case has, and the newest few of them as rows, the last one first."""
    items = _of_case(case)
    count = items.count()
    rows = [_row(one, len(one.text)) for one in items.order_by("-position")[:NEWEST]]
    return {"count": count, "rows": rows, "more": count - len(rows)}


def _of_case(case: Case) -> QuerySet[ClaimedItem]:
    return case.items.exclude(form=_F.CONTEXT).select_related("upload")


def _row(work: Any, characters: int) -> dict[str, Any]:
    """A work as a row: how it was taken, how it begins, the digest of a file, and what is to be said of it."""
    mark = mark_read(work.text) if work.form == _F.DIGEST else None
    return {
        "pk": work.pk,
        "title": work.title,
        "what": what(work.form, characters, mark),
        "start": "" if mark else _start(work),
        "digest": mark.digest if mark else "",
        "note": _waits(work) or (FORMS[_F.DIGEST] if mark else ""),
    }


def _waits(work: Any) -> str:
    """Of a work that came as a file: that it waits for its scan, or why the file is not taken."""
    upload = getattr(work, "upload", None)
    if upload is None or upload.state not in (Upload.State.HELD, Upload.State.INFECTED):
        return ""
    return f"{upload.get_state_display()}. {file_words(upload.why)}"


def what(form: str, characters: int, mark: Mark | None = None) -> str:
    """How a work was handed in, and how long it is; of a file that is kept as its digest alone its kind and size."""
    name = str(FORMS[form])
    if mark:
        return joined(mark.kind or _("File"), size_words(mark.size))
    if form not in (_F.TEXT, _F.FILE):
        return name
    if not characters:
        return joined(name, _("text deleted"))
    told = number_format(characters, force_grouping=True)
    return joined(name, ngettext("%(n)s character", "%(n)s characters", characters) % {"n": told})


def joined(one: Any, other: Any) -> str:
    """Two words about one thing; the comma between them is that of the language, and each keeps its own direction."""
    return _("%(one)s, %(other)s") % {"one": apart(one), "other": apart(other)}


def _start(work: Any) -> str:
    if work.form not in (_F.TEXT, _F.FILE):
        return "" if work.text == work.title else str(work.text)
    words = " ".join(work.text[: 4 * START].split())
    return words[:START] + ("…" if len(words) > START else "")


def answers(form: forms.Form) -> list[tuple[str, str]]:
    """Each question with its answer, in words; what was left empty is left out."""
    rows = []
    for field in form:
        value = str(field.value() or "").strip()
        if isinstance(field.field, forms.ChoiceField):
            choices = dict(cast(Any, field.field.choices))
            value = str(choices.get(value, value))
        if value:
            rows.append((str(field.label), value))
    return rows


def notice() -> dict[str, Any]:
    """What GDPR Art. 13 asks to be said where data is asked for."""
    return {
        "organisation": organisation.current().name,
        "contact": organisation.current().contact,
        "dpo": organisation.current().officer,
        "months": settings.RETENTION_MONTHS,
    }


def draft_letter(draft: Draft, link: str) -> tuple[str, str]:
    """Title and body of the letter with a draft's link."""
    day = date_format(timezone.localdate(draft.expires_at), "DATE_FORMAT")
    house = organisation.current().name
    paragraphs = (
        _("You began a request to %(organisation)s. It is not sent yet.") % {"organisation": house},
        _("Open this link to go on with it:") + f"\n{link}",
        _("Whoever has the link can read and change the draft, so keep it to yourself. On %(day)s it is destroyed, if "
          "you do not go on before.") % {"day": day},
        _("If you did not begin a request, do nothing: somebody mistyped an address."),
    )  # fmt: skip
    return _("Go on with your request"), "\n\n".join([*paragraphs, house])
