"""What a later revision of a report may change: a seal and time stamps are added, and nothing that a reader sees."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final
from xml.etree import ElementTree

from lethe_verify import revocation
from lethe_verify.errors import Refused
from lethe_verify.pdf import Pdf, is_name, unpack
from lethe_verify.pdf_syntax import Name, Ref, Stream, text

MAX_XMP: Final = 1024 * 1024
#: Of the validation data that a time stamp is made for.
MAX_STREAM: Final = 4 * 1024 * 1024
MAX_STREAMS: Final = 96
MAX_STREAMS_BYTES: Final = 16 * 1024 * 1024
#: What sealing itself writes into the catalogue, Info and XMP.
SEALING: Final = {"/Extensions", "/Version", "/Perms"}
STAMPING: Final = {"/DSS"}
TOUCHED: Final = {"/ModDate", "/Producer"}
PROGRAM_XMP: Final = "{http://ns.adobe.com/pdf/1.3/}Producer"
TOUCHED_XMP: Final = {*(f"{{http://ns.adobe.com/xap/1.0/}}{name}" for name in ("ModifyDate", "MetadataDate")),
                      PROGRAM_XMP}  # fmt: skip
#: What a reader is shown there is the programs that set and seal, and a time: no other words.
PROGRAM: Final = re.compile(r"(?:WeasyPrint [0-9.]{1,16})?(?:(?:^|; )pyHanko [0-9.]{1,16})*")
MOMENT: Final = re.compile(r"(?:(?:D:)?[0-9TZ:.+'-]{4,40})?")
RDF: Final = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
#: What may stand around and between the properties: no words, and no other way of writing them (ISO 16684-1, 7).
PACKET: Final = re.compile(r"<\?xpacket (?:begin=\"\ufeff?\" id=\"[0-9A-Za-z]{24}\"|end=\"[rw]\")\?>")
PLAIN: Final = {"{adobe:ns:meta/}xmpmeta", f"{RDF}RDF", f"{RDF}Description"}
NOTATION: Final = {f"{RDF}about": re.compile(""), f"{RDF}parseType": re.compile("Resource"),
                   "{adobe:ns:meta/}xmptk": re.compile(r"pyHanko [0-9.]{1,16}")}  # fmt: skip
#: Where PDFDocEncoding (ISO 32000-1, D.2) is not Latin 1.
PDF_DOC: Final = dict(enumerate("\u02d8\u02c7\u02c6\u02d9\u02dd\u02db\u02da\u02dc", 0x18)) | dict(enumerate(
    "\u2022\u2020\u2021\u2026\u2014\u2013\u0192\u2044\u2039\u203a\u2212\u2030\u201e\u201c\u201d\u2018\u2019\u201a\u2122\ufb01"
    "\ufb02\u0141\u0152\u0160\u0178\u017d\u0131\u0142\u0153\u0161\u017e\ufffd\u20ac", 0x80))  # fmt: skip
#: The names of a property and of those that hold it, outermost first; of a list's entries with their places.
Way = tuple[str, ...]

#: The members of a time stamp's field and signature, all of them.
FIELD: Final = {"/FT", "/T", "/Type", "/Subtype", "/F", "/Rect", "/P", "/TU", "/V"}
SIGNATURE: Final = {"/Contents", "/ByteRange", "/Type", "/Filter", "/SubFilter"}
DIGEST: Final = re.compile("/[0-9A-F]{40}")
LISTS: Final = ("/Certs", "/OCSPs", "/CRLs")
#: Its name, which a reader is shown: no words, and not the seal's.
NAMED: Final = re.compile(r"Timestamp-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
#: A stream of data has nothing but its bytes, and none of them looks like an object to who searches the file for some.
PACKED: Final = {"/Type", "/Subtype", "/Length", "/Filter", "/DecodeParms"}
OBJECT: Final = re.compile(rb"\d[\x00\t\n\x0c\r ]++obj(?![A-Za-z])")


def of_seal(pdf: Pdf, field: Ref) -> None:
    """The seal's revision adds the seal, and changes nothing that a reader sees."""
    root, info, described = _frame(pdf, 2)
    allowed = {ref.number for ref in (root, info, described, field) if isinstance(ref, Ref)}
    _only(pdf, 2, allowed)
    old, new = pdf.get(root, upto=1), pdf.get(root, upto=2)
    if _without(old, SEALING) != _without(new, SEALING):
        raise Refused("revisions", "The catalogue was changed after the report was made.")
    if _without(pdf.get(field, upto=1), {"/V", "/AP"}) != _without(pdf.get(field, upto=2), {"/V", "/AP"}):
        raise Refused("revisions", "The seal's field was changed after the report was made.")


