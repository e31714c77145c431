"""Planning: which method, on which version, judged by which thresholds. All of it is fixed before the run."""

from __future__ import annotations

import secrets
from typing import Any

from django.db import transaction
from django.utils import timezone

from governance import dispatch
from governance.errors import Conflict, NotAllowed, Unfit
from governance.evidence import ledger
from governance.lifecycle import advance
from governance.models import Case, Deployment, Disposition, Job, ModelVersion, Plan, Record, Status
from governance.policies import Actor, Permission, demand, demand_impartial, entered
from governance.selectors.catalogue import controls_of
from governance.services import candidates, exact, orders, verification_policies
from governance.services.exact import unsign
from governance.services.shown import demand_shown
from governance.services.shown import mark as mark_of

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
    """Job `plan`: what stands first in the planner's ranking, or, where nothing is left, the honest last proposal.

    Raises:
        Unfit: no released version learned the records, or several did (each model is planned in a case of its own).
    """
    case = job.load_case()
    if case.status != Status.PLANNING:
        # A withdrawal of the version ended the case while this job waited.
        return None
    tried = list(case.plans.select_related("base__model", "verification"))
    if over := candidates.ended(tried):
        _give_up(case, tried, tried[-1].base, over)
        return None
    records = records_to_forget(case)
    if gone := _withdrawn(records):
        case_end(case, f"{gone} was withdrawn from service, so nothing is unlearned from it.")
        return None
    base, dataset = _affected(records)
    exact.lock(base)
    aside = records_set_aside(dataset, records)
    policy = verification_policies.current()
    plan = Plan(
        case=case,
        attempt=len(tried) + 1,
        seed=secrets.randbelow(2**31),
        base=base,
        dataset_id=dataset,
        reference=_reference(base, records),
        controls=controls_of(base),
        forget_ids=dispatch.put_lines(record.record_id for record in records),
        forget_count=len(records),
        exclude_ids=dispatch.put_lines(aside) if aside else "",
        policy=policy,
        policy_digest=dispatch.digest(policy),
    )
    if over := _rank(plan, tried):
        _give_up(case, tried, base, over)
        return None
    plan.save()
    ledger.append(action="plan.proposed", actor=SYSTEM, case=case, body=_facts(plan))
    for other in exact.plans_extend(plan):
        ledger.append(action="plan.extended", actor=SYSTEM, case=other.case, body=_facts(other))
    return plan


def _rank(plan: Plan, tried: list[Plan]) -> str:
    """Rank every method for a plan that waits or is not saved yet, and set the first; why there is none, else empty.

    Raises:
        Unfit: records are not in the lineage, and no pass is known that deleted them.
    """
    passes: dict[str, float] = {}
    deletions: dict[str, dict[str, Any]] = {}
    if plan.base.lineage:
        for method in dispatch.LINEAGE_METHODS:
            plan.method = method
            exact.plan_complete(plan)
            passes[method], deletions[method] = plan.deletion["passes"], plan.deletion
    ranking = candidates.rank(plan, tried, passes)
    if not ranking.candidates:
        return ranking.ended.text if ranking.ended else ""
    plan.ranking = candidates.keep(ranking, tried)
    plan.method = ranking.candidates[0].method
    plan.deletion = deletions.get(plan.method, {})
    mine = set(dispatch.read_lines(plan.forget_ids))
    leader = None if plan.deletion else exact.led_by(Plan.objects.filter(candidate=plan.base), mine)
    if leader is not None and dispatch.exists(leader.base.artifact):
        # An earlier retraining left these records out already: it is judged beside what it started from.
        plan.base, plan.method = leader.base, leader.method
    return ""


def _give_up(case: Case, tried: list[Plan], base: ModelVersion, why: str) -> None:
    """Nothing more may be tried. The last proposal goes to people: take the version in service out of it."""
    version = base.model.versions.filter(state=ModelVersion.State.RELEASED).order_by("-revision").first()
    if version is not None:
        body = {
            "version": version.artifact,
            "model": str(version),
            "places": version.deployments.exclude(state=Deployment.State.REPLACED).count(),
            "attempts": [[plan.method, candidates.verdict(plan)] for plan in tried],
            "why": why,
        }
        ledger.append(action="model.withdrawal_proposed", actor=SYSTEM, case=case, body=body)
        orders.withdrawal_propose(version=version, reason=f"Nothing is left to try. {why}", actor=SYSTEM, case=case)
    case_end(case, f"None was shown to forget, and nothing is left to try. {why}")


