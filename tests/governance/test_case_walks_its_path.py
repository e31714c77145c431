"""A case goes the way of the table and no other; every step leaves a leaf in the ledger."""

from __future__ import annotations

import pytest
from django.utils import timezone

from governance import dispatch
from governance.errors import Conflict, NotAllowed, Unfit
from governance.evidence import ledger, merkle
from governance.lifecycle import advance, advance_all
from governance.models import Case, Disposition, Kind, LedgerEntry, LedgerOpening, Record, Role, Status
from governance.policies import CLAIMANT, Actor
from governance.services import intake, release, review
from governance.transitions import TRANSITIONS
from tests.governance.conftest import engine_job, file_case, finish, run_house_jobs

pytestmark = pytest.mark.database


def test_an_approximate_failure_returns_to_planning_and_retraining_is_next(walk, case):
    walk(case, Status.PLANNING)
    walk(case, Status.VERIFICATION)
    walk(case, Status.RELEASE, verdicts=("fail", "pass"))
    assert [(p.method, p.state) for p in case.plans.all()] == [("graddiff", "failed"), ("retrain", "passed")]
    assert case.plans.first().candidate.state == "rejected"


def test_a_ladder_that_ends_without_a_pass_is_reported_as_not_fulfilled(walk, case):
    walk(case, Status.VERIFICATION)
    walk(case, Status.PLANNING, verdicts=("fail",))
    walk(case, Status.VERIFICATION)
    walk(case, Status.PLANNING, verdicts=("fail",))
    run_house_jobs(case)
    assert (case.status, case.disposition) == (Status.REPORTING, Disposition.NOT_FULFILLED)


def test_a_release_needs_both_signatures_and_every_place_accounted_for(walk, case, people, catalogue):
    walk(case, Status.RELEASE)
    manager, legal = people[Role.RELEASE], people[Role.LEGAL]
    release.release_sign(case=case, actor=manager)
    with pytest.raises(NotAllowed):
        release.release_sign(case=case, actor=manager)
    with pytest.raises(Unfit):
        release.release_finish(case=case, actor=manager)
    release.release_sign(case=case, actor=legal)
    place = catalogue["released"].deployments.get()
    assert place.state == "pending"
    with pytest.raises(Unfit, match="still wait"):
        release.release_finish(case=case, actor=manager)
    release.deployment_record(deployment=place, state=place.State.REPLACED, case=case, actor=manager)
    release.release_finish(case=case, actor=manager)
    assert (case.status, case.disposition) == (Status.REPORTING, Disposition.FULFILLED)
    catalogue["released"].refresh_from_db()
    assert catalogue["released"].state == "retired"
    assert case.disposals.count() == 2


def test_a_retraining_whose_making_is_not_shown_whole_is_never_fulfilled(walk, case, people, catalogue):
    walk(case, Status.VERIFICATION)
    walk(case, Status.PLANNING, verdicts=("fail",))
    walk(case, Status.UNLEARNING)
    assert case.plans.last().method == "retrain"
    run_house_jobs(case)
    finish(engine_job(case, "unlearn"), made={"tokenizer_independent": False}, model=b"retrained")
    case.refresh_from_db()
    walk(case, Status.RELEASE, verdicts=("pass",))
    for role in (Role.RELEASE, Role.LEGAL):
        release.release_sign(case=case, actor=people[role])
    place = catalogue["released"].deployments.get()
    release.deployment_record(deployment=place, state=place.State.REPLACED, case=case, actor=people[Role.RELEASE])
    release.release_finish(case=case, actor=people[Role.RELEASE])
    assert (case.status, case.disposition) == (Status.REPORTING, Disposition.PARTLY)


def test_a_place_that_cannot_be_reached_is_never_fulfilled(walk, case, people, catalogue):
    walk(case, Status.RELEASE)
    for role in (Role.RELEASE, Role.LEGAL):
        release.release_sign(case=case, actor=people[role])
    place = catalogue["released"].deployments.get()
    release.deployment_record(deployment=place, state=place.State.UNREACHABLE, case=case, actor=people[Role.RELEASE])
    release.release_finish(case=case, actor=people[Role.RELEASE])
    assert case.disposition != Disposition.FULFILLED


def test_two_writers_cannot_both_move_a_case(walk, case, people):
    walk(case, Status.REVIEW)
    other = Case.objects.get(pk=case.pk)
    review.case_admit(case=case, actor=people[Role.LEGAL])
    with pytest.raises(Conflict, match="in the meantime"):
        review.case_admit(case=other, actor=people[Role.LEGAL])
    assert case.jobs.filter(kind="match").count() == 1


def test_a_step_that_is_not_in_the_table_does_not_exist(case):
    with pytest.raises(Conflict):
        advance(case=case, to=Status.CLOSED, actor=Actor.system("test"), reason="shortcut")


