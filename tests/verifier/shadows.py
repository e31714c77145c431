"""Forgeries by a stranger who can get a stamp of an authority that is believed: one revision more over a genuine
report, written by hand, in which some readers find another page than others, or that says something of its own.

`plain()` is such a revision with nothing forged in it, and genuine: what is refused of the others is what they forge.
"""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from governance.evidence import outside_time
from lethe_verify import pdf as read_pdf
from tests.verifier.authorities import authority

ROOM: Final = 8000
WORDS: Final = b"BT /F1 28 Tf 60 700 Td (NOTHING WAS UNLEARNED.) Tj ET"
FONT: Final = b"<< /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
NAME: Final = b"(Timestamp-00000000-0000-4000-8000-000000000000)"
Row = tuple[int, int, int]
Rows = dict[int, Row]


@dataclass(frozen=True)
class Genuine:
    """The report over which a revision is written, as its own last revision has the parts that a stamp writes anew."""

    data: bytes
    pdf: read_pdf.Pdf

    @property
    def next(self) -> int:
        """The first number that no object has."""
        return int(self.pdf.trailer["/Size"])

    def number(self, *names: str) -> int:
        value = self.pdf.trailer
        for name in names[:-1]:
            value = self.pdf.get(value[name])
        return int(value[names[-1]].number)

    def body(self, number: int) -> bytes:
        """An object as it is written there, without its head."""
        place = next(r.places[number][1] for r in reversed(self.pdf.revisions) if number in r.places)
        found = re.compile(rb"%d 0 obj\n(.*?)\nendobj\n" % number, re.S).match(self.data, place)
        assert found
        return found[1]


@dataclass
class Draft:
    """The revision, before it is stamped."""

    over: Genuine
    page: int
    objects: list[tuple[int, bytes]]
    hidden: bytes = b""
    behind: bytes = b""
    rows: Rows = field(default_factory=dict)
    generations: dict[int, int] = field(default_factory=dict)
    named: bytes = NAME
    more: bytes = b""
    index: bytes = b""
    size: int = 0
    table: bytes = b""
    pack: Callable[[bytes], bytes] = lambda rows: rows

    def change(self, number: int, old: bytes, new: bytes) -> None:
        """In the object of that number."""
        assert any(old in body for one, body in self.objects if one == number)
        self.objects = [(one, body.replace(old, new, 1) if one == number else body) for one, body in self.objects]

    def add(self, body: bytes) -> int:
        """One object more."""
        number = max(self.over.next + 3, *(one + 1 for one, _body in self.objects))
        self.objects.append((number, body))
        return number


def stream(data: bytes, members: bytes = b"") -> bytes:
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (members, len(data), data)


def draft(data: bytes) -> Draft:
    """Catalogue, page and form with one field more, as every stamp writes them."""
    one = Genuine(data, read_pdf.read(data))
    root, form = one.number("/Root"), one.number("/Root", "/AcroForm")
    fields = one.pdf.get(one.pdf.get(one.pdf.get(one.pdf.trailer["/Root"])["/AcroForm"])["/Fields"])
    page = one.pdf.get(fields[0])["/P"].number
    made = Draft(one, page, [(number, one.body(number)) for number in (root, page, form)])
    last = b"%d 0 R ]" % fields[-1].number
    for number in (page, form):
        made.change(number, last, b"%d 0 R %d 0 R ]" % (fields[-1].number, one.next))
    return made


