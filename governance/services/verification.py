"""Verification: a separate job probes the candidate; its verdict alone decides where the case goes."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from governance import dispatch
from governance.errors import Unfit
from governance.evidence import ledger
from governance.lifecycle import advance
from governance.models import Forecast, Job, ModelVersion, Plan, Status, Verification
from governance.policies import Actor
from governance.selectors.catalogue import controls_of
from governance.services import forecasts, origins

SYSTEM = Actor.system("verification")
STATE = {
    dispatch.Outcome.PASS: Plan.State.PASSED,
    dispatch.Outcome.INCONCLUSIVE: Plan.State.INCONCLUSIVE,
}


@transaction.atomic
def verification_start(*, job: Job) -> None:
    """Job `verify`: original, candidate and reference under the policy that was fixed before the run."""
    plan = job.load_case().plans.filter(candidate__isnull=False).latest("attempt")
    if plan.candidate is None:
        raise Unfit(f"Plan {plan.attempt} has no candidate to verify.")
    _check_first_look(plan, plan.candidate)
    forecasts.expect(plan, Forecast.VERIFY)
    # A plan of before it named its controls: what was there when it was signed, never what came after the run.
    controls = plan.controls or controls_of(plan.base, until=plan.confirmed_at)
    if controls is None:
        raise Unfit(
            "No never-seen controls were registered when this plan was signed, and no verdict is made without them, or "
            "with some that came after the run."
        )
    spec = dispatch.VerifySpec(
        candidate=plan.candidate.artifact,
        original=plan.base.artifact,
        reference=plan.reference.artifact if plan.reference else "",
        dataset=plan.dataset.artifact,
        forget_ids=plan.forget_ids,
        exclude_ids=plan.exclude_ids,
        controls=controls.artifact,
        policy=plan.policy,
        seed=plan.seed,
    )
    dispatch.enqueue_engine(spec=spec, case=plan.case, plan=plan, key=f"engine.verify:{plan.pk}")


def _check_first_look(plan: Plan, candidate: ModelVersion) -> None:
    """A candidate is judged once for a case.

    Raises:
        Unfit: the same weights were judged before; a second look would make the first one worthless.
    """
    before = Plan.objects.filter(case=plan.case_id, candidate__artifact=candidate.artifact, verification__isnull=False)
    if before.exclude(pk=plan.pk).exists():
        raise Unfit("These very weights were judged for this case before; they are not looked at twice.")


@transaction.atomic
def verification_finish(*, job: Job) -> Verification:
    """Engine verb `verify` ended: keep its document and follow its verdict."""
    plan = job.load_plan()
    document = dispatch.read_output_json(job, "verification")
    if document["policy_digest"] != plan.policy_digest:
        raise Unfit(
            "The probes were judged by another policy than the one recorded before the run; nothing is claimed."
        )
    if document.get("reference_lineage") == "proven" and not _trained_here(plan):
        # The recipe lies in a folder that somebody handed in, and no job of this house wrote it.
        document["reference_lineage"] = "unproven"
        document["reference_lineage_reason"] = "no training by this engine on record made it"
    verdict = dispatch.Outcome(document["verdict"])
    verification = Verification.objects.create(
        plan=plan,
        job=job,
        verdict=verdict.value,
        document=document,
        artifact=dispatch.read_json(job.result)["outputs"]["verification"],
        forget_quality=_probe(document, "forget_quality", "p_value"),
        utility=_worst_utility(document),
    )
    forecasts.settle(plan, Forecast.VERIFY, job)
    Plan.objects.filter(pk=plan.pk).update(state=STATE.get(verdict, Plan.State.FAILED))
    ledger.append(
        action="verification.finished",
        actor=SYSTEM,
        case=plan.case,
        body={
            "attempt": plan.attempt,
            "verdict": verdict.value,
            "document": verification.artifact,
            "policy": plan.policy_digest,
        },
    )
    exact = dispatch.METHODS[plan.method].guarantee is dispatch.Guarantee.EXACT
    if verdict is dispatch.Outcome.PASS or (exact and verdict is dispatch.Outcome.INCONCLUSIVE):
        # An exact method that too few items could confirm may still replace the old version; the report says both.
        advance(case=plan.case, to=Status.RELEASE, actor=SYSTEM, reason=f"Plan {plan.attempt}: {verdict.value}")
    else:
        _reject(plan)
        advance(case=plan.case, to=Status.PLANNING, actor=SYSTEM, reason=f"Plan {plan.attempt}: {verdict.value}")
    return verification


def _trained_here(plan: Plan) -> bool:
    return plan.reference is not None and origins.trained_here(plan.reference.artifact)


def _reject(plan: Plan) -> None:
    """The candidate is of no use, unless it is another case's too and that one has not found so."""
    version = ModelVersion.objects.filter(plan=plan)
    others = Plan.objects.filter(candidate__in=version).exclude(pk=plan.pk)
    if not others.exclude(state=Plan.State.FAILED).exists():
        version.update(state=ModelVersion.State.REJECTED)


def _probe(document: dict[str, Any], name: str, key: str) -> float | None:
    return next((probe[key] for probe in document["probes"] if probe["name"] == name), None)


def _worst_utility(document: dict[str, Any]) -> float | None:
    values = [probe["candidate"]["value"] for probe in document["probes"] if probe["family"] == "utility"]
    return min(values, default=None)


@transaction.atomic
def verification_fail(*, job: Job) -> None:
    """The probes could not run: nothing is known, so nothing may be claimed; the case waits for an engineer."""
    ledger.append(
        action="verification.broken",
        actor=SYSTEM,
        case=job.load_case(),
        body={"attempt": job.plan.attempt if job.plan else 0},
    )
