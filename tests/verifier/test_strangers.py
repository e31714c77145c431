"""What a stranger writes under a stamp that anybody can get: no reader may find another page there than others."""

from __future__ import annotations

import time
import zlib

import pytest

from governance.evidence.check import check
from lethe_verify import Outcome, der, judge, pdf, x509
from lethe_verify.errors import Refused
from lethe_verify.pdf_syntax import Name, Stream
from tests.governance.evidence_sealed import sealed
from tests.verifier import shadows
from tests.verifier.stamped import authorities, stamped, trust


def ours(data: bytes) -> bool:
    """Whether the house's own check finds a report genuine."""
    return check(data, [sealed().fingerprint], timestamp_roots=[one.root for one in authorities()]).genuine


def test_a_revision_by_a_stranger_that_forges_nothing_is_genuine() -> None:
    """So that what is refused of the others is what they forge."""
    for data in (stamped().pdf, stamped().renewed):
        made = shadows.plain(data)
        assert judge(made, trust()).outcome is Outcome.GENUINE, judge(made, trust()).findings
        assert ours(made)


@pytest.mark.parametrize("kind", shadows.KINDS)
def test_a_forgery_under_a_strangers_stamp_is_refused_by_both_checks(kind: str) -> None:
    data = shadows.forged(stamped().pdf, kind)
    assert judge(data, trust()).outcome is Outcome.REFUSED
    assert not ours(data)


def object_stream(index: bytes, body: bytes, **more: object) -> Stream:
    members = {"/Type": Name("/ObjStm"), "/N": len(index.split()) // 2, "/First": len(index)}
    return Stream({**members, **more}, index + body)


def test_a_stream_of_objects_names_each_of_them_once_and_is_read_in_one_way() -> None:
    data, places = pdf._index(object_stream(b"6 0 7 2 ", b"1 22"))
    assert places == {6: (0, 8), 7: (1, 10)} and data[10:] == b"22"
    packed = {"/Filter": Name("/FlateDecode"), "/DecodeParms": {"/Predictor": 12, "/Columns": 4, "/Colors": 2}}
    for wrong in (
        object_stream(b"6 0 6 2 ", b"1 22"),
        object_stream(b"6 0 -7 2 ", b"1 22"),
        object_stream(b"6 0 7 2 ", b"1 22", **{"/Extends": None}),
        object_stream(b"6 0 7 2 ", b"1 22", **{"/N": 10**9}),
        object_stream(b"6 0 7 2 ", b"1 22", **{"/DecodeParms": {"/Predictor": 1}}),
        Stream({**object_stream(b"6 0 ", b"1").values, **packed}, zlib.compress(b"\0" * 15)),
    ):
        with pytest.raises(Refused):
            pdf._index(wrong)


def table(index: bytes, more: bytes = b"", data: bytes = b"") -> bytes:
    body = (
        b"1 0 obj\n<< %s /Type /XRef /W [ 1 4 1 ] /Size 1 /Index [ %s ] /Length %d >>\nstream\n%s\nendstream\nendobj\n"
    )
    return b"%PDF-2.0\n" + body % (more, index, len(data), data) + b"startxref\n9\n%%EOF\n"


def test_small_files_that_promise_much_are_refused_at_once() -> None:
    """Before anything in them is signed, by whomever."""
    started = time.process_time()
    for data in (
        table(b"0 2147483647 " * 100),
        table(b"", b"%\n" * 400_000),
        table(b"", b"/Filter /FlateDecode ", zlib.compress(bytes(30_000_000), 9)),
    ):
        assert judge(data).outcome is Outcome.REFUSED
    assert time.process_time() - started < 2


def test_no_signature_asks_for_more_than_its_size_allows() -> None:
    """Each value in it becomes a node: a few MB of empty ones were gigabytes."""
    for read in (der.parse, lambda data: der.parse_first(data + bytes(10))):
        assert read(der.make(der.SEQUENCE, der.make(der.NULL) * 100_000))
        with pytest.raises(Refused, match="larger than any"):
            read(der.make(der.SEQUENCE, der.make(der.NULL) * 200_000))
    with pytest.raises(Refused, match="larger than any"):
        x509.certificate(bytes(20_000))
