"""Who works a case. Nobody is given a case in which they may not decide."""

from __future__ import annotations

from django.db import transaction

from governance.errors import Conflict, Unfit
from governance.evidence import ledger
from governance.models import Case, User
from governance.policies import Actor, Permission, demand, may, partial


@transaction.atomic
def case_assign(*, case: Case, officer: User | None, actor: Actor) -> Case:
    """Give a case to somebody, take it oneself, or put it back (`officer` is None).

    Raises:
        NotAllowed: the policy refuses the actor.
        Unfit: the officer may not work cases, left, or is party to this one.
        Conflict: the case is closed, or somebody else assigned it in the meantime.
    """
    demand(actor, Permission.ASSIGN)
    if not case.is_open:
        raise Conflict(f"Case {case.number} is closed; nobody works it any more.")
    if officer is not None:
        _fit(case, officer)
    before = case.officer_id
    if before == (officer.pk if officer else None):
        return case
    if not Case.objects.filter(pk=case.pk, status=case.status, officer=before).update(officer=officer):
        raise Conflict(f"Somebody else changed case {case.number} in the meantime; load it again.")
    case.officer = officer
    ledger.append(
        action="case.assigned", actor=actor, case=case, body={"person": officer.pk if officer else None, "from": before}
    )
    return case


def _fit(case: Case, officer: User) -> None:
    them = Actor.of(officer)
    if not officer.is_active or not may(them, Permission.ASSIGN):
        raise Unfit("Cases are given to active legal officers and approvers only.")
    if partial(case, them):
        raise Unfit(f"{officer} may not decide in case {case.number}; give it to somebody else.")
