"""Random people and machines do random things to a case, in any order, twice, and with what they saw long ago.

Whatever they do, the case follows the table, every step is one entry of the ledger, and nothing counts that fewer than
two people signed. What each attempt must answer is predicted from the table alone, before it is made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ObjectDoesNotExist
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from governance.errors import Conflict, GovernanceError, NotAllowed, Unfit
from governance.lifecycle import advance
from governance.models import Case, Decision, Disposition, LedgerOpening, Match, Record, Role, Status
from governance.policies import CLAIMANT, Actor, may
from governance.services import children, decision, intake, proof, review
from governance.transitions import TRANSITIONS
from tests.governance.conftest import POEM, file_case
from tests.governance.staff import member

pytestmark = pytest.mark.database
SYSTEM = Actor.system("walker")
ERASE = decision.Proposal(choice=Decision.Choice.ERASE, ground="policy")
LEAVE = decision.Proposal(choice=Decision.Choice.EXCLUDE, ground="policy", reason="Models stay as they are.")
WHY = "The request names nothing that could be looked for."


#: Where a walk may begin, in the order of the way.
STARTS = [
    Status.RECEIVED, Status.PROOF, Status.REVIEW, Status.MATCHING, Status.DECISION, Status.PLANNING, Status.UNLEARNING,
    Status.VERIFICATION, Status.RELEASE,
]  # fmt: skip


def who(n: int) -> st.SearchStrategy[int]:
    return st.integers(min_value=0, max_value=n - 1)


def mostly(role: Role) -> st.SearchStrategy[int | Role]:
    """Whose step it is, as often as anybody."""
    return st.one_of(st.just(role), who(13))


class Walkers(RuleBasedStateMachine):
    """One case; two people of each deciding role, one of each other, the claimant and a machine."""

    #: Set by the test: it owns the database.
    staff: list[Actor] = []
    records: list[Record] = []
    lead: Any = None
    reached: set[Status] = set()
    approved = 0

    def __init__(self) -> None:
        super().__init__()
        self.everybody = [*self.staff, CLAIMANT, SYSTEM]
        # Each example leaves the database as it was.
        self.atomic = transaction.atomic()
        self.atomic.__enter__()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    @initialize(by=st.booleans(), to=st.sampled_from([*STARTS, Status.REVIEW, Status.DECISION, Status.DECISION]))
    def filed(self, by: bool, to: Status) -> None:
        """By the public form, or entered by an officer, who may then not sign second; and led some way by the book."""
        self.people = {actor.user.role: actor for actor in self.staff if actor.user}
        self.case = file_case(actor=self.people[Role.LEGAL]) if by else file_case()
        self.stale = Case.objects.get(pk=self.case.pk)
        self.by_the_book(to)

    def by_the_book(self, to: Status) -> None:
        self.lead(self.people, self.case, to)
        self.case.refresh_from_db()

    @precondition(lambda self: self.status() in STARTS[:-1])
    @rule()
    def the_right_people_take_it_one_step_on(self) -> None:
        """As far as it goes: what others did meanwhile may stand in the way, and is then said."""
        try:
            self.attempt(lambda: self.by_the_book(STARTS[STARTS.index(self.status()) + 1]))
        except (KeyError, ObjectDoesNotExist):
            self.case.refresh_from_db()  # the book knows no way on from what others did

    def somebody(self, actor: int | Role) -> Actor:
        return self.people[actor] if isinstance(actor, Role) else self.everybody[actor % len(self.everybody)]

    def attempt(self, do: Callable[[], Any], *, expected: type[GovernanceError] | None | str = "any") -> bool:
        """Do it in a savepoint; whether it was done. A refusal is one of ours and changes nothing."""
        before, entries = self.status(), self.moves()
        try:
            with transaction.atomic():
                do()
        except GovernanceError as error:
            if expected != "any":
                assert expected is not None and isinstance(error, expected), f"{error!r}, expected {expected}"
            assert (self.status(), self.moves()) == (before, entries)
            self.case.refresh_from_db()  # what the attempt wrote into the object is undone as well
            return False
        assert expected in (None, "any"), f"done, though {expected} was expected"
        self.case.refresh_from_db()
        return True

    def status(self) -> Status:
        return Status(Case.objects.values_list("status", flat=True).get(pk=self.case.pk))

    def moves(self) -> list[tuple[str, str]]:
        rows = LedgerOpening.objects.filter(case=self.case, entry__action="case.advanced").order_by("entry_id")
        return [(row.body["from"], row.body["to"]) for row in rows]

    @rule(to=st.sampled_from(list(Status)), actor=who(13), outcome=st.sampled_from([None, *Disposition]))
    def anybody_moves_the_case_anywhere(self, to: Status, actor: int | Role, outcome: Disposition | None) -> None:
        """Straight at `advance`: the answer follows from the table."""
        mover, old = self.somebody(actor), self.status()
        step = TRANSITIONS.get((old, to))
        expected: type[GovernanceError] | None = None
        if step is None:
            expected = Conflict
        elif not any(may(mover, permission) for permission in step.by):
            expected = NotAllowed
        elif (step.guard and step.guard.check(self.case)) or (
            step.needs_disposition and not (outcome or self.case.disposition)
        ):
            expected = Unfit
        before = len(self.moves())
        done = self.attempt(
            lambda: advance(case=self.case, to=to, actor=mover, reason="walk", disposition=outcome), expected=expected
        )
        assert len(self.moves()) == before + done

    @rule(actor=who(13))
    def somebody_acts_on_what_they_saw_long_ago(self, actor: int | Role) -> None:
        """The case as it was when it was filed: once it moved, nobody moves it again from there."""
        if self.status() != self.stale.status:
            stale = Case.objects.get(pk=self.case.pk)
            stale.status = self.stale.status
            to = next(to for of, to in TRANSITIONS if of == stale.status)
            assert not self.attempt(
                lambda: advance(case=stale, to=to, actor=self.somebody(actor), reason="late",
                                disposition=Disposition.WITHDRAWN)
            )  # fmt: skip

    @rule(actor=who(13), level=st.integers(min_value=0, max_value=6), accept=st.booleans())
    def somebody_records_a_proof(self, actor: int | Role, level: int, accept: bool) -> None:
        mover = self.somebody(actor)
        self.attempt(lambda: proof.proof_record(case=self.case, level=level, note="seen", actor=mover))
        if accept:
            self.attempt(lambda: proof.proof_accept(case=self.case, actor=mover))

    @rule(actor=mostly(Role.LEGAL), how=st.sampled_from(["admit", "refuse", "ask", "answer", "withdraw"]))
    def somebody_reviews(self, actor: int | Role, how: str) -> None:
        mover = self.somebody(actor)
        steps: dict[str, Callable[[], Any]] = {
            "admit": lambda: review.case_admit(case=self.case, actor=mover),
            "refuse": lambda: review.case_refuse(case=self.case, actor=mover, reason=WHY),
            "ask": lambda: review.information_ask(case=self.case, actor=mover, question="Which?", pauses_clock=False),
            "answer": lambda: review.information_receive(case=self.case, actor=mover),
            "withdraw": lambda: intake.case_withdraw(case=self.case, actor=mover),
        }
        self.attempt(steps[how])

    @precondition(lambda self: self.status() == Status.MATCHING)
    @rule(hits=st.integers(min_value=0, max_value=2))
    def the_machine_finds_records(self, hits: int) -> None:
        for record in self.records[:hits]:
            Match.objects.get_or_create(
                case=self.case, record=record,
                defaults={"item": self.case.items.earliest("pk"), "subject": self.case.claimant.subject,
                          "method": "exact", "score": 1.0, "excerpt": POEM},
            )  # fmt: skip
        assert self.attempt(
            lambda: advance(case=self.case, to=Status.DECISION, actor=SYSTEM, reason="found"), expected=None
        )

    @precondition(lambda self: self.status() in (Status.REPORTING, Status.NOTIFICATION))
    @rule()
    def the_machine_reports_and_tells(self) -> None:
        to = Status.NOTIFICATION if self.status() == Status.REPORTING else Status.CLOSED
        assert self.attempt(lambda: advance(case=self.case, to=to, actor=SYSTEM, reason="told"), expected=None)

    @rule(actor=mostly(Role.LEGAL), erase=st.booleans())
    def somebody_proposes(self, actor: int | Role, erase: bool) -> None:
        self.somebody_proposes_now(actor, erase)

    def somebody_proposes_now(self, actor: int | Role, erase: bool) -> None:
        what = {match.pk: ERASE if erase else LEAVE for match in self.case.matches.all()}
        mover = self.somebody(actor)
        self.attempt(
            lambda: decision.decision_propose(
                case=self.case, proposals=what, shown=decision.mark(self.case), actor=mover
            )
        )

    @rule(actor=mostly(Role.APPROVER), back=st.booleans())
    def somebody_answers_the_proposal(self, actor: int | Role, back: bool) -> None:
        mover = self.somebody(actor)
        if back:
            self.attempt(
                lambda: decision.decision_return(
                    case=self.case, shown=decision.mark(self.case), actor=mover, reason="Look at hit two again."
                )
            )
        else:
            self.attempt(lambda: decision.decision_approve(case=self.case, shown=decision.mark(self.case), actor=mover))

    @precondition(lambda self: self.status() == Status.DECISION)
    @rule(erase=st.booleans())
    def two_people_agree(self, erase: bool) -> None:
        self.somebody_proposes_now(Role.LEGAL, erase)
        self.attempt(
            lambda: decision.decision_approve(
                case=self.case, shown=decision.mark(self.case), actor=self.people[Role.APPROVER]
            )
        )

    @rule(actor=who(13), relation=st.sampled_from(list(children.REASONS)))
    def somebody_contests(self, actor: int | Role, relation: Any) -> None:
        mover = self.somebody(actor)
        self.attempt(lambda: children.case_follow(case=self.case, relation=relation, reason=WHY, actor=mover))

    @invariant()
    def the_way_is_a_path_of_the_table(self) -> None:
        if not hasattr(self, "case"):
            return
        at = Status.RECEIVED.value
        for of, to in self.moves():
            assert of == at and (Status(of), Status(to)) in TRANSITIONS
            at = to
        assert at == self.status()
        self.reached.add(self.status())

    @invariant()
    def what_counts_was_signed_by_two_of_the_right_roles(self) -> None:
        for one in Decision.objects.exclude(approved_by=None).select_related(
            "proposed_by", "approved_by", "match__case"
        ):
            assert one.approved_by is not None and one.proposed_by_id != one.approved_by_id
            assert (one.proposed_by.role, one.approved_by.role) == (Role.LEGAL, Role.APPROVER)
            assert one.approved_by_id != one.match.case.entered_by_id
            type(self).approved += 1

    @invariant()
    def an_end_has_an_outcome(self) -> None:
        closed = Case.objects.filter(status=Status.CLOSED)
        assert not closed.filter(disposition="").exists() and not closed.filter(closed_at=None).exists()


def test_whatever_anybody_does_the_case_follows_the_table(catalogue: dict[str, Any], walk_with: Any) -> None:
    roles = [*Role, Role.LEGAL, Role.APPROVER]
    Walkers.staff = [Actor.of(member(f"{n}.{role}@house.example", role=role)) for n, role in enumerate(roles)]
    Walkers.records = list(Record.objects.order_by("pk"))
    Walkers.lead = staticmethod(walk_with)
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Walkers,
        settings=settings(
            max_examples=40, stateful_step_count=20, deadline=None, database=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
    # Walks that never get anywhere would prove nothing.
    assert Walkers.reached >= {*STARTS, Status.INFORMATION, Status.NOTIFICATION, Status.REPORTING, Status.CLOSED}
    assert Walkers.approved