def of_stamp(pdf: Pdf, place: int, field: Ref, value: dict[str, Any]) -> tuple[tuple[bytes, ...], revocation.Data]:
    """Revision `place` (from 0) adds one time stamp and data to judge it by; returns certificates and revocation data.

    Every object of the revision must be one of those: nothing can be hidden in it.
    """
    upto = place + 1
    root, info, described = _frame(pdf, upto)
    old, new = pdf.get(root, upto=place), pdf.get(root, upto=upto)
    if _without(old, STAMPING) != _without(new, STAMPING):
        raise Refused("revisions", "The catalogue was changed after the report was sealed.")
    widget = pdf.get(field, upto=upto)
    _check_field(widget, value)
    form, page = new.get("/AcroForm"), widget["/P"]
    _one_more(pdf, form, "/Fields", field, place)
    _one_more(pdf, page, "/Annots", field, place)
    data, certificates, revoked = _validation_data(pdf, new.get("/DSS"), upto)
    named = {ref.number for ref in data if isinstance(ref, Ref)}
    if any(number in one.places for one in pdf.revisions[:2] for number in named):
        raise Refused("revisions", "The data beside a time stamp are parts of the report itself.")
    own = {field.number, widget["/V"].number, *named}
    shared = {ref.number for ref in (root, info, described, form, page) if isinstance(ref, Ref)}
    earlier = {number for one in pdf.revisions[:place] for number in one.places}
    written = {number for number, (kind, *_rest) in pdf.revisions[place].places.items() if number and kind}
    table = pdf.revisions[place].table
    if written - earlier - own - {table} or field.number in earlier:
        raise Refused("revisions", "A time stamp's revision holds something that belongs to none.")
    _only(pdf, upto, shared | named)
    return certificates, revoked


def _frame(pdf: Pdf, upto: int) -> tuple[Any, Any, Any]:
    """Catalogue, Info and metadata, compared with those of the revision before."""
    before, after = pdf.revisions[upto - 2].trailer, pdf.revisions[upto - 1].trailer
    root, info = before.get("/Root"), before.get("/Info")
    if after.get("/Root") != root or after.get("/Info") != info:
        raise Refused("revisions", "The file was given another catalogue or title after it was made.")
    described = _without(pdf.get(root, upto=upto - 1), set()).get("/Metadata")
    old, new = (_without(pdf.get(info, upto=one), TOUCHED) for one in (upto - 1, upto))
    if {name: _read(value) for name, value in old.items()} != {name: _read(value) for name, value in new.items()}:
        raise Refused("revisions", "Title or description were changed after the report was made.")
    if _xmp(pdf.get(described, upto=upto - 1)) != _xmp(pdf.get(described, upto=upto)):
        raise Refused("revisions", "The metadata were changed after the report was made.")
    written = {name: _read(pdf.get(info, upto=upto).get(name, b"")) for name in TOUCHED}
    for name, form in (("/Producer", PROGRAM), ("/ModDate", MOMENT)):
        if not isinstance(written[name], str) or not form.fullmatch(written[name]):
            raise Refused("revisions", "The properties of the file name a program or time that none of ours does.")
    return root, info, described


