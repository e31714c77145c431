"""A report about a change opens what the ledger was told of plans, runs, verdicts and searches, and a stranger's
verifier finds each as the evidence tells it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from governance import dispatch
from governance.models import Case, Deployment, Job, LedgerOpening, Role, Status
from governance.policies import Actor
from governance.services import dossier, matching, papers, recipients, release
from lethe_verify import evidence, opened

pytestmark = pytest.mark.database


@pytest.fixture
def changed(
    walk: Callable[..., Case], case: Case, people: dict[Role, Actor], catalogue: dict[str, Any], house: Path
) -> Case:
    """A case that ended with a retrained version in every place, after another plan had failed."""
    walk(case, Status.RELEASE)
    for role in (Role.RELEASE, Role.LEGAL):
        release.release_sign(case=case, actor=people[role])
    for place in Deployment.objects.filter(state=Deployment.State.PENDING):
        release.deployment_record(
            deployment=place, state=Deployment.State.REPLACED, case=case, actor=people[Role.RELEASE]
        )
    case = Case.objects.get(pk=case.pk)
    recipients.recipients_tell(case=case, actor=people[Role.RELEASE])
    return release.release_finish(case=case, actor=people[Role.RELEASE])


def test_all_of_it_is_opened_and_held(changed: Case) -> None:
    told = dossier.document(changed, number="LR-1", issued_at=timezone.now())
    document = evidence.read(papers.proved(told, changed))
    proved = evidence.check_ledger(document)
    actions = [one.action for one in proved.entries]
    assert actions == [
        "matching.finished", "plan.confirmed", "unlearning.finished", "verification.finished", "plan.confirmed",
        "unlearning.finished", "verification.finished", "evidence.recorded",
    ]  # fmt: skip
    assert opened.told(document, proved.entries) == ([], True) and opened.unjudged(document) == []
    (search,) = document["matching"]["searches"]
    assert search["dataset"] == document["matching"]["data_sets"][0]["digest"] and search["hits"] == 2
    assert document["matching"]["counts"]["found"] == 2


def test_the_ledger_is_told_how_a_search_was_made_as_the_engine_counted_it(
    walk: Callable[..., Case], case: Case, catalogue: dict[str, Any]
) -> None:
    walk(case, Status.DECISION)
    job = case.jobs.get(kind="engine.match")
    found = dispatch.read_json(job.result)
    found["metrics"] = {"records": 3, "near_threshold": 0.5, "scheme": "words/1", "works": 1}
    Job.objects.filter(pk=job.pk).update(result=dispatch.put_bytes(json.dumps(found).encode()))
    job.refresh_from_db()
    matching.matching_finish(job=job)
    body = LedgerOpening.objects.filter(case=case, entry__action="matching.finished").latest("entry_id").body
    artifact = catalogue["data"].artifact
    assert body == {"dataset": artifact, "hits": 2, "records": 3, "near_threshold": 0.5, "scheme": "words/1"}
