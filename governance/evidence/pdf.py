"""The report as PDF/A-3a and PDF/UA-1 with a tagged, empty signature field: the base that is sealed.

The same evidence always gives the same bytes, on any machine with the same versions (they are in the evidence): the
sealed file begins with exactly these bytes, so that a stranger can render it again and compare.
"""

from __future__ import annotations

import hashlib
import io
from datetime import datetime
from typing import Any, Final

import pikepdf
from django.utils import translation
from django.utils.translation import gettext as _
from pikepdf import Array, Dictionary, Name, String

from governance.evidence import rendering, schema
from governance.evidence.errors import RenderError
from governance.evidence.glyphs import printable
from governance.evidence.report_kinds import KINDS, kind_of

FIELD: Final = "Seal"
ATTACHMENT: Final = "evidence.json"
#: Where the summary of a report ends, in its template.
SUMMARY: Final = "summary"
VARIANT: Final = "pdf/a-3a"
PX_TO_PT: Final = 0.75

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_UA = "http://www.aiim.org/pdfua/ns/id/"
_PDFA = "http://www.aiim.org/pdfa/ns"

#: WeasyPrint writes the marker of one variant. PDF/UA's marker needs, in PDF/A, a description of its schema.
_UA_MARKER = (
    f'<rdf:Description xmlns:rdf="{_RDF}" xmlns:pdfuaid="{_UA}" rdf:about=""><pdfuaid:part>1</pdfuaid:part>'
    f'</rdf:Description><rdf:Description xmlns:rdf="{_RDF}" xmlns:pdfaExtension="{_PDFA}/extension/" '
    f'xmlns:pdfaSchema="{_PDFA}/schema#" xmlns:pdfaProperty="{_PDFA}/property#" rdf:about="">'
    '<pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource">'
    "<pdfaSchema:schema>PDF/UA identification</pdfaSchema:schema>"
    f"<pdfaSchema:namespaceURI>{_UA}</pdfaSchema:namespaceURI><pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix>"
    '<pdfaSchema:property><rdf:Seq><rdf:li rdf:parseType="Resource"><pdfaProperty:name>part</pdfaProperty:name>'
    "<pdfaProperty:valueType>Integer</pdfaProperty:valueType><pdfaProperty:category>internal</pdfaProperty:category>"
    "<pdfaProperty:description>Part of ISO 14289</pdfaProperty:description></rdf:li></rdf:Seq></pdfaSchema:property>"
    "</rdf:li></rdf:Bag></pdfaExtension:schemas></rdf:Description>"
)


def render(evidence: bytes) -> bytes:
    """The unsealed report of an evidence document (bytes of `schema.build`), the document attached.

    Raises:
        DocumentError: the evidence is not a valid document. RenderError: it could not be set faithfully.
    """
    document = schema.parse(evidence)
    kind = KINDS[kind_of(document)]
    with translation.override(document["report"]["language"]):
        values = kind.context(document, schema.digest(evidence))
        style = _style(document, right_to_left=translation.get_language_bidi())
        laid_out = _laid_out(kind.template, values, style)
        label = _("Digital seal of %(issuer)s") % {"issuer": document["report"]["issuer"]}
        attached = _("Evidence document, RFC 8785 JSON")
    rect, page = _seal_place(laid_out)
    data = rendering.write(
        laid_out,
        identifier=identifier(evidence),
        variant=VARIANT,
        attachments=[_attachment(evidence, document, attached)],
    )
    return add_seal_field(data, page=page, rect=rect, label=label)


def _laid_out(template: str, values: dict[str, Any], style: str) -> Any:
    """The pages. What follows the summary begins a page of its own, unless the summary runs over onto that page."""
    laid_out = rendering.lay_out(printable(rendering.page(template, values)), style, variant=VARIANT)
    if any(SUMMARY in page.anchors for page in laid_out.pages[1:]):
        source = printable(rendering.page(template, {**values, "crowded": True}))
        laid_out = rendering.lay_out(source, style, variant=VARIANT)
    return laid_out


