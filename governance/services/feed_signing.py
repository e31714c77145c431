"""The signing worker makes the pages of the public feeds: what changed, what is a day old, what another key signed.

One page at a time, each in a transaction of its own, a bounded number in one run: reports to be sealed wait between
two runs. Later pages come first, so that no page names a next one that is not there.
"""

from __future__ import annotations

import base64
import logging
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from governance import dispatch
from governance.evidence.checkpoint import NoteSigner
from governance.evidence.errors import SealUnavailable
from governance.models import Feed, FeedChange, FeedPage, SigningKey
from governance.services import known_keys, opt_out_feed, own_keys, patch_feed, seals, sharing
from governance.services.feed_pages import AGAIN, sign_soon

log = logging.getLogger(__name__)
#: Pages made, and changes looked at, in one run.
BATCH: Final = 50
CHANGES: Final = 1000


@dataclass(frozen=True)
class _Kind:
    """What a feed holds: rows in the order of their ids, an entry of each, and what its pages have in common."""

    size: Callable[[], int]
    rows: Callable[[], QuerySet[Any]]
    items: Callable[[Sequence[Any]], list[dict[str, Any]]]
    frame: Callable[[], dict[str, Any]]
    url: Callable[[int], str]
    #: Where the reader goes on after the last page.
    then: str = ""


def _kinds() -> dict[Feed, _Kind]:
    works = opt_out_feed.works_url(0)
    return {
        Feed.WORKS: _Kind(lambda: opt_out_feed.WORKS, sharing.prints, opt_out_feed.works, opt_out_feed.frame,
                          opt_out_feed.works_url),
        Feed.OPT_OUTS: _Kind(lambda: opt_out_feed.PAGE, opt_out_feed.published, opt_out_feed.addresses,
                             opt_out_feed.frame, opt_out_feed.addresses_url, works),
        Feed.PATCHES: _Kind(lambda: patch_feed.PAGE, patch_feed.approved, patch_feed.items, patch_feed.frame,
                            patch_feed.page_url),
    }  # fmt: skip


def feeds_sign(folder: Path | None = None) -> int:
    """Sign what is due with the key in the seal's folder, or in `folder` at set-up; returns how many pages.

    What one run leaves is asked for again at once.

    Raises:
        Unfit: this process has no folder of the seal. SealError, SealUnavailable: the key cannot be had.
    """
    key = own_keys.feed_open(folder or seals.folder())
    try:
        known_keys.check_current(SigningKey.Purpose.FEED)
    except SealUnavailable as error:
        log.warning("The feeds wait for their key: %s", error)
        return 0
    done, public = 0, own_keys.feed_public(key)
    for feed, kind in _kinds().items():
        common = kind.frame()
        common["_lethe"] |= {"algorithm": "Ed25519", "public_key": public, **known_keys.lost_told()}
        _spread(feed)
        frame = dispatch.text_digest(dispatch.canonical_text(common))
        while done < BATCH and (page := _due(feed, frame)):
            _make(kind, page.pk, common, frame, key)
            done += 1
    if done == BATCH:
        sign_soon()
    return done


@transaction.atomic
def _spread(feed: Feed) -> None:
    """Into which pages the changes fall. They are looked up now, not when they are written: a page may be cut."""
    FeedPage.objects.get_or_create(feed=feed, after=0)
    changes = list(FeedChange.objects.filter(feed=feed)[:CHANGES])
    if not changes:
        return
    begins = list(FeedPage.objects.filter(feed=feed).order_by("after").values_list("after", flat=True))
    touched = {begins[bisect_left(begins, one.item) - 1] for one in changes}
    unchanged = FeedPage.objects.filter(feed=feed, after__in=touched, changed_at=None)
    unchanged.update(changed_at=min(one.at for one in changes))
    FeedChange.objects.filter(pk__in=[one.pk for one in changes]).delete()


def _due(feed: Feed, frame: str) -> FeedPage | None:
    """The page to be made next: of those that changed the last one, then whichever was signed longest ago."""
    pages = FeedPage.objects.filter(feed=feed).defer("body")
    old = Q(issued_at__lt=timezone.now() - AGAIN)
    changed = pages.exclude(changed_at=None).order_by("-after").first()
    return changed or pages.filter(~Q(frame=frame) | old).order_by("issued_at").first()


@transaction.atomic
def _make(kind: _Kind, pk: int, common: dict[str, Any], frame: str, key: NoteSigner) -> None:
    """Sign a page as it is now; where more stands in it than fits, cut it instead, and the rest comes first.

    The row is locked before anything is read: of two workers the later one reads what both will have seen.
    """
    page = FeedPage.objects.select_for_update().defer("body").get(pk=pk)
    later = FeedPage.objects.filter(feed=page.feed, after__gt=page.after).order_by("after")
    end = later.values_list("after", flat=True).first()
    found = kind.rows().filter(pk__gt=page.after).order_by("pk")
    rows = list((found if end is None else found.filter(pk__lte=end))[: kind.size() + 1])
    if len(rows) > kind.size():
        FeedPage.objects.create(feed=page.feed, after=rows[-2].pk)
        FeedPage.objects.filter(pk=page.pk, changed_at=None).update(changed_at=timezone.now())
        return
    items, following = kind.items(rows), later.filter(items__gt=0).first()
    anew = page.changed_at is not None or page.frame != frame
    moment = timezone.now().replace(microsecond=0)
    issued = moment if anew else moment.replace(minute=0, second=0)
    next_url = kind.url(following.after) if following else kind.then
    document = {**common, "feed_url": kind.url(page.after), "items": items}
    FeedPage.objects.filter(pk=page.pk).update(
        body=_signed(document, next_url, issued, key), items=len(items), issued_at=issued, changed_at=None,
        key=common["_lethe"]["public_key"], frame=frame,
    )  # fmt: skip
    if bool(items) != bool(page.items):
        # Pages before it name the next one that holds anything: the last such, and the empty ones after that.
        before = FeedPage.objects.filter(feed=page.feed, after__lt=page.after)
        last = before.filter(items__gt=0).order_by("-after").values_list("after", flat=True).first() or 0
        before.filter(after__gte=last, changed_at=None).update(changed_at=moment)


def _signed(document: dict[str, Any], next_url: str, issued: datetime, key: NoteSigner) -> bytes:
    """The bytes of a page, canonical JSON, with its moment and the signature over all else (RFC 8785, Ed25519)."""
    whole = {**document, "_lethe": {**document["_lethe"], "issued_at": issued.isoformat()}}
    if next_url:
        whole["next_url"] = next_url
    signature = key.sign(dispatch.canonical_text(whole).encode())
    whole["_lethe"]["signature"] = base64.b64encode(signature).decode()
    return dispatch.canonical_text(whole).encode()
