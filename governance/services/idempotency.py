"""The same call twice is one call: an answer is kept, sealed, for a day under the caller's idempotency key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from governance.errors import Conflict, Unfit
from governance.models import StoredAnswer
from governance.models.vault import house_seal, house_unseal

KEPT = timedelta(hours=24)
#: A call that began and never ended lets its key go after this.
BUSY = timedelta(seconds=120)
MAX_KEY = 255


class UnderWay(Conflict):
    """The first call under this key has not been answered yet."""


@dataclass(frozen=True)
class Answer:
    """What was answered, and whether it was said before."""

    status: int
    body: Any
    replayed: bool


def once(*, caller: str, key: str, call: bytes, do: Callable[[], tuple[int, Any]]) -> Answer:
    """Do it, or give the answer of the time before. What is done and its answer are one transaction.

    Raises:
        Unfit: a key that is no key, or one that another call has. UnderWay: the first call has not ended.
    """
    if not key.isascii() or not key.isprintable() or not 1 <= len(key) <= MAX_KEY:
        raise Unfit(f"An idempotency key has between 1 and {MAX_KEY} printable ASCII characters.")
    mark, digest = _hash(f"{caller}\n{key}".encode()), _hash(call)
    now = timezone.now()
    StoredAnswer.objects.filter(mark=mark, begun_at__lt=now - KEPT).delete()
    StoredAnswer.objects.filter(mark=mark, status=None, begun_at__lt=now - BUSY).delete()
    row, made = StoredAnswer.objects.get_or_create(mark=mark, defaults={"call": digest})
    if not made:
        return _again(row, digest)
    try:
        with transaction.atomic():
            status, body = do()
            sealed = house_seal(json.dumps(body).encode(), f"answer:{mark}")
            StoredAnswer.objects.filter(pk=mark).update(status=status, body=sealed)
    except BaseException:
        # What was refused may be put right and sent again under the same key.
        StoredAnswer.objects.filter(pk=mark, status=None).delete()
        raise
    return Answer(status, body, False)


def _again(row: StoredAnswer, digest: str) -> Answer:
    if row.call != digest:
        raise Unfit("Another call was made under this idempotency key; choose a new one.")
    if row.status is None:
        raise UnderWay("This was sent a moment ago and is still under way; try again in a moment.")
    return Answer(row.status, json.loads(house_unseal(bytes(row.body), f"answer:{row.mark}")), True)


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def answers_forget() -> int:
    """Delete what is older than a day."""
    gone, _by_model = StoredAnswer.objects.filter(begun_at__lt=timezone.now() - KEPT).delete()
    return gone
