"""A sealed report's file: the objects of each revision, found through the cross-reference streams alone.

Only what the house writes is read: cross-reference streams, Flate, no encryption. Anything else is no report.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from typing import Any, Final

from lethe_verify.pdf_syntax import SPACE, Name, Reader, Ref, Stream, broken

MAX_STREAM: Final = 32 * 1024 * 1024
MAX_OBJECTS: Final = 200_000
#: Report, seal, a time stamp, and the stamps that renew it.
MAX_REVISIONS: Final = 24
#: What a table's dictionary says, all of it: who reads more of it reads another table.
TABLE: Final = {"/Type", "/W", "/Index", "/Size", "/Prev", "/Root", "/Info", "/ID", "/Length", "/Filter",
                "/DecodeParms"}  # fmt: skip
PREDICTOR: Final = {"/Predictor", "/Columns"}
_BEGIN = re.compile(rb"%PDF-\d\.\d\n(?:%[\x80-\xff]{4}\n)?")
_HEAD = re.compile(rb"(\d{1,10}) 0 obj(?=[\s<\[(/\d])")
_END = re.compile(rb"startxref\n(\d{1,10})\n%%EOF\n")
Places = dict[int, tuple[int, int, int]]


@dataclass
class Revision:
    """What one save of the file wrote: where it begins and ends, its trailer, and the objects that it defines."""

    trailer: dict[str, Any]
    places: Places
    #: The table's own object: its number and its place.
    table: int
    place: int
    start: int = 0
    end: int = 0


@dataclass
class Pdf:
    """A file with its revisions, oldest first."""

    data: bytes
    revisions: list[Revision] = field(default_factory=list)
    #: Place of an object stream -> its bytes, and of each object in it the place in the index and in the bytes.
    holders: dict[int, tuple[bytes, dict[int, tuple[int, int]]]] = field(default_factory=dict)

    @property
    def trailer(self) -> dict[str, Any]:
        """The trailer of the newest revision."""
        return self.revisions[-1].trailer

    def get(self, value: Any, *, upto: int | None = None) -> Any:
        """The value itself, or the object that it refers to, as the first `upto` revisions have it (all by default)."""
        steps = 0
        while isinstance(value, Ref):
            steps += 1
            if steps > 8 or value.generation:
                raise broken("The PDF refers to something in a way that none of ours does.")
            value = self._load(value.number, self.revisions[: upto or len(self.revisions)])
        return value

    def _load(self, number: int, revisions: list[Revision]) -> Any:
        for revision in reversed(revisions):
            if number in revision.places:
                kind, first, second = revision.places[number]
                if kind == 1:
                    return _object(self.data, first, number)[0]
                return self._packed(number, first, second, revisions) if kind == 2 else None
        return None

    def _packed(self, number: int, holder: int, place: int, revisions: list[Revision]) -> Any:
        found = next((r.places[holder][1] for r in reversed(revisions) if r.places.get(holder, (0,))[0] == 1), None)
        if found is None:
            raise broken()
        if found not in self.holders:
            self.holders[found] = _index(_object(self.data, found, holder)[0])
        data, objects = self.holders[found]
        if objects.get(number, (None,))[0] != place:
            raise broken("The PDF's table leads to another object than it says.")
        return Reader(data, objects[number][1]).value()


def _index(stream: Any) -> tuple[bytes, dict[int, tuple[int, int]]]:
    """The objects of an object stream (ISO 32000-1, 7.5.7), each of which it names once."""
    if not isinstance(stream, Stream) or stream.values.get("/Type") != "/ObjStm" or "/Extends" in stream.values:
        raise broken()
    data, first, count = unpack(stream), _count(stream.values.get("/First")), _count(stream.values.get("/N"))
    numbers = data[:first].split() if count <= MAX_OBJECTS and first <= len(data) else []
    if len(numbers) != 2 * count or not all(one.isdigit() and len(one) <= 10 for one in numbers):
        raise broken()
    objects = {int(number): (place, first + int(offset))
               for place, (number, offset) in enumerate(zip(numbers[::2], numbers[1::2], strict=True))}  # fmt: skip
    if len(objects) != count:
        raise broken("A part of the PDF names one of its objects twice.")
    return data, objects


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 2**31:
        raise broken()
    return value


def _object(data: bytes, place: int, number: int | None = None) -> tuple[Any, int]:
    """The object at `place` and where it ends; it must be the one with that number."""
    head = _HEAD.match(data, place)
    if head is None or (number is not None and int(head[1]) != number):
        raise broken("The PDF's table leads to another object than it says.")
    reader = Reader(data, head.end())
    value = reader.value()
    reader.space()
    if isinstance(value, dict) and reader.take(b"stream"):
        if not (reader.take(b"\r\n") or reader.take(b"\n")):
            raise broken()
        length, start = value.get("/Length"), reader.place
        if not isinstance(length, int) or not 0 <= length <= len(data) - start:
            raise broken("A stream of the PDF does not say its length.")
        value, reader.place = Stream(value, data[start : start + length]), start + length
        reader.space()
        if not reader.take(b"endstream"):
            raise broken("A stream of the PDF is longer or shorter than it says.")
        reader.space()
    if not reader.take(b"endobj"):
        raise broken("An object of the PDF does not end where it should.")
    return value, reader.place


def unpack(stream: Stream, limit: int = MAX_STREAM) -> bytes:
    """The bytes of a stream, at most `limit`: a small file may unpack to a huge one."""
    chosen = stream.values.get("/Filter")
    if chosen is None and "/DecodeParms" not in stream.values:
        data = stream.data
    elif chosen in ("/FlateDecode", ["/FlateDecode"]):
        unpacker = zlib.decompressobj()
        try:
            data = unpacker.decompress(stream.data, limit + 1)
        except zlib.error as error:
            raise broken("A compressed part of the PDF is damaged.") from error
        if len(data) <= limit and not unpacker.eof:
            raise broken("A compressed part of the PDF is cut off.")
    else:
        raise broken("A part of the PDF is packed in a way that none of ours is.")
    if len(data) > limit:
        raise broken("A part of the PDF unpacks to more than any report holds.")
    return _unpredicted(data, stream.values.get("/DecodeParms"))


def _unpredicted(data: bytes, parameters: Any) -> bytes:
    """Undo PNG's predictor `up`, which cross-reference streams are written with."""
    if isinstance(parameters, list) and len(parameters) == 1:
        parameters = parameters[0]
    if parameters is None:
        return data
    if not isinstance(parameters, dict) or set(parameters) - PREDICTOR:
        raise broken("A part of the PDF is packed in a way that none of ours is.")
    if parameters.get("/Predictor", 1) == 1:
        return data
    width = _count(parameters.get("/Columns", 1))
    if parameters["/Predictor"] not in range(10, 16) or not width or len(data) % (width + 1):
        raise broken()
    above, rows = bytes(width), []
    for start in range(0, len(data), width + 1):
        row = data[start + 1 : start + 1 + width]
        if data[start] not in (0, 2):
            raise broken()
        above = bytes((a + b) & 0xFF for a, b in zip(above, row, strict=True)) if data[start] else row
        rows.append(above)
    return b"".join(rows)