def _style(document: dict[str, Any], *, right_to_left: bool) -> str:
    letter = document["report"].get("size") == "Letter"
    names = ["report.css", *(["rtl.css"] if right_to_left else [])]
    if letter:
        names.append("letter-size-rtl.css" if right_to_left else "letter-size.css")
    return "\n".join((rendering.TEMPLATES / "report" / name).read_text() for name in names)


def identifier(evidence: bytes) -> bytes:
    """The PDF's permanent identifier, 32 hexadecimal digits: it ties the pages to the evidence that they are made from.

    Digits and not bytes: a byte that is a line end changes when a PDF's literal string is read.
    """
    return hashlib.sha256(b"lethe report" + evidence).hexdigest()[:32].encode()


def _attachment(evidence: bytes, document: dict[str, Any], description: str) -> Any:
    from weasyprint import Attachment

    issued = datetime.fromisoformat(document["report"]["issued_at"])
    return Attachment(
        string=evidence,
        name=ATTACHMENT,
        description=description,
        created=issued,
        modified=issued,
        relationship="Data",
    )


def _seal_place(laid_out: Any) -> tuple[tuple[float, float, float, float], int]:
    """Where the template left room for the seal: (x1, y1, x2, y2) in pt from the lower left, and the page's index."""
    for index, page in enumerate(laid_out.pages):
        if "seal" in page.anchors:
            x1, y1, x2, y2 = page.anchors["seal"]
            top = page.height
            left, low, right, high = (v * PX_TO_PT for v in (x1, top - y2, x2, top - y1))
            return (round(left, 2), round(low, 2), round(right, 2), round(high, 2)), index
    raise RenderError("The template has no element with the id seal")


def add_seal_field(data: bytes, *, page: int, rect: tuple[float, float, float, float], label: str) -> bytes:
    """Adds PDF/UA's marker and an empty signature field that is part of the structure tree.

    Keys after ISO 32000-1, 12.7.4.5 and 14.7.4.4; ISO 14289-1, 7.18.1 and 7.18.4. Deterministic.
    """
    with pikepdf.open(io.BytesIO(data)) as pdf:
        xmp = pdf.Root.Metadata.read_bytes().decode()
        if xmp.count("</rdf:RDF>") != 1:
            raise RenderError("The metadata of the PDF has not the form that was expected")
        pdf.Root.Metadata.write(xmp.replace("</rdf:RDF>", _UA_MARKER + "</rdf:RDF>").encode())
        sheet = pdf.pages[page].obj
        widget = pdf.make_indirect(
            Dictionary(Type=Name.Annot, Subtype=Name.Widget, FT=Name.Sig, T=String(FIELD), TU=String(label),
                       Contents=String(label), Rect=Array(list(rect)), F=132, P=sheet)
        )  # fmt: skip
        _tag(pdf, sheet, widget, label)
        if "/Annots" not in sheet:
            sheet.Annots = Array()
        sheet.Annots.append(widget)
        sheet.Tabs = Name.S
        pdf.Root.AcroForm = pdf.make_indirect(Dictionary(Fields=Array([widget]), SigFlags=3))
        out = io.BytesIO()
        pdf.save(out, deterministic_id=True)
    return out.getvalue()


def _tag(pdf: pikepdf.Pdf, sheet: pikepdf.Object, widget: pikepdf.Object, label: str) -> None:
    """A Form element under the document's structure element that owns the widget, found through the parent tree."""
    tree = pdf.Root.StructTreeRoot
    numbers = tree.ParentTree.Nums
    key = max((int(numbers[i]) for i in range(0, len(numbers), 2)), default=-1) + 1
    parent = tree.K[0] if isinstance(tree.K, Array) else tree.K
    element = pdf.make_indirect(
        Dictionary(Type=Name.StructElem, S=Name.Form, P=parent, Pg=sheet, Alt=String(label),
                   K=Dictionary(Type=Name.OBJR, Obj=widget, Pg=sheet))
    )  # fmt: skip
    widget.StructParent = key
    parent.K.append(element)
    numbers.append(key)
    numbers.append(element)
    tree.ParentTreeNextKey = key + 1
