"""The report is archive-valid, accessible, reproducible, and says what its evidence allows."""

from __future__ import annotations

import functools
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pikepdf
import pytest

from governance.evidence import pdf, rendering, schema, seal
from governance.evidence.errors import DocumentError, RenderError
from tests.governance import evidence_example as make
from tests.governance.evidence_sealed import sealed
from tests.tools import verapdf

ROOT = Path(__file__).resolve().parents[2]
REPORTS: dict[str, Callable[[], dict[str, Any]]] = {
    "retrained": make.example,
    "approximate": make.approximate,
    "refused": make.refused,
}


def tool(name: str, *arguments: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"service: {name} is not installed")
    return subprocess.run([path, *arguments], capture_output=True, text=True, check=True).stdout  # noqa: S603


def text_of(data: bytes, tmp_path: Path) -> str:
    file = tmp_path / "report.pdf"
    file.write_bytes(data)
    return " ".join(tool("pdftotext", "-layout", str(file), "-").split())


@functools.cache
def rendered(name: str) -> bytes:
    return pdf.render(schema.build(REPORTS[name]()))


@functools.cache
def told(folder: Path) -> dict[str, str]:
    """What veraPDF says of each report after its seal, from one machine for all."""
    reports = {"retrained": sealed().data}
    reports |= {name: seal.seal(rendered(name), key=sealed().key) for name in ("approximate", "refused")}
    files = {name: folder / f"{name}.pdf" for name in reports}
    for name, file in files.items():
        file.write_bytes(reports[name])
    return verapdf.validate_all(files, "3a", "ua1")


@pytest.mark.parametrize("name", sorted(REPORTS))
def test_every_kind_of_report_passes_verapdf_as_archive_and_as_accessible(
    name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    try:
        found = told(tmp_path_factory.getbasetemp())
    except verapdf.Missing as error:
        pytest.skip(f"service: {error}")
    assert found[name] == ""


def test_qpdf_finds_no_fault(tmp_path: Path) -> None:
    file = tmp_path / "sealed.pdf"
    file.write_bytes(sealed().data)
    assert "No syntax or stream encoding errors" in tool("qpdf", "--check", str(file))


def test_every_font_is_embedded(tmp_path: Path) -> None:
    file = tmp_path / "sealed.pdf"
    file.write_bytes(sealed().data)
    rows = tool("pdffonts", str(file)).splitlines()[2:]
    assert rows and all("yes yes yes" in row for row in rows), rows
    assert any("Source-Serif" in row for row in rows) and any("Plex-Sans" in row for row in rows)


def test_the_same_evidence_gives_the_same_bytes_in_another_process_zone_and_hash_seed(tmp_path: Path) -> None:
    file = tmp_path / "evidence.json"
    file.write_bytes(sealed().evidence)
    program = (
        "import hashlib, pathlib, sys; from governance.evidence.standalone import prepare; prepare()\n"
        "from governance.evidence import pdf\n"
        "print(hashlib.sha256(pdf.render(pathlib.Path(sys.argv[1]).read_bytes())).hexdigest())"
    )
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "42"}
    other = subprocess.run([sys.executable, "-c", program, str(file)], cwd=ROOT, env=environment,  # noqa: S603
                           capture_output=True, text=True, check=True)  # fmt: skip
    assert other.stdout.strip() == hashlib.sha256(sealed().base).hexdigest()
    assert pdf.render(sealed().evidence) == sealed().base


def test_the_evidence_is_attached_as_data_and_the_document_describes_itself() -> None:
    with pikepdf.open(io.BytesIO(sealed().base)) as document:
        [attached] = {one.objgen: one for one in document.Root.AF}.values()
        assert attached.AFRelationship == pikepdf.Name.Data
        assert bytes(attached.EF.F.read_bytes()) == sealed().evidence
        assert str(document.Root.Lang) == "en"
        assert "Lumen 1B was retrained" in str(document.docinfo["/Title"])
        assert document.Root.ViewerPreferences.DisplayDocTitle
        with document.open_outline() as outline:
            assert len(outline.root) >= 1


def structure(element: pikepdf.Object, found: list[pikepdf.Object]) -> list[pikepdf.Object]:
    if isinstance(element, pikepdf.Array):
        for one in element:
            structure(one, found)
    elif isinstance(element, pikepdf.Dictionary) and "/S" in element:
        found.append(element)
        if "/K" in element:
            structure(element.K, found)
    return found