def _read(value: Any) -> Any:
    """A text string as it is read: whoever writes the title again may write it in another of the encodings."""
    if not isinstance(value, bytes):
        return value
    try:
        if value.startswith(b"\xfe\xff"):
            return value[2:].decode("utf-16-be")
        if value.startswith(b"\xef\xbb\xbf"):
            return value[3:].decode()
    except UnicodeDecodeError as error:
        raise Refused("revisions", "Title or description cannot be read.") from error
    return "".join(PDF_DOC.get(one, chr(one)) for one in value)


def _only(pdf: Pdf, upto: int, allowed: set[int]) -> None:
    """Of what earlier revisions hold, this one may write anew nothing but what is allowed (and compared elsewhere)."""
    earlier = {number for one in pdf.revisions[: upto - 1] for number in one.places}
    if changed := {number for number in pdf.revisions[upto - 1].places if number in earlier and number} - allowed:
        raise Refused("revisions", f"A later revision changed {len(changed)} parts of the report itself.")


def _check_field(widget: Any, value: dict[str, Any]) -> None:
    """An invisible field without a look of its own, and a signature of nothing but a time stamp."""
    field = _without(widget, set())
    plain = NAMED.fullmatch(text(field.get("/T"))) and field.get("/TU", b"Timestamp") == b"Timestamp"
    invisible = field.get("/Rect") == [0, 0, 0, 0] and is_name(field.get("/Subtype"), "/Widget")
    if (
        set(field) - FIELD
        or not isinstance(field.get("/P"), Ref)
        or not isinstance(field.get("/V"), Ref)
        or not invisible
        or not plain
    ):
        raise Refused("revisions", "A time stamp's field can be seen, or does more than hold a time stamp.")
    if set(value) - SIGNATURE or not is_name(value.get("/SubFilter"), "/ETSI.RFC3161"):
        raise Refused("time", "A time stamp has not the form of one.")


def _one_more(pdf: Pdf, holder: Any, name: str, field: Ref, place: int) -> None:
    """Form and page are what they were, with one field more."""
    old, new = _without(pdf.get(holder, upto=place), set()), _without(pdf.get(holder, upto=place + 1), set())
    before, after = (pdf.get(one.get(name), upto=place + more) for more, one in ((0, old), (1, new)))
    if not isinstance(before, list) or after != [*before, field] or _without(old, {name}) != _without(new, {name}):
        raise Refused("revisions", "A time stamp's revision changed a page or the form beyond its own field.")


def _validation_data(pdf: Pdf, holder: Any, upto: int) -> tuple[list[Any], tuple[bytes, ...], revocation.Data]:
    """The objects of the document security store, certificates and revocation data in it (ISO 32000-2, 12.8.4.3)."""
    store = _without(pdf.get(holder, upto=upto), set())
    entries = _without(pdf.get(store.get("/VRI", {}), upto=upto), set())
    found = [holder, store.get("/VRI")]
    listed = {name: pdf.get(store.get(name, []), upto=upto) for name in LISTS}
    members = [one for values in listed.values() for one in values]
    for entry in entries.values():
        inside = _without(pdf.get(entry, upto=upto), set())
        found += [
            entry,
            *(one for name in ("/Cert", "/OCSP", "/CRL") for one in pdf.get(inside.get(name, []), upto=upto)),
        ]
        if set(inside) - {"/Type", "/Cert", "/OCSP", "/CRL"} or not is_name(inside.get("/Type", Name("/VRI")), "/VRI"):
            raise Refused("revisions", "The data beside a time stamp are of a kind that no report carries.")
    streams = [pdf.get(one, upto=upto) for one in members]
    if any(not isinstance(one, Stream) or set(one.values) - PACKED or OBJECT.search(one.data) for one in streams):
        raise Refused("revisions", "The data beside a time stamp cannot be read.")
    named = is_name(store.get("/Type", Name("/DSS")), "/DSS") and all(map(DIGEST.fullmatch, entries))
    many = len(members) > MAX_STREAMS or len(found) > 4 * MAX_STREAMS
    if not named or many or set(store) - {"/Type", "/VRI", *LISTS}:
        raise Refused("revisions", "The data beside a time stamp are of a kind that no report carries.")
    if not all(isinstance(one, Ref) for one in members):
        raise Refused("revisions", "The data beside a time stamp cannot be read.")
    if not {one.number for one in found[2:] if isinstance(one, Ref)} <= {
        *(one.number for one in members), *(one.number for one in entries.values() if isinstance(one, Ref)),
    }:  # fmt: skip
        raise Refused("revisions", "The data beside a time stamp point to something else.")
    content = iter(_unpacked(streams))
    certificates, answers, lists = (tuple(islice(content, len(listed[name]))) for name in LISTS)
    return [*found, *members], certificates, revocation.Data(answers, lists)


