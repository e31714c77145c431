"""How what waits for a second signature ends without one: whoever proposed takes it back, whoever may sign refuses."""

from __future__ import annotations

from governance.errors import Unfit
from governance.policies import Actor, Permission, demand

REASON = "Write in at least one full sentence why it is refused. It stands in the ledger: name nobody."


def taken_back(proposer: int | None, actor: Actor, *signs: Permission, reason: str = "") -> bool:
    """Whether the actor takes back what is their own; else they refuse it, as one who may sign, with a reason.

    Raises:
        NotAllowed: it is another's, and the actor may not sign it. Unfit: refused without a reason.
    """
    if actor.user is not None and actor.user.pk == proposer:
        return True
    demand(actor, *signs)
    if len(reason.strip()) < 20:
        raise Unfit(REASON)
    return False


def why(own: bool, reason: str) -> dict[str, str]:
    """What an entry of the ledger says of the reason; nothing where somebody took back what was their own."""
    return {} if own else {"why": reason.strip()}
