"""The sealed file: one report, one seal over every byte of it, time stamps over both, and nothing else."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from lethe_verify import changes, cms, revocation, stamps, x509
from lethe_verify.errors import Refused
from lethe_verify.pdf import Pdf, Revision, is_name, read, unpack
from lethe_verify.pdf_syntax import Ref, Stream, text

MAX_EVIDENCE: Final = 8 * 1024 * 1024
ATTACHMENT: Final = "evidence.json"
FIELD: Final = "Seal"
LEVEL_B, LEVEL_LTA = "PAdES-B-B", "PAdES-B-LTA"
REASON = re.compile(r"Compliance report sealed by the issuer; (PAdES-B-B|PAdES-B-LTA); [a-z' ]+; no change permitted")
#: How far the issuer's clock may be ahead of the authority's.
AHEAD: Final = timedelta(minutes=10)


@dataclass(frozen=True)
class Sealed:
    """What a file says, once its seal holds.

    `stamps`: first the one over the seal, then those over the file, oldest first; `extra`: certificates that the file
    brings to judge them by; `revoked`: what it brings of revocation lists and answers.
    """

    certificate: x509.Certificate
    level: str
    sealed_at: datetime
    evidence: bytes
    stamps: tuple[stamps.Stamp, ...] = ()
    extra: tuple[bytes, ...] = ()
    revoked: revocation.Data = revocation.Data()


def check(data: bytes) -> Sealed:
    """The seal, the structure and the evidence of a file."""
    pdf = read(data)
    if len(pdf.revisions) < 2:
        raise Refused("unsigned", "The file carries no seal: anybody could have written it.")
    fields = _fields(pdf)
    level, moment = _promises(fields[0][1])
    if (len(pdf.revisions) > 2) != (level == LEVEL_LTA) or len(fields) != len(pdf.revisions) - 1:
        saved = f"The file was saved {len(pdf.revisions)} times, with {len(fields)} signatures"
        raise Refused("revisions", f"{saved}: so is no report of level {level}.")
    covered = _covered(data, pdf.revisions[1], fields[0][1])
    contents = fields[0][1]["/Contents"]
    holder, signature, token = cms.check(contents, hashlib.sha256(covered).digest())
    if bool(token) != (level == LEVEL_LTA):
        raise Refused("seal", f"The seal is not what it promises to be, {level}.")
    if not holder.not_before <= moment <= holder.not_after:
        raise Refused("seal", "The seal names a time at which its own certificate was not valid.")
    changes.of_seal(pdf, fields[0][0])
    found: list[stamps.Stamp] = []
    extra: tuple[bytes, ...] = ()
    revoked = revocation.Data()
    if token:
        found = [stamps.check(token, signature)]
        for place, (field, value) in enumerate(fields[1:], 2):
            covered = _covered(data, pdf.revisions[place], value)
            found.append(stamps.check(value["/Contents"], covered))
            extra, more = changes.of_stamp(pdf, place, field, value)
            revoked |= more
        _in_order(holder, moment, found)
    return Sealed(holder, level, moment, _evidence(pdf), tuple(found), extra, revoked)


def _in_order(holder: x509.Certificate, moment: datetime, found: list[stamps.Stamp]) -> None:
    times = [one.time for one in found]
    if times != sorted(times) or moment > times[0] + AHEAD:
        raise Refused("time", "The times of seal and time stamps contradict each other.")
    if not holder.valid_at(times[0]):
        raise Refused("seal", "The seal was made when its certificate was not valid.")


def _fields(pdf: Pdf) -> list[tuple[Ref, dict[str, Any]]]:
    """The signatures in their order, each with its field: the seal, which forbids changes, then time stamps alone."""
    root = pdf.get(pdf.trailer.get("/Root"))
    form = pdf.get(root.get("/AcroForm")) if isinstance(root, dict) else None
    fields = pdf.get(form.get("/Fields")) if isinstance(form, dict) else None
    if not isinstance(fields, list) or not fields:
        raise Refused("unsigned", "The file carries no seal: anybody could have written it.")
    values = [pdf.get(one) for one in fields]
    if not all(isinstance(one, dict) for one in values) or not any("/V" in one for one in values):
        raise Refused("unsigned", "The file carries no seal: anybody could have written it.")
    signed = [(one, pdf.get(value.get("/V"))) for one, value in zip(fields, values, strict=True)]
    kinds = ["/Sig", *["/DocTimeStamp"] * (len(signed) - 1)]
    good = all(isinstance(one, Ref) and isinstance(value, dict) and is_name(value.get("/Type"), kind)
               for (one, value), kind in zip(signed, kinds, strict=True))  # fmt: skip
    forms = all(is_name(one.get("/FT"), "/Sig") for one in values)
    if not good or not forms or text(values[0].get("/T")) != FIELD:
        raise Refused("seal", "A report has one seal, time stamps after it, and no other form.")
    if pdf.get(root.get("/Perms")) != {"/DocMDP": values[0]["/V"]}:
        raise Refused("seal", "The seal does not forbid changes.")
    return signed


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


def _covered(data: bytes, revision: Revision, signature: dict[str, Any]) -> bytes:
    """The bytes that a signature is over, after they were found to be all up to its revision's end but its own."""
    ranges, contents = signature.get("/ByteRange"), signature.get("/Contents")
    if not isinstance(ranges, list) or [type(one) for one in ranges] != [int] * 4 or not isinstance(contents, bytes):
        raise Refused("seal", "The seal does not say what it covers.")
    start, first, second, last = ranges
    if start != 0 or not 0 < first < second < second + last == revision.end:
        raise Refused("seal", "A signature does not cover the whole file.")
    if data[first:second] != b"<" + contents.hex().upper().encode() + b">" or data[first - 10 : first] != b"/Contents ":
        raise Refused("seal", "The hexadecimal text of a signature was altered.")
    if not revision.start <= first:
        raise Refused("seal", "A signature lies in a part of the file that is older than itself.")
    return data[:first] + data[second : revision.end]


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
