"""Unlearning: the confirmed plan runs on the engine; what comes back is a candidate version, not yet anything more.

A deletion from a lineage that touches several shards is a job per shard, side by side on the workers that exist, and a
last one that joins what they made.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from governance import dispatch
from governance.errors import Unfit
from governance.evidence import ledger
from governance.lifecycle import advance
from governance.models import Case, Disposal, Job, ModelVersion, Plan, Status
from governance.models.job import SHARD
from governance.policies import Actor
from governance.services import forecasts, jobs, lineages

SYSTEM = Actor.system("unlearning")


@transaction.atomic
def unlearning_start(*, job: Job) -> None:
    """Job `unlearn`: hand the confirmed plan to the engine. The same plan never runs as two jobs."""
    plan = _plan(job)
    if plan.leader is not None:
        _ride(plan, plan.leader)
        return
    forecasts.expect(plan, plan.method)
    shards = [int(number) for number in plan.deletion.get("first_slices", {})]
    if len(shards) < 2:
        dispatch.enqueue_engine(spec=_spec(plan), case=plan.case, plan=plan, key=_key(plan))
        return
    for shard in shards:
        key = f"{_key(plan)}{SHARD}{shard}"
        dispatch.enqueue_engine(spec=_spec(plan, shard=shard), case=plan.case, plan=plan, key=key)


def _key(plan: Plan) -> str:
    """Key of the job that ends the plan's run: the only one, or the one that joins the shards."""
    return f"engine.unlearn:{plan.pk}"


def run_of(plan: Plan) -> Job | None:
    """The job that made the plan's candidate, or is to make it: of the plan itself, or of the one it rides with."""
    return Job.objects.filter(key=_key(plan.leader or plan)).first()


def _spec(plan: Plan, *, shard: int = -1, parts: Iterable[str] = ()) -> dispatch.UnlearnSpec:
    if not plan.deletion:
        return dispatch.UnlearnSpec(
            method=plan.method,
            model=plan.base.artifact,
            dataset=plan.dataset.artifact,
            forget_ids=plan.forget_ids,
            exclude_ids=plan.exclude_ids,
            config=plan.config,
            seed=plan.seed,
        )
    lineage = lineages.read(plan.base.lineage)
    mine = dispatch.read_lines(plan.forget_ids)
    # What an earlier case had deleted is gone; the engine refuses ids that it does not find.
    there = lineage.places(mine, plan.dataset.artifact)
    return dispatch.UnlearnSpec(
        method=plan.method,
        lineage=plan.base.lineage,
        dataset="" if lineage.keeps_records else plan.dataset.artifact,
        forget_ids=plan.forget_ids if len(there) == len(mine) else dispatch.put_lines(sorted(there)),
        exclude_ids=plan.exclude_ids,
        shard=shard,
        parts=list(parts),
        seed=plan.seed,
    )


def _left_out(plan: Plan) -> str:
    """Every record that the new version was made without: this case's, those set aside, and what the base lacked."""
    before = plan.base.excluded if plan.deletion else ""
    refs = [ref for ref in (plan.forget_ids, plan.exclude_ids, before) if ref]
    if len(refs) == 1:
        return refs[0]
    return dispatch.put_lines(dict.fromkeys(line for ref in refs for line in dispatch.read_lines(ref)))


def _plan(job: Job) -> Plan:
    return job.load_case().plans.filter(state=Plan.State.CONFIRMED).latest("attempt")


@transaction.atomic
def unlearning_finish(*, job: Job) -> None:
    """Engine verb `unlearn` ended: join the shards when all are there; register the candidate and have it verified."""
    plan = job.load_plan()
    # Two shards that end at once: the second to come here sees the first one's end.
    Plan.objects.select_for_update().get(pk=plan.pk)
    if job.shard is not None:
        _join(plan)
        return
    outputs = dispatch.read_json(job.result)["outputs"]
    newest = plan.base.model.versions.aggregate(newest=Max("revision"))["newest"]
    candidate = ModelVersion.objects.create(
        model=plan.base.model,
        revision=newest + 1,
        artifact=outputs["model"],
        lineage=outputs.get("lineage", "") if plan.deletion else "",
        parent=plan.base,
        method=plan.method,
        excluded=_left_out(plan),
    )
    candidate.datasets.set(plan.base.datasets.all())
    forecasts.settle(plan, plan.method, job)
    _dispose_parts(plan, candidate)
    _hand_over(plan, candidate, job)
    for rider in plan.riders.filter(state=Plan.State.CONFIRMED, candidate=None).select_related("case"):
        if rider.case.status == Status.UNLEARNING:
            _hand_over(rider, candidate, job)


