"""Time stamps over a sealed report: each must be by a believed authority, the last must cover the whole file.

Cheap things first: who sends thousands of altered files shall not get a path validation for each.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID as PURPOSE
from pyhanko.pdf_utils.reader import PdfFileReader

from governance.evidence import revoked
from governance.evidence.cms_form import FormError, check_hex, check_token
from governance.evidence.errors import ProofError
from governance.evidence.findings import Finding, Words, _, of_doubt
from governance.evidence.seal import converted

UNBELIEVED = Words(
    _("The authority of the time stamp is not among those that are believed today, or its certificate is over.")
)
#: What a reader is shown of a time stamp's field, and its name, which is not the seal's.
_LABEL: Final = "Timestamp"
_NAMED: Final = re.compile(_LABEL + r"-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
UNREADABLE = (ValueError, TypeError, LookupError, AttributeError)


@dataclass(frozen=True)
class Times:
    """What the stamps over a file say: the time of the first, that of the first by another than the issuer's own
    authority (None without one), and why nobody can say whether they are to be believed (None where they are).

    A stamp that holds and is not believed leaves a doubt: nothing was altered by that."""

    first: datetime
    outside: datetime | None
    doubt: Words | None = None


def check_stamps(
    reader: PdfFileReader,
    stamps: Sequence[Any],
    roots: Sequence[x509.Certificate],
    data: bytes,
    at: datetime,
    own: Collection[bytes] = (),
) -> Times:
    """ANDs over every document time stamp, with pyHanko's analysis of what changed between the revisions.

    Each stamp is judged at the time of the next, the last at `at`.

    Args:
        own: those roots (DER) that are the issuer's own: their time proves nothing to others.

    Raises:
        FormError: a stamp does not hold, or something was changed after the seal.
    """
    _check_cover(reader, stamps, data)
    times = [_time(stamp, data) for stamp in stamps]
    if times != sorted(times) or times[-1] > at:
        raise FormError("the times of the stamps contradict each other")
    answers, lists = revoked.data_of(reader)
    ways = [_check_path(stamp, roots, until) for stamp, until in zip(stamps, [*times[1:], at], strict=True)]
    doubts: list[Words | None] = []
    for number, (way, time) in enumerate(zip(ways, times, strict=True)):
        if not way:
            doubts.append(UNBELIEVED)
            continue
        # Whoever holds the seal may set the issuer's own clock, and a lost key stamps for itself: neither vouches.
        strange = (then for then, other in zip(times[number + 1 :], ways[number + 1 :], strict=True)
                   if other and other[-1] not in (way[-1], *own))  # fmt: skip
        doubts.append(revoked.doubt(way, time, next(strange, None), answers, lists))
    outside = [time for way, time in zip(ways, times, strict=True) if way and way[-1] not in own]
    _check_added(reader, stamps)
    _check_changes(reader)
    return Times(times[0], outside[0] if outside else None, next(filter(None, doubts), None))


@dataclass(frozen=True)
class LedgerTime:
    """By when a ledger had its entries, as a time stamp over its checkpoint says; whether that is `proved` now.

    `doubt`: why nobody can say so now, None where one can. `own`: by the issuer's own authority.
    """

    at: datetime
    doubt: Words | None = None
    own: bool = False

    @property
    def proved(self) -> bool:
        """Whether somebody outside of the house, who is believed, says it."""
        return not self.doubt and not self.own

    def findings(self, size: int) -> list[Finding]:
        """What is found of it; where nobody believes the time now, that stays open."""
        if self.doubt:
            sentence = _(
                "That the ledger had these %(size)s entries by %(at)s, as a time stamp says, cannot be shown now."
            )
        elif self.own:
            sentence = _(
                "That the ledger had these %(size)s entries by %(at)s says the issuer’s own time stamp authority, "
                "which proves nothing to others."
            )
        else:
            sentence = _(
                "A time stamp authority that is believed says that the ledger had these %(size)s entries by %(at)s."
            )
        values = {"size": str(size), "at": self.at.isoformat()}
        said = Finding(code="ledger_time", good=self.proved, open=not self.proved, sentence=sentence, values=values)
        return [said, of_doubt("ledger_time", self.doubt)] if self.doubt else [said]


def check_checkpoint(
    token: bytes,
    note: str,
    roots: Sequence[x509.Certificate],
    at: datetime | None = None,
    *,
    own: Collection[bytes] = (),
    data: tuple[list[bytes], list[bytes]] = ([], []),
) -> LedgerTime:
    """The time that an authority stamped on a checkpoint, as the ledger alone signed it.

    An authority that is not believed at that moment, or no more, leaves the time open: nothing was altered by that.

    Args:
        note: the signed note; lines of witnesses may follow.
        own: those roots (DER) that are the issuer's own.
        data: answers (OCSP) and lists (CRL) to judge the authority by.

    Raises:
        ProofError: it is over something else, not in its one form, wrong, or from after a revocation.
    """
    from asn1crypto import cms
    from pyhanko.sign.validation.errors import SignatureValidationError
    from pyhanko.sign.validation.generic_cms import validate_tst_signed_data
    from pyhanko_certvalidator import ValidationContext

    message, believed = ("\n".join(note.split("\n")[:5]) + "\n").encode(), converted(*roots)
    moment = at or datetime.now(UTC)
    try:
        context = ValidationContext(
            trust_roots=believed, allow_fetching=False, moment=moment, best_signature_time=moment
        )
        signed = cms.ContentInfo.load(token, strict=True)["content"]
        told = asyncio.run(validate_tst_signed_data(signed, context, lambda name: hashlib.new(name, message).digest()))
        if not (told["intact"] and told["valid"]) or told["timestamp"] > moment:
            raise FormError("it does not hold")
        # A path is told even where it does not hold: what says that it does is that nothing was found against it.
        way = [one.dump() for one in told["validation_path"] or ()] if told["trust_problem_indic"] is None else []
        way = way if _is_for_time(way[::-1]) else []
        brought = [one.chosen.dump() for one in signed["certificates"]]
        check_token(token, [*way, *(one.dump() for one in believed)] if way else brought)
        doubt = revoked.doubt(way[::-1], told["timestamp"], None, *data) if way else UNBELIEVED
    except (FormError, SignatureValidationError, *UNREADABLE) as error:
        raise ProofError(f"The time stamp over the ledger's checkpoint is not to be believed: {error}") from error
    return LedgerTime(told["timestamp"], doubt, bool(way) and way[0] in own)


def _check_cover(reader: PdfFileReader, stamps: Sequence[Any], data: bytes) -> None:
    _, _, start, length = (int(number) for number in stamps[-1].byte_range)
    if start + length != len(data):
        raise FormError("something follows the last time stamp")
    if len(stamps) != reader.xrefs.total_revisions - 2:
        raise FormError("a revision of the file carries no time stamp")
    for stamp in (*reader.embedded_regular_signatures, *stamps):
        first, second = int(stamp.byte_range[1]), int(stamp.byte_range[2])
        check_hex(data[first:second], bytes(stamp.pkcs7_content))


def _check_added(reader: PdfFileReader, stamps: Sequence[Any]) -> None:
    """Of what the stamps' revisions add, every object is a stamp or data to judge it by; none of it can be seen."""
    from pyhanko.pdf_utils import generic

    extensions = [_extensions(reader.get_historical_root(number)) for number in range(1, reader.xrefs.total_revisions)]
    if any(one != extensions[0] for one in extensions):
        raise FormError("the catalogue was changed after the file was sealed")
    known = set()
    for stamp in stamps:
        field = stamp.sig_field
        if [int(one) for one in field["/Rect"]] != [0, 0, 0, 0] or "/AP" in field:
            raise FormError("a time stamp can be seen")
        if not _NAMED.fullmatch(str(field["/T"])) or str(field.get("/TU", _LABEL)) != _LABEL:
            raise FormError("a time stamp's field has words of its own")
        known |= {field.container_ref.idnum, field.raw_get("/V").idnum}
    seen, left = set(), [reader.root.raw_get("/DSS")] if "/DSS" in reader.root else []
    while left:
        one = left.pop()
        if isinstance(one, generic.IndirectObject):
            if one.idnum not in seen:
                seen.add(one.idnum)
                left.append(one.get_object())
        elif isinstance(one, generic.ArrayObject):
            left.extend(list.__iter__(one))
        elif isinstance(one, generic.DictionaryObject):
            left.extend(dict.values(one))
    old = {one.idnum for number in (0, 1) for one in reader.xrefs.explicit_refs_in_revision(number)}
    added = {one.idnum for number in range(2, reader.xrefs.total_revisions)
             for one in reader.xrefs.explicit_refs_in_revision(number)} - old  # fmt: skip
    streams = {number for number in added if isinstance(_loaded(reader, number), generic.StreamObject)}
    tables = {number for number in streams if _loaded(reader, number).get("/Type") == "/XRef"}
    if added - known - seen - tables:
        raise FormError("something is hidden beside a time stamp")


