"""What evidence says of the thresholds of a case: who eased them and why, what each plan was compared with, and which
entries of the ledger were written when its run and its verification ended."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

from governance import dispatch
from governance.evidence import leaf
from governance.models import LedgerOpening, Plan, Role, User, VerificationPolicy


def eased(plan: Plan) -> dict[str, Any]:
    """The member `eased` of a policy that is easier to pass than the program's own; nothing where it is not."""
    changes = [one for one in dispatch.policy_changes(dispatch.whole_policy({}), plan.policy) if one.effect == "easier"]
    row = VerificationPolicy.objects.filter(digest=plan.policy_digest).first()
    if not changes:
        return {}
    signed = {
        "version": row.version,
        "reason": row.reason,
        "proposed": _signed(row.proposed_by, row.proposed_at),
        "approved": _signed(row.approved_by, row.approved_at),
    } if row else {}  # fmt: skip
    return {"eased": {"changes": [dataclasses.asdict(one) for one in changes], **signed}}


def _signed(who: User | None, at: datetime | None) -> dict[str, str] | None:
    return {"role": str(Role(who.role).label), "at": leaf.timestamp(at)} if who and at else None


def compared(plan: Plan) -> dict[str, str | None]:
    """Digests of the never-seen controls and of the reference that a plan was judged by."""
    return {
        "controls": plan.controls.artifact if plan.controls else None,
        "reference": plan.reference.artifact if plan.reference else None,
    }


#: What ended -> the action of the entry that was written then.
_ENDS = {"made": "unlearning.finished", "judged": "verification.finished"}


def ended(plan: Plan) -> dict[str, Any]:
    """The member `ended`: when the plan's version was there and when it was judged, by the ledger; nothing before."""
    rows = LedgerOpening.objects.filter(case_id=plan.case_id, body__attempt=plan.attempt).select_related("entry")
    found = {one.entry.action: one for one in rows.filter(entry__action__in=_ENDS.values()).order_by("entry_id")}
    points = {
        name: {"index": found[action].entry_id, "at": leaf.timestamp(found[action].entry.at)}
        for name, action in _ENDS.items()
        if action in found
    }
    return {"ended": points} if points else {}
