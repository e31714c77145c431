"""An opted-out work cannot return with the next dataset: it is found by its fingerprint, held, and told of."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance import dispatch, tasks
from governance.errors import Conflict, NotAllowed, Unfit
from governance.models import Case, Dataset, Decision, Job, LedgerOpening, Match, Quarantine, Record, Role, Status
from governance.models.vault import subject_destroy
from governance.policies import Actor
from governance.services import catalogue as register
from governance.services import containment, decision, jobs, rescans
from tests.governance.conftest import POEM
from tests.governance.staff import sign_in_to_decide
from unlearning_engine.contracts import parse
from unlearning_engine.matching import match

pytestmark = pytest.mark.database

Walk = Callable[..., Case]
People = dict[Role, Actor]
ROWS = [
    {"id": "n1", "text": "A tariff of railway freight in the northern districts."},
    {"id": "n2", "text": f"Copied without asking: {POEM}"},
]


@pytest.fixture
def upheld(walk: Walk, case: Case, people: People) -> Case:
    """A case of which both hits are left out of future training."""
    walk(case, Status.DECISION)
    leave = decision.Proposal(choice=Decision.Choice.EXCLUDE, ground="Company policy", reason="No weights change here.")
    decision.decision_propose(case=case, proposals={m.pk: leave for m in case.matches.all()}, actor=people[Role.LEGAL])
    decision.decision_approve(case=case, shown=decision.mark(case), actor=people[Role.APPROVER])
    return case


@pytest.fixture
def added(upheld: Case, people: People) -> Dataset:
    """A new dataset that holds the work again."""
    return register.dataset_register(
        name="Harvest", purpose=Dataset.Purpose.TRAINING, artifact=dispatch.put_rows(ROWS), actor=people[Role.ENGINEER]
    )


def search(tmp_path: Any) -> Job:
    """The engine's own search, run as its worker runs it, and its end told."""
    job = Job.objects.get(kind=rescans.KIND)
    spec = dispatch.read_json(job.spec)
    for name in ("fingerprints", "dataset"):
        (tmp_path / name).write_bytes(dispatch.read_bytes(spec[name]))
        spec[name] = str(tmp_path / name)
    (tmp_path / "dataset").rename(tmp_path / "dataset.jsonl")
    spec["dataset"] += ".jsonl"
    match(parse(spec), tmp_path, lambda event: None)  # type: ignore[arg-type]
    refs = {"matches": dispatch.put_bytes((tmp_path / "matches.jsonl").read_bytes())}
    result = dispatch.put_bytes(json.dumps({"outputs": refs, "metrics": {}, "verb": "match"}).encode())
    assert jobs.job_start(job_id=str(job.pk), attempt=job.attempt)
    jobs.job_succeed(job_id=str(job.pk), attempt=job.attempt, result=result, summary={}, then=tasks.DONE)
    job.refresh_from_db()
    return job


def test_a_work_that_comes_back_is_held_told_of_and_in_the_ledger(
    added: Dataset, upheld: Case, tmp_path: Any, django_capture_on_commit_callbacks: Any
) -> None:
    mail.outbox.clear()
    with django_capture_on_commit_callbacks(execute=True):
        job = search(tmp_path)
    assert job.state == "succeeded", job.error
    assert list(
        Record.objects.filter(dataset=added, quarantined_at__isnull=False).values_list("record_id", flat=True)
    ) == ["n2"]
    assert Quarantine.objects.get(record__dataset=added).case == upheld
    body = LedgerOpening.objects.get(case=upheld, entry__action="records.returned").body
    assert body == {"dataset": added.artifact, "records": 1, "number": upheld.number}
    told = next(m for m in mail.outbox if "opted out" in m.subject)
    assert upheld.number in told.body and "salt" not in told.body and "Marun" not in told.body
    assert not dispatch.exists(dispatch.read_json(job.spec)["fingerprints"])


def test_nothing_of_the_dataset_is_exported_before_the_search_has_ended(
    added: Dataset, people: People, tmp_path: Any
) -> None:
    with pytest.raises(Unfit, match="search for earlier opted-out works in Harvest is waiting"):
        containment.records_export(dataset=added, actor=people[Role.ENGINEER])
    search(tmp_path)
    assert containment.records_export(dataset=added, actor=people[Role.ENGINEER])[0] == "n1\n"


