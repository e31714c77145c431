"""Proposals about a version in service: to withdraw it, or to put back the one before. `order_signing` has the rest."""

from __future__ import annotations

from datetime import date

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from governance import dispatch
from governance.clocks import LAWS
from governance.errors import Conflict, Unfit
from governance.evidence import ledger
from governance.kinds import rule
from governance.models import Case, Disposal, ModelVersion, Release, VersionOrder
from governance.models.vault import subject_readable
from governance.policies import Actor, Permission, demand, demand_impartial

V = ModelVersion.State
REASON = "Write the reason in at least one full sentence; name nobody, since it stands in the ledger."


@transaction.atomic
def withdrawal_propose(
    *, version: ModelVersion, reason: str, actor: Actor, case: Case | None = None
) -> VersionOrder | None:
    """Propose to take a version out of service; None where the machine finds a proposal open already.

    Raises:
        Unfit: no reason, or a version that was never in service. Conflict: an order about it is open.
    """
    demand(actor, Permission.PROPOSE_ORDER, Permission.RUN_MACHINE)
    problems = [] if len(reason.strip()) >= 20 else [REASON]
    if version.state not in (V.RELEASED, V.RETIRED):
        problems.append(f"{version} is {version.get_state_display().lower()}; only what was in service is withdrawn.")
    if problems:
        raise Unfit(problems)
    if actor.user is None and VersionOrder.objects.filter(version=version, done_at=None, refused_at=None).exists():
        return None
    return _create(kind=VersionOrder.Kind.WITHDRAW, version=version, reason=reason, actor=actor, case=case)


@transaction.atomic
def rollback_propose(*, case: Case, reason: str, actor: Actor) -> VersionOrder:
    """Ask to put back the version that a case's release replaced.

    Raises:
        Unfit: with every reason why it cannot, or must not, be put back. Conflict: an order about it is open.
    """
    demand(actor, Permission.PROPOSE_ORDER)
    demand_impartial(case, actor)
    problems = [] if len(reason.strip()) >= 20 else [REASON]
    if problems := problems + rollback_problems(case):
        raise Unfit(problems)
    release = case.release
    kind = VersionOrder.Kind.ROLLBACK
    return _create(
        kind=kind, version=release.version, target=release.version.parent, reason=reason, actor=actor, case=case
    )


def _create(
    *,
    kind: VersionOrder.Kind,
    version: ModelVersion,
    reason: str,
    actor: Actor,
    case: Case | None,
    target: ModelVersion | None = None,
) -> VersionOrder:
    try:
        with transaction.atomic():
            order = VersionOrder.objects.create(
                kind=kind, version=version, target=target, case=case, reason=reason.strip(), proposed_by=actor.user
            )
    except IntegrityError as error:
        raise Conflict(f"An order about {version} is open already; sign or refuse that one.") from error
    record(order, "order.proposed", actor, why=order.reason)
    return order


def record(order: VersionOrder, action: str, actor: Actor, **more: object) -> None:
    """An entry about an order, of its case where that has one and its person was not erased."""
    case = order.case if order.case and subject_readable(order.case.claimant) else None
    body = {"order": order.pk, "kind": order.kind, "model": str(order.version), "version": order.version.artifact}
    ledger.append(action=action, actor=actor, case=case, body={**body, **more})


def undone_by(version: ModelVersion) -> QuerySet[Case]:
    """Every case whose release put this version in service."""
    return Case.objects.filter(release__version=version, release__released_at__isnull=False).select_related("claimant")


def rollback_until(version: ModelVersion) -> date | None:
    """The last day on which the version's weights are still kept; None where no day is set."""
    day = (
        Disposal.objects.filter(artifact=version.artifact, what=Disposal.What.WEIGHTS, deleted_at=None)
        .order_by("due_on")
        .values_list("due_on", flat=True)
        .first()
    )
    return day


def rollback_problems(case: Case) -> list[str]:
    """Every reason why the version before a case's release cannot, or must not, be put back."""
    release = Release.objects.select_related("version__model", "version__parent").filter(case=case).first()
    if release is None or not (release.released_at and release.legal_at):
        return [f"Case {case.number} has released no version."]
    after, before = release.version, release.version.parent
    problems = []
    if after.state != V.RELEASED:
        problems.append(f"{after} is no longer in service; only the version in service can be taken back.")
    if before is None:
        problems.append(f"{after} replaced nothing.")
    else:
        problems += _gone(before)
    for one in undone_by(after):
        problems += _forbidden(one)
    return problems


def _gone(before: ModelVersion) -> list[str]:
    if before.state == V.WITHDRAWN:
        return [f"{before} was withdrawn by decision; it does not come back."]
    deleted = Disposal.objects.filter(artifact=before.artifact, deleted_at__isnull=False).order_by("deleted_at").first()
    if deleted is not None and deleted.deleted_at is not None:
        return [f"The weights of {before} were deleted on {deleted.deleted_at:%d %B %Y}; nothing can be put back."]
    until = rollback_until(before)
    if until is not None and until <= timezone.localdate():
        return [f"The weights of {before} were to be deleted by {until:%d %B %Y}; that day has come."]
    return [] if dispatch.exists(before.artifact) else [f"The weights of {before} are not stored any more."]


def _forbidden(case: Case) -> list[str]:
    """Why the law of a case, or its state, stands against undoing its release."""
    problems = []
    law = LAWS[case.law]
    if case.is_open:
        problems.append(f"Case {case.number} is still open; end it first, or let its release go to an end.")
    if rule(case.kind).personal and not law.policy_only:
        problems.append(
            f"Case {case.number}: {law.title} had personal data erased ({law.citation or law.article}). Putting the "
            "old version back would process it again; withdraw the version instead."
        )
    if not subject_readable(case.claimant):
        problems.append(f"Case {case.number}: its person's data was destroyed, so that it cannot be opened again.")
    return problems