def read(data: bytes) -> Pdf:
    """The file's revisions. Each must end with its own table's address, and nothing may lie behind the last."""
    last = _END.search(data, max(0, len(data) - 28))
    if last is None or last.end() != len(data):
        raise broken("Something follows the end of the PDF, or the end is missing.")
    revisions: list[Revision] = []
    place: Any = int(last[1])
    limit = len(data)
    while place is not None:
        if type(place) is not int or len(revisions) >= MAX_REVISIONS or not 0 < place < limit:
            raise broken("The PDF's revisions contradict each other.")
        revisions.append(_section(data, place))
        if len(revisions) > 1:
            revisions[-2].start = revisions[-1].end
        place, limit = revisions[-1].trailer.get("/Prev"), place
    revisions.reverse()
    if revisions[-1].end != len(data):
        raise broken("A revision of the PDF does not end where it says.")
    _check_tables(revisions)
    for number, revision in enumerate(revisions):
        _check_bytes(data, revision, later=bool(number))
    return Pdf(data, revisions)


def _check_tables(revisions: list[Revision]) -> None:
    """Each table counts what is there, frees nothing, and after the first leads to objects that lie open in the file.

    What one reader takes for damage another mends by searching the bytes: then each may show another page.
    """
    known: set[int] = set()
    for place, revision in enumerate(revisions):
        entries = revision.places.items()
        known |= set(revision.places)
        free, packed = ({number for number, (kind, *_rest) in entries if kind == one} for one in (0, 2))
        # Number 0 is no object, and always free.
        free ^= revision.places.keys() & {0}
        generations = {generation for _number, (kind, _, generation) in entries if kind == 1}
        counted = revision.trailer["/Size"] == max(known, default=0) + 1
        if not counted or free or (packed and place) or generations - {0}:
            raise broken("The PDF's table has not the form that our reports have.")