def test_pictures_have_words_and_tables_have_headers() -> None:
    with pikepdf.open(io.BytesIO(sealed().base)) as document:
        elements = structure(document.Root.StructTreeRoot.K, [])
        figures = [one for one in elements if pikepdf.Name.Figure == one.S]
        assert len(figures) > 10 and all(str(one.get("/Alt", "")) for one in figures)
        assert any("n = 150" in str(one.Alt) and "limit" in str(one.Alt) for one in figures)
        cells = [one for one in elements if one.S == pikepdf.Name.TD]
        headed = [one for one in cells if "/A" in one and len(one.A.get("/Headers", []))]
        assert len(headed) == len(cells) > 50
        assert sum(pikepdf.Name.Form == one.S for one in elements) == 1


def test_the_pages_say_what_was_measured_tried_decided_and_not_shown(tmp_path: Path) -> None:
    text = text_of(sealed().data, tmp_path)
    for words in (
        "Lumen 1B was retrained without the 4 records matched to the 2 works",
        "Pass, by retraining without the records",
        "The Salt Orchard", "Exact by construction", "1 Asked", "5 Identity", "Hanneke Okafor-Lind", "Ines Aalto",
        "Every probe", "18.0%", "15.0% to 21.0%", "150", "≤ 27.0%", "3 epochs on 30 of 150 items",
        "Gradient ascent with a retain term (approximate): Fail, not released", "84.0%",
        "Directive (EU) 2019/790, Art. 4(3)", "What this report does not show", "not their conduct",
        "evidence.recorded", "python -m governance.evidence.check", "to be deleted by 22 December 2026",
        "not told",
    ):  # fmt: skip
        assert words in text, words
    stamp = " ".join(tool("pdftotext", str(tmp_path / "report.pdf"), "-").split())
    assert "Sealed by Meridian Loom AG" in stamp and "Time is the issuer’s own statement" in stamp
    digits = make.sha("before").removeprefix("sha256:")
    assert " ".join(digits[i : i + 8] for i in range(0, 64, 8)) in text


def test_an_approximate_report_claims_a_measurement_and_names_what_may_still_answer(tmp_path: Path) -> None:
    text = text_of(rendered("approximate"), tmp_path)
    assert "a copy of the version before cannot be reached and may still answer" in text
    assert "not a proof of absence" in text and "Grey: never-seen controls." in text
    claims = text.split("Plans, decision and law")[0].lower()
    for word in ("exact", "forgotten", "removed", "erased"):
        assert word not in claims, word


def test_a_refusal_reports_reasons_and_no_measurement(tmp_path: Path) -> None:
    text = text_of(rendered("refused"), tmp_path)
    assert "The request was refused" in text and "public domain" in text
    assert "Nothing was measured." in text and "Every probe" not in text


def test_hostile_text_is_printed_as_text(tmp_path: Path) -> None:
    document = make.bare()
    document["case"]["asked"] = "<script>alert(1)</script><img src='file:///etc/passwd'> {{ case }} & co"
    document["case"]["items"][0]["title"] = "Ð\u0442\u0435\u0441\u0442 \u0391\u03b2 \u201equoted\u201c"
    text = text_of(pdf.render(schema.build(document)), tmp_path)
    assert "<script>alert(1)</script>" in text and "{{ case }} & co" in text and "\u0442\u0435\u0441\u0442" in text


def test_nothing_outside_of_the_static_files_is_read() -> None:
    for source in ("file:///etc/hostname", "http://127.0.0.1:9/x.png"):
        with pytest.raises(RenderError, match="WeasyPrint"):
            rendering.lay_out(f'<html lang="en"><img alt="x" src="{source}"></html>', "", variant=pdf.VARIANT)


def test_an_invalid_document_is_never_rendered() -> None:
    with pytest.raises(DocumentError):
        pdf.render(b"{}")


def test_a_missing_system_library_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None if name == "harfbuzz-subset" else name)
    with pytest.raises(RenderError, match="apt-get install libharfbuzz-subset0$"):
        rendering.require_libraries()


def test_no_identifier_has_a_byte_that_changes_when_a_pdf_is_read() -> None:
    found = [pdf.identifier(str(number).encode()) for number in range(2000)]
    assert len(set(found)) == 2000
    assert all(re.fullmatch(rb"[0-9a-f]{32}", one) for one in found)