def stamped(made: Draft) -> bytes:
    """The file with its new revision, under a stamp by an authority that is believed."""
    one, start = made.over, len(made.over.data)
    widget, signature, table = one.next, one.next + 1, one.next + 2
    held = b"<< /FT /Sig /T %s /Type /Annot /Subtype /Widget /F 132 /Rect [ 0 0 0 0 ] /P %d 0 R /V %d 0 R %s >>"
    body, places = made.hidden, Rows()
    for number, text in (*made.objects, (widget, held % (made.named, made.page, signature, made.more))):
        places[number] = (1, start + len(body), made.generations.get(number, 0))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, text)
    places[signature] = (1, start + len(body), 0)
    body += b"%d 0 obj\n<<\n/Contents " % signature
    first = start + len(body)
    second = first + ROOM + 2

    def whole(last: int, token: bytes = b"") -> bytes:
        ranges = b"\n/ByteRange [0 %d %d %-9d]\n/Type /DocTimeStamp /Filter /Adobe.PPKLite /SubFilter /ETSI.RFC3161 >>"
        text = body + b"<%s>" % token.hex().upper().encode().ljust(ROOM, b"0") + ranges % (first, second, last)
        text += b"\nendobj\n" + made.behind
        return one.data + text + _table(made, {**places, table: (1, start + len(text), 0), **made.rows}, table)

    last = len(whole(0)) - second
    file = whole(last)
    token = outside_time.stamp(file[:first] + file[second:], authority("Another authority").url)
    return whole(last, token)


def _table(made: Draft, rows: Rows, number: int) -> bytes:
    pdf = made.over.pdf
    place = rows[number][1]
    data = made.pack(b"".join(bytes([kind]) + at.to_bytes(4, "big") + bytes([last])
                              for _, (kind, at, last) in sorted(rows.items())))  # fmt: skip
    index = b" ".join(b"%d 1" % one for one in sorted(rows))
    info, root, prev = (pdf.trailer["/Info"].number, pdf.trailer["/Root"].number, pdf.revisions[-1].place)
    return (
        b"%d 0 obj\n<< /Type /XRef /W [ 1 4 1 ] /Info %d 0 R /Root %d 0 R /Size %d /ID [ <%s> <%s> ] /Prev %d "
        b"/Index [ %s %s ] /Length %d %s >>\nstream\n%s\nendstream\nendobj\n\nstartxref\n%d\n%%%%EOF\n"
        % (number, info, root, made.size or max(rows) + 1, pdf.trailer["/ID"][0].hex().encode(), b"00" * 16, prev,
           index, made.index, len(data), made.table, data, place)
    )  # fmt: skip


def plain(data: bytes) -> bytes:
    return stamped(draft(data))


def _other_page(made: Draft, shown: int) -> bytes:
    """The report's first page with what a stranger writes on it."""
    body = re.sub(rb"/Contents \d+ 0 R", b"/Contents %d 0 R" % shown, made.objects[1][1])
    return re.sub(rb"/Resources \d+ 0 R", b"/Resources " + FONT, body)


def _listed(made: Draft, *numbers: int) -> None:
    """Objects that pass for revocation lists."""
    listed = b" ".join(b"%d 0 R" % number for number in numbers)
    store = made.over.number("/Root", "/DSS")
    body = made.over.body(store)
    made.objects.append((store, body.replace(b"/Certs", b"/CRLs [ %s ]\n/Certs" % listed, 1)))


def _packed(made: Draft, data: bytes, members: bytes, *beside: int, place: int = 0) -> None:
    """The first page in an object stream that passes for a revocation list, as does what lies beside it."""
    holder = made.add(stream(data, b"/Type /ObjStm " + members))
    made.rows[made.page] = (2, holder, place)
    made.objects = [one for one in made.objects if one[0] != made.page]
    _listed(made, holder, *beside)


def colours(made: Draft) -> None:
    """Rows of one length for who passes over /Colors, and of twice that for who heeds it."""
    number, good = made.objects[1]
    shown = made.add(stream(WORDS))
    bad = _other_page(made, shown)
    width, room = len(bad) + 200, 50
    first = len(b"%d %d " % (number, width))
    head = b"%d %d " % (number, width + room - first)
    below = (b" " * (room - 1) + bad).ljust(width)
    above = bytearray((a - b) & 0xFF for a, b in zip((b" " * room + good).ljust(width), below, strict=True))
    above[: len(head)] = head
    members = b"/N 1 /First %d /Filter /FlateDecode /DecodeParms << /Predictor 12 /Columns %d /Colors 2 >>"
    _packed(made, zlib.compress(b"\2" + above + b"\2" + below, 9), members % (first, width), shown)


