"""Private links: a claimant's key to a case, derived so that it never has to be stored in the clear."""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid

from governance.secrets import read_secret


def link_token(public_id: uuid.UUID, purpose: str, turn: int = 0) -> str:
    """The secret part of a private link (160 bits, URL-safe). `turn`: how often it was changed."""
    named = f"{purpose}:{public_id}" + (f":{turn}" if turn else "")
    mac = hmac.new(read_secret("tokens.key"), named.encode(), hashlib.sha256).digest()
    return base64.b32encode(mac[:20]).decode().lower()


def token_hash(token: str) -> str:
    """What the database holds of a token: enough to find the case, not enough to forge the link."""
    return hashlib.sha256(token.encode()).hexdigest()


def email_mark(address: str) -> str:
    """A keyed hash of an e-mail address: equal for equal addresses, and nothing to read or to guess without the key."""
    text = f"email:{address.strip().casefold()}"
    return hmac.new(read_secret("tokens.key"), text.encode(), hashlib.sha256).hexdigest()[:32]
