"""Keys of the ledger, of statements about models and of the feeds that may be in other hands since a moment.

Strangers are told by the trust file. Only what somebody outside of the house saw before that moment stays believed:
whoever took a key writes any time. Nothing is taken back: of two moments the earlier counts.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from governance import dispatch
from governance.errors import GovernanceError, Unfit
from governance.evidence import dsse, ledger
from governance.models import AttestationSet, Erasure, LedgerOpening, Report, Seal, SigningKey
from governance.policies import Actor
from governance.services import attestations, feed_pages, known_keys, reporting, unclaimed

SYSTEM = Actor.system("seals")
P = SigningKey.Purpose


def purpose_of(key: str) -> str | None:
    """What one of our keys signs, as the trust file writes it; None where it is none of them."""
    return next((one for one in known_keys.present() if key in known_keys.known(one)), None)


@transaction.atomic
def key_lose(*, key: str, at: datetime) -> SigningKey:
    """The key may be in other hands since `at`: nothing more is signed with it, and strangers are told.

    Raises:
        Unfit: none of our keys, or a time to come.
    """
    purpose = purpose_of(key)
    if purpose is None:
        raise Unfit(f"There is no key {key}. `python manage.py keys list` shows them.")
    if at > timezone.now():
        raise Unfit("A key was lost now or in the past.")
    row, _made = SigningKey.objects.select_for_update().get_or_create(purpose=purpose, public=key)
    row.lost_at = min(at, row.lost_at or at)
    row.save(update_fields=["lost_at"])
    body = {"purpose": purpose, "key": key, "at": at.astimezone(UTC).isoformat()}
    ledger.append(action=known_keys.LOST, actor=SYSTEM, body=body)
    transaction.on_commit(feed_pages.sign_soon, robust=True)
    return row


def unsaid() -> list[str]:
    """Where ledger and tables say another of keys and seals: each in one sentence.

    Of a seal that was replaced the ledger holds the rotation, in place of its end.
    """
    rows = (*SigningKey.objects.values_list("public", "lost_at"), *Seal.objects.values_list("fingerprint", "ended_at"))
    there = {name: at for name, at in rows if at}
    said = known_keys.lost_said()
    for body in _bodies("seal.ended"):
        at = datetime.fromisoformat(body["at"])
        said[body["seal"]] = min(at, said.get(body["seal"], at))
    replaced = {body["old"] for body in _bodies("seal.rotated")}
    earlier = [
        f"The tables say that {name} is not to be believed since {at.isoformat()}; the ledger does not say so."
        for name, at in there.items()
        if name not in replaced and (name not in said or at < said[name])
    ]
    later = [f"The ledger says that {name} is not to be believed since {at.isoformat()}; the tables do not say so any "
             "more." for name, at in said.items() if name not in there or there[name] > at]  # fmt: skip
    return earlier + later


def _bodies(action: str) -> QuerySet[Any, Any]:
    return LedgerOpening.objects.filter(entry__action=action).values_list("body", flat=True)


def renew() -> tuple[int, list[str]]:
    """Make anew what lost keys signed, with the keys after them: bundles of reports, statements about models.

    Returns how many, and what could not be made, in one sentence each; a second run goes on where one was stopped. A
    file that is missing or damaged is told of, and stops nothing.

    Raises:
        SealUnavailable: a key in use was lost itself, or witnesses or the outside time cannot be had now.
    """
    marks = known_keys.lost()
    for purpose in {row["purpose"] for row in marks} - {P.FEED}:
        known_keys.check_current(purpose)
    lost, done, problems = {row["key"] for row in marks}, 0, []
    for row, step in chain(_bundles(lost), _statements(lost)):
        try:
            done += step()
        except GovernanceError as error:
            if error.waits:
                raise
            problems.append(f"{row}: {error}")
        except dispatch.DataError as error:
            problems.append(f"{row}: {' '.join(error.messages)}")
    return done, problems


#: Returns whether anything was made anew.
Step = tuple[object, Callable[[], bool]]


def _each(rows: QuerySet[Any]) -> Iterator[Any]:
    """Each as it stands when its turn has come: the steps write these very rows, and may take a day."""
    for key in list(rows.order_by("pk").values_list("pk", flat=True)):
        yield from rows.filter(pk=key)


def _bundles(lost: set[str]) -> Iterator[Step]:
    for report in _each(Report.objects.exclude(proofs="").exclude(case__claimant__in=Erasure.claimants())):
        yield report, functools.partial(_bundle, report, lost)


def _bundle(report: Report, lost: set[str]) -> bool:
    """Where the report was stamped anew meanwhile, that bundle stays, and ours is swept with its note (`unclaimed`)."""
    if dispatch.read_json(report.proofs)["verifier_key"] not in lost:
        return False
    made = unclaimed.store(proofs=reporting.bundle_proofs(report))
    with transaction.atomic():
        if not Report.objects.filter(pk=report.pk, proofs=report.proofs).update(**made):
            return False
        unclaimed.claim(made)
    dispatch.discard(report.proofs)
    return True


def _statements(lost: set[str]) -> Iterator[Step]:
    for row in _each(AttestationSet.objects.exclude(artifact="").select_related("job")):
        yield row, functools.partial(_state, row, lost)


def _state(row: AttestationSet, lost: set[str]) -> bool:
    signer = attestations.documents(row).get(attestations.SIGNER)
    if not signer or dsse.pem_fingerprint(dispatch.read_bytes(signer)) not in lost:
        return False
    made = attestations.attestation_make(job=row.job)
    if made.artifact != row.artifact:
        dispatch.discard(row.artifact)
    return True
