"""Containment: matched records leave training as soon as the proof allows it, and come back where the claim fails.

A quarantine is a row of one case about one record; a record is out of training while any case holds it. It begins at
proof level P2, never before, is confirmed or lifted by the decision of two people, and every step is in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.db.models import Min, Q
from django.utils import timezone

from governance import dispatch
from governance.errors import Conflict, NotAllowed, Unfit
from governance.evidence import ledger
from governance.models import Case, Dataset, Decision, Disposition, Job, Quarantine, Record, Status
from governance.models.vault import subject_readable
from governance.policies import Actor, Permission, demand, demand_impartial, may, proof_unlocks_containment
from governance.services import fingerprints, sharing
from governance.services.shown import demand_shown, mark

SYSTEM = Actor.system("containment")
#: Kind of the job that looks for earlier works in a new dataset (`services.rescans`).
RESCAN = "engine.rescan"
#: Where hits wait for their decision.
_UNDECIDED = (Status.DECISION, Status.INFORMATION, Status.MATCHING)
#: Ends of a case after which nothing of it may be held.
_FAILED = (Disposition.WITHDRAWN, Disposition.REFUSED)
_C = Quarantine.Cause
_ASKED = ("lift_asked_by", "lift_asked_at", "lift_why")


@transaction.atomic
def contain(case: Case) -> int:
    """Hold the matched records of a case, and fingerprint its works; how many records are new.

    Does nothing below P2, or once the hits are decided.
    """
    if case.status not in _UNDECIDED or not proof_unlocks_containment(case):
        return 0
    records = Record.objects.filter(matches__case=case, matches__decision__approved_at=None).distinct()
    made = _hold(case, records, _C.MATCHED)
    if made:
        fingerprints.take(case)
        ledger.append(
            action="records.quarantined", actor=SYSTEM, case=case, body={"records": made, "cause": _C.MATCHED.value}
        )
    return made


@transaction.atomic
def settle(case: Case, actor: Actor) -> None:
    """Two people have decided: what is erased or left out stays held, what is refused goes back."""
    decided = Decision.objects.filter(match__case=case, approved_at__isnull=False)
    kept = Record.objects.filter(matches__decision__in=decided.exclude(choice=Decision.Choice.REFUSE)).distinct()
    held = Quarantine.objects.filter(case=case, ended_at=None, record__in=kept)
    held.update(cause=_C.DECIDED)
    _hold(case, kept, _C.DECIDED)
    refused = Quarantine.objects.filter(case=case, ended_at=None).exclude(record__in=kept).exclude(cause=_C.RETURNED)
    lifted = _lift(refused, "Refused by two people")
    if lifted:
        ledger.append(action="records.released", actor=actor, case=case, body={"records": lifted, "why": "refused"})
    fingerprints.uphold(case)
    sharing.publish(case)


@transaction.atomic
def let_go(case: Case) -> int:
    """The claim is withdrawn or refused as a whole: nothing of it is held any more. Returns how many records."""
    lifted = _lift(Quarantine.objects.filter(case=case, ended_at=None), f"Case {case.number} ended: {case.disposition}")
    fingerprints.drop(case)
    sharing.drop(case)
    if lifted:
        body = {"records": lifted, "why": str(case.disposition)}
        ledger.append(
            action="records.released", actor=SYSTEM, case=case if subject_readable(case.claimant) else None, body=body
        )
    return lifted


@transaction.atomic
def reconsider(case: Case) -> int:
    """A proof was refused: what was held before any decision, and no other proof allows to hold, goes back."""
    if proof_unlocks_containment(case):
        return 0
    lifted = _lift(Quarantine.objects.filter(case=case, ended_at=None, cause=_C.MATCHED), "The proof was refused")
    if lifted:
        ledger.append(
            action="records.released", actor=SYSTEM, case=case, body={"records": lifted, "why": "proof refused"}
        )
    return lifted


@transaction.atomic
def give_back(case: Case, actor: Actor) -> int:
    """The claimant gives the works free again, and two people agreed: nothing of the case is held any more."""
    lifted = _lift(Quarantine.objects.filter(case=case, ended_at=None), Quarantine.GIVEN_BACK, actor)
    fingerprints.drop(case)
    sharing.drop(case)
    ledger.append(action="records.released", actor=actor, case=case, body={"records": lifted, "why": "given back"})
    return lifted


def sweep() -> int:
    """Cases whose claim failed and that still hold something, by whatever way they ended; how many let go."""
    failed = Case.objects.filter(disposition__in=_FAILED)
    held = Q(quarantines__ended_at=None, quarantines__isnull=False) | Q(fingerprints__isnull=False)
    holding = failed.filter(held | Q(feed_consent__prints__isnull=False))
    count = 0
    for case in holding.select_related("claimant").distinct().order_by("id")[:100]:
        let_go(case)
        count += 1
    return count


@transaction.atomic
def returned(case: Case, records: Iterable[Record]) -> int:
    """Records of a new dataset in which an earlier work was found again; how many are new."""
    return _hold(case, records, _C.RETURNED)


@transaction.atomic
def lift_ask(*, quarantine: Quarantine, actor: Actor, reason: str) -> None:
    """Ask that a record which the re-scan held by mistake go back into training; another person answers.

    Who asks anew takes the place of whoever asked before.

    Raises:
        Unfit: no reason, or it is held by a decision, which alone lifts it. Conflict: it was lifted already.
    """
    demand(actor, Permission.ASK_LIFT)
    demand_impartial(quarantine.case, actor)
    if len(reason.strip()) < 20:
        raise Unfit("Write in at least one full sentence why the record is not the work; name nobody.")
    row = _returned(quarantine)
    row.lift_asked_by, row.lift_asked_at, row.lift_why = actor.user, timezone.now(), reason.strip()[:400]
    row.save(update_fields=_ASKED)
    _released("records.release_asked", row, actor, row.lift_why)


def lift_mark(row: Quarantine) -> str:
    """What stands for one ask, with its reason."""
    return mark(row.pk, row.lift_asked_by_id, row.lift_asked_at and row.lift_asked_at.isoformat(), row.lift_why)


@transaction.atomic
def lift_approve(*, quarantine: Quarantine, actor: Actor, shown: str) -> None:
    """Second signature: the record goes back into training, for the reason that the approver was shown.

    Raises:
        NotAllowed: who asked does not answer. Unfit: a decision holds it now.
        Conflict: nobody asked, it was asked anew or taken back since, or it was lifted already.
    """
    demand(actor, Permission.LIFT_QUARANTINE)
    demand_impartial(quarantine.case, actor)
    row = _asked(quarantine, shown)
    if actor.user is None or actor.user.pk == row.lift_asked_by_id:
        raise NotAllowed("You asked that the record be let back; a second person answers.")
    _lift(Quarantine.objects.filter(pk=row.pk), row.lift_why, actor)
    _released("records.released", row, actor, row.lift_why)


@transaction.atomic
def lift_end(*, quarantine: Quarantine, actor: Actor, shown: str) -> None:
    """The record stays held: whoever may let it back refuses, or who asked takes it back. It may be asked again.

    Raises:
        NotAllowed: neither of them. Unfit: a decision holds it now. Conflict: as `lift_approve`.
    """
    demand(actor, Permission.ASK_LIFT, Permission.LIFT_QUARANTINE)
    row = _asked(quarantine, shown)
    own = actor.user is not None and actor.user.pk == row.lift_asked_by_id
    if not own:
        demand_impartial(quarantine.case, actor)
    if not own and not may(actor, Permission.LIFT_QUARANTINE):
        raise NotAllowed("Somebody else asked that the record be let back: they take it back, or an approver refuses.")
    why = row.lift_why
    row.lift_asked_by, row.lift_asked_at, row.lift_why = None, None, ""
    row.save(update_fields=_ASKED)
    _released("records.release_taken_back" if own else "records.release_refused", row, actor, why)


def _returned(quarantine: Quarantine) -> Quarantine:
    """The row as it stands now, locked: held because a search found the work again, and by nothing else."""
    row = Quarantine.objects.select_for_update().get(pk=quarantine.pk)
    if row.cause != _C.RETURNED:
        raise Unfit("This record is held by a case under way or by its decision; only that decision lifts it.")
    if row.ended_at is not None:
        raise Conflict("Somebody else lifted this quarantine in the meantime.")
    return row


def _asked(quarantine: Quarantine, shown: str) -> Quarantine:
    """That, with the very ask that was shown to who answers."""
    row = _returned(quarantine)
    if row.lift_asked_by_id is None:
        raise Conflict("First somebody asks that the record be let back, and says why.")
    demand_shown(lift_mark(row), shown)
    return row


def _released(action: str, quarantine: Quarantine, actor: Actor, why: str) -> None:
    case = quarantine.case
    body = {"records": 1, "record": quarantine.record.record_id, "quarantine": quarantine.pk, "why": why}
    ledger.append(action=action, actor=actor, case=case if subject_readable(case.claimant) else None, body=body)


def _hold(case: Case, records: Iterable[Record], cause: Quarantine.Cause) -> int:
    wanted = {record.pk for record in records}
    there = Quarantine.objects.filter(case=case, record__in=wanted, ended_at=None).values_list("record_id", flat=True)
    new = wanted - set(there)
    Quarantine.objects.bulk_create(Quarantine(case=case, record_id=pk, cause=cause) for pk in sorted(new))
    _reckon(wanted)
    return len(new)


def _lift(rows: object, why: str, actor: Actor | None = None) -> int:
    found = list(rows.values_list("pk", "record_id"))  # type: ignore[attr-defined]
    mine = Quarantine.objects.filter(pk__in=[pk for pk, _record in found], ended_at=None)
    lifted = mine.update(ended_at=timezone.now(), ended_why=why, ended_by=actor.user if actor else None)
    _reckon({record for _pk, record in found})
    return lifted


def _reckon(records: set[int]) -> None:
    """Write into each record since when it is out of training, or that it is in."""
    held = Quarantine.objects.filter(record__in=records, ended_at=None)
    since = dict(held.values_list("record_id").annotate(first=Min("since")))
    for record in Record.objects.filter(pk__in=records):
        if record.quarantined_at != since.get(record.pk):
            Record.objects.filter(pk=record.pk).update(quarantined_at=since.get(record.pk))


@transaction.atomic
def records_export(*, dataset: Dataset, actor: Actor, held: bool = False) -> tuple[str, str]:
    """Ids of the records that may be trained on, one a line, or of those held out: the text and its digest.

    Raises:
        Unfit: the dataset is never trained on, or the search for earlier works in it has not ended well.
    """
    demand(actor, Permission.EXPORT_LISTS, Permission.RUN_MACHINE)
    if dataset.purpose == Dataset.Purpose.CONTROLS:
        raise Unfit("Controls are never trained on; there is nothing to export.")
    scan = Job.objects.filter(key=f"{RESCAN}:{dataset.pk}").exclude(state=Job.State.SUCCEEDED).first()
    if scan is not None:
        raise Unfit(
            f"The search for earlier opted-out works in {dataset.name} is {scan.get_state_display().lower()}; export "
            "when it is done."
        )
    rows = dataset.records.filter(quarantined_at__isnull=not held).order_by("record_id")
    names = list(rows.values_list("record_id", flat=True))
    ref = dispatch.put_lines(names)
    body = {"dataset": dataset.artifact, "list": ref, "records": len(names), "held": held}
    ledger.append(action="dataset.exported", actor=actor, body=body)
    return "".join(f"{name}\n" for name in names), ref
