"""Unlearning: the confirmed plan runs on the engine; what comes back is a candidate version, not yet anything more."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Max

from governance import dispatch
from governance.evidence import ledger
from governance.lifecycle import advance
from governance.models import Case, Job, ModelVersion, Plan, Status
from governance.policies import Actor

SYSTEM = Actor.system("unlearning")


@transaction.atomic
def unlearning_start(*, job: Job) -> None:
    """Job `unlearn`: hand the confirmed plan to the engine. The same plan never runs as two jobs."""
    plan = _plan(job)
    spec = dispatch.UnlearnSpec(
        method=plan.method,
        model=plan.base.artifact,
        dataset=plan.dataset.artifact,
        forget_ids=plan.forget_ids,
        exclude_ids=plan.exclude_ids,
        config=plan.config,
        seed=plan.seed,
    )
    dispatch.enqueue_engine(spec=spec, case=plan.case, plan=plan, key=f"engine.unlearn:{plan.pk}")


def _left_out(plan: Plan) -> str:
    """Every record that the new version was made without: this case's and those set aside before."""
    if not plan.exclude_ids:
        return plan.forget_ids
    return dispatch.put_bytes(dispatch.read_bytes(plan.forget_ids) + dispatch.read_bytes(plan.exclude_ids))


def _plan(job: Job) -> Plan:
    return job.load_case().plans.filter(state=Plan.State.CONFIRMED).latest("attempt")


@transaction.atomic
def unlearning_finish(*, job: Job) -> None:
    """Engine verb `unlearn` ended: register the candidate and have it verified."""
    plan = job.load_plan()
    newest = plan.base.model.versions.aggregate(newest=Max("revision"))["newest"]
    candidate = ModelVersion.objects.create(
        model=plan.base.model,
        revision=newest + 1,
        artifact=dispatch.read_json(job.result)["outputs"]["model"],
        parent=plan.base,
        method=plan.method,
        excluded=_left_out(plan),
    )
    candidate.datasets.set(plan.base.datasets.all())
    Plan.objects.filter(pk=plan.pk).update(candidate=candidate)
    ledger.append(
        action="unlearning.finished",
        actor=SYSTEM,
        case=plan.case,
        body={"attempt": plan.attempt, "method": plan.method, "candidate": candidate.artifact, "spec": job.spec},
    )
    advance(case=plan.case, to=Status.VERIFICATION, actor=SYSTEM, reason=f"Plan {plan.attempt}: run finished")


@transaction.atomic
def unlearning_fail(*, job: Job) -> None:
    """The run failed for good: the plan is spent and the case goes back to planning."""
    plan = job.load_plan()
    Plan.objects.filter(pk=plan.pk).update(state=Plan.State.FAILED)
    if Case.objects.filter(pk=plan.case_id, status=Status.UNLEARNING).exists():
        advance(case=plan.case, to=Status.PLANNING, actor=SYSTEM, reason=f"Plan {plan.attempt}: the run failed")