def _join(plan: Plan) -> None:
    """When every shard is trained, the job that puts them together."""
    shards = [j for j in plan.jobs.filter(kind="engine.unlearn").order_by("created_at", "key") if j.shard is not None]
    if any(one.state != Job.State.SUCCEEDED for one in shards):
        return
    parts = [dispatch.read_json(one.result)["outputs"]["lineage"] for one in shards]
    dispatch.enqueue_engine(spec=_spec(plan, parts=parts), case=plan.case, plan=plan, key=_key(plan))


def _ride(plan: Plan, other: Plan) -> None:
    """A plan whose records another pass deletes: take that pass's candidate, now or when it is there."""
    leader = Plan.objects.select_for_update().get(pk=other.pk)
    if leader.candidate is not None:
        run = run_of(leader)
        if run is None:
            raise Unfit(f"The run of plan {leader.pk} is not on record, so its result cannot be taken over.")
        _hand_over(plan, leader.candidate, run)
    elif leader.state == Plan.State.FAILED:
        plan_spend(plan)


def _hand_over(plan: Plan, candidate: ModelVersion, run: Job) -> None:
    """A plan gets the candidate and goes to its own verification."""
    if plan.deletion:
        _check_gone(plan, candidate)
    elif not set(dispatch.read_lines(plan.forget_ids)) <= set(dispatch.read_lines(candidate.excluded)):
        raise Unfit("The run did not leave out every record of this plan; nothing is claimed.")
    Plan.objects.filter(pk=plan.pk).update(candidate=candidate)
    body = {"attempt": plan.attempt, "method": plan.method, "candidate": candidate.artifact, "spec": run.spec}
    if candidate.lineage:
        body["lineage"] = candidate.lineage
    ledger.append(action="unlearning.finished", actor=SYSTEM, case=plan.case, body=body)
    advance(case=plan.case, to=Status.VERIFICATION, actor=SYSTEM, reason=f"Plan {plan.attempt}: run finished")


def _check_gone(plan: Plan, candidate: ModelVersion) -> None:
    """The new lineage holds none of the plan's records.

    Raises:
        Unfit: it does, or the run left no lineage.
    """
    if not candidate.lineage:
        raise Unfit("The run left no lineage, so nothing shows what the new version was trained on.")
    made = lineages.read(candidate.lineage)
    lineages.check_whole(made)
    left = [name for name in dispatch.read_lines(plan.forget_ids) if name in made.index]
    if left:
        raise Unfit(f"{len(left)} of the plan's records are still in the new lineage; nothing is claimed.")


def _dispose_parts(plan: Plan, version: ModelVersion) -> None:
    """What the shards' own jobs stored lives on in the joined lineage; the rest goes with the next disposal."""
    for one in plan.jobs.filter(kind="engine.unlearn", state=Job.State.SUCCEEDED):
        if one.shard is not None:
            part = dispatch.read_json(one.result)["outputs"]["lineage"]
            Disposal.objects.get_or_create(
                version=version,
                what=Disposal.What.CACHE,
                artifact=part,
                defaults={"case": plan.case, "due_on": timezone.localdate()},
            )


@transaction.atomic
def unlearning_fail(*, job: Job) -> None:
    """The run failed for good: the plan is spent, with every plan that rode along; their cases go back to planning."""
    plan = job.load_plan()
    Plan.objects.select_for_update().get(pk=plan.pk)
    jobs.siblings_stop(job=job, actor=SYSTEM)
    if plan.deletion:
        _dispose_parts(plan, plan.base)
    plan_spend(plan)
    for rider in plan.riders.filter(state=Plan.State.CONFIRMED, candidate=None).select_related("case"):
        plan_spend(rider)


def plan_spend(plan: Plan) -> None:
    """A confirmed plan that comes to nothing: spent, and its case back at planning."""
    spent = Plan.objects.filter(pk=plan.pk, state=Plan.State.CONFIRMED).update(state=Plan.State.FAILED)
    if spent and Case.objects.filter(pk=plan.case_id, status=Status.UNLEARNING).exists():
        advance(case=plan.case, to=Status.PLANNING, actor=SYSTEM, reason=f"Plan {plan.attempt}: the run failed")
