"""Whether a time stamp authority's certificate was revoked, by the data that a report carries (RFC 5280, 5; RFC 6960).

Such data count only where the authority that issued the certificate signed them; what cannot be read, is unsigned or is
about others says nothing. Lists and answers lie under a later time stamp, so nobody can take them out unseen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lethe_verify import der, x509
from lethe_verify.errors import Refused

#: Larger ones, and more of them, are of no time stamp authority: they are not read.
LARGEST, MOST = der.MAX, 16
ENUMERATED, GOOD, REVOKED, CONTEXT_2 = 0x0A, 0x80, 0xA1, 0xA2
BASIC, ANSWERING = der.oid("1.3.6.1.5.5.7.48.1.1"), der.oid("1.3.6.1.5.5.7.3.9")
REASON, NUMBER, KEY_NAME = der.oid("2.5.29.21"), der.oid("2.5.29.20"), der.oid("2.5.29.35")
#: Of a list that speaks of a part of the certificates, or of what changed since another list.
PARTIAL: Final = {der.oid("2.5.29.28"), der.oid("2.5.29.27")}
SHA1: Final = der.oid("1.3.14.3.2.26")
#: RFC 3161, 4.1: with these reasons, stated, what was stamped before stays.
HARMLESS: Final = {0, 3, 4, 5}
REMOVED: Final = 8
COMPROMISED: Final = (
    "The certificate of a time stamp's authority was revoked on {}, and its key may be in other hands: no stamp of "
    "another authority from before that vouches for this one."
)
_UNREADABLE = (Refused, ValueError, LookupError, TypeError, AttributeError)


@dataclass(frozen=True)
class Status:
    """On the day `at` the certificate was not revoked, or was since `revoked` (`reason`: None where none is stated)."""

    at: datetime
    revoked: datetime | None = None
    reason: int | None = None

    @property
    def harmless(self) -> bool:
        """Whether what the key signed before is still to be believed."""
        return self.reason in HARMLESS


@dataclass(frozen=True)
class Data:
    """What a file brings to judge certificates by: OCSP answers and revocation lists (DER)."""

    answers: tuple[bytes, ...] = ()
    lists: tuple[bytes, ...] = ()

    def __or__(self, other: Data) -> Data:
        return Data((*self.answers, *other.answers), (*self.lists, *other.lists))


def statuses(one: x509.Certificate, issuer: x509.Certificate, data: Data) -> list[Status]:
    """All that the issuer says of the certificate in these data."""
    found: list[Status] = []
    # What does not hold the issuer's name or the serial number at all need not be read.
    for raws, read, word in ((data.lists, _of_list, issuer.subject), (data.answers, _of_answer, one.serial)):
        for raw in [raw for raw in dict.fromkeys(raws) if len(raw) <= LARGEST and word in raw][:MOST]:
            try:
                found += read(raw, one, issuer)
            except _UNREADABLE:
                continue
    return found


def _of_list(raw: bytes, one: x509.Certificate, issuer: x509.Certificate) -> Iterator[Status]:
    """From a revocation list (RFC 5280, 5.1), which the issuer itself must have signed."""
    body, algorithm, bits = der.parse(raw).children
    fields = [part for part in body.children if part.tag not in (der.INTEGER, der.CONTEXT_0)]
    inner, name, begun, *rest = fields
    if inner.raw != algorithm.raw or name.raw != issuer.subject or not issuer.signs_lists:
        return
    if not x509.is_signature(issuer, algorithm, body.raw, bits):
        return
    told = x509.time(begun)
    extensions = _extensions([part for part in body.children if part.tag == der.CONTEXT_0])
    if {name for name, (critical, _value) in extensions.items() if critical} - PARTIAL - {NUMBER, KEY_NAME}:
        return
    lines = next((part.children for part in rest if part.tag == der.SEQUENCE), ())
    for serial, since, *more in (line.children for line in lines):
        if serial.raw != one.serial:
            continue
        said = _extensions(more, wrapped=False)
        if any(critical and name != REASON for name, (critical, _value) in said.items()):
            return
        reason = _reason(der.parse(said[REASON][1])) if REASON in said else None
        if reason != REMOVED:
            yield Status(told, x509.time(since), reason)
        return
    if not PARTIAL & extensions.keys():
        yield Status(told)


def _of_answer(raw: bytes, one: x509.Certificate, issuer: x509.Certificate) -> Iterator[Status]:
    """From an OCSP answer (RFC 6960, 4.2) by the issuer, or by whom it named for that."""
    state, holder = der.parse(raw).children
    kind, inside = holder.children[0].children
    if state.content != b"\x00" or kind.raw != BASIC:
        return
    body, algorithm, bits, *brought = der.parse(inside.content).children
    produced = next(part for part in body.children if part.tag == 0x18)
    others = [x509.certificate(part.raw) for holder in brought[:1] for part in holder.children[0].children[:4]]
    at = x509.time(produced)
    signers = [issuer, *(other for other in others if ANSWERING in other.purposes and other.valid_at(at)
                         and x509.is_signed_by(other, issuer))]  # fmt: skip
    if not any(x509.is_signature(signer, algorithm, body.raw, bits) for signer in signers):
        return
    singles = next(part for part in body.children if part.tag == der.SEQUENCE)
    for name, status, since, *_more in (single.children for single in singles.children):
        if not _names(name, one, issuer):
            continue
        if status.tag == GOOD:
            yield Status(x509.time(since))
        elif status.tag == REVOKED:
            revoked, *reason = status.children
            yield Status(x509.time(since), x509.time(revoked), _reason(reason[0].children[0]) if reason else None)


def _names(name: der.Node, one: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether a CertID (RFC 6960, 4.1.1) is of the certificate."""
    algorithm, subject, key, serial = name.children
    kind = algorithm.children[0].raw
    chosen = "sha1" if kind == SHA1 else x509.DIGEST_NAMES.get(kind, "")
    if not chosen or serial.raw != one.serial:
        return False
    public = issuer.key.children[1].content[1:]
    return [subject.content, key.content] == [hashlib.new(chosen, part).digest() for part in (issuer.subject, public)]


