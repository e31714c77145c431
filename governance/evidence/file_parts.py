"""Parts of a report's file that are compared: what describes it in each revision, and what is attached to it."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Final

import pikepdf
from pyhanko.pdf_utils.reader import PdfFileReader

#: A reader is shown the programs that set and seal, and a time: no other words.
_PROGRAM: Final = re.compile(r"(WeasyPrint [0-9.]{1,16})?((^|; )pyHanko [0-9.]{1,16})*")
_MOMENT: Final = re.compile(r"(D:)?[0-9TZ:.+'-]{4,40}")
INFO: Final = {"/ModDate": _MOMENT, "/Producer": _PROGRAM}
XMP: Final = {
    "{http://ns.adobe.com/xap/1.0/}ModifyDate": _MOMENT,
    "{http://ns.adobe.com/xap/1.0/}MetadataDate": _MOMENT,
    "{http://ns.adobe.com/pdf/1.3/}Producer": _PROGRAM,
}


def described(revision: bytes) -> tuple[dict[str, str], dict[str, str]]:
    """Info and XMP of one revision, without what sealing itself writes: the time of the change and the program."""
    with pikepdf.open(io.BytesIO(revision)) as document:
        info = {str(key): str(value) for key, value in document.docinfo.items()}
        with document.open_metadata(set_pikepdf_as_editor=False) as metadata:
            xmp = {str(key): str(value) for key, value in metadata.items()}
    return _told(info, INFO), _told(xmp, XMP)


def _told(values: dict[str, str], touched: Mapping[str, re.Pattern[str]]) -> dict[str, str]:
    """Without what sealing writes; what it would not write there stays, and so differs from the revision before."""
    return {key: value for key, value in values.items() if key not in touched or not touched[key].fullmatch(value)}


def embedded(reader: PdfFileReader) -> list[tuple[str, bytes]]:
    """Every embedded file by the name tree; a tree with kids is not what the house writes."""
    names = reader.root["/Names"]["/EmbeddedFiles"]["/Names"] if "/Names" in reader.root else []
    pairs = []
    for place in range(1, len(names), 2):
        entry = names[place]
        pairs.append((str(entry["/UF"]), bytes(entry["/EF"]["/F"].data)))
    return pairs