def case_end(case: Case, why: str) -> None:
    """A case that waits for a plan ends without one."""
    advance(case=case, to=Status.REPORTING, actor=SYSTEM, reason=why, disposition=Disposition.NOT_FULFILLED)


def _withdrawn(records: list[Record]) -> ModelVersion | None:
    """The version that learned the records and was withdrawn, where none that learned them is in service."""
    learned = ModelVersion.objects.filter(datasets__in={record.dataset_id for record in records})
    if learned.filter(state=ModelVersion.State.RELEASED).exists():
        return None
    gone = learned.filter(state=ModelVersion.State.WITHDRAWN).select_related("model")
    return gone.order_by("-revision").first()


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
def plan_choose(*, case: Case, actor: Actor, method: str = "", reason: str = "") -> Plan:
    """First signature, the ML engineer's: this way and no other of the plan's candidates.

    `method` names another of the plan's candidates than the one proposed; then `reason` says why.

    Raises:
        Conflict: there is no plan to choose, or it is signed already.
        Unfit: the chosen method is no candidate, or no reason is given; or there are no controls to judge it by.
    """
    demand(actor, Permission.CHOOSE_PLAN)
    demand_impartial(case, actor)
    plan = _waiting(case)
    if plan.chosen_by_id:
        raise Conflict(f"Plan {plan.attempt} is signed already; a second person confirms it or sends it back.")
    exact.lock(plan.base)
    plan.refresh_from_db()
    if method and method != plan.method:
        _choose(plan, method, reason, actor)
    if plan.controls is None:
        _find_controls(plan)
    signed = Plan.objects.filter(pk=plan.pk, state=Plan.State.PROPOSED, chosen_by=None)
    if not signed.update(chosen_by=actor.user, chosen_at=timezone.now()):
        raise Conflict("Somebody else signed this plan in the meantime.")
    plan.refresh_from_db()
    ledger.append(action="plan.signed", actor=actor, case=case, body=_facts(plan))
    return plan


def _find_controls(plan: Plan) -> None:
    """Controls that were registered since the plan was proposed; after its signatures none are taken."""
    plan.controls = controls_of(plan.base)
    if plan.controls is None:
        raise Unfit(
            "No never-seen controls are registered that this model was not trained on, and no verdict is made without "
            "them. Register some, then sign."
        )
    plan.save(update_fields=["controls"])


#: What a plan's mark reads besides the plan itself.
MARKED = ("base", "reference", "controls")


def mark(plan: Plan) -> str:
    """What stands for a plan as it was signed first."""
    chosen_at = plan.chosen_at and plan.chosen_at.isoformat()
    return mark_of(plan.pk, dispatch.digest(_facts(plan)), plan.chosen_by_id, chosen_at)


@transaction.atomic
def plan_return(*, case: Case, actor: Actor, reason: str, shown: str) -> Plan:
    """The second person sends the plan back to the engineer, with a reason.

    Raises:
        Conflict: no signed plan waits, or another than was shown (`mark`). Unfit: no reason.
    """
    demand(actor, Permission.CONFIRM_PLAN)
    demand_impartial(case, actor)
    plan = _waiting(case)
    if plan.chosen_by_id is None:
        raise Conflict(f"Plan {plan.attempt} is not signed yet; there is nothing to send back.")
    if not reason.strip():
        raise Unfit("Write why the plan goes back.")
    exact.lock(plan.base)
    plan.refresh_from_db()
    demand_shown(mark(plan), shown)
    unsign(plan)
    ledger.append(action="plan.returned", actor=actor, case=case, body={"attempt": plan.attempt, "why": reason})
    return plan


@transaction.atomic
def plan_take_back(*, case: Case, actor: Actor) -> Plan:
    """Whoever chose the plan takes the signature back, before anybody confirmed it.

    Raises:
        Conflict: no plan that the actor signed waits.
    """
    plan = _waiting(case)
    if actor.user is None or plan.chosen_by_id != actor.user.pk:
        raise Conflict("No plan that you signed waits here.")
    unsign(plan)
    ledger.append(action="plan.taken_back", actor=actor, case=case, body={"attempt": plan.attempt})
    return plan


