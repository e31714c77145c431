"""Why a file was not taken, or still waits: codes that are kept, and their words in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from governance import screening

#: Code -> words; what a code carries beside itself stands behind a colon, and here as `%(detail)s`.
WHY: Mapping[str, Any] = MappingProxyType(
    {
        "empty": _("The file is empty: 0 bytes. Choose it again."),
        "too_large": _("The file is larger than %(megabytes)d MB. Name its address instead."),
        "foreign": _("This is a file of the kind “%(detail)s”, which is not taken here."),
        "unknown": _("This is a file of an unknown kind, which is not taken here."),
        "pixels": _("The picture has more than %(pixels)d million pixels. Send a smaller copy."),
        "damaged_picture": _("The picture is damaged: it cannot be read."),
        "frames": _("The picture moves through more than %(frames)d frames."),
        "members": _("The archive holds more than %(members)d files."),
        "locked": _("The archive is locked with a password, so nobody can look into it."),
        "nested": _("The archive holds another archive. Unpack it first."),
        "unpacks": _("The archive unpacks to far more than it is. Send its files one by one."),
        "damaged_archive": _("The archive is damaged, or packed in a way that cannot be read."),
        "unreachable": _("The scanner does not answer; the file waits and is scanned later."),
        "found": _("The scanner found %(detail)s."),
        # Refusals of what is asked about files; nothing is kept of them.
        "closed": _("Case %(detail)s is closed; nothing can be added to it."),
        "files": _("A case holds at most %(detail)s files. Delete one, or name addresses instead."),
        "hold": _("A legal hold keeps everything of this case; it can be deleted when the hold is lifted."),
        "settled": _("Somebody else settled this file in the meantime; load it again."),
        "unasked": _("Nobody asked for a document in this case; do not send one."),
        "document": _("Send a photograph, a scan or a PDF."),
        "work": _("This file is one of the works of the request, so it is not deleted by itself."),
        "nothing": _("There is nothing to be read of this file."),
    }
)
_BOUNDS = {
    "megabytes": screening.FILE_BYTES // 2**20,
    "pixels": screening.PIXELS // 10**6,
    "frames": screening.FRAMES,
    "members": screening.MEMBERS,
}


def words(why: str) -> str:
    """A code in words; what was kept before there were codes is a sentence already and stays as it is."""
    code, _colon, detail = why.partition(":")
    text = WHY.get(code)
    return str(text) % {**_BOUNDS, "detail": detail} if text else gettext(why) if why else ""
