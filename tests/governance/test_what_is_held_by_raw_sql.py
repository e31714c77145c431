"""What a case holds out of training, attacked by raw SQL: nobody alone ends it, and no statement that names nobody."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from governance.evidence.signatures import _claimed, audit
from governance.models import Case, Decision, Quarantine, Record, Role, Status, triggers
from governance.policies import Actor
from governance.services import children, decision
from tests.governance.conftest import file_case
from tests.governance.staff import grant, member
from tests.governance.test_four_eyes_by_raw_sql import NOW, People, carried_out, pk, refused

pytestmark = pytest.mark.database


class TestReturn:
    """Works that are given back."""

    SIGN = f"UPDATE governance_worksreturn SET approved_at = {NOW}, approved_by_id = %s"
    LIFT = f"UPDATE governance_quarantine SET ended_at = {NOW}, ended_why = 'x', ended_by_id = %s WHERE case_id = %s"
    MAKE = (
        "INSERT INTO governance_worksreturn (case_id, proposed_by_id, proposed_at, approved_by_id, approved_at) VALUES"
    )

    @pytest.fixture
    def back(self, walk: Any, people: People) -> Case:
        """A case about giving back what its parent holds; legal entered it, another officer proposes."""
        parent, case = walk(file_case(), Status.DECISION), file_case(actor=people[Role.LEGAL])
        assert Quarantine.objects.filter(case=parent, ended_at=None).exists()
        Case.objects.filter(pk=case.pk).update(status=Status.REVIEW, parent=parent, relation="return")
        case.refresh_from_db()
        return case

    def test_it_is_proposed_by_legal_and_not_born_approved(self, back: Case, people: People) -> None:
        legal, approver = pk(people, Role.LEGAL), pk(people, Role.APPROVER)
        assert "a step of its own" in refused(f"{self.MAKE} (%s, %s, {NOW}, %s, {NOW})", back.pk, legal, approver)
        assert "does not sign here" in refused(f"{self.MAKE} (%s, %s, {NOW}, NULL, NULL)", back.pk, approver)

    def test_another_person_approves_it_once(self, back: Case, people: People) -> None:
        approver, legal = pk(people, Role.APPROVER), people[Role.LEGAL].user
        other = member("second.legal@house.example", role=Role.LEGAL)
        children.return_propose(case=back, actor=Actor.of(other))
        assert "does not sign here" in refused(self.SIGN, pk(people, Role.ENGINEER))
        assert legal is not None
        for who, why in ((other, "works_return_four_eyes"), (legal, "entered the request")):
            grant(who, Role.APPROVER)
            assert why in refused(self.SIGN, who.pk)
        assert "two people signed" in refused(self.LIFT, approver, back.parent_id)
        children.return_approve(case=back, actor=people[Role.APPROVER])
        assert not Quarantine.objects.filter(case=back.parent, ended_at=None).exists()
        assert "never changed" in refused(self.SIGN, legal.pk)
        assert "stays" in refused("DELETE FROM governance_worksreturn")
        said = [one for one in audit().findings if "given back" in one]
        assert not said and "return.approved" in {signed[0] for _words, signed in _claimed()}

    def test_nobody_alone_ends_what_is_held(self, back: Case, people: People) -> None:
        for role in (Role.LEGAL, Role.APPROVER, Role.ADMINISTRATOR):
            assert "two people signed" in refused(self.LIFT, pk(people, role), back.parent_id)

    def test_what_is_held_is_not_passed_off_as_something_else_nor_deleted(self, back: Case) -> None:
        change = "UPDATE governance_quarantine SET"
        assert "neither what a search found" in refused(f"{change} cause = 'returned'")
        assert "held by another case" in refused(f"{change} case_id = %s", back.pk)
        Quarantine.objects.create(case=back, record=Quarantine.objects.all()[0].record, cause="returned")
        assert "neither what a search found" in refused(f"{change} cause = 'decided' WHERE cause = 'returned'")
        carried_out(f"{change} cause = 'decided' WHERE cause = 'matched'")
        assert "never deleted" in refused("DELETE FROM governance_quarantine")

    NAMELESS = f"UPDATE governance_quarantine SET ended_at = {NOW}, ended_why = 'x' WHERE case_id = %s"

    def test_a_statement_that_names_nobody_ends_nothing(self, back: Case, people: People) -> None:
        parent = back.parent
        assert parent is not None and "two people signed it" in refused(self.NAMELESS, parent.pk)
        erase = decision.Proposal(choice=Decision.Choice.ERASE, ground="policy")
        proposals = {match.pk: erase for match in parent.matches.all()}
        decision.decision_propose(case=parent, proposals=proposals, actor=people[Role.LEGAL])
        assert "two people signed it" in refused(self.NAMELESS, parent.pk), "proposed, not approved"
        decision.decision_approve(case=parent, shown=decision.mark(parent), actor=people[Role.APPROVER])
        assert "two people signed it" in refused(self.NAMELESS, parent.pk), "decided to go: it stays held"
        assert "two people signed it" in refused(self.NAMELESS + " AND cause = 'decided'", parent.pk)

    def test_what_a_search_found_is_let_back_by_two(self, back: Case, people: People) -> None:
        legal, approver = pk(people, Role.LEGAL), pk(people, Role.APPROVER)
        row = Quarantine.objects.create(case=back, record=Quarantine.objects.all()[0].record, cause="returned")
        change = "UPDATE governance_quarantine SET"
        ask = f"{change} lift_asked_at = {NOW}, lift_why = 'x', lift_asked_by_id = %s WHERE id = %s"
        end = f"UPDATE governance_quarantine SET ended_at = {NOW}, ended_by_id = %s WHERE id = %s"
        both = (
            f"UPDATE governance_quarantine SET ended_at = {NOW}, ended_by_id = %s, lift_asked_by_id = %s WHERE id = %s"
        )
        assert "two people signed it" in refused(self.NAMELESS, back.pk)
        assert "two people signed it" in refused(end, approver, row.pk), "nobody asked"
        assert "two people signed it" in refused(both, approver, legal, row.pk), "asked and answered at once"
        assert "does not sign here" in refused(ask, approver, row.pk)
        matched = Quarantine.objects.filter(cause="matched")[0]
        assert "does not sign here" in refused(ask, legal, matched.pk), "held by its case"
        carried_out(ask, legal, row.pk)
        for who in (legal, pk(people, Role.ENGINEER)):
            assert "two people signed it" in refused(end, who, row.pk)
        assert "two people signed it" in refused(
            f"UPDATE governance_quarantine SET ended_at = {NOW}, lift_why = 'y', ended_by_id = %s WHERE id = %s",
            approver, row.pk,
        )  # fmt: skip
        assert "never changed" in refused("UPDATE governance_quarantine SET ended_by_id = %s WHERE id = %s",
                                          approver, row.pk)  # fmt: skip
        gone = f"{change} ended_at = {NOW}, lift_asked_by_id = NULL, ended_by_id = %s WHERE id = %s"
        assert "two people signed it" in refused(gone, approver, row.pk), "the first signature goes with the second"
        assert "two people signed it" in refused(self.NAMELESS, back.pk), "though it was asked for"
        carried_out(end, approver, row.pk)
        for change in ("ended_at = NULL", "ended_why = 'z'", "lift_asked_by_id = NULL", "lift_why = 'z'",
                       "since = ended_at", "lift_asked_at = NULL"):  # fmt: skip
            assert "never changed" in refused(f"UPDATE governance_quarantine SET {change} WHERE id = %s", row.pk)
        assert "a step of its own" in refused(
            "INSERT INTO governance_quarantine (case_id, record_id, cause, since, ended_at, ended_why, lift_why) "
            f"SELECT case_id, record_id, 'matched', since, {NOW}, '', '' FROM governance_quarantine WHERE id = %s",
            row.pk,
        )  # fmt: skip

    def test_what_two_people_decided_is_not_undecided_again(self, back: Case, people: People) -> None:
        parent = back.parent
        assert parent is not None
        why = "No weights change here, as the policy of the house says."
        leave = decision.Proposal(choice=Decision.Choice.EXCLUDE, ground="Company policy", reason=why)
        refuse = decision.Proposal(choice=Decision.Choice.REFUSE, ground="policy", reason=why, exception="licensed")
        first, *others = parent.matches.order_by("pk")
        proposals = {first.pk: leave, **{one.pk: refuse for one in others}}
        decision.decision_propose(case=parent, proposals=proposals, actor=people[Role.LEGAL])
        decision.decision_approve(case=parent, shown=decision.mark(parent), actor=people[Role.APPROVER])
        carried_out("UPDATE governance_proof SET level = 1 WHERE case_id = %s", parent.pk)
        for cause in ("matched", "returned"):
            said = refused(f"UPDATE governance_quarantine SET cause = '{cause}' WHERE case_id = %s", parent.pk)
            assert "nor undecided" in said
        held = Quarantine.objects.get(case=parent, ended_at=None)
        assert held.record_id == first.record_id
        swap = "UPDATE governance_match SET record_id = %s WHERE id = %s"
        assert "the record that they saw" in refused(swap, back.pk, first.pk)
        assert "the record that they saw" in refused("UPDATE governance_match SET case_id = %s", back.pk)
        triggers.drop(connection)
        Quarantine.objects.filter(pk=held.pk).update(cause="matched")
        triggers.install(connection)
        assert "two people signed it" in refused(self.NAMELESS + " AND id = %s", parent.pk, held.pk), "no proof"

    def test_what_is_held_is_in_no_list_of_what_may_be_trained_on(self, back: Case) -> None:
        parent = back.parent
        assert parent is not None
        held = Record.objects.filter(quarantines__case=parent, quarantined_at__isnull=False)
        assert held and "while a case holds it" in refused("UPDATE governance_record SET quarantined_at = NULL")
        for change in ("record_id = 'another'", "id = id + 1000, quarantined_at = NULL"):
            why = refused(f"UPDATE governance_record SET {change} WHERE id = %s", held[0].pk)
            assert "while a case holds it" in why
        assert not [one for one in audit().findings if "trained on" in one]
        triggers.drop(connection)
        Record.objects.update(quarantined_at=None)
        triggers.install(connection)
        [said] = [one for one in audit().findings if "trained on" in one]
        assert said.startswith(f"Case {parent.number} holds ")