@pytest.mark.parametrize("role", list(Role))
def test_only_the_role_that_the_table_names_may_step(walk, case, people, role):
    walk(case, Status.REVIEW)
    if role == Role.LEGAL:
        review.case_admit(case=case, actor=people[role])
    else:
        with pytest.raises(NotAllowed):
            review.case_admit(case=case, actor=people[role])


def test_every_step_needs_an_actor_that_somebody_can_be():
    assert all(transition.by for transition in TRANSITIONS.values())


def test_a_change_of_weights_needs_a_strong_proof(walk, case, people):
    intake.email_confirm(token=intake.link_token(case.public_id, "confirm"))
    case.refresh_from_db()
    from governance.services import proof

    proof.proof_accept(case=case, actor=people[Role.LEGAL])
    with pytest.raises(Unfit, match="stronger proof"):
        walk(case, Status.PLANNING)


def test_every_step_is_a_leaf_whose_inclusion_verifies(walk, case):
    walk(case, Status.RELEASE)
    entries = list(LedgerEntry.objects.all())
    tree = ledger.tree()
    for entry in entries:
        assert bytes(entry.hash) == merkle.leaf_hash(bytes(entry.leaf))
        proof = tree.inclusion_proof(entry.index)
        merkle.verify_inclusion(
            leaf=bytes(entry.hash), index=entry.index, size=len(tree), proof=proof, root=tree.root()
        )
    steps = [o.body["to"] for o in LedgerOpening.objects.filter(case=case, entry__action="case.advanced")]
    assert steps[:4] == ["proof", "review", "matching", "decision"] and steps[-1] == "release"


def test_thresholds_are_in_the_ledger_before_the_run(walk, case):
    walk(case, Status.UNLEARNING)
    opening = LedgerOpening.objects.get(case=case, entry__action="plan.confirmed")
    assert opening.body["policy"] == case.plans.get().policy_digest
    assert not case.jobs.filter(kind="engine.unlearn").exists()


def test_a_question_pauses_only_where_the_law_knows_the_pause(people):
    from governance.services import proof

    ours, theirs = file_case(kind=Kind.PRIVACY), file_case()
    for one in (ours, theirs):
        proof.proof_record(case=one, level=1, note="Letter.", actor=people[Role.LEGAL])
    review.information_ask(case=ours, actor=people[Role.LEGAL], question="Who are you?", pauses_clock=True)
    assert ours.paused_on is not None
    with pytest.raises(Unfit, match="does not pause"):
        review.information_ask(case=theirs, actor=people[Role.LEGAL], question="Who?", pauses_clock=True)
    review.information_receive(case=ours, actor=people[Role.LEGAL])
    assert ours.status == Status.PROOF and ours.paused_on is None


def test_the_claimant_may_withdraw_and_nothing_else(case):
    intake.case_withdraw(case=case, actor=CLAIMANT)
    assert (case.status, case.disposition) == (Status.NOTIFICATION, Disposition.WITHDRAWN)
    with pytest.raises(NotAllowed):
        advance(case=case, to=Status.CLOSED, actor=CLAIMANT, reason="done")


def test_cases_move_together_or_not_at_all(case):
    ours, theirs = file_case(), file_case()
    moved = advance(case=Case.objects.get(pk=theirs.pk), to=Status.PROOF, actor=CLAIMANT, reason="Confirmed")
    with pytest.raises(Conflict, match="do not stand alike"):
        advance_all(cases=[ours, moved], to=Status.PROOF, actor=CLAIMANT, reason="Confirmed")
    before = ledger.size()
    with pytest.raises(Conflict, match="Somebody else"):
        advance_all(cases=[ours, theirs], to=Status.PROOF, actor=CLAIMANT, reason="Confirmed")
    assert Case.objects.get(pk=ours.pk).status == Status.RECEIVED and ledger.size() == before
    advance_all(cases=[ours, case], to=Status.PROOF, actor=CLAIMANT, reason="Confirmed")
    assert ours.status == case.status == Status.PROOF and ours.stays.count() == 1 and ledger.size() == before + 2


def test_what_an_earlier_case_took_out_is_never_trained_on_again(walk, case, catalogue):
    Record.objects.filter(record_id="r3").update(quarantined_at=timezone.now())
    walk(case, Status.VERIFICATION)
    plan = case.plans.get()
    spec = dispatch.read_json(case.jobs.get(kind="engine.unlearn").spec)
    assert dispatch.read_bytes(spec["exclude_ids"]).split() == [b"r3"]
    assert set(dispatch.read_bytes(plan.candidate.excluded).split()) == {b"r1", b"r2", b"r3"}
