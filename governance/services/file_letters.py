"""Letters about files: one for all that were settled together, a moment after the last of them."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from governance.models import Case, Upload
from governance.models.vault import subject_readable
from governance.services.notification import letter_send

State = Upload.State
#: After the last file so long: files that are sent one after the other are told of in one letter.
QUIET = timedelta(minutes=2)
BATCH = 20
_SETTLED = (State.CLEAN, State.REFUSED, State.INFECTED)


def files_tell() -> int:
    """Write to every claimant whose files were settled and who was not told yet; returns how many letters."""
    untold = Upload.objects.filter(told_at=None, case__isnull=False, state__in=_SETTLED, settled_at__isnull=False)
    cases = untold.order_by().values_list("case", flat=True).distinct()[:BATCH]
    return sum(_tell(case) for case in Case.objects.filter(pk__in=list(cases)).select_related("claimant"))


@transaction.atomic
def _tell(case: Case) -> bool:
    rows = list(case.uploads.select_for_update().filter(told_at=None, state__in=_SETTLED))
    if not rows or max(row.settled_at or row.received_at for row in rows) > timezone.now() - QUIET:
        return False
    Upload.objects.filter(pk__in=[row.pk for row in rows]).update(told_at=timezone.now())
    if not case.is_open or not subject_readable(case.claimant):
        return False
    taken = {row.state == State.CLEAN for row in rows}
    word = "some" if len(taken) == 2 else "taken" if taken == {True} else "refused"
    letter_send(case=case, template="files", more={"files": word})
    return True
