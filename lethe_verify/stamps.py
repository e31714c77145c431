"""Time stamps (RFC 3161): who stamped what, and when. Every byte of a token is signed or known beforehand.

A stamp proves a time only through an authority that the one who checks believes; the file's own word for it is nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from lethe_verify import der, revocation, x509
from lethe_verify.errors import Refused

SIGNED, STAMP = der.oid("1.2.840.113549.1.7.2"), der.oid("1.2.840.113549.1.9.16.1.4")
CONTENT_TYPE, DIGEST = der.oid("1.2.840.113549.1.9.3"), der.oid("1.2.840.113549.1.9.4")
NAMED, NAMED_OLD = der.oid("1.2.840.113549.1.9.16.2.47"), der.oid("1.2.840.113549.1.9.16.2.12")
ONE, THREE = der.make(der.INTEGER, b"\x01"), der.make(der.INTEGER, b"\x03")
NULL = der.make(der.NULL)
NO_DATA = revocation.Data()


@dataclass(frozen=True)
class Stamp:
    """A token whose signature holds: its time, its authority's certificate, and all certificates that it brings."""

    time: datetime
    authority: x509.Certificate
    others: tuple[x509.Certificate, ...]


def check(contents: bytes, message: bytes) -> Stamp:
    """The stamp over `message`. `contents`: the token (DER), and zeros behind it where it has a place of fixed size."""
    outer, rest = der.parse_first(contents)
    if rest.strip(b"\x00"):
        raise Refused("time", "The room behind a time stamp is not empty.")
    try:
        return _check(outer, message)
    except (IndexError, ValueError) as error:
        raise Refused("time", "A time stamp has not the form in which it was made.") from error


def _check(outer: der.Node, message: bytes) -> Stamp:
    signed = outer.children[1].children[0]
    version, digests, content, bag, infos = signed.children
    (info,) = infos.children
    number, named, digest, attributes, algorithm, signature = info.children
    others = [x509.certificate(one.raw) for one in bag.children[: x509.MAX_PATH]]
    info_raw = content.children[1].children[0]
    steps = zip(others, others[1:], strict=False)
    if attributes.tag != der.CONTEXT_0 or not all(x509.is_signed_by(one, issuer) for one, issuer in steps):
        raise Refused("time", "A time stamp brings other certificates than those of its authority.")
    holder, name = others[0], x509.DIGEST_NAMES.get(digest.children[0].raw, "")
    if named.raw != der.make(der.SEQUENCE, holder.issuer, holder.serial) or not name or not holder.is_for_time:
        raise Refused("time", "A time stamp is not signed by a certificate for time stamps.")
    oid = digest.children[0].raw
    forms = [der.make(der.SEQUENCE, oid), der.make(der.SEQUENCE, oid, NULL)]
    rebuilt = der.make(der.SEQUENCE, SIGNED, der.make(der.CONTEXT_0, der.make(
        der.SEQUENCE, THREE, digests.raw,
        der.make(der.SEQUENCE, STAMP, der.make(der.CONTEXT_0, der.make(der.OCTETS, info_raw.content))),
        der.make(der.CONTEXT_0, *(one.raw for one in others)),
        der.make(der.SET, der.make(
            der.SEQUENCE, ONE, named.raw, digest.raw, attributes.raw, algorithm.raw,
            der.make(der.OCTETS, signature.content),
        )),
    )))  # fmt: skip
    known = digest.raw in forms and digests.raw in [der.make(der.SET, one) for one in forms] and _plain(algorithm)
    if outer.raw != rebuilt or not known or number.raw != ONE or version.raw != THREE:
        raise Refused("time", "The outer fields of a time stamp were altered.")
    _check_attributes(attributes, hashlib.new(name, info_raw.content).digest(), holder)
    body = der.make(der.SET, attributes.content)
    if not x509.signed(holder.key, algorithm, name, body, signature.content, any_twin=False):
        raise Refused("time", "The signature of a time stamp is wrong.")
    moment = _time_of(der.parse(info_raw.content), message)
    if not holder.valid_at(moment):
        raise Refused("time", "A time stamp was made when its authority's certificate was not valid.")
    return Stamp(moment, holder, tuple(others))


def _plain(algorithm: der.Node) -> bool:
    """One of the few forms of an algorithm's name: without parameters, with NULL, or PSS whose parameters are read."""
    return algorithm.children[0].raw == x509.PSS or [one.raw for one in algorithm.children[1:]] in ([], [NULL])


