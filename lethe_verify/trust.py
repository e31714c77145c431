"""What the one who checks believes. It comes from outside of the file: told by the issuer in another way."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from lethe_verify import note, x509
from lethe_verify.errors import Refused

FORMATS = ("lethe-trust/1", "lethe-trust/2")
#: What each form may say. What is not known here may be a warning: it is not passed over.
MEMBERS = {"format", "seals", "ledgers", "time_authorities", "ended", "models", "feeds", "witnesses", "quorum",
           "lost_keys"}  # fmt: skip
#: Why a seal ended: given up in order, or its key may be in other hands.
REASONS = ("retired", "compromised")
#: What the keys sign that are told beside the seals.
PURPOSES = ("ledger", "models", "feed")
MAX = 1024 * 1024
_PUBLIC = re.compile(r"-----BEGIN PUBLIC KEY-----\s(.+?)-----END PUBLIC KEY-----", re.S)
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----\s(.+?)-----END CERTIFICATE-----", re.S)


class TrustError(ValueError):
    """What was given to believe cannot be read."""


@dataclass(frozen=True)
class Ended:
    """A seal that is used no more."""

    at: datetime
    reason: str


@dataclass(frozen=True)
class Trust:
    """Whom to believe.

    Attributes:
        seals: fingerprints of seals.
        ledgers: verifier keys of ledgers (empty: the ledger named in the sealed evidence).
        authorities: fingerprints of roots (or certificates) of time stamp authorities.
        roots: their certificates (DER), where given whole.
        own: those of them that are the issuer's own: they prove nothing to others.
        witnesses: verifier keys of witnesses outside of the issuer.
        quorum: how many of them must have signed the checkpoint of a bundle; fewer are refused.
        ended: fingerprint of a seal -> since when, and why, it is used no more.
        models: fingerprints of the keys that sign statements about models.
        feeds: keys of the issuer's feeds: statements about patches are for one of them.
        lost: key of a ledger, of statements about models or of feeds -> since when it may be in other hands.
    """

    seals: frozenset[str] = field(default=frozenset())
    ledgers: frozenset[str] = field(default=frozenset())
    authorities: frozenset[str] = field(default=frozenset())
    roots: tuple[bytes, ...] = ()
    own: frozenset[str] = field(default=frozenset())
    ended: dict[str, Ended] = field(default_factory=dict)
    models: frozenset[str] = field(default=frozenset())
    feeds: frozenset[str] = field(default=frozenset())
    witnesses: frozenset[str] = field(default=frozenset())
    quorum: int = 0
    lost: dict[str, datetime] = field(default_factory=dict)

    def __or__(self, other: Trust) -> Trust:
        """Both. Where both know that a seal ended or a key was lost, the worse of the two counts."""
        ended = dict(self.ended)
        for name, one in other.ended.items():
            known = ended.get(name, one)
            ended[name] = Ended(min(known.at, one.at), min(known.reason, one.reason))
        lost = dict(self.lost)
        for key, at in other.lost.items():
            lost[key] = min(at, lost.get(key, at))
        return Trust(self.seals | other.seals, self.ledgers | other.ledgers, self.authorities | other.authorities,
                     (*self.roots, *other.roots), self.own | other.own, ended, self.models | other.models,
                     self.feeds | other.feeds, self.witnesses | other.witnesses,
                     max(self.quorum, other.quorum), lost)  # fmt: skip


def fingerprint(text: str) -> str:
    """64 lower-case hexadecimal digits from the ways in which people write a fingerprint."""
    plain = re.sub(r"[:\s-]", "", text.strip().lower().removeprefix("sha256:"))
    if not re.fullmatch(r"[0-9a-f]{64}", plain):
        raise TrustError(f"{text!r} is neither a file nor a fingerprint (64 hexadecimal digits)")
    return plain


def load(given: str) -> Trust:
    """From a fingerprint, PEM certificates or a trust file as the issuer publishes it.

    What reads as a fingerprint is one: no file of that name, which may have come with the report, stands in for it.
    """
    path = Path(given)
    try:
        return _pins([fingerprint(given)])
    except TrustError:
        if not path.is_file():
            raise
    try:
        inside = path.read_bytes()
    except OSError as error:
        raise TrustError(str(error)) from error
    if len(inside) > MAX:
        raise TrustError(f"{given} is too large")
    return read(inside.decode("utf-8", "replace"))


def read(text: str) -> Trust:
    """From the text of a trust file, certificates or fingerprints (one a line, `#` for remarks)."""
    if "-----BEGIN" in text:
        keys, certificates = _PUBLIC.findall(text), _PEM.findall(text)
        if len(keys) + len(certificates) != text.count("-----BEGIN"):
            raise TrustError("the file holds something that is neither a certificate nor a public key")
        together = Trust(models=frozenset(_key(found) for found in keys))
        for found in certificates:
            together |= _certificate(found)
        return together
    if text.lstrip().startswith("{"):
        try:
            return _document(json.loads(text))
        except Refused as error:
            raise TrustError(f"the trust file cannot be read ({error})") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise TrustError(f"the trust file cannot be read ({error})") from error
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    return _pins([fingerprint(line) for line in lines if line])


def _pins(found: list[str]) -> Trust:
    """A fingerprint is of a seal, of an authority or of a key; nothing is fit for two of them (see `cms.holder_of`)."""
    return Trust(frozenset(found), authorities=frozenset(found), models=frozenset(found))


def _key(encoded: str) -> str:
    try:
        return hashlib.sha256(base64.b64decode("".join(encoded.split()), validate=True)).hexdigest()
    except binascii.Error as error:
        raise TrustError(f"the key cannot be read ({error})") from error


def _document(document: dict[str, Any]) -> Trust:
    if document["format"] not in FORMATS:
        raise TrustError(f"the trust file is not of the form {' or '.join(FORMATS)}")
    if unknown := set(document) - MEMBERS:
        raise TrustError(f"the trust file says more than this verifier knows ({sorted(unknown)}): take a newer one")
    together = Trust(frozenset(fingerprint(one) for one in document["seals"]),
                     frozenset(str(one) for one in document["ledgers"]))  # fmt: skip
    for one in together.ledgers:
        note.key(one)
    witnesses, quorum = frozenset(str(one) for one in document.get("witnesses", [])), document.get("quorum", 0)
    for one in witnesses:
        note.key(one, note.WITNESS)
    if type(quorum) is not int or not 0 <= quorum <= len(witnesses):
        raise TrustError(f"the quorum {quorum!r} is not a number from 0 to {len(witnesses)}, the witnesses named")
    together |= Trust(witnesses=witnesses, quorum=quorum)
    for entry in document.get("time_authorities", []):
        raw = base64.b64decode(entry["certificate"], validate=True)
        found = frozenset({_parsed(raw).fingerprint})
        together |= Trust(authorities=found, roots=(raw,), own=found if entry["own"] else frozenset())
    ended = {}
    for entry in document.get("ended", []):
        if entry["reason"] not in REASONS:
            raise TrustError(f"a seal ended for a reason that is not known: {entry['reason']!r}")
        ended[fingerprint(entry["seal"])] = Ended(_moment(entry["at"]), entry["reason"])
    models = frozenset(fingerprint(one) for one in document.get("models", []))
    lost = document.get("lost_keys", [])
    # Statements of subscribers are signed by keys of their own: whoever took the feed's cannot make one.
    feeds = frozenset([*map(str, document.get("feeds", [])), *(one["key"] for one in lost if one["purpose"] == "feed")])
    return together | Trust(ended=ended, models=models, feeds=feeds, lost=_lost(lost))


def _lost(entries: list[dict[str, str]]) -> dict[str, datetime]:
    """The keys beside the seal's that may be in other hands; of two marks the earlier counts."""
    found: dict[str, datetime] = {}
    for entry in entries:
        if set(entry) != {"purpose", "key", "at"} or entry["purpose"] not in PURPOSES:
            raise TrustError(f"a key was lost in a way that this verifier does not know: {entry!r}; take a newer one")
        name = fingerprint(entry["key"]) if entry["purpose"] == "models" else str(entry["key"])
        at = _moment(entry["at"])
        found[name] = min(at, found.get(name, at))
    return found


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise TrustError(f"{text!r} has no time zone")
    return moment


def _parsed(raw: bytes) -> x509.Certificate:
    try:
        return x509.certificate(raw)
    except Refused as error:
        raise TrustError("the certificate cannot be read") from error


def _certificate(encoded: str) -> Trust:
    """A certificate says by itself whether it is a seal's or an authority's."""
    try:
        raw = base64.b64decode("".join(encoded.split()), validate=True)
    except binascii.Error as error:
        raise TrustError(f"the certificate cannot be read ({error})") from error
    found = _parsed(raw)
    if found.is_authority or x509.TIME_STAMPING in found.purposes:
        return Trust(authorities=frozenset({found.fingerprint}), roots=(raw,))
    return Trust(frozenset({found.fingerprint}))
