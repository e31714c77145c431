"""What we tell others: reservations that are public anyway, as a JSON feed that is signed with a key of its own.

What stands in it is what the owners of addresses published themselves, where we read it, and the digests of what we
read. No claimant stands in it: an opt-out filed here is between the claimant and this house. Fingerprints of works
follow the addresses, only where their claimants agreed to it (`sharing`), without a name, a title or a case.
"""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from governance import dispatch
from governance.models import ReservationCheck, ReservedAddress, SigningKey
from governance.selectors import organisation
from governance.selectors.reservations import published
from governance.services import known_keys, sharing
from governance.services.feed_key import opened, public_key

VERSION = "https://jsonfeed.org/version/1.1"
#: Items on one page of the feed: addresses, and fingerprints of works.
PAGE, WORKS = 500, 50


def feed(*, url: str, after: int = 0, works: int | None = None) -> dict[str, Any]:
    """One page of the feed with its signature over the canonical JSON (RFC 8785) of everything but the signature.

    The addresses after the mark `after`; with `works` the fingerprints after that mark, whose pages follow the others'.

    Raises:
        SealUnavailable: the key may be in other hands; the next one signs.
    """
    known_keys.check_current(SigningKey.Purpose.FEED)
    items, more = _addresses(after) if works is None else _works(works)
    mark = f"?after={after}" if after else "" if works is None else f"?works={works}"
    key = opened()
    document: dict[str, Any] = {
        "version": VERSION,
        "title": f"Opt-outs read by {organisation.current().name}",
        "home_page_url": settings.BASE_URL,
        "feed_url": url + mark,
        "items": items,
        "_lethe": {"algorithm": "Ed25519", "public_key": public_key(key), **known_keys.lost_told()},
    }
    if more:
        document["next_url"] = url + more
    signature = key.sign(dispatch.canonical_text(document).encode())
    document["_lethe"] = {**document["_lethe"], "signature": base64.b64encode(signature).decode()}
    return document


def _addresses(after: int) -> tuple[list[dict[str, Any]], str]:
    """Items, and the mark of the next page."""
    # The id of an address is the mark: unlike a time, it never stands twice.
    rows = list(published().order_by("id").filter(pk__gt=after)[: PAGE + 1])
    if len(rows) > PAGE:
        return [_item(row) for row in rows[:PAGE]], f"?after={rows[PAGE - 1].pk}"
    return [_item(row) for row in rows], "?works=0" if sharing.prints().exists() else ""


def _works(after: int) -> tuple[list[dict[str, Any]], str]:
    rows = list(sharing.prints().filter(pk__gt=after)[: WORKS + 1])
    items = [
        {
            "id": f"urn:uuid:{row.public_id}",
            "content_text": "Training on this work is reserved.",
            "date_published": row.since.isoformat(),
            "_lethe": {"print": sharing.told(row)},
        }
        for row in rows[:WORKS]
    ]
    return items, f"?works={rows[WORKS - 1].pk}" if len(rows) > WORKS else ""


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