def _check_attributes(attributes: der.Node, digest: bytes, holder: x509.Certificate) -> None:
    values: dict[bytes, der.Node] = {}
    for one in attributes.children:
        name, found = one.children
        if name.raw in values or len(found.children) != 1:
            raise Refused("time", "A signed attribute of a time stamp appears twice.")
        values[name.raw] = found.children[0]
    if CONTENT_TYPE not in values or values[CONTENT_TYPE].raw != STAMP:
        raise Refused("time", "A time stamp is not signed as one.")
    if DIGEST not in values or values[DIGEST].raw != der.make(der.OCTETS, digest):
        raise Refused("time", "What a time stamp says is not what its authority signed.")
    named = []
    for kind, algorithm in ((NAMED, hashlib.sha256), (NAMED_OLD, hashlib.sha1)):
        if kind in values:
            entry = values[kind].children[0].children[0].children
            chosen = x509.DIGEST_NAMES.get(entry[0].children[0].raw, "") if entry[0].tag == der.SEQUENCE else ""
            told = next(one.content for one in entry if one.tag == der.OCTETS)
            named.append(told == (hashlib.new(chosen, holder.raw) if chosen else algorithm(holder.raw)).digest())
    if not named or not all(named):
        raise Refused("time", "A time stamp names another certificate than it carries.")


def _time_of(info: der.Node, message: bytes) -> datetime:
    """The time that the authority signed, over this very message (RFC 3161, 2.4.2)."""
    version, _policy, imprint, _serial, moment = info.children[:5]
    name = x509.DIGEST_NAMES.get(imprint.children[0].children[0].raw, "")
    if version.raw != ONE or moment.tag != 0x18 or not name:
        raise Refused("time", "A time stamp is of a kind that no report carries.")
    if imprint.children[1].raw != der.make(der.OCTETS, hashlib.new(name, message).digest()):
        raise Refused("time", "A time stamp is over something else: the file is not what was stamped.")
    return x509.time(moment)


@dataclass(frozen=True)
class Belief:
    """Whether a stamp's authority is believed. `doubt`: why nobody can say; empty where it is.

    `root`: fingerprint of the certificate that is believed from outside. `unrevoked`: the day up to which data in the
    file say that nothing on the way to it was revoked; None where they do not say.
    """

    doubt: str = ""
    root: str = ""
    unrevoked: datetime | None = None


def end_of(stamp: Stamp, roots: frozenset[str], others: Iterable[bytes]) -> str:
    """Fingerprint of the believed certificate behind a stamp, as `Belief.root`; empty where there is none."""
    way = x509.path(stamp.authority, [*stamp.others, *(x509.certificate(one) for one in others)], roots)
    return way[-1].fingerprint if way else ""


def believed(
    stamp: Stamp,
    roots: frozenset[str],
    others: Iterable[bytes],
    *,
    until: datetime,
    vouched: datetime | None = None,
    data: revocation.Data = NO_DATA,
) -> Belief:
    """Whether the stamp's authority is believed.

    Args:
        others: certificates (DER) for the path, from outside or from the file.
        until: the moment from which a later stamp, or today's check, vouches for this one.
        vouched: the time of the next stamp by another authority that is not the issuer's own, where there is one.

    Raises:
        Refused: the token brings other certificates than its path, or was made after its certificate was revoked.
    """
    found = [*stamp.others, *(x509.certificate(one) for one in others)]
    way = x509.path(stamp.authority, found, roots)
    if way is None:
        return Belief("No authority that you trust stands behind a time stamp.")
    # What a token brings is not signed: it has one form, the way itself, without the root.
    if list(stamp.others[: len(way) - 1]) != way[:-1]:
        raise Refused("time", "A time stamp brings other certificates than those of its authority.")
    # The end is believed from outside; what leads to it must have been valid, and be so when the next vouches for it.
    for one in way[:-1] or way:
        if not one.valid_at(stamp.time):
            return Belief("A certificate of the time stamp's authority was not valid at its time.")
        if not one.valid_at(until):
            ended = one.not_after.date().isoformat()
            return Belief(f"The time stamp's certificate ended on {ended}, and no later stamp vouches for it since.")
    doubt, unrevoked = revocation.judged(way, stamp.time, vouched, data)
    return Belief(doubt, way[-1].fingerprint, unrevoked)