def test_a_search_that_failed_keeps_the_dataset_closed_and_says_so(added: Dataset, people: People) -> None:
    job = Job.objects.get(kind=rescans.KIND)
    jobs.job_fail(job_id=str(job.pk), attempt=0, error={"type": "DataError", "messages": ["x"]}, then=tasks.FAILED)
    assert LedgerOpening.objects.filter(entry__action="rescan.failed").exists()
    with pytest.raises(Unfit, match="is failed"):
        containment.records_export(dataset=added, actor=people[Role.ENGINEER])


def test_the_search_works_after_the_claimants_data_was_destroyed(added: Dataset, upheld: Case, tmp_path: Any) -> None:
    subject_destroy(upheld.claimant.subject)
    assert search(tmp_path).state == "succeeded"
    assert Quarantine.objects.get(record__dataset=added).case == upheld
    assert LedgerOpening.objects.get(entry__action="records.returned").case is None


def test_controls_and_a_house_without_earlier_works_are_not_searched(
    people: People, catalogue: dict[str, Any], upheld: Case
) -> None:
    for purpose in (Dataset.Purpose.CONTROLS, Dataset.Purpose.TOKENIZER):
        register.dataset_register(
            name="C", purpose=purpose, artifact=dispatch.put_rows(ROWS), actor=people[Role.ENGINEER]
        )
    assert not Job.objects.filter(kind=rescans.KIND).exists()
    upheld.fingerprints.all().delete()
    assert rescans.rescan_start(catalogue["data"]) is None


WHY = "The record is a licensed anthology that quotes the work with consent."


def test_a_false_hit_is_let_back_with_a_reason_by_two_people(added: Dataset, people: People, tmp_path: Any) -> None:
    search(tmp_path)
    row = Quarantine.objects.get(record__dataset=added)
    for role in (Role.ENGINEER, Role.APPROVER):
        with pytest.raises(NotAllowed):
            containment.lift_ask(quarantine=row, actor=people[role], reason=WHY)
    with pytest.raises(Unfit, match="full sentence"):
        containment.lift_ask(quarantine=row, actor=people[Role.LEGAL], reason="no")
    with pytest.raises(Conflict, match="First somebody asks"):
        containment.lift_approve(quarantine=row, actor=people[Role.APPROVER], shown=containment.lift_mark(row))
    shown = ask(row, people)
    assert Record.objects.filter(dataset=added, quarantined_at__isnull=False).exists(), "asked, not let back"
    with pytest.raises(NotAllowed):
        containment.lift_approve(quarantine=row, actor=people[Role.LEGAL], shown=shown)
    containment.lift_approve(quarantine=row, actor=people[Role.APPROVER], shown=shown)
    row.refresh_from_db()
    assert (row.ended_why, row.lift_asked_by) == (WHY, people[Role.LEGAL].user)
    assert not Record.objects.filter(dataset=added, quarantined_at__isnull=False).exists()
    assert LedgerOpening.objects.filter(entry__action="records.released", body__record="n2").exists()
    for again in (containment.lift_approve, containment.lift_end):
        with pytest.raises(Conflict, match="in the meantime"):
            again(quarantine=row, actor=people[Role.APPROVER], shown=shown)


def ask(row: Quarantine, people: People, why: str = WHY) -> str:
    """Ask, and what an approver is shown then."""
    containment.lift_ask(quarantine=row, actor=people[Role.LEGAL], reason=why)
    row.refresh_from_db()
    return containment.lift_mark(row)


def test_an_approver_signs_what_was_shown_and_no_later_reason(added: Dataset, people: People, tmp_path: Any) -> None:
    search(tmp_path)
    row = Quarantine.objects.get(record__dataset=added)
    shown = ask(row, people)
    later = ask(row, people, "Another reason altogether, which nobody but the writer has seen.")
    for step in (containment.lift_approve, containment.lift_end):
        with pytest.raises(Conflict, match="asked anew"):
            step(quarantine=row, actor=people[Role.APPROVER], shown=shown)
    row.refresh_from_db()
    assert row.ended_at is None and row.lift_why.startswith("Another reason")
    containment.lift_approve(quarantine=row, actor=people[Role.APPROVER], shown=later)


