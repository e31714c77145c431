"""A subscriber's signed statement about a published patch: its form, and whether a document quotes it as it was signed.

That whoever holds the key runs the model is the house's register's word; that they signed this is shown.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from governance.evidence.errors import DocumentError
from governance.evidence.leaf import canonical, timestamp

KIND: Final = "lethe-patch-acknowledgement/1"
MEMBERS: Final = ("kind", "feed", "patch", "base", "result", "state", "at", "public_key")


def signed(text: str, signature: str, public_key: str) -> bool:
    """Whether the key (Ed25519, base64) signed the text."""
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key, validate=True))
        key.verify(base64.b64decode(signature, validate=True), text.encode())
    except (InvalidSignature, ValueError, binascii.Error):
        return False
    return True


def incoherent(document: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the statements under `downstream`."""
    found = document.get("downstream") or {"patch": None, "subscribers": []}
    used, feeds, named = set[str](), set[str](), set(found.get("feeds", ()))
    for place, one in enumerate(found["subscribers"]):
        if "statement" in one:
            problem = _problem(one, found["patch"], used, feeds)
            if not problem and not (feeds <= named if named else len(feeds) == 1):
                problem = "for another publisher's feed than the others in this document"
            yield from [f"downstream.subscribers.{place}.statement: {problem}"] if problem else []


def _problem(one: Mapping[str, Any], patch: Mapping[str, Any] | None, used: set[str], feeds: set[str]) -> str:
    said: Any = None
    with suppress(ValueError, RecursionError):
        said = json.loads(one["statement"])
    if not isinstance(said, dict) or set(said) != set(MEMBERS) or not all(isinstance(v, str) for v in said.values()):
        return f"not exactly {', '.join(MEMBERS)}, all of them texts"
    if patch is None:
        return "about a patch, but none was published"
    expected = {"kind": KIND, **{name: patch[name] for name in ("base", "result")}, "patch": patch["digest"],
                "state": one["state"]}  # fmt: skip
    if wrong := [name for name, value in expected.items() if said[name] != value]:
        return f"{', '.join(wrong)} not as the document has it"
    if _moment(said["at"]) != one["since"]:
        return "stated at another moment than the document has it"
    if said["public_key"] in used:
        return "by the key of another subscriber in this document"
    used.add(said["public_key"])
    feeds.add(said["feed"])
    right = signed(one["statement"], one["signature"], said["public_key"])
    if not right or canonical(said).decode() != one["statement"]:
        return "not signed by the key that it names"
    return ""


def _moment(text: str) -> str | None:
    try:
        return timestamp(datetime.fromisoformat(text))
    except (ValueError, OverflowError, DocumentError):
        return None
