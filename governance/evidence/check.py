"""Checks a report as a stranger would: from its bytes and a fingerprint that came by another way.

    python -m governance.evidence.check FILE.pdf --trust lethe-trust.json [--rerender]
    python -m governance.evidence.check FILE.pdf --fingerprint HEX [--sha256 HEX] [--ledger-key KEY] [--rerender]

Offline, without settings or database. Every check must hold; what cannot be read counts as altered, never as fine. A
report is trusted only through `trusted`: the certificate inside of the file proves no more than that the file is whole.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import re
import struct
import sys
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pikepdf
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader

from governance.evidence import lost_key, pdf, schema
from governance.evidence.check_result import CheckResult, Outcome
from governance.evidence.cms_form import FormError, check_cms, check_hex
from governance.evidence.errors import EvidenceError, ProofError
from governance.evidence.file_form import check_form
from governance.evidence.file_parts import described, embedded
from governance.evidence.findings import Finding, Words, _, of_doubt, told
from governance.evidence.identity import fingerprint
from governance.evidence.reading import Reader
from governance.evidence.seal import LEVEL_LTA, REASON
from governance.evidence.trust_file import Believed, believed

__all__ = ["CheckResult", "Outcome", "check"]

MAX_BYTES: Final = 25 * 1024 * 1024
MAX_REVISIONS: Final = 8
_REVISION_END = re.compile(rb"startxref\s+\d+\s+%%EOF\n")

#: What parsers of hostile bytes may raise. Each means that the file is not what was sealed.
UNREADABLE: Final = (
    ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, LookupError, MemoryError, OSError, PdfError,
    RuntimeError, StopIteration, TypeError, ValueError, pikepdf.PdfError, struct.error, zlib.error,
)  # fmt: skip


class _Refused(Exception):
    """Ends the check with an outcome."""

    def __init__(self, outcome: Outcome, code: str, sentence: str, detail: str = "", **values: object) -> None:
        super().__init__(sentence)
        self.outcome = outcome
        self.finding = told(code, sentence, good=False, detail=detail, values=values)


@dataclass
class _Run:
    data: bytes
    trusted: frozenset[str]
    known_sha256: str | None
    ledger_keys: tuple[str, ...]
    rerender: bool
    timestamp_roots: tuple[x509.Certificate, ...] = ()
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended: Mapping[str, tuple[datetime, str]] = field(default_factory=dict)
    own: frozenset[bytes] = frozenset()
    lost: Mapping[str, datetime] = field(default_factory=dict)
    #: By an authority that is not the issuer's own; by whichever; and why neither is believed.
    stamped_at: datetime | None = None
    claimed_at: datetime | None = None
    doubt: Words | None = None
    findings: list[Finding] = field(default_factory=list)
    fingerprint: str = ""
    level: str = ""
    sealed_at: str = ""
    evidence: dict[str, Any] | None = None

    def good(self, code: str, sentence: str, **values: object) -> None:
        self.findings.append(told(code, sentence, good=True, values=values))


def check(
    pdf_bytes: bytes,
    trusted: Collection[str | x509.Certificate],
    *,
    known_sha256: str | None = None,
    ledger_key: str | Collection[str] = (),
    rerender: bool = False,
    timestamp_roots: Collection[x509.Certificate] = (),
    at: datetime | None = None,
    ended: Mapping[str, tuple[datetime, str]] | None = None,
    own: Collection[x509.Certificate] = (),
    lost: Mapping[str, datetime] | None = None,
) -> CheckResult:
    """Says what the file is. Never raises on any bytes.

    Args:
        trusted: fingerprints (hex SHA-256 of the DER form) or certificates of seals that are believed.
        known_sha256: hex digest of the sealed file from the ledger; any other file is refused.
        ledger_key: the ledger's verifier key, or each that it had; the checkpoint must be signed by one of them.
        rerender: set the report again from its evidence and compare every byte before the seal.
        timestamp_roots: roots of the time stamp authorities that are believed, for files of level B-LTA.
        at: judge as if at this moment; now without it.
        ended: fingerprint of a seal -> since when it is used no more, and why (`retired`, `compromised`).
        own: those of the roots that are the issuer's own: their time does not outlive the seal's key.
        lost: key of the ledger -> since when it may be in other hands. Of a bundle, `bundle_check` looks at that.
    """
    run = _Run(
        pdf_bytes, frozenset(_pin(one) for one in trusted), known_sha256,
        (ledger_key,) if isinstance(ledger_key, str) else tuple(ledger_key),
        rerender, tuple(timestamp_roots), at or datetime.now(UTC), ended or {},
        frozenset(one.public_bytes(Encoding.DER) for one in own), lost or {},
    )  # fmt: skip
    try:
        outcome = _outcome(run)
    except _Refused as refusal:
        outcome = refusal.outcome
        run.findings.append(refusal.finding)
    believed = outcome in (Outcome.GENUINE, Outcome.UNKNOWN_SIGNER, Outcome.LEDGER_LOST)
    return CheckResult(
        outcome=outcome,
        findings=tuple(run.findings),
        sha256=hashlib.sha256(pdf_bytes).hexdigest() if outcome is not Outcome.TOO_LARGE else "",
        fingerprint=run.fingerprint,
        level=run.level,
        sealed_at=run.sealed_at,
        evidence=run.evidence if believed else None,
        outside=run.stamped_at,
    )


def _pin(one: str | x509.Certificate) -> str:
    return fingerprint(one) if isinstance(one, x509.Certificate) else one.replace(":", "").replace(" ", "").lower()


def _outcome(run: _Run) -> Outcome:
    if len(run.data) > MAX_BYTES:
        words, limit = _("The file is larger than %(limit)s MB; no report is."), MAX_BYTES // 2**20
        raise _Refused(Outcome.TOO_LARGE, "size", words, limit=limit)
    if not run.data.startswith(b"%PDF-"):
        raise _Refused(Outcome.NOT_A_REPORT, "format", _("The file is not a PDF."))
    reader = _read(run)
    seal, stamps = _signatures(run, reader)
    _check_seal(run, seal, stamps)
    words = _("The revisions of the file contradict each other.")
    _guard("revisions", words, lambda: _check_revisions(run, reader, stamps))
    _check_evidence(run, reader)
    _check_known(run)
    if run.rerender:
        _check_rerendered(run, seal)
    if run.fingerprint not in run.trusted:
        words = _("The file is whole, but whoever sealed it is not among the trusted signers.")
        run.findings.append(told("signer", words, good=False))
        return Outcome.UNKNOWN_SIGNER
    if run.fingerprint in run.ended:
        _check_ended(run, *run.ended[run.fingerprint])
    run.good("signer", _("Sealed by the trusted certificate."))
    # Only of our own seal: anybody's file can bring a stamp that nobody believes.
    if run.doubt:
        return Outcome.TIME_ENDED
    return Outcome.GENUINE if _in_hand(run) else Outcome.LEDGER_LOST


def _in_hand(run: _Run) -> bool:
    key = str(((run.evidence or {}).get("ledger") or {}).get("verifier_key"))
    try:
        found = lost_key.judged(run.lost.get(key), [run.stamped_at])
    except lost_key.LostKeyError as error:
        raise _Refused(Outcome.LEDGER_LATE, "lost_key", error.words.sentence, **error.words.values) from error
    if found:
        run.findings.append(found)
    return found is None or found.good


def _check_ended(run: _Run, since: datetime, reason: str) -> None:
    """A seal that is used no more: what was sealed before stays, as far as its time is proved."""
    stated = datetime.fromisoformat(run.sealed_at) if run.sealed_at else since
    if max(stated, run.claimed_at or stated) >= since:
        words = _("It was sealed after the seal had ended, on %(since)s.")
        raise _Refused(Outcome.ALTERED, "revoked", words, reason, since=since.isoformat())
    if (run.stamped_at is None or run.stamped_at >= since) and reason != "retired":
        words = _("The seal’s key may be in other hands since %(since)s, and only its own clock says otherwise.")
        raise _Refused(Outcome.ENDED, "revoked", words, since=since.isoformat())
    run.good("revoked", _("The seal ended later, on %(since)s."), since=since.isoformat())


def _guard(code: str, sentence: str, step: Callable[[], Any]) -> Any:
    """Runs a step on hostile bytes: whatever it cannot do makes the file altered."""
    try:
        return step()
    except FormError as error:
        raise _Refused(Outcome.ALTERED, code, sentence, str(error)) from error
    except UNREADABLE as error:
        raise _Refused(Outcome.ALTERED, code, sentence, type(error).__name__) from error


def _read(run: _Run) -> PdfFileReader:
    try:
        reader = Reader(io.BytesIO(run.data), strict=True)
        reader.root["/Pages"]
    except UNREADABLE as error:
        raise _Refused(Outcome.ALTERED, "format", _("The PDF cannot be read."), type(error).__name__) from error
    return reader


def _signatures(run: _Run, reader: PdfFileReader) -> tuple[Any, list[Any]]:
    found = _guard("signatures", _("The signatures cannot be read."), lambda: list(reader.embedded_signatures))
    if not found:
        if pdf.ATTACHMENT not in [name for name, _data in _attached(reader)]:
            raise _Refused(Outcome.NOT_A_REPORT, "attachment", _("The file is no report: it carries no evidence."))
        raise _Refused(Outcome.UNSIGNED, "signatures", _("The file carries no seal: anybody could have written it."))
    seals = [one for one in found if one.sig_object_type == "/Sig"]
    stamps = [one for one in found if one.sig_object_type == "/DocTimeStamp"]
    if len(seals) != 1 or len(seals) + len(stamps) != len(found) or seals[0].field_name != pdf.FIELD:
        words = _("A report has one seal and nothing but time stamps after it.")
        raise _Refused(Outcome.ALTERED, "signatures", words)
    return seals[0], stamps


def _attached(reader: PdfFileReader) -> list[tuple[str, bytes]]:
    files: list[tuple[str, bytes]] = _guard(
        "attachment", _("The attachments cannot be read."), lambda: embedded(reader)
    )
    return files


def _check_seal(run: _Run, seal: Any, stamps: list[Any]) -> None:
    def step() -> None:
        start, first, second, last = (int(number) for number in seal.byte_range)
        end = second + last
        if start != 0 or not 0 < first < second < end <= len(run.data):
            raise FormError("the signed ranges are not the file")
        if not stamps and end != len(run.data):
            raise FormError("something follows the sealed part")
        contents = bytes(seal.pkcs7_content)
        check_hex(run.data[first:second], contents)
        digest = hashlib.sha256(run.data[:first] + run.data[second:end]).digest()
        run.fingerprint = hashlib.sha256(check_cms(contents, digest)).hexdigest()
        reason = REASON.fullmatch(str(seal.sig_object.get("/Reason", "")))
        if reason is None or str(seal.sig_object.get("/SubFilter")) != "/ETSI.CAdES.detached":
            raise FormError("the seal is not one of a report")
        run.level = reason[1]
        if seal.docmdp_level is None or seal.docmdp_level.value != 1:
            raise FormError("the seal does not forbid changes")
        moment = seal.self_reported_timestamp
        run.sealed_at = moment.isoformat() if moment else ""
        if (run.level == LEVEL_LTA) != bool(stamps):
            raise FormError(f"the seal promises {run.level}, but the file holds {len(stamps)} time stamps over it")

    _guard("seal", _("The seal does not hold."), step)
    run.good("seal", _("The seal covers every byte; level %(level)s."), level=run.level)


def _check_revisions(run: _Run, reader: PdfFileReader, stamps: list[Any]) -> None:
    ends = [found.end() for found in _REVISION_END.finditer(run.data)]
    if len(ends) != reader.xrefs.total_revisions or not ends or ends[-1] != len(run.data):
        raise FormError("something follows the end of the file, or a revision is hidden")
    if len(ends) > MAX_REVISIONS or (not stamps and len(ends) != 2):
        raise FormError(f"{len(ends)} revisions are not those of a sealed report")
    check_form(reader, run.data, ends)
    told = [described(run.data[:end]) for end in ends]
    for one in told[1:]:
        if (one.info, one.xmp, one.words) != (told[0].info, told[0].xmp, told[1].words):
            raise FormError("title or metadata were changed after the report was made")
    run.good("revisions", _("Title and metadata are those of the sealed report."))
    if stamps:
        from governance.evidence.check_time import check_stamps

        times = check_stamps(reader, stamps, run.timestamp_roots, run.data, run.at, run.own)
        run.doubt, run.claimed_at = times.doubt, times.first
        if times.doubt:
            run.findings.append(of_doubt("time", times.doubt))
            return
        run.stamped_at = times.outside
        since = (times.outside or times.first).isoformat()
        words = _("Time stamps of a trusted authority lie over the whole file, since %(since)s.")
        if not times.outside:
            words = _("Time stamps of the issuer’s own authority lie over the whole file, since %(since)s.")
        run.good("time", words, since=since)
    else:
        run.good("time", _("The time of sealing is the issuer’s own statement."))


def _check_evidence(run: _Run, reader: PdfFileReader) -> None:
    files = _attached(reader)
    if [name for name, _data in files] != [pdf.ATTACHMENT]:
        words = _("The file does not carry exactly one evidence document.")
        raise _Refused(Outcome.NOT_A_REPORT, "attachment", words)
    data = files[0][1]

    def same_identifier() -> None:
        expected = pdf.identifier(data)
        if reader.trailer_view["/ID"][0].original_bytes != expected:
            raise FormError("the attached evidence is not what this report was made from")

    try:
        run.evidence = schema.parse(data)
        if run.evidence["ledger"] is not None:
            # Another house has another ledger: who sealed the file is said further down.
            keys = run.ledger_keys if run.fingerprint in run.trusted else ()
            size = schema.verify_ledger(run.evidence, keys)
            words = _("The evidence is in a ledger of %(size)s entries, signed by the trusted key.")
            if not keys:
                words = _("The evidence is in a ledger of %(size)s entries, signed by a key of the document’s own.")
            run.good("ledger", words, size=size)
        elif run.ledger_keys:
            raise ProofError("the evidence carries no ledger proof")
    except EvidenceError as error:
        detail = "; ".join(error.problems)[:500]
        raise _Refused(Outcome.ALTERED, "evidence", _("The evidence does not hold."), detail) from error
    _guard("evidence", _("The evidence is another."), same_identifier)
    number = run.evidence["report"]["number"]
    run.good("evidence", _("The evidence attached is that of report %(number)s."), number=number)


def _check_known(run: _Run) -> None:
    if run.known_sha256 is None:
        return
    if hashlib.sha256(run.data).hexdigest() != run.known_sha256.removeprefix("sha256:").lower():
        raise _Refused(Outcome.ALTERED, "digest", "The file is not the one whose SHA-256 the ledger holds.")
    run.good("digest", "The file's SHA-256 is the one in the ledger.")


def _check_rerendered(run: _Run, seal: Any) -> None:
    evidence = schema.build(run.evidence or {})
    try:
        base = pdf.render(evidence)
    except EvidenceError as error:
        detail = "; ".join(error.problems)[:300]
        raise _Refused(Outcome.ALTERED, "rerender", "The report could not be set again.", detail) from error
    if not run.data.startswith(base):
        words = "The report, set again from its evidence, differs. Compare the versions named in it with yours."
        raise _Refused(Outcome.ALTERED, "rerender", words)
    run.good("rerender", "The report, set again from its evidence, is the same to the last byte.")


def main(arguments: list[str] | None = None) -> int:
    """The command. Exit code 0: genuine; 1: not; 2: wrong use."""
    parser = argparse.ArgumentParser(prog="python -m governance.evidence.check", description="Check a Lethe report.")
    parser.add_argument("file", type=Path)
    whom = parser.add_mutually_exclusive_group(required=True)
    whom.add_argument("--trust", type=Path, help="the issuer's trust file, from its own site, not from the sender")
    whom.add_argument("--fingerprint", help="SHA-256 of the seal's certificate, from the issuer, not from the file")
    parser.add_argument("--sha256", help="digest of the sealed file, from the ledger")
    parser.add_argument("--ledger-key", help="verifier key of the issuer's ledger")
    parser.add_argument(
        "--timestamp-root", type=Path, action="append", default=[], help="PEM roots of time stamp authorities"
    )
    parser.add_argument("--rerender", action="store_true", help="set the report again and compare every byte")
    chosen = parser.parse_args(arguments)
    from governance.evidence.standalone import prepare

    prepare()
    try:
        with chosen.file.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        known = believed(json.loads(chosen.trust.read_bytes())) if chosen.trust else Believed()
        roots = [root for path in chosen.timestamp_root for root in x509.load_pem_x509_certificates(path.read_bytes())]
    except (OSError, ValueError, EvidenceError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    trusted = known.seals if chosen.trust else [chosen.fingerprint]
    result = check(
        data, trusted, known_sha256=chosen.sha256, ledger_key=chosen.ledger_key or known.ledger_keys,
        rerender=chosen.rerender, timestamp_roots=[*known.roots, *roots], own=known.own, ended=known.ended,
        lost=known.lost,
    )  # fmt: skip
    lines = [f"{'ok ' if finding.good else 'NO '} {finding.text}" for finding in result.findings]
    said = f": sha256 {result.sha256}" if result.sha256 else ""
    sys.stdout.write("\n".join([*lines, f"{result.outcome.value}{said}", ""]))
    return 0 if result.genuine else 1


if __name__ == "__main__":
    raise SystemExit(main())