def twice(made: Draft, *, good: int = 0) -> None:
    """An object stream that names the page twice: once as it is, once as it is forged."""
    number, page = made.objects[1]
    shown = made.add(stream(WORDS))
    pages = [_other_page(made, shown)] * 2
    pages[good] = page
    head = b"%d 0 %d %d " % (number, number, len(pages[0]))
    _packed(made, head + b"".join(pages), b"/N 2 /First %d" % len(head), shown, place=good)


def packed(made: Draft) -> None:
    """An object stream, though an honest one."""
    head = b"%d 0 " % made.objects[1][0]
    _packed(made, head + made.objects[1][1], b"/N 1 /First %d" % len(head))


def parameters(made: Draft, members: bytes, pack: Callable[[bytes], bytes] = bytes) -> None:
    """A table that says of its rows what some readers heed and others do not."""
    made.table = members
    made.pack = lambda rows: pack(b"".join(b"\0" + rows[at : at + 6] for at in range(0, len(rows), 6)))


def _unnamed(made: Draft) -> bytes:
    """A forged page and what it shows, in no table."""
    number, other = made.objects[1][0], made.over.next + 50
    return (b"%d 0 obj\n%s\nendobj\n%d 0 obj\n%s\nendobj\n"
            % (number, _other_page(made, other), other, stream(WORDS)))  # fmt: skip


def hidden(made: Draft, *, behind: bool = True, index: bytes = b"", trailer: bytes = b"") -> None:
    text = _unnamed(made) + trailer
    made.behind, made.hidden, made.index = (text, b"", index) if behind else (b"", text, index)


def beside(made: Draft) -> None:
    """A forged page in the bytes of what passes for a revocation list, for who searches them for objects."""
    _listed(made, made.add(stream(_unnamed(made))))


def remark(made: Draft) -> None:
    """A forged page in a comment, for who searches the bytes for objects."""
    made.change(made.objects[1][0], b"<<", b"<< % " + _unnamed(made).replace(b"\n", b" ") + b"\n")


def generation(made: Draft, place: int = 1) -> None:
    made.generations[made.objects[place][0]] = 1


def row(made: Draft, kind: int) -> None:
    """An entry for a number that no object has: free, or of a kind that nobody knows."""
    made.rows[made.over.next + 3] = (kind, 0, 0)


def zero(made: Draft) -> None:
    """Number 0, which is no object, leads to one."""
    made.hidden = b"0 0 obj\n%s\nendobj\n" % stream(WORDS)
    made.rows[0] = (1, len(made.over.data), 0)


def size(made: Draft, more: int) -> None:
    made.size = made.over.next + 3 + more


def metadata(made: Draft, change: Callable[[str], bytes]) -> None:
    number = made.over.number("/Root", "/Metadata")
    one = made.over.pdf.get(made.over.pdf.get(made.over.pdf.trailer["/Root"])["/Metadata"])
    text = read_pdf.unpack(one).decode()
    changed = change(text)
    assert changed != text.encode()
    made.objects.append((number, stream(changed, b"/Type /Metadata /Subtype /XML")))


def _swapped(text: str) -> bytes:
    """Title and author change places."""
    one, two = re.findall(r"<rdf:li[^>]*>([^<]+)</rdf:li>", text)[:2]
    return text.replace(f">{one}<", ">\0<").replace(f">{two}<", f">{one}<").replace(">\0<", f">{two}<").encode()


def _declared(text: str) -> bytes:
    """UTF-16, in which nobody sees a declaration who looks for its bytes."""
    inside = re.sub(r"<\?xpacket.*?\?>", "", text).strip()
    head = '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE x [<!ENTITY a "Everything">]>'
    return ("\ufeff" + head + inside).encode("utf-16-le")


