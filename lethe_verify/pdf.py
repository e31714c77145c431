"""A sealed report's file: the objects of each revision, found through the cross-reference streams alone.

Only what the house writes is read: cross-reference streams, Flate, no encryption. Anything else is no report.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from typing import Any, Final

from lethe_verify.pdf_syntax import Name, Reader, Ref, Stream, broken

MAX_STREAM: Final = 32 * 1024 * 1024
MAX_OBJECTS: Final = 200_000
#: Report, seal, a time stamp, and the stamps that renew it.
MAX_REVISIONS: Final = 24
_HEAD = re.compile(rb"(\d{1,10}) (\d{1,5}) obj(?=[\s<\[(/\d])")
_END = re.compile(rb"startxref\n(\d{1,10})\n%%EOF\n")
Places = dict[int, tuple[int, int, int]]


@dataclass
class Revision:
    """What one save of the file wrote: where it begins and ends, its trailer, and the objects that it defines."""

    trailer: dict[str, Any]
    places: Places
    #: The number of the table's own object.
    table: int
    start: int = 0
    end: int = 0


@dataclass
class Pdf:
    """A file with its revisions, oldest first."""

    data: bytes
    revisions: list[Revision] = field(default_factory=list)

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
        stream = next((_object(self.data, r.places[holder][1], holder)[0] for r in reversed(revisions)
                       if r.places.get(holder, (0,))[0] == 1), None)  # fmt: skip
        if not isinstance(stream, Stream) or stream.values.get("/Type") != "/ObjStm":
            raise broken()
        data, first = unpack(stream), stream.values.get("/First")
        reader = Reader(data, 0)
        heads = [(reader.value(), reader.value()) for _ in range(_count(stream.values.get("/N")))]
        if not isinstance(first, int) or not 0 <= place < len(heads) or heads[place][0] != number:
            raise broken()
        return Reader(data, first + _count(heads[place][1])).value()


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
    if chosen in (None, []):
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
    if not parameters or parameters.get("/Predictor", 1) == 1:
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
    end = len(data)
    while place is not None:
        if not isinstance(place, int) or len(revisions) >= MAX_REVISIONS or not 0 < place < end:
            raise broken("The PDF's revisions contradict each other.")
        revision = _section(data, place)
        revision.end = end
        revisions.append(revision)
        place = revision.trailer.get("/Prev")
        if place is not None:
            end = _end_of(data, place, end)
            revision.start = end
    revisions.reverse()
    _check_bounds(revisions)
    return Pdf(data, revisions)


def _end_of(data: bytes, place: Any, limit: int) -> int:
    """Where the revision whose table lies at `place` ends."""
    if not isinstance(place, int) or not 0 < place < limit:
        raise broken("The PDF's revisions contradict each other.")
    found = _END.search(data, place, limit)
    if found is None or int(found[1]) != place:
        raise broken("A revision of the PDF does not end where it says.")
    return found.end()


def _check_bounds(revisions: list[Revision]) -> None:
    for revision in revisions:
        if any(kind == 1 and not revision.start <= at < revision.end for kind, at, _ in revision.places.values()):
            raise broken("A revision of the PDF points outside of itself.")


def _section(data: bytes, place: int) -> Revision:
    stream, end = _object(data, place)
    rest = Reader(data, end)
    rest.space()
    if not isinstance(stream, Stream) or stream.values.get("/Type") != "/XRef" or not _END.match(data, rest.place):
        raise broken("The PDF's table is not of the kind that our reports have.")
    values = stream.values
    widths = [_count(width) for width in values.get("/W", [])]
    size = _count(values.get("/Size"))
    index = values.get("/Index", [0, size])
    if len(widths) != 3 or max(widths) > 8 or "/Encrypt" in values or len(index) % 2 or size > MAX_OBJECTS:
        raise broken("The PDF's table has not the form that our reports have.")
    numbers = [n for at in range(0, len(index), 2) for n in range(_count(index[at]), index[at] + _count(index[at + 1]))
               if n < size]  # fmt: skip
    table, step = unpack(stream), sum(widths)
    if len(set(numbers)) != len(numbers) or not step or len(table) != step * len(numbers):
        raise broken("The PDF's table has not the length that it says.")
    places: Places = {}
    for row, number in enumerate(numbers):
        at, found = row * step, []
        for width in widths:
            found.append(int.from_bytes(table[at : at + width], "big"))
            at += width
        kind = found[0] if widths[0] else 1
        if kind not in (0, 1, 2):
            raise broken()
        places[number] = (kind, found[1], found[2])
    head = _HEAD.match(data, place)
    return Revision(values, places, int(head[1]) if head else 0)


def is_name(value: object, name: str) -> bool:
    """Whether a value is this name, and not a text of the same letters."""
    return isinstance(value, Name) and value == name
