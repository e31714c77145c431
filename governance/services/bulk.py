"""One step for many cases: each by the same service as alone, in a transaction of its own, with a result of its own."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from governance.errors import GovernanceError, Unfit
from governance.models import Case
from governance.policies import Actor, Permission, demand

#: More cases than a person can have looked at are not one decision.
MOST = 200


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one case: done, or why not. A refusal never stops the cases after it."""

    case: Case
    done: bool
    words: str


def bulk_run(
    *, public_ids: Sequence[uuid.UUID], step: Callable[[Case], str], permission: Permission, actor: Actor
) -> list[Outcome]:
    """Run `step` for each case in the given order; it calls one service and returns what to say.

    Each case is loaded fresh, so that the service sees what others did meanwhile. The permission is asked before the
    first, and by the service again for each.

    Raises:
        NotAllowed: the policy refuses the actor.
        Unfit: no case, or more than `MOST`.
    """
    demand(actor, permission)
    wanted = list(dict.fromkeys(public_ids))
    if not wanted:
        raise Unfit("Choose at least one case.")
    if len(wanted) > MOST:
        raise Unfit(f"{len(wanted)} cases; take at most {MOST} at a time.")
    return [_one(case, step) for pk in wanted if (case := _load(pk))]


def _load(public_id: uuid.UUID) -> Case | None:
    return Case.objects.select_related("claimant", "officer").filter(public_id=public_id).first()


def _one(case: Case, step: Callable[[Case], str]) -> Outcome:
    try:
        return Outcome(case=case, done=True, words=step(case))
    except GovernanceError as error:
        return Outcome(case=case, done=False, words=" ".join(error.messages))
