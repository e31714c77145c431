"""Re-scan: works of earlier claims are looked for in every new training dataset, by fingerprint, before it is used.

What is found again is quarantined at once for the case whose work it is, and the legal desk is told. The works
themselves are not needed, and may be gone.
"""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from governance import dispatch
from governance.evidence import ledger
from governance.models import Case, Dataset, Job, Record, Role, User, WorkFingerprint
from governance.models.vault import subject_readable
from governance.notifications import mail
from governance.policies import Actor
from governance.services import containment, fingerprints

SYSTEM = Actor.system("rescans")
KIND = containment.RESCAN


def rescan_start(dataset: Dataset) -> Job | None:
    """Look for every known work in a new training dataset; None where there is none to look for."""
    if dataset.purpose != Dataset.Purpose.TRAINING:
        return None
    rows = list(fingerprints.known())
    if not rows:
        return None
    works = dispatch.put_bytes(dispatch.canonical_text(fingerprints.document(rows, with_key=True)).encode())
    spec = dispatch.MatchSpec(fingerprints=works, dataset=dataset.artifact)
    return dispatch.enqueue_engine(spec=spec, key=f"{KIND}:{dataset.pk}", kind=KIND)


def _dataset(job: Job) -> Dataset:
    return Dataset.objects.get(pk=int(job.key.rpartition(":")[2]))


@transaction.atomic
def rescan_finish(*, job: Job) -> int:
    """The search ended: hold what came back; how many records."""
    dataset = _dataset(job)
    hits = dispatch.read_output_rows(job, "matches")
    found: dict[int, set[str]] = defaultdict(set)
    owners = dict(
        WorkFingerprint.objects.filter(public_id__in={hit["item"] for hit in hits}).values_list("public_id", "case_id")
    )
    for hit in hits:
        # A claim that failed while the search ran has no fingerprint any more, and holds nothing.
        if case := owners.get(_uuid(hit["item"])):
            found[case].add(hit["record"])
    cases = Case.objects.select_related("claimant").filter(pk__in=found).order_by("id")
    held = [_hold(case, dataset, found[case.pk]) for case in cases]
    body = {"dataset": dataset.artifact, "records": sum(held), "cases": len(held)}
    ledger.append(action="rescan.finished", actor=SYSTEM, body=body)
    transaction.on_commit(partial(_forget, job))
    if sum(held):
        transaction.on_commit(partial(_tell, dataset, sum(held), [case.number for case in cases]))
    return sum(held)


def _uuid(text: str) -> Any:
    return WorkFingerprint._meta.get_field("public_id").to_python(text)


def _hold(case: Case, dataset: Dataset, names: set[str]) -> int:
    new = containment.returned(case, Record.objects.filter(dataset=dataset, record_id__in=names))
    body = {"dataset": dataset.artifact, "records": new, "number": case.number}
    known = case if subject_readable(case.claimant) else None
    ledger.append(action="records.returned", actor=SYSTEM, case=known, body=body)
    return new


@transaction.atomic
def rescan_fail(*, job: Job) -> None:
    """The search could not run: nothing of the dataset is exported for training until it did."""
    ledger.append(action="rescan.failed", actor=SYSTEM, body={"dataset": _dataset(job).artifact})


def _forget(job: Job) -> None:
    """The blob held the key beside the fingerprints."""
    dispatch.discard(dispatch.read_json(job.spec)["fingerprints"])


def _tell(dataset: Dataset, records: int, cases: list[str]) -> None:
    """A mail to the legal desk that names numbers only."""
    desk = User.objects.filter(role=Role.LEGAL, is_active=True).values_list("email", flat=True)
    title = f"{records} records of a new dataset hold works that were opted out"
    place = settings.BASE_URL + reverse("dataset", args=[dataset.public_id])
    text = f"{title}. They are held out of training.\n\nCases: {', '.join(cases)}\n{place}\n"
    mail.send_each(desk, title, text)
