"""pyHanko's reader, which reads the index of a stream of objects once and not for each object in it.

A report has thousands of objects in few streams, and pyHanko reads the whole index before it gives one of them: a check
of a report with time stamps took seconds for that alone. Whatever is unusual is left to pyHanko's own reading, so that
nothing is read here that it would refuse.
"""

from __future__ import annotations

import io
import re
from typing import Any, Final, NamedTuple

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.decode_limits import DecodePurpose
from pyhanko.pdf_utils.misc import PdfError, read_non_whitespace
from pyhanko.pdf_utils.reader import PdfFileReader

_INDEX: Final = re.compile(rb"[0-9 \t\n\f\r]*[ \t\n\f\r]")


class _Index(NamedTuple):
    stream: Any
    data: bytes
    places: dict[int, tuple[int, int]]


class Reader(PdfFileReader):
    """Reads what `PdfFileReader` reads."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._indexes: dict[int, _Index] = {}
        super().__init__(*arguments, **options)

    def _get_object_from_stream(self, idnum: int, stmnum: int, idx: int) -> Any:
        index = self._index_of(stmnum)
        place, offset = index.places.get(idnum, (None, 0))
        found = self._at(index.data, offset, idnum) if place == idx else None
        if found is None:
            return super()._get_object_from_stream(idnum, stmnum, idx)  # type: ignore[no-untyped-call]
        return found

    def _at(self, data: bytes, offset: int, number: int) -> Any:
        """The object there; None where pyHanko has to say what is wrong with it."""
        rest = io.BytesIO(data)
        rest.seek(offset)
        try:
            found = generic.read_object(rest, generic.Reference(number, 0, self))
        except PdfError:
            return None
        if isinstance(found, generic.StreamObject | generic.IndirectObject):
            return None
        read_non_whitespace(rest, seek_back=True, allow_eof=True)
        return found

    def _index_of(self, number: int) -> _Index:
        """Where the objects of a stream lie; nothing where its index is not plain numbers."""
        stream = generic.Reference(number, 0, self).get_object()
        known = self._indexes.get(number)
        if known is None or known.stream is not stream:
            known = self._indexes[number] = _index(stream)
        return known


def _index(stream: Any) -> _Index:
    if not isinstance(stream, generic.StreamObject) or stream.get("/Type") != "/ObjStm":
        return _Index(stream, b"", {})
    data, first = stream.read_data(DecodePurpose.OBJECT_STREAM), stream["/First"]
    numbers = data[:first].split() if _INDEX.fullmatch(data, 0, first) else []
    if not 0 < first <= len(data) or len(numbers) != 2 * stream["/N"]:
        return _Index(stream, data, {})
    places: dict[int, tuple[int, int]] = {}
    for place, (number, offset) in enumerate(zip(numbers[::2], numbers[1::2], strict=True)):
        places.setdefault(int(number), (place, first + int(offset)))
    return _Index(stream, data, places)
