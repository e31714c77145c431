"""The sealed file: one report, one seal over every byte of it, and nothing that the seal's revision may not change."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from xml.etree import ElementTree

from lethe_verify import cms
from lethe_verify.errors import Refused
from lethe_verify.pdf import Pdf, is_name, read, unpack
from lethe_verify.pdf_syntax import Ref, Stream, text

MAX_EVIDENCE: Final = 8 * 1024 * 1024
ATTACHMENT: Final = "evidence.json"
FIELD: Final = "Seal"
LEVEL_B, LEVEL_LTA = "PAdES-B-B", "PAdES-B-LTA"
REASON = re.compile(r"Compliance report sealed by the issuer; (PAdES-B-B|PAdES-B-LTA); [a-z' ]+; no change permitted")
#: What sealing itself writes into the catalogue, Info and XMP.
_SEALING: Final = {"/Extensions", "/Version", "/Perms"}
_TOUCHED: Final = {"/ModDate", "/Producer"}
_TOUCHED_XMP: Final = {"ModifyDate", "MetadataDate", "Producer"}
_RDF: Final = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_NOTATION: Final = {f"{_RDF}about", f"{_RDF}parseType", "{adobe:ns:meta/}xmptk"}


@dataclass(frozen=True)
class Sealed:
    """What a file says, once its seal holds."""

    certificate: cms.Certificate
    level: str
    sealed_at: datetime
    evidence: bytes


def check(data: bytes) -> Sealed:
    """The seal, the structure and the evidence of a file."""
    pdf = read(data)
    field, signature = _seal_of(pdf)
    level, moment = _promises(signature)
    if level != LEVEL_B:
        raise Refused("time", f"The seal promises {LEVEL_LTA}: an outside time, which this version cannot judge.")
    if len(pdf.revisions) != 2:
        raise Refused("revisions", f"The file was saved {len(pdf.revisions)} times; a sealed report is saved twice.")
    holder = _signed_by(data, pdf, signature, level)
    if not holder.not_before <= moment <= holder.not_after:
        raise Refused("seal", "The seal names a time at which its own certificate was not valid.")
    _check_changes(pdf, field)
    return Sealed(holder, level, moment, _evidence(pdf))


def _seal_of(pdf: Pdf) -> tuple[Ref, dict[str, Any]]:
    """The one signature of the file, which must also be the one that forbids changes."""
    root = pdf.get(pdf.trailer.get("/Root"))
    form = pdf.get(root.get("/AcroForm")) if isinstance(root, dict) else None
    fields = pdf.get(form.get("/Fields")) if isinstance(form, dict) else None
    if not isinstance(fields, list) or not fields:
        raise Refused("unsigned", "The file carries no seal: anybody could have written it.")
    signed = [(one, pdf.get(one)) for one in fields]
    seals = [(one, value) for one, value in signed if isinstance(value, dict) and "/V" in value]
    if not seals:
        raise Refused("unsigned", "The file carries no seal: anybody could have written it.")
    if len(signed) != 1 or not is_name(seals[0][1].get("/FT"), "/Sig") or text(seals[0][1].get("/T")) != FIELD:
        raise Refused("seal", "A report has one seal and no other form.")
    field, value = seals[0]
    permits = pdf.get(root.get("/Perms"))
    if not isinstance(field, Ref) or permits != {"/DocMDP": value["/V"]}:
        raise Refused("seal", "The seal does not forbid changes.")
    signature = pdf.get(value["/V"])
    if not isinstance(signature, dict):
        raise Refused("seal", "The seal cannot be read.")
    return field, signature


def _promises(signature: dict[str, Any]) -> tuple[str, datetime]:
    """Level and time that the seal names, both signed."""
    reason = REASON.fullmatch(text(signature.get("/Reason", b"")))
    if reason is None or not is_name(signature.get("/SubFilter"), "/ETSI.CAdES.detached"):
        raise Refused("seal", "The seal is not one of a report.")
    references = signature.get("/Reference")
    if not isinstance(references, list) or len(references) != 1 or not isinstance(references[0], dict):
        raise Refused("seal", "The seal does not forbid changes.")
    wanted = references[0].get("/TransformParams")
    if references[0].get("/TransformMethod") != "/DocMDP" or not isinstance(wanted, dict) or wanted.get("/P") != 1:
        raise Refused("seal", "The seal does not forbid changes.")
    try:
        moment = datetime.strptime(text(signature.get("/M")), "D:%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise Refused("seal", "The seal names no time.") from error
    return reason[1], moment


def _signed_by(data: bytes, pdf: Pdf, signature: dict[str, Any], level: str) -> cms.Certificate:
    """The signer, after the signature was found to cover every byte but its own."""
    ranges, contents = signature.get("/ByteRange"), signature.get("/Contents")
    if not isinstance(ranges, list) or [type(one) for one in ranges] != [int] * 4 or not isinstance(contents, bytes):
        raise Refused("seal", "The seal does not say what it covers.")
    start, first, second, last = ranges
    if start != 0 or not 0 < first < second < second + last == len(data):
        raise Refused("seal", "The seal does not cover the whole file.")
    if data[first:second] != b"<" + contents.hex().upper().encode() + b">" or data[first - 10 : first] != b"/Contents ":
        raise Refused("seal", "The hexadecimal text of the signature was altered.")
    if not pdf.revisions[-1].start <= first:
        raise Refused("seal", "The signature lies in a part of the file that is older than the seal.")
    digest = hashlib.sha256(data[:first] + data[second:]).digest()
    holder, token = cms.check(contents, digest)
    if token and level == LEVEL_B:
        raise Refused("seal", "The seal carries a time stamp that it does not promise.")
    return holder


def _check_changes(pdf: Pdf, field: Ref) -> None:
    """The seal's revision adds the seal, and changes nothing that a reader sees."""
    base, sealed = pdf.revisions
    root, info = base.trailer.get("/Root"), base.trailer.get("/Info")
    if sealed.trailer.get("/Root") != root or sealed.trailer.get("/Info") != info:
        raise Refused("revisions", "The file was given another catalogue or title after it was made.")
    old, new = pdf.get(root, upto=1), pdf.get(root)
    described = old.get("/Metadata")
    allowed = {ref.number for ref in (root, info, described, field) if isinstance(ref, Ref)}
    if changed := {number for number in sealed.places if number in base.places and number} - allowed:
        raise Refused("revisions", f"The seal's revision changed {len(changed)} parts of the report itself.")
    if _without(old, _SEALING) != _without(new, _SEALING):
        raise Refused("revisions", "The catalogue was changed after the report was made.")
    if _without(pdf.get(field, upto=1), {"/V", "/AP"}) != _without(pdf.get(field), {"/V", "/AP"}):
        raise Refused("revisions", "The seal's field was changed after the report was made.")
    if _without(pdf.get(info, upto=1), _TOUCHED) != _without(pdf.get(info), _TOUCHED):
        raise Refused("revisions", "Title or description were changed after the report was made.")
    if _xmp(pdf.get(described, upto=1)) != _xmp(pdf.get(described)):
        raise Refused("revisions", "The metadata were changed after the report was made.")


