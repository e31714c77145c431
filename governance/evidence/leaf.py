"""The ledger's leaf, version 1, and the openings of its commitments. ADR 0004 explains each choice.

A leaf is the RFC 8785 (JCS) form of seven members. It holds no personal data: the case and the person who acted
are keyed commitments, whose key can be destroyed; the body is a salted digest, whose salt can be destroyed.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import rfc8785

from governance.evidence.errors import DocumentError, ProofError

VERSION: Final = 1
SALT_BYTES: Final = 32
KEY_BYTES: Final = 32
ACTION = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
HEX64 = re.compile(r"[0-9a-f]{64}")
SYSTEM_ACTOR = re.compile(r"system:[a-z][a-z0-9_-]*")


def canonical(value: object) -> bytes:
    """RFC 8785 bytes of a JSON value.

    Raises:
        DocumentError: it holds something that JSON cannot (a NaN, an integer beyond 2^53, a date, a set).
    """
    try:
        return rfc8785.dumps(value)  # type: ignore[arg-type]
    except (rfc8785.CanonicalizationError, TypeError, ValueError, RecursionError) as error:
        raise DocumentError(f"not canonical JSON: {error}; give strings, finite numbers, lists and objects") from error


def new_salt() -> bytes:
    """32 random bytes, kept beside the body and destroyed with it."""
    return secrets.token_bytes(SALT_BYTES)


def timestamp(moment: datetime) -> str:
    """UTC with milliseconds: `2026-11-24T08:51:00.000Z`. A time without a zone is refused."""
    if moment.tzinfo is None:
        raise DocumentError(f"time {moment.isoformat()} has no zone: give an aware datetime")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _salt(salt: bytes) -> bytes:
    if len(salt) != SALT_BYTES:
        raise DocumentError(f"salt: {len(salt)} bytes instead of {SALT_BYTES}; make it with new_salt()")
    return salt


def commit_body(body: Mapping[str, Any], salt: bytes) -> str:
    """Hex SHA-256 over salt (32 bytes) || canonical body. Hiding as long as the salt is secret."""
    return hashlib.sha256(_salt(salt) + canonical(dict(body))).hexdigest()


def _keyed(domain: bytes, key: bytes, identifier: str) -> str:
    if len(key) < KEY_BYTES:
        raise DocumentError(f"commitment key: {len(key)} bytes, at least {KEY_BYTES} are needed")
    if not identifier:
        raise DocumentError("commitment: the identifier is empty")
    return hmac.new(key, domain + b"\x00" + identifier.encode(), hashlib.sha256).hexdigest()


def case_commitment(key: bytes, case_id: str) -> str:
    """Hex HMAC-SHA256 of a case under its subject's key: equal for the same case, meaningless without the key."""
    return _keyed(b"lethe/case/1", key, case_id)


def actor_commitment(key: bytes, actor_id: str) -> str:
    """Hex HMAC-SHA256 of a person who acted. Machines are named in clear: `system:scheduler`."""
    return _keyed(b"lethe/actor/1", key, actor_id)


def record_commitment(key: bytes, record_id: str) -> str:
    """Hex HMAC-SHA256 of a data record's id, so that an evidence document names records without exposing them."""
    return _keyed(b"lethe/record/1", key, record_id)


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """One ledger entry. `body` is `commit_body(...)`; `case` is "" for an entry about no case."""

    index: int
    at: str
    action: str
    case: str
    actor: str
    body: str

    def __post_init__(self) -> None:
        problems = []
        if not 0 <= self.index < 2**53:
            problems.append(f"index: {self.index} is outside 0..2^53")
        if not _is_timestamp(self.at):
            problems.append(f"at: {self.at!r} is not UTC with milliseconds, such as 2026-11-24T08:51:00.000Z")
        if not ACTION.fullmatch(self.action):
            problems.append(f"action: {self.action!r} is not namespaced lower case, such as case.advanced")
        if self.case and not HEX64.fullmatch(self.case):
            problems.append('case: neither "" nor 64 hex digits; use case_commitment()')
        if not (HEX64.fullmatch(self.actor) or SYSTEM_ACTOR.fullmatch(self.actor)):
            problems.append("actor: neither 64 hex digits nor system:<name>; use actor_commitment()")
        if not HEX64.fullmatch(self.body):
            problems.append("body: not 64 hex digits; use commit_body()")
        if problems:
            raise DocumentError([f"leaf.{problem}" for problem in problems])

    def to_json(self) -> dict[str, Any]:
        """The seven members, in no particular order (the bytes are sorted)."""
        return {"v": VERSION, "index": self.index, "at": self.at, "action": self.action, "case": self.case,
                "actor": self.actor, "body": self.body}  # fmt: skip

    def to_bytes(self) -> bytes:
        """What is hashed: `merkle.leaf_hash(leaf.to_bytes())`."""
        return canonical(self.to_json())


def _is_timestamp(text: str) -> bool:
    if not re.fullmatch(r"[0-9]{4}-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]\.[0-9]{3}Z", text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def leaf_bytes(*, index: int, at: datetime | str, action: str, case: str, actor: str, body: str) -> bytes:
    """Canonical bytes of a leaf; every problem of its members is reported at once (`DocumentError`)."""
    text = at if isinstance(at, str) else timestamp(at)
    return Leaf(index=index, at=text, action=action, case=case, actor=actor, body=body).to_bytes()


def parse_leaf(data: Mapping[str, Any]) -> Leaf:
    """A leaf from its JSON object.

    Raises:
        ProofError: another version, or missing, unknown or malformed members.
    """
    members = dict(data)
    version = members.pop("v", None)
    if version is True or version != VERSION:
        raise ProofError(f"leaf: version {version!r} is not {VERSION}")
    if isinstance(members.get("index"), bool) or not isinstance(members.get("index"), int):
        raise ProofError("leaf: index is not an integer")
    if set(members) != {"index", "at", "action", "case", "actor", "body"}:
        raise ProofError(f"leaf: members are {sorted(members)}")
    if not all(isinstance(value, str) for name, value in members.items() if name != "index"):
        raise ProofError("leaf: every member save v and index is a string")
    try:
        return Leaf(**members)
    except DocumentError as error:
        raise ProofError(error.problems) from error


def open_leaf(leaf: Leaf, body: Mapping[str, Any], salt: bytes) -> bool:
    """Whether this body with this salt is what the leaf committed to."""
    return hmac.compare_digest(leaf.body, commit_body(body, salt))
