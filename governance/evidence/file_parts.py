"""Parts of a report's file that are compared: what describes it in each revision, and what is attached to it."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final
from xml.etree import ElementTree

import pikepdf
from pyhanko.pdf_utils.metadata.xmp_xml import parse_xmp
from pyhanko.pdf_utils.reader import PdfFileReader

from governance.evidence.cms_form import FormError

#: A reader is shown the programs that set and seal, and a time: no other words.
_PROGRAM: Final = re.compile(r"(WeasyPrint [0-9.]{1,16})?((^|; )pyHanko [0-9.]{1,16})*")
_MOMENT: Final = re.compile(r"(D:)?[0-9TZ:.+'-]{4,40}")
INFO: Final = {"/ModDate": _MOMENT, "/Producer": _PROGRAM}
XMP: Final = {
    "http://ns.adobe.com/xap/1.0/ModifyDate": _MOMENT,
    "http://ns.adobe.com/xap/1.0/MetadataDate": _MOMENT,
    "http://ns.adobe.com/pdf/1.3/Producer": _PROGRAM,
    # How often an empty one stands there is notation.
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#about": re.compile(""),
}
_PACKET: Final = re.compile(r"<\?xpacket (begin=\"\ufeff?\" id=\"[0-9A-Za-z]{24}\"|end=\"[rw]\")\?>")


@dataclass(frozen=True)
class Described:
    """Info and XMP of one revision, without what sealing itself writes: the time of the change and the program.

    `words`: all that stands in the XMP, in properties or between them; setting and sealing put it differently.
    """

    info: list[tuple[str, Any]]
    xmp: list[tuple[str, Any]]
    words: list[str]


def described(revision: bytes) -> Described:
    """What describes a revision of the file.

    Raises:
        FormError: the XMP is not in UTF-8, or holds declarations or instructions.
    """
    with pikepdf.open(io.BytesIO(revision)) as document:
        info = [(str(key), str(value)) for key, value in document.docinfo.items()]
        packet = bytes(document.Root.Metadata.read_bytes())
    inside = _PACKET.sub("", packet.decode())
    if any(one in inside for one in ("<!", "<?", "\0")):
        raise FormError("the metadata hold declarations or instructions")
    xmp = [(str(name), value) for root in parse_xmp(io.BytesIO(packet)) for name, value in root]
    words = [word.strip() for one in ElementTree.fromstring(inside).iter()  # noqa: S314 - no declarations, so no entities
             for word in (one.tag, one.text or "", one.tail or "", *one.attrib, *one.attrib.values())]  # fmt: skip
    said = sorted(one for one in words if not _PROGRAM.fullmatch(one) and not _MOMENT.fullmatch(one))
    return Described(
        _told(info, INFO), _told([(name, one.value if name in XMP else one) for name, one in xmp], XMP), said
    )


def _told(values: list[tuple[str, Any]], touched: Mapping[str, re.Pattern[str]]) -> list[tuple[str, Any]]:
    """By name, without what sealing writes; what it would not write there stays, and so differs from before."""
    left = [(key, value) for key, value in values if key not in touched or not touched[key].fullmatch(str(value))]
    return sorted(left, key=itemgetter(0))


def embedded(reader: PdfFileReader) -> list[tuple[str, bytes]]:
    """Every embedded file by the name tree; a tree with kids is not what the house writes."""
    names = reader.root["/Names"]["/EmbeddedFiles"]["/Names"] if "/Names" in reader.root else []
    pairs = []
    for place in range(1, len(names), 2):
        entry = names[place]
        pairs.append((str(entry["/UF"]), bytes(entry["/EF"]["/F"].data)))
    return pairs
