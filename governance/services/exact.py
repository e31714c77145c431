"""One line of descent for each version: what a deletion from a lineage takes, and how several cases share one run.

Records that wait for one base version go in one exact run, a pass over its lineage or a retraining: the first plan that
is confirmed leads, and leaves out also what other cases have decided by then. Their own plans, confirmed by a person
like any other, ride along: same candidate, but a verification, a release and a report of their own. What cannot ride
along waits for the release, and is then planned anew on its result. See docs/adr/0008 and 0012.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Q, QuerySet

from governance import dispatch
from governance.errors import Conflict, Unfit
from governance.models import Decision, Match, ModelVersion, Plan, Status
from governance.services import lineages

#: The exact method that needs no lineage.
RETRAIN = "retrain"
#: Where a case stands while the result of its plan may still come into service.
_UNDER_WAY = (Status.UNLEARNING, Status.VERIFICATION, Status.RELEASE)
_RUN = Q(state__in=[Plan.State.CONFIRMED, Plan.State.PASSED, Plan.State.INCONCLUSIVE])


def deleted(plan: Plan) -> set[str]:
    """Ids of every record that the plan's pass deletes: its own, and those set aside."""
    return set(dispatch.read_lines(plan.forget_ids)) | set(dispatch.read_lines(plan.exclude_ids))


def lock(version: ModelVersion) -> None:
    """Until the transaction ends nobody else proposes, extends or confirms a plan on this version."""
    ModelVersion.objects.select_for_update().get(pk=version.pk)


def plan_complete(plan: Plan) -> None:
    """Put into a plan that is not saved yet, or waits still, which stages are trained again and what that costs.

    A plan whose records another pass has deleted already is based on what that pass started from, and joins it. Where
    earlier cases had some of them deleted, the others are left to do.

    Raises:
        Unfit: records are not in the lineage, and no pass is known that deleted them.
    """
    lineage = lineages.read(plan.base.lineage)
    mine = set(dispatch.read_lines(plan.forget_ids))
    places = lineage.places(mine | set(dispatch.read_lines(plan.exclude_ids)), plan.dataset.artifact)
    if missing := mine - set(places):
        leader = led_by(Plan.objects.filter(candidate=plan.base), mine)
        if leader is not None:
            plan.base, plan.deletion = leader.base, leader.deletion
            return
        unknown = missing - set(dispatch.read_lines(plan.base.excluded))
        if unknown or missing == mine:
            raise Unfit(
                f"{len(unknown or missing)} of {len(mine)} records are not in the lineage of {plan.base}: it was not "
                "trained on them, or they were deleted by hand. Register the version that learned them."
            )
    plan.deletion = lineages.foresee(lineage, _requests(plan, places, mine), method=plan.method)


def _requests(plan: Plan, places: dict[str, dispatch.Place], mine: set[str]) -> list[list[dispatch.Place]]:
    """Places by request: those of other cases, case by case in the order of their decisions, then this plan's."""
    decided = (
        Match.objects.filter(
            record__dataset_id=plan.dataset_id,
            record__record_id__in=set(places) - mine,
            decision__approved_at__isnull=False,
        )
        .exclude(case=plan.case)
        .exclude(decision__choice=Decision.Choice.REFUSE)
    )
    by_case: dict[int, list[dispatch.Place]] = {}
    left = set(places) - mine
    for case, name in decided.order_by("decision__approved_at", "id").values_list("case_id", "record__record_id"):
        if name in left:
            left.discard(name)
            by_case.setdefault(case, []).append(places[name])
    others = [*by_case.values(), [places[name] for name in sorted(left)]]
    return [*others, [places[name] for name in sorted(mine & set(places))]]


def plans_extend(newest: Plan) -> Iterator[Plan]:
    """Plans that wait for confirmation on the same version leave the newest case's records out of their runs, too."""
    others = waiting(newest.base).filter(dataset=newest.dataset).exclude(pk=newest.pk)
    for plan in others.select_related("case", "base", "dataset"):
        if bool(plan.deletion) != bool(newest.deletion):
            continue
        aside = set(dispatch.read_lines(plan.exclude_ids)) | deleted(newest)
        plan.exclude_ids = dispatch.put_lines(sorted(aside - set(dispatch.read_lines(plan.forget_ids))))
        if plan.deletion:
            plan_complete(plan)
        plan.save(update_fields=["exclude_ids", "deletion", "base"])
        unsign(plan)
        yield plan


def plans_gather(leader: Plan) -> Iterator[Plan]:
    """A retraining was confirmed: plans that wait, and whose records it leaves out as well, are to ride along."""
    if leader.deletion or leader.method != RETRAIN or leader.leader_id:
        return
    gone = deleted(leader)
    others = waiting(leader.base).filter(dataset=leader.dataset, deletion={}).exclude(pk=leader.pk)
    for plan in others.exclude(method=RETRAIN).select_related("case", "base", "dataset"):
        if set(dispatch.read_lines(plan.forget_ids)) <= gone:
            plan.method = RETRAIN
            plan.save(update_fields=["method"])
            unsign(plan)
            yield plan


def unsign(plan: Plan) -> None:
    """What the engineer signed has changed, or goes back: the signature is void."""
    plan.chosen_by = plan.chosen_at = None
    plan.save(update_fields=["chosen_by", "chosen_at"])


def waiting(base: ModelVersion) -> QuerySet[Plan]:
    """Plans that wait for their signatures on this version. That of a case that ended meanwhile waits for nobody."""
    return Plan.objects.filter(base=base, state=Plan.State.PROPOSED, case__status=Status.PLANNING)


def under_way(base: ModelVersion) -> QuerySet[Plan]:
    """Plans whose run from this version goes on, or whose result is not in service yet."""
    open_result = Q(candidate=None) | Q(candidate__state=ModelVersion.State.CANDIDATE)
    running = Plan.objects.filter(_RUN, open_result, base=base, case__status__in=_UNDER_WAY)
    return running.select_related("case", "candidate")


def led_by(passes: QuerySet[Plan], mine: set[str]) -> Plan | None:
    """An exact run among these that leaves out all of a plan's records."""
    led = passes.filter(_RUN, leader=None).filter(~Q(deletion={}) | Q(method=RETRAIN)).order_by("id")
    return next((plan for plan in led.select_related("base", "candidate") if mine <= deleted(plan)), None)


def plan_join(plan: Plan) -> dict[str, Any]:
    """Columns that change as the plan is confirmed: none where it makes a run of its own, else those of the run.

    Raises:
        Conflict: another run from the version has not ended, and it does not leave out this plan's records: two
            successors that each lack only their own records would undo each other.
    """
    mine = set(dispatch.read_lines(plan.forget_ids))
    exact = plan.deletion or plan.method == RETRAIN
    leader = led_by(Plan.objects.filter(base=plan.base).exclude(pk=plan.pk), mine) if exact else None
    if leader is not None:
        others = deleted(leader) - mine
        exclude = dispatch.put_lines(sorted(others)) if others else ""
        return {"leader": leader, "method": leader.method, "exclude_ids": exclude, "deletion": leader.deletion}
    other = under_way(plan.base).exclude(pk=plan.pk).first()
    if other is not None:
        doing = "is deleting records from" if plan.deletion else "is changing"
        raise Conflict(
            f"Case {other.case.number} {doing} {plan.base}, and not for the records of this case. Confirm when its "
            "result is released: this plan is then worked out on it."
        )
    if plan.base.state != ModelVersion.State.RELEASED:
        raise Conflict(f"{plan.base} is no longer in service; have the case planned again.")
    return {}
