"""Regressions: every later version of a model is asked again about every earlier case that ended with a release.

The sweeper finds the pairs (`rechecks_plan`) and hands the engine one at a time while nothing else waits for it
(`recheck_next`). What has come back opens a child case and tells the legal desk; what is not decided is listed.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.utils import timezone

from governance import dispatch
from governance.errors import KeyDestroyed, Unfit
from governance.evidence import ledger
from governance.lifecycle import child_open
from governance.models import Case, Disposition, Job, ModelVersion, Plan, Recheck, Record, Relation, Role, Status, User
from governance.models.vault import subject_key
from governance.notifications import mail
from governance.policies import Actor
from governance.services.notification import letter_send

SYSTEM = Actor.system("regressions")
KIND = "engine.recheck"
#: Pairs that one sweep plans.
BATCH = 100
#: A recheck that waited for so long no longer lets other work of the engine go first.
PATIENCE = timedelta(days=1)
#: A finding with the outcome "fail" that is not about the forgotten: the version lost something, nothing came back.
_NOT_FORGOTTEN = frozenset({"utility_below_floor"})
_S = Recheck.State


def rechecks_plan() -> int:
    """One row for every released version and every earlier closed case of its model; returns how many are new."""
    later = ModelVersion.objects.filter(state=ModelVersion.State.RELEASED)
    ended = Plan.objects.filter(
        case__status=Status.CLOSED,
        case__disposition__in=[Disposition.FULFILLED, Disposition.PARTLY],
        candidate=F("case__release__version"),
        candidate__isnull=False,
    )
    made = 0
    for version in later.select_related("model"):
        known = Exists(Recheck.objects.filter(plan=OuterRef("pk"), version=version))
        mine = ended.filter(candidate__model=version.model, candidate__revision__lt=version.revision)
        for plan in mine.exclude(known).select_related("case__claimant").order_by("id")[:BATCH]:
            with transaction.atomic():
                _row, new = Recheck.objects.get_or_create(plan=plan, version=version)
                if new:
                    _record("recheck.planned", plan.case, {"attempt": plan.attempt, "version": version.artifact})
                made += new
    return made


def recheck_next() -> int:
    """Start the next one, unless one runs or the engine has other work; returns how many began (0 or 1)."""
    _settle_ended()
    if Recheck.objects.filter(state=_S.RUNNING).exists():
        return 0
    row = Recheck.objects.filter(state=_S.WAITING).first()
    if row is None or (_engine_busy() and row.created_at > timezone.now() - PATIENCE):
        return 0
    with transaction.atomic():
        if not Recheck.objects.filter(pk=row.pk, state=_S.WAITING).update(state=_S.RUNNING):
            return 0
        return _start(row)


def _engine_busy() -> bool:
    return Job.objects.filter(queue=Job.Queue.GPU, state__in=[Job.State.QUEUED, Job.State.RUNNING]).exists()


def _settle_ended() -> None:
    """A run that was cancelled, or whose result was refused, must not hold up the others."""
    over = Recheck.objects.filter(state=_S.RUNNING, job__state__in=[Job.State.FAILED, Job.State.CANCELLED])
    over.update(state=_S.INCONCLUSIVE, reason="The probes did not run to their end.", finished_at=timezone.now())


def _start(row: Recheck) -> int:
    plan = Plan.objects.select_related("case__claimant", "verification__job", "base", "reference", "dataset").get(
        pk=row.plan_id
    )
    if gone := _gone(plan, row.version):
        _close(row, _S.IMPOSSIBLE, reason=f"No longer stored: {', '.join(gone)}.")
        _record("recheck.finished", plan.case, _facts(row))
        return 0
    spec = _spec(plan, row.version)
    job = dispatch.enqueue_engine(
        spec=spec, case=_reachable(plan.case), plan=plan, key=f"{KIND}:{plan.pk}:{row.version_id}", kind=KIND
    )
    Recheck.objects.filter(pk=row.pk).update(job=job)
    return 1


def _gone(plan: Plan, version: ModelVersion) -> list[str]:
    """What the probes would need and the store no longer has; old weights go a while after their replacement."""
    needed = {
        "the version before": plan.base.artifact,
        "the reference": plan.reference.artifact if plan.reference else "",
        "the dataset": plan.dataset.artifact,
        "the version itself": version.artifact,
        "the first verification": plan.verification.job.spec,
        "the list of records": plan.forget_ids,
    }
    return [words for words, ref in needed.items() if ref and not dispatch.exists(ref)]


def _spec(plan: Plan, version: ModelVersion) -> dispatch.VerifySpec:
    """The case's own verification once more, about another candidate.

    Records that later decisions took out of training are set aside: the version need not know them any more.
    """
    asked = {k: v for k, v in dispatch.read_json(plan.verification.job.spec).items() if k != "verb"}
    forgotten = dispatch.read_lines(plan.forget_ids)
    others = Record.objects.filter(dataset=plan.dataset_id, quarantined_at__isnull=False)
    aside = {*others.exclude(record_id__in=forgotten).values_list("record_id", flat=True)}
    aside |= {*dispatch.read_lines(plan.exclude_ids)}
    asked["exclude_ids"] = dispatch.put_lines(sorted(aside)) if aside else ""
    return dispatch.VerifySpec(**{**asked, "candidate": version.artifact})


@transaction.atomic
def recheck_finish(*, job: Job) -> Recheck:
    """The probes have run: keep what they found; what came back opens a case.

    Raises:
        Unfit: they were judged by another policy than the case's own.
    """
    row = Recheck.objects.select_related("plan__case__claimant", "version__model").get(job=job)
    document = dispatch.read_output_json(job, "verification")
    if document["policy_digest"] != row.plan.policy_digest:
        raise Unfit("The probes were judged by another policy than the case's own; nothing is concluded.")
    verdict = dispatch.Outcome(document["verdict"])
    found = dispatch.read_json(job.result)["outputs"]["verification"]
    _close(row, _state(verdict, document), verdict=verdict.value, document=document, artifact=found)
    if row.state == _S.REGRESSED:
        _reopen(row)
    _record("recheck.finished", row.plan.case, _facts(row))
    return row


def _state(verdict: dispatch.Outcome, document: dict[str, Any]) -> Recheck.State:
    if verdict is dispatch.Outcome.PASS:
        return _S.HELD
    back = [f for f in document["findings"] if f["outcome"] == "fail" and f["code"] not in _NOT_FORGOTTEN]
    decided = verdict in (dispatch.Outcome.FAIL, dispatch.Outcome.DAMAGED)
    return _S.REGRESSED if decided and back else _S.INCONCLUSIVE


@transaction.atomic
def recheck_fail(*, job: Job) -> None:
    """The probes could not run: nothing is known about the version, and the list says so."""
    row = Recheck.objects.select_related("plan__case__claimant").get(job=job)
    _close(row, _S.INCONCLUSIVE, reason="The probes did not run to their end.")
    _record("recheck.finished", row.plan.case, _facts(row))


def _close(row: Recheck, state: Recheck.State, **columns: Any) -> None:
    row.state, row.finished_at = state, timezone.now()
    for name, value in columns.items():
        setattr(row, name, value)
    row.save()


def _reopen(row: Recheck) -> None:
    """A child case with the finding, unless one is open already; the legal desk is told either way."""
    parent = row.plan.case
    mine = Case.objects.filter(parent=parent, relation__in=[Relation.REGRESSION, Relation.ROLLBACK])
    open_child = mine.exclude(status=Status.CLOSED).first()
    try:
        if open_child is None:
            row.child = child_open(parent=parent, relation=Relation.REGRESSION, actor=SYSTEM, body=_facts(row))
            letter_send(case=row.child, template="reopened")
        else:
            row.child = open_child
    except KeyDestroyed:
        # The person was erased since: the finding stands in the list, but there is nobody to open a case for.
        row.child = None
    row.save(update_fields=["child"])
    transaction.on_commit(partial(_tell, row))


def _tell(row: Recheck) -> None:
    """A mail to the legal desk that names numbers only."""
    parent, child = row.plan.case, row.child
    desk = User.objects.filter(role=Role.LEGAL, is_active=True).values_list("email", flat=True)
    place = f"{settings.BASE_URL}/cases/{(child or parent).public_id}/"
    title = f"Case {parent.number}: what was forgotten answers again in {row.version}"
    next_step = f"Case {child.number} is open for it." if child else "The claimant was erased; no case could be opened."
    mail.send_each(desk, title, f"{title}\n\n{next_step}\n{place}\n")


def _facts(row: Recheck) -> dict[str, Any]:
    return {
        "attempt": row.plan.attempt,
        "version": row.version.artifact,
        "state": str(row.state),
        "verdict": row.verdict,
        "document": row.artifact,
        "child": row.child.number if row.child else "",
    }


def _record(action: str, case: Case, body: dict[str, Any]) -> None:
    """An entry of the case; without its commitment where the person was erased."""
    ledger.append(action=action, actor=SYSTEM, case=_reachable(case), body=body)


def _reachable(case: Case) -> Case | None:
    """The case, unless its person was erased and nothing can be committed about them any more."""
    try:
        subject_key(case.claimant.subject)
    except KeyDestroyed:
        return None
    return case
