"""The form of what seal and time stamps add to a report: whoever reads the file finds the same objects.

A stranger's stamp lies over whatever the stranger wrote. Where readers differ on what a table says, or one takes it for
damaged and searches the bytes for objects, each may show another page.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any, Final

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.reader import PdfFileReader

from governance.evidence.cms_form import FormError

#: All that a later table says of itself.
TABLE: Final = {"/Type", "/W", "/Index", "/Size", "/Prev", "/Root", "/Info", "/ID", "/Length", "/Filter"}
_HEAD: Final = re.compile(rb"([0-9]{1,10}) 0 obj\s*")
_SOUGHT: Final = re.compile(rb"\d\s++\d{1,10}\s++obj(?![A-Za-z])")
_END: Final = re.compile(rb"\s*endobj")


def check_form(reader: PdfFileReader, data: bytes, ends: Sequence[int]) -> None:
    """Each later revision is the objects that its table names, one behind the other, the table last.

    Args:
        ends: where each revision ends, oldest first.

    Raises:
        FormError: it is not.
    """
    known = {one.idnum for one in reader.xrefs.explicit_refs_in_revision(0)}
    for number in range(1, reader.xrefs.total_revisions):
        section = reader.xrefs.get_xref_data(number)
        if section.xrefs_in_objstm or section.hybrid or section.freed:
            raise FormError("a later table packs or frees objects")
        places = sorted((place, one) for one, (_generation, place) in section.standard_xrefs.items())
        table: Any = None
        at = ends[number - 1]
        for place, one in places:
            if place < at or data[at:place].strip():
                raise FormError("something lies in the file that no table names")
            table, at = _object(reader, data, place, one)
        # Who searches the bytes finds no more of them: none lies in a stream, a text or a comment.
        if len(_SOUGHT.findall(data, ends[number - 1], ends[number])) != len(places):
            raise FormError("objects are hidden in others")
        known |= set(section.standard_xrefs)
        if not isinstance(table, generic.StreamObject) or set(table) - TABLE or table["/Type"] != "/XRef":
            raise FormError("a later table is not the last of its objects")
        # Of entries of a kind that nobody knows pyHanko tells nothing; 0 is no object.
        index = list(table["/Index"])
        if sum(index[1::2]) > len(section.standard_xrefs) + 1:
            raise FormError("a later table does not count its objects")
        told = {begin + more for begin, count in zip(index[::2], index[1::2], strict=True) for more in range(count)}
        if told - {0} != set(section.standard_xrefs) or table["/W"][0] != 1 or table["/Size"] != max(known) + 1:
            raise FormError("a later table does not count its objects")
        if data[at : ends[number]].split() != [b"startxref", b"%d" % places[-1][0], b"%%EOF"]:
            raise FormError("a later table is not where its revision says")


def _object(reader: PdfFileReader, data: bytes, place: int, number: int) -> tuple[Any, int]:
    """The object at this place, and where it ends."""
    head, stream = _HEAD.match(data, place), io.BytesIO(data)
    if head is None or int(head[1]) != number:
        raise FormError("a later table leads to another object than it says")
    stream.seek(head.end())
    found = generic.read_object(stream, generic.Reference(number, 0, reader))
    end = _END.match(data, stream.tell())
    if end is None:
        raise FormError("an object ends elsewhere than it should")
    # Readers differ on what unpacks to what: nothing of ours needs more than its filter.
    if isinstance(found, generic.StreamObject) and ("/DecodeParms" in found or found.get("/Type") == "/ObjStm"):
        raise FormError("a later revision packs objects in a way that none of ours does")
    return found, end.end()