@transaction.atomic
def plan_confirm(*, case: Case, actor: Actor, shown: str) -> Plan:
    """Second signature: method, records and thresholds go into the ledger, then the run starts.

    Raises:
        NotAllowed: whoever chose the plan, or entered the request.
        Conflict: no signed plan waits, or another than was shown (`mark`); somebody was quicker, or another case's run
            from the same version has to end first.
    """
    demand(actor, Permission.CONFIRM_PLAN)
    demand_impartial(case, actor)
    plan = _waiting(case)
    if plan.chosen_by_id is None:
        raise Conflict(f"Plan {plan.attempt} waits for the engineer's signature; the second one comes after it.")
    if actor.user is None or actor.user.pk == plan.chosen_by_id or entered(case, actor):
        raise NotAllowed("You chose this plan or entered the request; another person must confirm it.")
    exact.lock(plan.base)
    plan.refresh_from_db()
    demand_shown(mark(plan), shown)
    columns = exact.plan_join(plan)
    changed = Plan.objects.filter(pk=plan.pk, state=Plan.State.PROPOSED, chosen_at=plan.chosen_at)
    if not changed.update(state=Plan.State.CONFIRMED, confirmed_by=actor.user, confirmed_at=timezone.now(), **columns):
        raise Conflict("Somebody else answered this plan in the meantime.")
    plan.refresh_from_db()
    ledger.append(action="plan.confirmed", actor=actor, case=case, body=_facts(plan))
    for other in exact.plans_gather(plan):
        ledger.append(action="plan.extended", actor=SYSTEM, case=other.case, body=_facts(other))
    advance(case=case, to=Status.UNLEARNING, actor=actor, reason=f"Plan {plan.attempt} confirmed")
    return plan


def _waiting(case: Case) -> Plan:
    plan = case.plans.filter(state=Plan.State.PROPOSED).last()
    if plan is None:
        raise Conflict(f"Case {case.number} has no plan that waits for confirmation.")
    return plan


def _choose(plan: Plan, method: str, reason: str, actor: Actor) -> None:
    """Take another candidate than the one that the machine proposed."""
    if method not in {one["method"] for one in plan.ranking.get("candidates", [])}:
        raise Unfit(f"{method} is not among this plan's candidates.")
    if not reason.strip():
        raise Unfit("Write why you choose another way than the one that stands first.")
    before, plan.method = plan.method, method
    if plan.deletion:
        exact.plan_complete(plan)
    plan.ranking = {**plan.ranking, "chosen": method, "instead_of": before, "reason": reason.strip()}
    plan.save(update_fields=["method", "deletion", "base", "ranking"])
    body = {"attempt": plan.attempt, "method": method, "instead_of": before, "why": reason.strip()}
    ledger.append(action="plan.chosen", actor=actor, case=plan.case, body=body)


def plans_rebase(base: ModelVersion, successor: ModelVersion) -> None:
    """Plans that waited for `base` while it was replaced are worked out anew on its successor.

    Those whose records the successor was retrained without keep their base, and ride along.
    """
    for plan in exact.waiting(base).select_related("case", "dataset"):
        tried = list(plan.case.plans.exclude(pk=plan.pk).select_related("base", "verification"))
        records = records_to_forget(plan.case)
        aside = records_set_aside(plan.dataset_id, records)
        plan.base, plan.reference = successor, _reference(successor, records)
        plan.controls = controls_of(successor)
        plan.exclude_ids = dispatch.put_lines(aside) if aside else ""
        _rank(plan, tried)
        plan.chosen_by = plan.chosen_at = None
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
        "controls": plan.controls.artifact if plan.controls else "",
        "forget": plan.forget_ids,
        "records": plan.forget_count,
        "set_aside": plan.exclude_ids,
        "policy": plan.policy_digest,
        "candidates": [one["method"] for one in plan.ranking.get("candidates", [])],
        "ranking": dispatch.digest(plan.ranking),
        "budget": plan.ranking.get("house", {}),
    }
    if plan.deletion:
        facts["deletion"] = {**plan.deletion, "joins_another": plan.leader_id is not None}
    return facts
