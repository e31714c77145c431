"""The quicker reader gives what pyHanko's gives, and leaves to it whatever is unusual."""

from __future__ import annotations

import io
from typing import Any

import pytest
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.misc import PdfReadError
from pyhanko.pdf_utils.reader import PdfFileReader

from governance.evidence import reading
from tests.governance.evidence_sealed import sealed

NAME = generic.NameObject


def stream(data: bytes, *, first: int, count: int, kind: str = "/ObjStm") -> generic.StreamObject:
    fields = {NAME("/Type"): NAME(kind), NAME("/N"): generic.NumberObject(count),
              NAME("/First"): generic.NumberObject(first)}  # fmt: skip
    return generic.StreamObject(fields, stream_data=data)


def read(reader: PdfFileReader, number: int) -> Any:
    """The object, or why there is none: numbers may be free."""
    try:
        return reader.get_object(generic.Reference(number, 0, reader), never_decrypt=True)
    except PdfReadError as error:
        return str(error)


def test_objects_are_those_that_pyhanko_reads() -> None:
    ours, theirs = (kind(io.BytesIO(sealed().data), strict=True) for kind in (reading.Reader, PdfFileReader))
    numbers = range(1, int(ours.trailer["/Size"]), 50)
    assert [read(ours, number) for number in numbers] == [read(theirs, number) for number in numbers]
    assert sum(len(index.places) for index in ours._indexes.values()) > 200


def test_an_object_lies_where_the_index_says() -> None:
    assert reading._index(stream(b"7 0 9 3 <</A 1>>", first=8, count=2)).places == {7: (0, 8), 9: (1, 11)}
    assert reading._index(stream(b"7 0 7 3 <</A 1>>", first=8, count=2)).places == {7: (0, 8)}


@pytest.mark.parametrize(
    "odd",
    [
        stream(b"7 0 9 3 <<>>", first=8, count=3),
        stream(b"7 0 %9\n 3 <<>>", first=10, count=2),
        stream(b"7 0 -9 3 <<>>", first=9, count=2),
        stream(b"7 0 9 31 2", first=7, count=2),
        stream(b"7 0 9 3 <<>>", first=80, count=2),
        stream(b"7 0 9 3 <<>>", first=-4, count=2),
        stream(b"7 0 9 3 <<>>", first=8, count=2, kind="/XRef"),
        generic.NullObject(),
    ],
)
def test_an_unusual_index_is_left_to_pyhanko(odd: generic.PdfObject) -> None:
    assert not reading._index(odd).places


def test_an_object_at_another_place_than_is_said_is_refused() -> None:
    reader = reading.Reader(io.BytesIO(sealed().data), strict=True)
    assert reader.root["/Pages"]["/Count"]
    number, index = next((number, index) for number, index in reader._indexes.items() if index.places)
    for wanted, place in ((next(iter(index.places)), 1), (next(iter(index.places)), 10**6), (10**6, 0)):
        with pytest.raises(PdfReadError):
            reader._get_object_from_stream(wanted, number, place)