def test_what_a_decision_took_over_meanwhile_is_told_so_and_not_let_back(
    added: Dataset, people: People, tmp_path: Any
) -> None:
    """`containment.settle` of a case whose own hits now lie in the new dataset."""
    search(tmp_path)
    row = Quarantine.objects.get(record__dataset=added)
    shown = ask(row, people)
    match = row.case.matches.first()
    assert match and row.cause == Quarantine.Cause.RETURNED
    decided = Match.objects.create(case=row.case, item=match.item, record=row.record, subject=match.subject,
                                   method=match.method, excerpt=match.excerpt)  # fmt: skip
    Decision.objects.create(
        match=decided, choice=Decision.Choice.EXCLUDE, ground="Company policy", proposed_by=people[Role.LEGAL].user
    )
    Decision.objects.filter(match=decided).update(approved_by=people[Role.APPROVER].user, approved_at=timezone.now())
    Quarantine.objects.filter(pk=row.pk).update(cause=Quarantine.Cause.DECIDED)
    with pytest.raises(Unfit, match="only that decision lifts it"):
        containment.lift_ask(quarantine=row, actor=people[Role.LEGAL], reason=WHY)
    for step in (containment.lift_approve, containment.lift_end):
        with pytest.raises(Unfit, match="only that decision lifts it"):
            step(quarantine=row, actor=people[Role.APPROVER], shown=shown)


def test_who_asked_takes_it_back_and_an_approver_refuses(added: Dataset, people: People, tmp_path: Any) -> None:
    search(tmp_path)
    row = Quarantine.objects.get(record__dataset=added)
    for role, action in ((Role.LEGAL, "taken_back"), (Role.APPROVER, "refused")):
        shown = ask(row, people)
        with pytest.raises(NotAllowed):
            containment.lift_end(quarantine=row, actor=people[Role.ENGINEER], shown=shown)
        containment.lift_end(quarantine=row, actor=people[role], shown=shown)
        row.refresh_from_db()
        assert (row.lift_asked_by, row.lift_asked_at, row.lift_why, row.ended_at) == (None, None, "", None)
        body = LedgerOpening.objects.get(entry__action=f"records.release_{action}").body
        assert body["record"] == "n2" and body["why"] == WHY
    assert Record.objects.filter(dataset=added, quarantined_at__isnull=False).exists()


def test_what_a_decision_holds_is_lifted_by_no_single_person(upheld: Case, people: People) -> None:
    row = Quarantine.objects.filter(case=upheld).first()
    assert row
    with pytest.raises(Unfit, match="only that decision lifts it"):
        containment.lift_ask(quarantine=row, actor=people[Role.LEGAL], reason="It is not the work at all, really.")
    with pytest.raises(Unfit, match="only that decision lifts it"):
        containment.lift_approve(quarantine=row, actor=people[Role.APPROVER], shown=containment.lift_mark(row))


def test_the_page_lists_what_came_back_and_lets_an_approver_answer(
    client: Client, added: Dataset, people: People, tmp_path: Any
) -> None:
    search(tmp_path)
    sign_in_to_decide(client, people[Role.LEGAL].user)  # type: ignore[arg-type]
    page = client.get(reverse("duties")).content.decode()
    assert "Came back with a new dataset" in page and "n2" in page
    row = Quarantine.objects.get(record__dataset=added)
    short = client.post(reverse("containment_lift_ask"), {"quarantine": row.pk, "reason": "no"})
    assert short.status_code == 422 and "full sentence" in short.content.decode()
    why = WHY
    assert client.post(reverse("containment_lift_ask"), {"quarantine": row.pk, "reason": why}).status_code == 302
    sign_in_to_decide(client, people[Role.APPROVER].user)  # type: ignore[arg-type]
    page = client.get(reverse("duties")).content.decode()
    row.refresh_from_db()
    shown = f"{row.pk}:{containment.lift_mark(row)}"
    assert why in page and page.count(f'value="{shown}"') == 2, "to let it back, or to leave it held"
    containment.lift_ask(quarantine=row, actor=people[Role.LEGAL], reason="A reason that the page above does not show.")
    for name in ("containment_lift", "containment_lift_end"):
        stale = client.post(reverse(name), {"quarantine": shown})
        assert stale.status_code == 422 and "not what was shown to you any more" in stale.content.decode()
    row.refresh_from_db()
    shown = f"{row.pk}:{containment.lift_mark(row)}"
    assert client.post(reverse("containment_lift_end"), {"quarantine": shown}).status_code == 302
    page = client.get(reverse("duties")).content.decode()
    assert "Leave it held" not in page and "Let it back" not in page
    shown = ask(row, people)
    assert client.post(reverse("containment_lift"), {"quarantine": f"{row.pk}:{shown}"}).status_code == 302
    row.refresh_from_db()
    assert row.ended_by == people[Role.APPROVER].user