def _reason(node: der.Node) -> int:
    if node.tag != ENUMERATED or len(node.content) != 1:
        raise ValueError("a reason is not in its form")
    return node.content[0]


def _extensions(holders: Sequence[der.Node], *, wrapped: bool = True) -> dict[bytes, tuple[bool, bytes]]:
    """Name -> whether it is critical, and its value."""
    found: dict[bytes, tuple[bool, bytes]] = {}
    for holder in holders[:1]:
        for one in (holder.children[0] if wrapped else holder).children:
            name, *critical, value = one.children
            found[name.raw] = (bool(critical) and critical[0].raw == b"\x01\x01\xff", value.content)
    return found


def judged(
    way: Sequence[x509.Certificate], stamped: datetime, vouched: datetime | None, data: Data
) -> tuple[str, datetime | None]:
    """Whether data in the file forbid to believe the path: the doubt, else "" and the day up to which they allow it.

    That day is None where they say nothing of a certificate of the path, or say that one was revoked.

    Args:
        way: from the authority's certificate to the believed end, which no data can revoke.
        vouched: the time of the next stamp by another authority that is not the issuer's own, which shows that this
            one is older; None where there is none.

    Raises:
        Refused: the stamp was made after a certificate of its authority had been revoked.
    """
    known: list[datetime | None] = []
    for one, issuer in zip(way, way[1:], strict=False):
        found = statuses(one, issuer, data)
        for said in found:
            if said.revoked is None:
                continue
            day = said.revoked.isoformat()
            if stamped >= said.revoked:
                raise Refused("time", f"A time stamp was made after its authority's certificate was revoked ({day}).")
            if not said.harmless and (vouched is None or vouched >= said.revoked):
                return COMPROMISED.format(day), None
        good = [said.at for said in found] if all(said.revoked is None for said in found) else []
        known.append(max(good, default=None))
    days = [day for day in known if day is not None]
    return "", min(days) if days and len(days) == len(known) else None
