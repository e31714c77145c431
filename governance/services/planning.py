"""Planning: which method, on which version, judged by which thresholds. All of it is fixed before the run."""

from __future__ import annotations

import secrets

from django.db import transaction
from django.utils import timezone

from governance import dispatch
from governance.errors import Conflict, Unfit
from governance.evidence import ledger
from governance.lifecycle import advance
from governance.models import Case, Disposition, Job, ModelVersion, Plan, Record, Status
from governance.policies import Actor, Permission, demand
from governance.services import exact, verification_policies

SYSTEM = Actor.system("planning")


def records_to_forget(case: Case) -> list[Record]:
    """Every record that two people decided to erase, in a stable order."""
    chosen = Record.objects.filter(matches__case=case, matches__decision__choice="erase")
    return list(
        chosen.filter(matches__decision__approved_at__isnull=False).distinct().order_by("dataset_id", "record_id")
    )


def records_set_aside(dataset: int, records: list[Record]) -> list[str]:
    """Ids of every other record that a decision took out of training: no later run may learn them again."""
    others = Record.objects.filter(dataset_id=dataset, quarantined_at__isnull=False)
    return list(
        others.exclude(pk__in=[r.pk for r in records]).order_by("record_id").values_list("record_id", flat=True)
    )


@transaction.atomic
def plan_propose(*, job: Job) -> Plan | None:
    """Job `plan`: the next rung of the ladder, or, at its end, the honest answer that it was not achieved.

    Raises:
        Unfit: no released version learned the records, or several did (each model is planned in a case of its own).
    """
    case = job.load_case()
    tried = list(case.plans.select_related("base"))
    ladder = _ladder(tried)
    if ladder == ():
        advance(
            case=case,
            to=Status.REPORTING,
            actor=SYSTEM,
            reason="Every method was tried; none was shown to forget",
            disposition=Disposition.NOT_FULFILLED,
        )
        return None
    records = records_to_forget(case)
    base, dataset = _affected(records)
    exact.lock(base)
    ladder = ladder or (dispatch.LINEAGE_LADDER if base.lineage else dispatch.LADDER)
    aside = records_set_aside(dataset, records)
    policy = verification_policies.current()
    plan = Plan(
        case=case,
        attempt=len(tried) + 1,
        method=ladder[0],
        seed=secrets.randbelow(2**31),
        base=base,
        dataset_id=dataset,
        reference=_reference(base, records),
        forget_ids=dispatch.put_lines(record.record_id for record in records),
        forget_count=len(records),
        exclude_ids=dispatch.put_lines(aside) if aside else "",
        policy=policy,
        policy_digest=dispatch.digest(policy),
    )
    if plan.method in dispatch.LINEAGE_METHODS and base.lineage:
        exact.plan_complete(plan)
    plan.save()
    ledger.append(action="plan.proposed", actor=SYSTEM, case=case, body=_facts(plan))
    for other in exact.plans_extend(plan):
        ledger.append(action="plan.extended", actor=SYSTEM, case=other.case, body=_facts(other))
    return plan


def _ladder(tried: list[Plan]) -> tuple[str, ...] | None:
    """The rungs that are left; None before the first plan.

    The rungs of a lineage yield the same bits: after a verdict on them there is none left.
    """
    if not tried:
        return None
    if tried[0].base.lineage:
        judged = any(plan.candidate_id for plan in tried)
        return () if judged else dispatch.LINEAGE_LADDER[len(tried) :]
    return dispatch.LADDER[len(tried) :]


def _affected(records: list[Record]) -> tuple[ModelVersion, int]:
    """The one released version, and the one dataset, that these records concern."""
    datasets = {record.dataset_id for record in records}
    bases = list(ModelVersion.objects.filter(state=ModelVersion.State.RELEASED, datasets__in=datasets).distinct())
    if len(bases) != 1 or len(datasets) != 1:
        raise Unfit(
            f"{len(bases)} released versions and {len(datasets)} datasets are affected; a plan takes one of each. "
            "Open a child case for every further model."
        )
    return bases[0], datasets.pop()


def _reference(base: ModelVersion, records: list[Record]) -> ModelVersion | None:
    """A laboratory reference of the same model that was trained without every one of the records."""
    wanted = {record.record_id for record in records}
    for version in base.model.versions.filter(state=ModelVersion.State.REFERENCE).exclude(excluded=""):
        if wanted <= set(dispatch.read_bytes(version.excluded).decode().split()):
            return version
    return None


@transaction.atomic
def plan_confirm(*, case: Case, actor: Actor) -> Plan:
    """The ML engineer confirms: method, records and thresholds go into the ledger, then the run starts.

    Raises:
        Conflict: there is no plan to confirm, somebody was quicker, or another case's deletion from the same lineage
            has to end first.
    """
    demand(actor, Permission.CONFIRM_PLAN)
    plan = case.plans.filter(state=Plan.State.PROPOSED).last()
    if plan is None:
        raise Conflict(f"Case {case.number} has no plan that waits for confirmation.")
    if plan.deletion:
        exact.lock(plan.base)
        plan.refresh_from_db()
    columns = exact.plan_join(plan) if plan.deletion else {}
    changed = Plan.objects.filter(pk=plan.pk, state=Plan.State.PROPOSED)
    if not changed.update(state=Plan.State.CONFIRMED, confirmed_by=actor.user, confirmed_at=timezone.now(), **columns):
        raise Conflict("Somebody else confirmed this plan in the meantime.")
    plan.refresh_from_db()
    ledger.append(action="plan.confirmed", actor=actor, case=case, body=_facts(plan))
    advance(case=case, to=Status.UNLEARNING, actor=actor, reason=f"Plan {plan.attempt} confirmed")
    return plan


def plans_rebase(base: ModelVersion, successor: ModelVersion) -> None:
    """Plans that waited for `base` while it was replaced are worked out anew on its successor, by the same method."""
    if not successor.lineage:
        return
    waiting = Plan.objects.filter(base=base, state=Plan.State.PROPOSED).exclude(deletion={})
    for plan in waiting.select_related("case"):
        plan.base = successor
        plan.reference = _reference(successor, records_to_forget(plan.case))
        exact.plan_complete(plan)
        plan.save()
        ledger.append(action="plan.extended", actor=SYSTEM, case=plan.case, body=_facts(plan))


def _facts(plan: Plan) -> dict[str, object]:
    """What the ledger commits to before the run: nothing of it can follow a result."""
    facts: dict[str, object] = {
        "attempt": plan.attempt,
        "method": plan.method,
        "config": dispatch.digest(plan.config),
        "seed": plan.seed,
        "base": plan.base.artifact,
        "reference": plan.reference.artifact if plan.reference else "",
        "forget": plan.forget_ids,
        "records": plan.forget_count,
        "set_aside": plan.exclude_ids,
        "policy": plan.policy_digest,
    }
    if plan.deletion:
        facts["deletion"] = {**plan.deletion, "joins_another": plan.leader_id is not None}
    return facts