def _put(old: str, new: str) -> Callable[[str], bytes]:
    return lambda text: text.replace(old, new, 1).encode()


def words(made: Draft, name: bytes = NAME, more: bytes = b"") -> None:
    made.named, made.more = name, more


def catalogue(made: Draft) -> None:
    made.change(made.objects[0][0], b"/Extensions <<", b"/Extensions << /Word (This report is void)")


KINDS: Final[dict[str, Callable[[Draft], None]]] = {
    "rows of two lengths": colours,
    "a page named twice, first": twice,
    "a page named twice, last": partial(twice, good=1),
    "objects packed": packed,
    "table: parameters without a filter": partial(parameters, members=b"/DecodeParms << /Predictor 12 /Columns 6 >>"),
    "table: colours": partial(
        parameters, members=b"/Filter /FlateDecode /DecodeParms << /Predictor 12 /Columns 6 /Colors 1 >>",
        pack=zlib.compress,
    ),
    "table: a word": lambda made: setattr(made, "table", b"/Author (The Data Protection Authority)"),
    "table: a second one": lambda made: setattr(made, "table", b"/XRefStm 5"),
    "table: beyond its size": partial(hidden, index=b"5000 9", trailer=b"trailer\n<< /Size 2000 >>\n"),
    "table: too small": partial(size, more=-2000),
    "table: too large": partial(size, more=900),
    "table: a free number": partial(row, kind=0),
    "table: an unknown kind": partial(row, kind=3),
    "table: number 0": zero,
    "unnamed objects at the beginning": partial(hidden, behind=False),
    "unnamed objects before the table": hidden,
    "unnamed objects and a trailer": partial(hidden, trailer=b"trailer\n<< /Size 2000 >>\n"),
    "unnamed objects in data": beside,
    "unnamed objects in a comment": remark,
    "generation of the catalogue": partial(generation, place=0),
    "generation of the page": generation,
    "generation of the form": partial(generation, place=2),
    "metadata exchanged": partial(metadata, change=_swapped),
    "metadata in another encoding": partial(metadata, change=_declared),
    "metadata about another": partial(metadata, change=_put('rdf:about=""', 'rdf:about="void"')),
    "metadata with an empty word": partial(metadata, change=_put("</rdf:RDF>", "<rdf:Description><Void/>"
                                                                 "</rdf:Description></rdf:RDF>")),
    "metadata beside": partial(metadata, change=_put("<dc:title ", '<dc:title void="This report is void" ')),
    "metadata within": partial(metadata, change=_put("Part of ISO 14289", "This report is void")),
    "metadata in another language": partial(metadata, change=_put('xml:lang="x-default"', 'xml:lang="x-void"')),
    "metadata between": partial(metadata, change=_put("</rdf:RDF>", "This report is void</rdf:RDF>")),
    "metadata as an instruction": partial(metadata, change=_put("</rdf:RDF>", "<?x This report is void?></rdf:RDF>")),
    "metadata by another program": partial(metadata, change=_put('xmptk="pyHanko', 'xmptk="Void')),
    "field: words for a name": partial(words, name=b"(This report was withdrawn)"),
    "field: the seal's name": partial(words, name=b"(Seal)"),
    "field: words": partial(words, more=b"/TU (This report is void)"),
    "catalogue: words": catalogue,
}  # fmt: skip


def forged(data: bytes, kind: str) -> bytes:
    """A genuine report with time stamps under the stranger's revision."""
    made = draft(data)
    KINDS[kind](made)
    return stamped(made)


def named(data: bytes) -> Iterator[tuple[str, bytes]]:
    for kind in KINDS:
        yield f"by a stranger: {kind}", forged(data, kind)


def any_of(rng: random.Random, data: bytes) -> bytes:
    """One of them, and another where both fit into one revision."""
    first, second = rng.sample(sorted(KINDS), 2)
    both = draft(data)
    KINDS[first](both)
    with suppress(AssertionError, LookupError):
        KINDS[second](both)
        return stamped(both)
    return forged(data, first)
