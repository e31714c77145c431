"""What we tell others: reservations that are public anyway, as a JSON feed that is signed with a key of its own.

What stands in it is what the owners of addresses published themselves, where we read it, and the digests of what we
read. No claimant stands in it: an opt-out filed here is between the claimant and this house. Fingerprints of works
follow the addresses, only where their claimants agreed to it (`sharing`), without a name, a title or a case.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse

from governance.models import ReservationCheck, ReservedAddress, SharedPrint
from governance.selectors import organisation
from governance.selectors.reservations import published
from governance.services import sharing

__all__ = ["PAGE", "VERSION", "WORKS", "addresses", "addresses_url", "frame", "published", "works", "works_url"]

VERSION = "https://jsonfeed.org/version/1.1"
#: Items on one page of the feed: addresses, and fingerprints of works.
PAGE, WORKS = 500, 50


def frame() -> dict[str, Any]:
    """What all pages have in common."""
    return {
        "version": VERSION,
        "title": f"Opt-outs read by {organisation.current().name}",
        "home_page_url": settings.BASE_URL,
        "_lethe": {},
    }


def addresses_url(after: int) -> str:
    """Of the page of addresses that begins after a mark. An address's id is the mark: unlike a time, it is unique."""
    return settings.BASE_URL + reverse("opt_out_feed") + (f"?after={after}" if after else "")


def works_url(after: int) -> str:
    """Of a page of fingerprints, which follow the addresses."""
    return f"{settings.BASE_URL}{reverse('opt_out_feed')}?works={after}"


def addresses(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """An entry of each address that `published` found, by its last reading."""
    checks = ReservationCheck.objects.in_bulk([row.check_id for row in rows])
    return [_address(row, checks[row.check_id]) for row in rows]


def _address(row: ReservedAddress, check: ReservationCheck) -> dict[str, Any]:
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


def works(rows: Sequence[SharedPrint]) -> list[dict[str, Any]]:
    """An entry of each fingerprint."""
    return [
        {
            "id": f"urn:uuid:{row.public_id}",
            "content_text": "Training on this work is reserved.",
            "date_published": row.since.isoformat(),
            "_lethe": {"print": sharing.told(row)},
        }
        for row in rows
    ]
