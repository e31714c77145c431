"""A case in the words of the Data Rights Protocol 1.0 (3.02, request statuses), so that an adapter needs no rules.

Nothing is told that the case's own status and disposition do not tell (`policies.findings_told`).
"""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from governance.models import AbuseFinding, Case, Decision, Disposition, Status
from governance.policies import disposition_told
from governance.services.abuse import finding_of

STATUSES = ("open", "in_progress", "fulfilled", "revoked", "denied")
REASONS = (
    "need_user_verification",
    "suspected_fraud",
    "insuf_verification",
    "no_match",
    "claim_not_covered",
    "too_many_requests",
    "other",
)
_ENDED: dict[str, tuple[str, str]] = {
    Disposition.FULFILLED: ("fulfilled", ""),
    Disposition.PARTLY: ("fulfilled", ""),
    Disposition.EXCLUDED: ("fulfilled", ""),
    Disposition.WITHDRAWN: ("revoked", ""),
    Disposition.NO_DATA: ("denied", "no_match"),
    Disposition.NOT_FULFILLED: ("denied", "other"),
}
_G = AbuseFinding.Ground
_ABUSE: dict[str, str] = {
    _G.EXCESSIVE: "too_many_requests",
    _G.FLOOD: "too_many_requests",
    _G.IMPERSONATION: "suspected_fraud",
    _G.FALSE: "suspected_fraud",
    _G.UNFOUNDED: "claim_not_covered",
}


class DrpSerializer(serializers.Serializer[Any]):
    """`status` and `reason` of the protocol."""

    status = serializers.ChoiceField(choices=STATUSES)
    reason = serializers.ChoiceField(choices=REASONS, allow_blank=True)
    user_verification_url = serializers.URLField(
        allow_blank=True, help_text="page on which the person shows who they are; empty once the case is closed"
    )


def state_of(case: Case) -> tuple[str, str]:
    """Status and reason."""
    over = case.status == Status.CLOSED or (case.status == Status.NOTIFICATION and disposition_told(case))
    if not over:
        if case.status == Status.RECEIVED:
            return "open", ""
        waits = case.status in (Status.PROOF, Status.INFORMATION)
        return "in_progress", "need_user_verification" if waits else ""
    told = disposition_told(case)
    if not told:
        return "denied", "insuf_verification"
    return _ENDED.get(told) or ("denied", _why_refused(case))


def _why_refused(case: Case) -> str:
    found = finding_of(case)
    if found is not None and found.approved_at is not None:
        return _ABUSE[found.ground]
    return "claim_not_covered" if Decision.objects.filter(match__case=case).exists() else "other"
