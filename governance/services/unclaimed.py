"""Files of sealed papers are noted before they are stored: what a worker that died left behind is found and deleted.

Not the other way round, the row first: a row that names a file which is not there yet would be handed out.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from governance import dispatch
from governance.errors import Conflict
from governance.models import EarlierReport, Paper, Report, Unclaimed

log = logging.getLogger(__name__)
#: Longer than any job runs between storing a file and writing its row.
GRACE: Final = timedelta(days=1)
SWEEP: Final = 200
_NAMED: Final = (
    (Report, ("pdf", "evidence", "readme", "proofs")),
    (EarlierReport, ("pdf", "proofs")),
    (Paper, ("pdf", "evidence")),
)


class Swept(Conflict):
    """The files were deleted before their row was written: the job is tried again, and stores them anew."""

    waits = True


def store(**files: bytes) -> dict[str, str]:
    """Store files whose row is written next, and note them first, in a transaction of its own.

    Returns the name of each in the store; the row's transaction calls `claim` with them.
    """
    refs = {name: dispatch.bytes_digest(data) for name, data in files.items()}
    # What a try that died had noted is noted as of now: the same bytes are to stay as long as those of a first try.
    Unclaimed.objects.bulk_create([Unclaimed(ref=ref) for ref in sorted(set(refs.values()))],
                                  update_conflicts=True, unique_fields=["ref"], update_fields=["at"])  # fmt: skip
    for data in files.values():
        dispatch.put_bytes(data)
    return refs


def claim(refs: dict[str, str]) -> None:
    """The row that names them is written in this transaction.

    Raises:
        Swept: they were deleted meanwhile, or claimed by another try of the same job; it begins anew.
    """
    wanted = set(refs.values())
    if Unclaimed.objects.filter(ref__in=wanted).delete()[0] != len(wanted):
        raise Swept("The files of this paper were swept before its row was written; it is made anew.")


def sweep() -> int:
    """Delete files that nobody claimed for a day; how many. One that a row names stays, whatever was noted.

    One that cannot be deleted now is logged and due again a day later, behind the others.
    """
    done, limit = 0, timezone.now() - GRACE
    for one in Unclaimed.objects.filter(at__lte=limit)[:SWEEP]:
        try:
            done += _swept(one, limit)
        except (OSError, dispatch.EngineError) as error:
            log.warning("%s was not deleted: %s", one.ref, error)
            Unclaimed.objects.filter(pk=one.pk, at__lte=limit).update(at=timezone.now())
    return done


@transaction.atomic
def _swept(one: Unclaimed, limit: datetime) -> bool:
    """Whether it was there and went; not where somebody stored it again since it was looked up."""
    if not Unclaimed.objects.filter(pk=one.pk, at__lte=limit).delete()[0] or _is_named(one.ref):
        return False
    dispatch.discard(one.ref)
    return True


def _is_named(ref: str) -> bool:
    return any(model.objects.filter(**{column: ref}).exists() for model, columns in _NAMED for column in columns)