def _unpacked(streams: list[Any]) -> list[bytes]:
    """The streams' bytes, together bounded: small ones may unpack to a lot."""
    found: list[bytes] = []
    for stream in streams:
        found.append(unpack(stream, MAX_STREAM))
        if sum(map(len, found)) > MAX_STREAMS_BYTES:
            raise Refused("size", "The data beside a time stamp are larger than any of ours.")
    return found


def _without(value: Any, names: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refused("revisions", "A part of the report that must be there is missing.")
    return {name: one for name, one in value.items() if name not in names}


def _xmp(stream: Any) -> dict[Way, str]:
    """Every property, by its way through those that hold it, without what sealing writes, however RDF notes it."""
    if not isinstance(stream, Stream) or set(stream.values) - PACKED:
        raise Refused("revisions", "The metadata have not the form of ours.")
    try:
        plain = PACKET.sub("", unpack(stream, MAX_XMP).decode())
        # Read as text, so that no declaration says how; with declarations, entities are refused.
        if "\0" in plain or "<!" in plain or "<?" in plain:
            raise Refused("revisions", "The metadata have not the form of ours.")
        found: dict[Way, str] = {}
        for way, value in _properties(ElementTree.fromstring(plain), ()):  # noqa: S314
            if way in found:
                raise Refused("revisions", "The metadata name a property twice.")
            found[way] = value
    except (UnicodeDecodeError, ElementTree.ParseError) as error:
        raise Refused("revisions", "The metadata cannot be read.") from error
    return {way: value for way, value in found.items() if not _is_touched(way, value)}


def _properties(one: ElementTree.Element, way: Way, depth: int = 16) -> Iterator[tuple[Way, str]]:
    """The values in an element, each with its way. Words between elements are of no property."""
    values = {name: value for name, value in one.attrib.items() if name not in NOTATION}
    noted = all(form.fullmatch(one.attrib.get(name, "")) for name, form in NOTATION.items() if name in one.attrib)
    inside, resource = (one.text or "").strip(), values.pop(RDF + "resource", None)
    between = [(child.tail or "").strip() for child in one] + [inside] * bool(len(one) or one.tag in PLAIN)
    if not depth or not noted or any(between):
        raise Refused("revisions", "The metadata have not the form of ours.")
    if resource is not None or (one.tag not in PLAIN and not len(one)):
        yield way, inside if resource is None else resource
    yield from (((*way, name), value) for name, value in values.items())
    for number, child in enumerate(one):
        more = () if child.tag in PLAIN else (f"{number} {child.tag}" if child.tag == RDF + "li" else child.tag,)
        yield from _properties(child, (*way, *more), depth - 1)


def _is_touched(way: Way, value: str) -> bool:
    """Whether sealing itself writes it: the programs, or a time."""
    form = PROGRAM if way == (PROGRAM_XMP,) else MOMENT
    return len(way) == 1 and way[0] in TOUCHED_XMP and form.fullmatch(value) is not None