def _extensions(root: Any) -> Any:
    return root.raw_get("/Extensions") if "/Extensions" in root else None


def _loaded(reader: PdfFileReader, number: int) -> Any:
    from pyhanko.pdf_utils import generic

    return reader.get_object(generic.Reference(number, 0, reader))


def _time(stamp: Any, data: bytes) -> datetime:
    """The time that the authority signed, after its imprint was found to be of these very bytes."""
    from asn1crypto import tsp

    info = tsp.TSTInfo.load(bytes(stamp.signed_data["encap_content_info"]["content"]))
    imprint = info["message_imprint"]
    name = imprint["hash_algorithm"]["algorithm"].native
    start, first, second, length = (int(number) for number in stamp.byte_range)
    if start or name not in ("sha256", "sha384", "sha512"):
        raise FormError("a time stamp is of a kind that no report carries")
    covered = data[:first] + data[second : second + length]
    if hashlib.new(name, covered).digest() != imprint["hashed_message"].native:
        raise FormError("a time stamp is over something else")
    moment: datetime = info["gen_time"].native
    return moment


def _check_path(stamp: Any, roots: Sequence[x509.Certificate], moment: datetime) -> list[bytes]:
    """The certificates (DER) from the authority's to the root that is believed; none where no root is."""
    from pyhanko.sign.validation import validate_pdf_timestamp
    from pyhanko_certvalidator import ValidationContext

    believed = converted(*roots)
    context = ValidationContext(trust_roots=believed, allow_fetching=False, moment=moment, best_signature_time=moment)
    status = validate_pdf_timestamp(stamp, validation_context=context, skip_diff=True)
    if not (status.intact and status.valid):
        raise FormError("a time stamp does not hold")
    # A path is told even where it does not hold.
    path = [one.dump() for one in status.validation_path or ()] if status.trusted else []
    path = path if _is_for_time(path[::-1]) else []
    brought = [one.chosen.dump() for one in stamp.signed_data["certificates"]]
    check_token(bytes(stamp.pkcs7_content), [*path, *(one.dump() for one in believed)] if path else brought)
    return path[::-1]


