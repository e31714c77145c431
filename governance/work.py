"""Proof of work in place of a captcha: the caller's machine computes a little, nobody has to look at pictures.

A challenge is signed, so nothing is stored until it is answered; an answer counts once. Who computes nothing (no
JavaScript, an old machine, a plain call) is never shut out: fewer requests an hour are taken from that address, and
like everybody's they wait for the link in the letter before anybody decides anything. Pages and interface ask alike.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from datetime import UTC, datetime

from django.conf import settings
from django.core.cache import cache

from governance.secrets import read_secret

#: How long an answer may take: somebody writes a form meanwhile.
SECONDS = 4 * 3600
#: The field that people do not see; what fills it in fills in everything.
TRAP = "website"
FIELD = "work"
#: The same answer in a call of the interface.
HEADER = "Lethe-Work"
_LONGEST = 200


def challenge() -> str:
    """`salt.end.bits.signature`."""
    text = f"{secrets.token_hex(8)}.{int(time.time()) + SECONDS}.{settings.WORK_BITS}"
    return f"{text}.{_signature(text)}"


def asked_of(challenge: str) -> tuple[int, datetime]:
    """How many zero bits one of our own challenges asks for, and until when."""
    _salt, end, bits, _signature = challenge.split(".")
    return int(bits), datetime.fromtimestamp(int(end), UTC)


def _signature(text: str) -> str:
    return hmac.new(read_secret("tokens.key"), f"work:{text}".encode(), hashlib.sha256).hexdigest()[:32]


def proven(answer: str) -> bool:
    """Whether `challenge:number` is a fresh, unspent answer; spends it."""
    text, _colon, number = answer.rpartition(":")
    signed, _dot, signature = text.rpartition(".")
    if (
        len(answer) > _LONGEST
        or not answer.isascii()
        or not number.isalnum()
        or not hmac.compare_digest(_signature(signed), signature)
    ):
        return False
    _salt, end, bits = signed.split(".")
    left = int(end) - int(time.time())
    digest = hashlib.sha256(answer.encode()).digest()
    if left <= 0 or int.from_bytes(digest, "big") >> (256 - int(bits)):
        return False
    return bool(cache.add(f"work:{signature}", 1, timeout=left))
