"""The public feeds as fixed pages: whoever changes what they tell says so here, and the web serves what was signed.

The signing worker makes the pages (`feed_signing`). A change is a row of the same transaction, so that none is lost;
the message on commit only makes it quick.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Min
from django.utils import timezone

from governance import dispatch
from governance.models import Feed, FeedChange, FeedPage, PatchPublication

TASK: Final = "governance.sign_feeds"
#: A page that nothing changes is signed anew after so long; readers refuse one that is seven days old.
AGAIN: Final = timedelta(days=1)


def changed(feed: Feed, items: Iterable[int]) -> None:
    """These ids are told otherwise from now on, or not any more; called in the transaction that changes them."""
    rows = [FeedChange(feed=feed, item=one) for one in items]
    if rows:
        FeedChange.objects.bulk_create(rows)
        transaction.on_commit(sign_soon, robust=True)


def patches_changed(**which: Any) -> None:
    """The same, of the publications of patches that a look-up names."""
    found = PatchPublication.objects.filter(approved_at__isnull=False, **which)
    changed(Feed.PATCHES, found.values_list("pk", flat=True))


def taken_back(feed: Feed, items: Iterable[int]) -> None:
    """The same of what may not be told for a moment longer: its pages are not served until they are signed anew."""
    ids = list(items)
    for one in ids:
        if page := FeedPage.objects.filter(feed=feed, after__lt=one).order_by("-after").only("pk").first():
            FeedPage.objects.filter(pk=page.pk).update(body=b"")
    changed(feed, ids)


def sign_soon() -> None:
    """Ask the signing worker; where no broker answers, the scheduler does within the minute."""
    dispatch.tell(TASK, [], "signing")


def page_at(feed: Feed, mark: int) -> FeedPage | None:
    """The page that holds what comes after a mark, whoever named it and whenever; None where it is not signed."""
    page = FeedPage.objects.filter(feed=feed, after__lte=mark).order_by("-after").first()
    return page if page and page.body else None


def waits(feed: Feed) -> bool:
    """Whether something changed that no signed page tells yet."""
    pages = FeedPage.objects.filter(feed=feed, changed_at__isnull=False)
    return FeedChange.objects.filter(feed=feed).exists() or pages.exists()


def waits_since() -> datetime | None:
    """Since when a change waits for its signature, or a page for its daily one; None where none does."""
    moments = [
        FeedChange.objects.aggregate(at=Min("at"))["at"],
        *FeedPage.objects.aggregate(changed=Min("changed_at"), issued=Min("issued_at")).values(),
    ]
    if moments[-1]:
        moments[-1] += AGAIN
    now = timezone.now()
    return min((one for one in moments if one and one <= now), default=None)
