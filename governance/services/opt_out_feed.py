"""What we tell others: reservations that are public anyway, as a JSON feed that is signed with a key of its own.

No claimant stands in it: an opt-out filed here is between the claimant and this house. What stands in it is what the
owners of addresses published themselves, where we read it, and the digests of what we read.
"""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings

from governance import dispatch
from governance.models import ReservationCheck, ReservedAddress
from governance.secrets import read_secret
from governance.selectors import organisation
from governance.selectors.reservations import published

VERSION = "https://jsonfeed.org/version/1.1"
KEY = "feed.key"
#: Items on one page of the feed.
PAGE = 500


def _key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(read_secret(KEY)[:32])


def public_key() -> str:
    """The feed's public key, 32 bytes in base64: whoever subscribes keeps it and compares."""
    raw = _key().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return base64.b64encode(raw).decode()


def sign(data: bytes) -> bytes:
    """An Ed25519 signature by the feeds' key."""
    return _key().sign(data)


def feed(*, url: str, after: int = 0) -> dict[str, Any]:
    """One page of the feed with its signature over the canonical JSON (RFC 8785) of everything but the signature."""
    # The id of an address is the mark: unlike a time, it never stands twice.
    rows = list(published().order_by("id").filter(pk__gt=after)[: PAGE + 1])
    document: dict[str, Any] = {
        "version": VERSION,
        "title": f"Opt-outs read by {organisation.current().name}",
        "home_page_url": settings.BASE_URL,
        "feed_url": url if not after else f"{url}?after={after}",
        "items": [_item(row) for row in rows[:PAGE]],
        "_lethe": {"algorithm": "Ed25519", "public_key": public_key()},
    }
    if len(rows) > PAGE:
        document["next_url"] = f"{url}?after={rows[PAGE - 1].pk}"
    signature = sign(dispatch.canonical_text(document).encode())
    document["_lethe"] = {**document["_lethe"], "signature": base64.b64encode(signature).decode()}
    return document


def _item(row: ReservedAddress) -> dict[str, Any]:
    check = ReservationCheck.objects.filter(address=row)[0]
    stated = [one for one in check.findings if one["stance"] == ReservationCheck.Stance.RESERVED]
    return {
        "id": f"urn:uuid:{row.public_id}",
        "url": row.url,
        "title": urlsplit(row.url).netloc,
        "content_text": "Training is reserved.",
        "date_published": check.since.isoformat(),
        "date_modified": check.at.isoformat(),
        "_lethe": {
            "uses": check.uses,
            "standards": sorted({one["standard"] for one in stated}),
            "bytes": sorted({source["digest"] for source in check.sources if "digest" in source}),
        },
    }
