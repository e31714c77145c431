"""Matching: the claimed works are looked for in every training dataset, by the engine."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import transaction

from governance import dispatch
from governance.errors import Unfit
from governance.evidence import ledger
from governance.lifecycle import advance
from governance.models import Case, ClaimedItem, Dataset, Job, Match, Record, Status
from governance.policies import Actor
from governance.services import containment, fingerprints, jobs

SYSTEM = Actor.system("matching")


#: Where a case is searched for, and where works may still be added to it.
SEARCHED = (Status.MATCHING, Status.DECISION)
#: Addresses, numbers and digests have no text, and what explains a request is not a work.
UNSEARCHED = fingerprints.WITHOUT_TEXT


@transaction.atomic
def matching_start(*, job: Job) -> None:
    """Job `match`: one engine job per training dataset. Works travel as a blob that is deleted afterwards.

    Raises:
        Unfit: no training dataset is registered, or no item has text to look for.
    """
    case = job.load_case(lock=True)
    if case.status not in SEARCHED:
        return  # Taken back while this job waited.
    if case.jobs.filter(key__startswith=f"engine.match:{job.pk}:").exists():
        return  # Handed over on an earlier try; the works may be deleted again by now.
    datasets = Dataset.objects.filter(purpose=Dataset.Purpose.TRAINING)
    rows = [
        {"id": str(item.pk), "title": item.title, "text": item.text} for item in case.items.exclude(form__in=UNSEARCHED)
    ]
    problems = []
    if not datasets:
        problems.append("No training dataset is registered; register one before matching.")
    if not rows:
        problems.append("The request names addresses or numbers only; fetch their text and enter it as works first.")
    if problems:
        raise Unfit(problems)
    works = dispatch.put_rows(rows)
    for dataset in datasets:
        spec = dispatch.MatchSpec(works=works, dataset=dataset.artifact)
        dispatch.enqueue_engine(spec=spec, case=case, key=f"engine.match:{job.pk}:{dataset.pk}")


@transaction.atomic
def matching_finish(*, job: Job) -> None:
    """Engine verb `match` ended: its hits become rows, and the last dataset's end moves the case on.

    Works that were added meanwhile are looked for by another job, and the case waits for both. The case's row is held
    first: of two that end at the same moment the later sees the earlier, and no works are added between look and step.
    """
    case = job.load_case(lock=True)
    spec = dispatch.read_json(job.spec)
    if case.status not in SEARCHED:  # taken back meanwhile: nothing about it is kept
        transaction.on_commit(lambda: dispatch.discard(spec["works"]))
        return
    dataset = Dataset.objects.get(artifact=spec["dataset"])
    items = {str(item.pk): item for item in case.items.all()}
    hits = dispatch.read_output_rows(job, "matches")
    records = {
        r.record_id: r for r in Record.objects.filter(dataset=dataset, record_id__in=[h["record"] for h in hits])
    }
    for hit in hits:
        _match_create(case, items[hit["item"]], records[hit["record"]], hit)
    body = {"dataset": dataset.artifact, "hits": len(hits), **_searched(job)}
    ledger.append(action="matching.finished", actor=SYSTEM, case=case, body=body)
    containment.contain(case)
    waiting = case.jobs.filter(kind="engine.match").exclude(state=Job.State.SUCCEEDED).exclude(pk=job.pk)
    if not waiting.filter(key__startswith=job.key.rpartition(":")[0] + ":").exists():
        transaction.on_commit(lambda: dispatch.discard(spec["works"]))
    if waiting.exists() or _search_ahead(case) or case.status == Status.DECISION:
        return
    advance(case=case, to=Status.DECISION, actor=SYSTEM, reason=f"{case.matches.count()} records found")


def search_stop(case: Case) -> None:
    """The request is taken back: none of its searches goes on, and its works are deleted where they travelled to."""
    jobs.jobs_stop(case.jobs.filter(kind__in=("match", "engine.match")), SYSTEM)
    specs = case.jobs.filter(kind="engine.match").values_list("spec", flat=True)
    for works in {dispatch.read_json(spec)["works"] for spec in specs}:
        transaction.on_commit(partial(dispatch.discard, works))


def _searched(job: Job) -> dict[str, Any]:
    """How much the engine looked through, from which likeness on it counts, and how it compares."""
    metrics = dispatch.read_json(job.result)["metrics"]
    return {name: metrics[name] for name in ("records", "near_threshold", "scheme") if name in metrics}


def _search_ahead(case: Case) -> bool:
    """Whether a search was asked for whose jobs the engine does not have yet, or the last one failed before that.

    The state of the job that hands them over is no sign: it is done only after they are there, and they may end first.
    """
    handed = {key.split(":")[1] for key in case.jobs.filter(kind="engine.match").values_list("key", flat=True)}
    asked = list(case.jobs.filter(kind="match").order_by("-created_at"))
    alive = (Job.State.QUEUED, Job.State.RUNNING)
    return any(str(one.pk) not in handed and (one is asked[0] or one.state in alive) for one in asked)


def _match_create(case: Case, item: ClaimedItem, record: Record, hit: dict[str, Any]) -> None:
    """A record counts once per case, by the hit that came first."""
    if Match.objects.filter(case=case, record=record).exists():
        return
    Match.objects.create(
        case=case,
        item=item,
        record=record,
        subject=case.claimant.subject,
        method=hit["method"],
        score=hit["score"],
        shared=hit.get("shared"),
        of=hit.get("of"),
        excerpt=hit.get("excerpt") or "",
    )