def _is_for_time(way: Sequence[bytes]) -> bool:
    """Whether the first certificate is for time stamps, critical (RFC 3161, 2.3), and signs, and whether those between
    it and the last, which is believed from outside, may certify such a one. pyHanko asks neither."""
    first, *path = [list(x509.load_der_x509_certificate(raw).extensions) for raw in way] or [[]]
    critical = any(one.critical for one in first if isinstance(one.value, x509.ExtendedKeyUsage))
    usages = [one.value for one in first if isinstance(one.value, x509.KeyUsage)]
    signs = all(one.digital_signature or one.content_commitment for one in usages)
    limits = [set(one.value) for held in path[:-1] for one in held if isinstance(one.value, x509.ExtendedKeyUsage)]
    return critical and signs and all(one & {PURPOSE.TIME_STAMPING, PURPOSE.ANY_EXTENDED_KEY_USAGE} for one in limits)


def _check_changes(reader: PdfFileReader) -> None:
    from pyhanko.sign.diff_analysis import DiffResult, ModificationLevel

    seal = reader.embedded_regular_signatures[0]
    seal.compute_integrity_info()
    told = seal.summarise_integrity_info()
    found = told["diff_result"]
    if (
        not isinstance(found, DiffResult)
        or found.modification_level > ModificationLevel.LTA_UPDATES
        or not told["docmdp_ok"]
    ):
        raise FormError("the file was changed after it was sealed")
