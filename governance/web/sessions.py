"""Sessions at rest are encrypted: a form that waits for a password may hold personal data."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

NONCE = 12


def _key() -> bytes:
    return hmac.new(settings.SECRET_KEY.encode(), b"lethe sessions", hashlib.sha256).digest()


class SealedSerializer:
    """JSON under AES-256-GCM (NIST SP 800-38D); a session that cannot be opened counts as none."""

    def dumps(self, obj: Any) -> bytes:
        """Nonce and ciphertext."""
        nonce = secrets.token_bytes(NONCE)
        return nonce + AESGCM(_key()).encrypt(nonce, json.dumps(obj, separators=(",", ":")).encode(), b"session")

    def loads(self, data: bytes) -> Any:
        """What was sealed; an empty session when the bytes were not sealed here."""
        try:
            return json.loads(AESGCM(_key()).decrypt(data[:NONCE], data[NONCE:], b"session"))
        except (InvalidTag, ValueError):
            return {}
