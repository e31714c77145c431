"""Verification policies: one person proposes other thresholds and says why, another approves; nothing is overwritten.

Version 0 is the engine's own policy and always there. The newest approved version is what new plans take; plans that
exist keep theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from governance import dispatch
from governance.errors import Conflict, NotAllowed, Unfit
from governance.evidence import ledger
from governance.models import User, VerificationPolicy
from governance.policies import Actor, Permission, demand

#: Name of the house's own policies, inside them and in the ledger.
NAME = "house"
#: A reason in fewer characters says nothing.
LEAST_REASON = 20


def newest() -> VerificationPolicy | None:
    """The newest approved version; None while the engine's own policy is in force."""
    return VerificationPolicy.objects.filter(approved_at__isnull=False).order_by("-version").first()


def waiting() -> VerificationPolicy | None:
    """The proposal that waits for a second person."""
    return VerificationPolicy.objects.filter(approved_at=None, returned_at=None).first()


def current() -> dict[str, Any]:
    """The policy that a new plan takes, whole.

    Raises:
        Unfit: the engine of today no longer takes the approved policy; propose one that it takes.
    """
    row = newest()
    if row is None:
        return dispatch.whole_policy({})
    whole = dispatch.whole_policy(row.policy)
    if dispatch.digest(whole) != row.digest:
        raise Unfit(
            f"Policy {row.version} was approved for an engine with other thresholds; propose and approve it anew."
        )
    return whole


@transaction.atomic
def policy_propose(*, thresholds: Mapping[str, Any], reason: str, actor: Actor) -> VerificationPolicy:
    """First signature: a whole policy that differs from the one in force, with the reason why.

    Raises:
        Unfit: every problem of the policy or the reason at once, or nothing differs.
        Conflict: another proposal waits.
    """
    demand(actor, Permission.PROPOSE_POLICY)
    row = newest()
    before = dict(row.policy) if row else dispatch.whole_policy({})
    version = 1 + (VerificationPolicy.objects.aggregate(newest=Max("version"))["newest"] or 0)
    problems: list[str] = []
    try:
        whole = dispatch.whole_policy({**thresholds, "name": NAME, "version": version})
    except Unfit as error:
        problems += error.messages
    else:
        if not dispatch.policy_changes(before, whole):
            problems.append("No threshold differs from the policy in force.")
    if len(reason.strip()) < LEAST_REASON:
        problems.append("Say in a sentence why the thresholds change: the second person and every auditor read it.")
    if problems:
        raise Unfit(problems)
    if actor.user is None:
        raise NotAllowed("Thresholds are proposed by people.")
    made = _create(version, whole, before, reason.strip(), actor.user)
    ledger.append(action="policy.proposed", actor=actor, body=_facts(made))
    return made


def _create(version: int, whole: dict[str, Any], before: dict[str, Any], reason: str, who: User) -> VerificationPolicy:
    try:
        with transaction.atomic():
            return VerificationPolicy.objects.create(
                version=version,
                name=NAME,
                policy=whole,
                before=before,
                digest=dispatch.digest(whole),
                reason=reason,
                proposed_by=who,
            )
    except IntegrityError as error:
        raise Conflict("Another proposal waits for a second person; it has to be answered first.") from error


@transaction.atomic
def policy_approve(*, policy: VerificationPolicy, actor: Actor) -> VerificationPolicy:
    """Second signature: from now on new plans take it.

    Raises:
        NotAllowed: whoever proposed cannot approve.
        Conflict: it was answered already, or another version was approved since it was proposed.
    """
    demand(actor, Permission.APPROVE_POLICY)
    if policy.proposed_by == actor.user:
        raise NotAllowed("You proposed this policy; a second person must approve it.")
    dispatch.whole_policy(policy.policy)
    _answer(policy, approved_by=actor.user, approved_at=timezone.now())
    ledger.append(action="policy.approved", actor=actor, body=_facts(policy))
    return policy


@transaction.atomic
def policy_return(*, policy: VerificationPolicy, actor: Actor, reason: str) -> VerificationPolicy:
    """A second person says no, or whoever proposed takes it back. The history keeps both.

    Raises:
        Unfit: no reason.
    """
    demand(actor, Permission.APPROVE_POLICY)
    if not reason.strip():
        raise Unfit("Write why the proposal goes back.")
    _answer(policy, returned_by=actor.user, returned_at=timezone.now(), returned_reason=reason.strip())
    ledger.append(action="policy.returned", actor=actor, body={**_facts(policy), "why": reason.strip()})
    return policy


def _answer(policy: VerificationPolicy, **columns: Any) -> None:
    open_ones = VerificationPolicy.objects.filter(pk=policy.pk, approved_at=None, returned_at=None)
    if not open_ones.update(**columns):
        raise Conflict("Somebody else answered this proposal in the meantime.")
    policy.refresh_from_db()


def _facts(policy: VerificationPolicy) -> dict[str, Any]:
    """What the ledger commits to: the policy by digest, and how many thresholds got easier or harder to pass."""
    found = dispatch.policy_changes(policy.before, policy.policy)
    effects = {effect: sum(change.effect == effect for change in found) for effect in ("easier", "harder", "either")}
    return {
        "version": policy.version,
        "policy": policy.digest,
        "before": dispatch.digest(policy.before),
        "reason": policy.reason,
        **effects,
    }


def of_plan(digest: str) -> VerificationPolicy | None:
    """The house's policy with this digest; None for the engine's own."""
    return VerificationPolicy.objects.filter(digest=digest).first()
