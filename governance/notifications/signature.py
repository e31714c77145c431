"""Signatures of webhooks as Standard Webhooks has them: HMAC-SHA256 over id, time stamp and body."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping, Sequence

PREFIX = "whsec_"
#: How far the time stamp may lie from the receiver's clock, in seconds, before a message counts as played again.
TOLERANCE = 300


def new_secret() -> str:
    """A secret of 256 random bits, in the form that receivers' libraries read."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def _signature(secret: str, key: str, moment: int, body: bytes) -> str:
    signed = f"{key}.{moment}.".encode() + body
    mac = hmac.new(base64.b64decode(secret.removeprefix(PREFIX)), signed, hashlib.sha256)
    return "v1," + base64.b64encode(mac.digest()).decode()


def headers(*, key: str, body: bytes, secrets_in_force: Sequence[str], moment: int | None = None) -> dict[str, str]:
    """The three headers; one signature for each secret, so that a receiver can change over without a gap."""
    at = int(time.time()) if moment is None else moment
    return {
        "webhook-id": key,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(_signature(secret, key, at, body) for secret in secrets_in_force),
    }


def verify(*, received: Mapping[str, str], body: bytes, secret: str, now: float | None = None) -> bool:
    """What a receiver checks: a known signature, and a time stamp within `TOLERANCE` of its clock."""
    try:
        key, moment = received["webhook-id"], int(received["webhook-timestamp"])
        expected = _signature(secret, key, moment, body)
    except (KeyError, ValueError, binascii.Error):
        return False
    if abs((time.time() if now is None else now) - moment) > TOLERANCE:
        return False
    given = received.get("webhook-signature", "").split()
    return any(hmac.compare_digest(expected.encode(), one.encode()) for one in given)
