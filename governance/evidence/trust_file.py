"""Whom a stranger believes: the trust file that a house publishes (`/.well-known/lethe-trust.json`), for `check`."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from cryptography import x509

from governance.evidence.errors import DocumentError

FORMATS: Final = ("lethe-trust/1", "lethe-trust/2")
#: What the file may say, here of use or not. What is not known may be a warning: it is not passed over.
MEMBERS: Final = {"format", "seals", "ledgers", "time_authorities", "ended", "models", "feeds", "witnesses", "quorum",
                  "lost_keys"}  # fmt: skip
REASONS: Final = ("retired", "compromised")
#: What the keys sign that are told beside the seals.
PURPOSES: Final = ("ledger", "models", "feed")


@dataclass(frozen=True, kw_only=True)
class Believed:
    """Seals by fingerprint and which of them ended; roots of time stamp authorities, `own` those of the house.

    `lost`: key of the ledger, of statements about models or of feeds -> since when it may be in other hands;
    `witnesses`: keys of those whose times count.
    """

    seals: tuple[str, ...] = ()
    ledger_keys: tuple[str, ...] = ()
    roots: tuple[x509.Certificate, ...] = ()
    own: tuple[x509.Certificate, ...] = ()
    ended: Mapping[str, tuple[datetime, str]] = field(default_factory=dict)
    lost: Mapping[str, datetime] = field(default_factory=dict)
    witnesses: tuple[str, ...] = ()


def believed(told: Mapping[str, Any]) -> Believed:
    """What the parsed file says.

    Raises:
        DocumentError: it is no trust file of a kind that is known here, names no ledger, or demands witnesses.
    """
    if not isinstance(told, Mapping) or told.get("format") not in FORMATS:
        raise DocumentError(f"This is no trust file of a house: its format is none of {', '.join(FORMATS)}.")
    if unknown := set(told) - MEMBERS:
        raise DocumentError(f"The trust file says more than this program knows ({sorted(unknown)}): take a newer one.")
    if told.get("quorum", 0) != 0:
        raise DocumentError("The trust file demands witnesses, which are not checked here: use python -m lethe_verify.")
    try:
        roots = [(x509.load_der_x509_certificate(base64.b64decode(one["certificate"], validate=True)), one["own"])
                 for one in told["time_authorities"]]  # fmt: skip
        ledger_keys = tuple(map(str, told["ledgers"]))
        if not ledger_keys:
            raise ValueError("no ledger")
        return Believed(
            seals=tuple(told["seals"]),
            ledger_keys=ledger_keys,
            roots=tuple(root for root, _own in roots),
            own=tuple(root for root, own in roots if own),
            ended={one["seal"]: _end(one) for one in told["ended"]},
            lost=_lost(told.get("lost_keys", ())),
            witnesses=tuple(map(str, told.get("witnesses", ()))),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DocumentError("This is no trust file of a house.") from error


def _end(one: Mapping[str, Any]) -> tuple[datetime, str]:
    if one["reason"] not in REASONS:
        raise ValueError("a seal's end for a reason that is not known")
    return _moment(one["at"]), one["reason"]


def _lost(told: Sequence[Mapping[str, Any]]) -> dict[str, datetime]:
    """Of two marks on a key the earlier counts."""
    found: dict[str, datetime] = {}
    for one in told:
        if set(one) != {"purpose", "key", "at"} or one["purpose"] not in PURPOSES:
            raise ValueError("a key was lost in a way that is not known")
        at, key = _moment(one["at"]), str(one["key"])
        found[key] = min(at, found.get(key, at))
    return found


def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time without its zone")
    return at