def _check_bytes(data: bytes, revision: Revision, *, later: bool) -> None:
    """A revision is the objects of its table, one behind the other, the table last: nothing lies between them."""
    begin = _BEGIN.match(data)
    at = revision.start if later or begin is None else begin.end()
    named = sorted((place, number) for number, (kind, place, _) in revision.places.items() if kind == 1)
    for place, number in named:
        if place < at or data[at:place].strip(SPACE):
            raise broken("Something lies in the PDF that its table does not name.")
        value, at = _object(data, place, number)
        if later and isinstance(value, Stream) and value.values.get("/Type") == "/ObjStm":
            raise broken("A later revision of the PDF packs objects: none of ours does.")
    if named[-1:] != [(revision.place, revision.table)]:
        raise broken("The PDF's table does not name itself.")


def _section(data: bytes, place: int) -> Revision:
    """The revision whose table lies at `place`; where it begins is not known yet."""
    stream, at = _object(data, place)
    rest = Reader(data, at)
    rest.space()
    end, head = _END.match(data, rest.place), _HEAD.match(data, place)
    if not isinstance(stream, Stream) or stream.values.get("/Type") != "/XRef" or end is None or head is None:
        raise broken("The PDF's table is not of the kind that our reports have.")
    if int(end[1]) != place:
        raise broken("A revision of the PDF does not end where it says.")
    return Revision(stream.values, _places(stream), int(head[1]), place, end=end.end())


def _places(stream: Stream) -> Places:
    """Where the objects lie that a table (ISO 32000-1, 7.5.8) names."""
    values = stream.values
    widths = [_count(width) for width in values.get("/W", [])]
    size = _count(values.get("/Size"))
    index = [_count(one) for one in values.get("/Index", [0, size])]
    if len(widths) != 3 or widths[0] != 1 or max(widths) > 8 or len(index) % 2 or size > MAX_OBJECTS:
        raise broken("The PDF's table has not the form that our reports have.")
    behind = 0
    for begin, count in zip(index[::2], index[1::2], strict=True):
        if begin < behind or begin + count > size or set(values) - TABLE:
            raise broken("The PDF's table has not the form that our reports have.")
        behind = begin + count
    numbers = [begin + more for begin, count in zip(index[::2], index[1::2], strict=True) for more in range(count)]
    step = sum(widths)
    table = unpack(stream, (step + 1) * len(numbers))
    if len(table) != step * len(numbers):
        raise broken("The PDF's table has not the length that it says.")
    places: Places = {}
    for row, number in enumerate(numbers):
        at, found = row * step, []
        for width in widths:
            found.append(int.from_bytes(table[at : at + width], "big"))
            at += width
        if found[0] not in (0, 1, 2):
            raise broken()
        places[number] = (found[0], found[1], found[2])
    return places


def is_name(value: object, name: str) -> bool:
    """Whether a value is this name, and not a text of the same letters."""
    return isinstance(value, Name) and value == name
