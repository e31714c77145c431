"""Every kind of report: archive-valid and accessible after its seal with outside time, rebuilt to the byte, never more
than its evidence."""

from __future__ import annotations

import base64
import functools
import io
import re
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from cryptography import x509

from governance.evidence import pdf, schema, seal, seal_class
from governance.evidence.check import Outcome, check
from governance.evidence.errors import DocumentError
from governance.evidence.glyphs import printable
from governance.evidence.report_kinds import KINDS
from lethe_verify import evidence as stranger
from tests.governance import evidence_example as make
from tests.governance import report_examples as examples
from tests.governance.evidence_sealed import sealed
from tests.governance.test_evidence_pdf import text_of
from tests.governance.test_evidence_seal import authority
from tests.tools import verapdf

EVERY = examples.every()


@functools.cache
def base(name: str) -> bytes:
    return pdf.render(schema.build(EVERY[name]))


@functools.cache
def told(folder: Path) -> dict[str, str]:
    """What veraPDF says of every kind after its seal, from one machine for all."""
    time, root = authority()
    files = {}
    for name in EVERY:
        data = seal.seal(base(name), key=sealed().key, authority=time)
        if name in KINDS or name.endswith("-ar"):
            result = check(data, [sealed().fingerprint], timestamp_roots=[root], rerender=True)
            assert result.outcome is Outcome.GENUINE and result.level == seal.LEVEL_LTA, (name, result.findings)
        files[name] = folder / f"{name}.pdf"
        files[name].write_bytes(data)
    return verapdf.validate_all(files, "3a", "ua1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reports")


@pytest.mark.parametrize("name", sorted(EVERY))
def test_after_b_lta_each_is_archive_valid_accessible_and_rebuilt_to_the_byte(name: str, folder: Path) -> None:
    try:
        found = told(folder)
    except verapdf.Missing as error:
        pytest.skip(f"service: {error}")
    assert found[name] == ""


def test_every_kind_is_among_the_examples() -> None:
    assert {one["report"]["kind"] for one in EVERY.values()} == set(KINDS)


@pytest.mark.parametrize("name", sorted(EVERY))
def test_a_stranger_reads_the_evidence_of_each(name: str) -> None:
    document = stranger.read(schema.build(EVERY[name]))
    assert stranger.check_ledger(document).entries


def test_the_certificate_stays_on_two_pages_and_reads_from_the_right_where_its_language_does() -> None:
    for name in ("certificate-en", "certificate-de", "certificate-ar", "certificate-refused"):
        with pikepdf.open(io.BytesIO(base(name))) as document:
            assert len(document.pages) == 2, name
            assert str(document.Root.Lang) == EVERY[name]["report"]["language"]


def test_a_certificate_of_a_suppression_says_that_it_may_come_back(tmp_path: Path) -> None:
    english = examples.of_case("certificate", base=make.approximate())
    english["deployments"] = english["deployments"][:1]
    text = text_of(pdf.render(schema.build({**english, "ledger": None})), tmp_path)
    assert "what is hidden in it may come back" in text and "measurement, not a proof" in text
    assert not re.search(r"\b(deleted|erased|forgotten|exact)\b", text.replace("lethe_verify", ""))
    assert "under our own policy: no law cited here demands it" in text
    assert "Time stamp of our own: it proves nothing to others." in text and "self-issued" in text


def test_a_law_that_demands_it_is_not_called_our_policy(tmp_path: Path) -> None:
    document = {**examples.of_case("certificate"), "ledger": None}
    document["case"]["laws"] = [{**document["case"]["laws"][0], "policy_only": False}]
    assert "own policy" not in text_of(pdf.render(schema.build(document)), tmp_path)


def test_the_first_page_is_the_summary_and_the_seal_on_both_sheets(tmp_path: Path) -> None:
    for name in ("compliance", "compliance-ar", "statement", "statement-empty", "no_data", "register"):
        with pikepdf.open(io.BytesIO(base(name))) as document:
            widget = document.Root.AcroForm.Fields[0]
            assert document.pages[0].obj.objgen == widget.P.objgen, name
            wide = float(document.pages[0].MediaBox[2])
        assert (round(wide) == 612) == (EVERY[name]["report"]["size"] == "Letter")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"figures": [examples.figure("kept", 9, of=3)]}, "9 of 3 cannot be"),
        ({"figures": [examples.figure("open", -1)]}, "less than nothing"),
        ({"figures": [examples.figure("forecast", 9, low=1, high=2)]}, "outside of its own bounds"),
        ({"end": "2026-01-01"}, "lies before"),
        ({"tables": [{"code": "laws", "columns": ["a", "b"], "rows": [{"key": "x", "values": [1]}]}]},
         "1 numbers for 2"),
        ({"figures": [{"code": "kept"}]}, "required property"),
    ],
)  # fmt: skip
def test_impossible_figures_are_never_printed(change: dict[str, Any], words: str) -> None:
    with pytest.raises(DocumentError, match=words):
        schema.build(examples.statement(**change))


@pytest.mark.parametrize("name", ["compliance", "certificate-en", "letter", "statement"])
def test_every_page_says_where_the_key_is_one_for_development(name: str, tmp_path: Path) -> None:
    words = "Sealed with a development key: not for use as proof."
    with pikepdf.open(io.BytesIO(base(name))) as document:
        pages = len(document.pages)
    assert text_of(base(name), tmp_path).count(words) == pages
    if name == "letter":
        other = {**EVERY[name], "report": {**EVERY[name]["report"], "seal": {**examples.SEAL}}}
        del other["report"]["seal"]["development"]
        assert "development" not in text_of(pdf.render(schema.build({**other, "ledger": None})), tmp_path)


def test_a_no_data_report_is_only_for_a_case_in_which_nothing_was_found() -> None:
    with pytest.raises(DocumentError, match="no_data, but the case is fulfilled"):
        schema.build(examples.of_case("no_data"))


def test_a_logo_is_a_small_png_or_refused() -> None:
    schema.build(examples.with_logo(examples.of_case("certificate")))
    for text in ("aGVsbG8=", "not base64", base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(8) + b"\xff" * 8).decode()):
        with pytest.raises(DocumentError, match="report.logo"):
            document = examples.of_case("certificate")
            document["report"]["logo"] = text
            schema.build(document)


def test_what_no_font_has_is_named_by_its_number() -> None:
    assert printable("a \u4e2d \u0639 \u2264 \U0001faef \ue000") == "a \u4e2d \u0639 \u2264 [U+1FAEF] [U+E000]"


def test_the_class_of_a_seal_is_read_from_its_certificate() -> None:
    ours = sealed().key.certificate
    assert seal_class.seal_class(ours) == "self_issued"
    name = seal_class.organisation(ours.subject)
    assert seal_class.time_class("", [], name) == "none"
    assert seal_class.time_class("http://127.0.0.1:3161/", [], name) == "own"
    assert seal_class.time_class("https://time.example/", [ours], name) == "own"
    assert seal_class.time_class("https://time.example/", [authority()[1]], name) == "outside"
    assert isinstance(ours, x509.Certificate)