def _without(value: Any, names: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refused("revisions", "A part of the report that must be there is missing.")
    return {name: one for name, one in value.items() if name not in names}


def _xmp(stream: Any) -> Counter[tuple[str, str]]:
    """Every property with its value, without what sealing writes, however RDF's several notations put it."""
    data = unpack(stream, MAX_EVIDENCE) if isinstance(stream, Stream) else b"<!"
    if b"<!" in data:
        raise Refused("revisions", "The metadata have not the form of ours.")
    try:
        tree = ElementTree.fromstring(data)  # noqa: S314 - declarations, and entities with them, were refused above
    except ElementTree.ParseError as error:
        raise Refused("revisions", "The metadata cannot be read.") from error
    found: Counter[tuple[str, str]] = Counter()
    for one in tree.iter():
        values = {name: value for name, value in one.attrib.items() if name not in _NOTATION}
        pairs = [(one.tag, (one.text or "").strip()), (one.tag, values.pop(_RDF + "resource", "")), *values.items()]
        found.update(pair for pair in pairs if pair[1] and pair[0].rpartition("}")[2] not in _TOUCHED_XMP)
    return found


def _evidence(pdf: Pdf) -> bytes:
    """The one attachment, to which the file's own identifier ties the pages."""
    root = pdf.get(pdf.trailer.get("/Root"))
    names = pdf.get(root.get("/Names"))
    files = pdf.get(names.get("/EmbeddedFiles")) if isinstance(names, dict) else None
    listed = files.get("/Names") if isinstance(files, dict) else None
    if not isinstance(files, dict) or "/Kids" in files or not isinstance(listed, list) or len(listed) != 2:
        raise Refused("attachment", "The file does not carry exactly one evidence document.")
    holder = pdf.get(listed[1])
    if not isinstance(holder, dict) or text(holder.get("/UF", holder.get("/F"))) != ATTACHMENT:
        raise Refused("attachment", "The file does not carry exactly one evidence document.")
    inside = pdf.get(holder.get("/EF"))
    stream = pdf.get(inside.get("/F")) if isinstance(inside, dict) else None
    if not isinstance(stream, Stream):
        raise Refused("attachment", "The evidence document cannot be read.")
    data = unpack(stream, MAX_EVIDENCE)
    expected = hashlib.sha256(b"lethe report" + data).hexdigest()[:32].encode()
    if any(revision.trailer.get("/ID", [b""])[0] != expected for revision in pdf.revisions):
        raise Refused("attachment", "The attached evidence is not what this report was made from.")
    return data
