"""Legal holds: while one stands nothing of the case is deleted. It is lifted by a second person only."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.utils import timezone

from governance.errors import Conflict, NotAllowed, Unfit
from governance.evidence import ledger
from governance.models import Case, Hold
from governance.policies import Actor, Permission, demand, demand_impartial
from governance.services import answers, notes
from governance.services.shown import demand_shown, mark

REASON = "Write the reason in at least one full sentence."


def hold_of(case: Case) -> Hold | None:
    """The hold that stands, if any."""
    return case.holds.filter(lifted_at=None).select_related("placed_by", "lift_asked_by").first()


def _open(case: Case) -> Hold:
    Case.objects.select_for_update(no_key=True).get(pk=case.pk)
    found = hold_of(case)
    if found is None:
        raise Conflict(f"Case {case.number} is under no legal hold.")
    return found


@transaction.atomic
def hold_set(*, case: Case, reason: str, actor: Actor) -> Hold:
    """Set a hold, with its reason.

    Raises:
        NotAllowed: the policy refuses the actor. Unfit: without a reason. Conflict: one stands already.
    """
    demand(actor, Permission.HOLD)
    demand_impartial(case, actor)
    if len(reason.strip()) < 20:
        raise Unfit(REASON)
    if actor.user is None:
        raise NotAllowed("A hold is set by a person.")
    try:
        with transaction.atomic():
            hold = Hold.objects.create(
                case=case, subject=case.claimant.subject, reason=reason.strip(), placed_by=actor.user
            )
    except IntegrityError as error:
        raise Conflict(f"Case {case.number} is under a legal hold already.") from error
    _mark(case, hold)
    ledger.append(action="hold.set", actor=actor, case=case, body={"hold": hold.pk})
    return hold


@transaction.atomic
def hold_lift_ask(*, case: Case, reason: str, actor: Actor) -> Hold:
    """First signature under lifting a hold, with the reason.

    Raises:
        NotAllowed: the policy refuses the actor. Unfit: without a reason. Conflict: none stands, or somebody asked.
    """
    demand(actor, Permission.HOLD)
    demand_impartial(case, actor)
    if len(reason.strip()) < 20:
        raise Unfit(REASON)
    hold = _open(case)
    if hold.lift_asked_at is not None:
        raise Conflict("Somebody asked already; the second signature is due.")
    hold.lift_reason, hold.lift_asked_by, hold.lift_asked_at = reason.strip(), actor.user, timezone.now()
    hold.save(update_fields=["lift_reason", "lift_asked_by", "lift_asked_at"])
    ledger.append(action="hold.lift_asked", actor=actor, case=case, body={"hold": hold.pk})
    return hold


def lift_mark(hold: Hold | None) -> str:
    """What stands for one ask, with its reason; empty where nobody asked."""
    if hold is None or hold.lift_asked_at is None:
        return ""
    return mark(hold.pk, hold.lift_asked_by_id, hold.lift_asked_at.isoformat(), hold.lift_reason)


def _asked(case: Case, shown: str) -> Hold:
    hold = _open(case)
    if hold.lift_asked_by is None:
        raise Conflict("First somebody asks that the hold be lifted, and says why.")
    demand_shown(lift_mark(hold), shown)
    return hold


@transaction.atomic
def hold_lift(*, case: Case, actor: Actor, shown: str) -> Hold:
    """Second signature: the hold is lifted, for the reason that was shown (`lift_mark`).

    Raises:
        NotAllowed: the policy refuses the actor, or they asked for it themselves.
        Conflict: none stands, nobody asked, or it was asked anew.
    """
    demand(actor, Permission.HOLD)
    demand_impartial(case, actor)
    hold = _asked(case, shown)
    if actor.user is None or hold.lift_asked_by == actor.user:
        raise NotAllowed("You asked that the hold be lifted; a second person lifts it.")
    hold.lifted_by, hold.lifted_at = actor.user, timezone.now()
    hold.save(update_fields=["lifted_by", "lifted_at"])
    _mark(case, None)
    ledger.append(action="hold.lifted", actor=actor, case=case, body={"hold": hold.pk})
    return hold


@transaction.atomic
def hold_lift_end(*, case: Case, actor: Actor, shown: str, reason: str = "") -> None:
    """The hold stays: a second person refuses to lift it, or whoever asked takes it back. It may be asked again.

    The reason stands in a note, which the person's key seals.

    Raises:
        NotAllowed: the policy refuses the actor. Unfit: refused without a reason. Conflict: as `hold_lift`.
    """
    demand(actor, Permission.HOLD)
    hold = _asked(case, shown)
    own = answers.taken_back(hold.lift_asked_by_id, actor, Permission.HOLD, reason=reason)
    if not own:
        demand_impartial(case, actor)
    said = {} if own else {"note": notes.note_write(case=case, text=reason, actor=actor).pk}
    hold.lift_reason, hold.lift_asked_by, hold.lift_asked_at = "", None, None
    hold.save(update_fields=["lift_reason", "lift_asked_by", "lift_asked_at"])
    action = f"hold.lift_{'taken_back' if own else 'refused'}"
    ledger.append(action=action, actor=actor, case=case, body={"hold": hold.pk, **said})


def _mark(case: Case, hold: Hold | None) -> None:
    case.held_at = hold.placed_at if hold else None
    Case.objects.filter(pk=case.pk).update(held_at=case.held_at)
