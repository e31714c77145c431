"""Each way past the second signature that the application's database role has, and what the database says."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from governance.errors import NotAllowed
from governance.models import (
    AuditSample,
    Case,
    Channel,
    Decision,
    Note,
    PatchPublication,
    PatchSubscriber,
    Plan,
    Release,
    Role,
    RoleGrant,
    Status,
    User,
    WorksReturn,
    guards,
    triggers,
)
from governance.policies import GRANTS, Actor, Permission
from governance.services import additions, decision, intake, planning, release
from tests.governance.conftest import TODAY, file_case, run_house_jobs
from tests.governance.staff import administrators, grant, member

pytestmark = pytest.mark.database
NOW = "CURRENT_TIMESTAMP"
People = dict[Role, Actor]


def refused(sql: str, *values: Any) -> str:
    """What the database says to a statement that it must not carry out."""
    with pytest.raises(DatabaseError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, values)
    return str(caught.value)


def carried_out(sql: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def pk(people: People, role: Role) -> int:
    user = people[role].user
    assert user is not None
    return user.pk


@pytest.fixture
def proposed(walk: Any, people: People) -> Case:
    case: Case = walk(file_case(), Status.DECISION)
    erase = decision.Proposal(choice=Decision.Choice.ERASE, ground="policy")
    decision.decision_propose(case=case, proposals={m.pk: erase for m in case.matches.all()}, actor=people[Role.LEGAL])
    return case


@pytest.fixture
def planned(walk: Any) -> Plan:
    case = walk(file_case(), Status.PLANNING)
    run_house_jobs(case)
    plan: Plan = case.plans.get()
    return plan


def test_the_roles_that_sign_are_those_of_the_policy() -> None:
    asked = {
        "proposal": Permission.PROPOSE,
        "approval": Permission.APPROVE,
        "plan": Permission.CHOOSE_PLAN,
        "plan_approval": Permission.CONFIRM_PLAN,
        "release": Permission.RELEASE_MODEL,
        "release_legal": Permission.RELEASE_LEGAL,
        "policy": Permission.APPROVE_POLICY,
        "grant": Permission.MANAGE_USERS,
        "publication": Permission.MAKE_PATCH,
        "erasure": Permission.ERASE_ASK,
        "erasure_approval": Permission.ERASE_APPROVE,
        "lift": Permission.ASK_LIFT,
        "lift_approval": Permission.LIFT_QUARANTINE,
        "abuse": Permission.PROPOSE_ABUSE,
        "abuse_approval": Permission.APPROVE_ABUSE,
    }
    assert asked.keys() == guards.SIGNERS.keys()
    for name, permission in asked.items():
        assert set(guards.SIGNERS[name]) == {role.value for role in Role if permission in GRANTS[role]}, name


def test_every_guard_is_in_the_database_and_switched_on() -> None:
    assert {name for name, _table in triggers.found(connection, enabled=True)} == triggers.expected(connection.vendor)


def test_nothing_needs_the_admin_site() -> None:
    assert "django.contrib.admin" not in settings.INSTALLED_APPS


def works_entered(people: People) -> Case:
    """A case that the claimant filed, with a work that legal entered from a letter."""
    case = file_case()
    source = additions.Source(actor=people[Role.LEGAL], channel=Channel.POST, came_on=TODAY, said="By letter.")
    work = intake.Item(form="text", title="Lantern", text="a lantern counts the ferries home")
    additions.works_add(case=case, items=[work], source=source)
    return case


class TestDecision:
    SQL = f"UPDATE governance_decision SET approved_by_id = %s, approved_at = {NOW}"

    def test_an_approvers_signature_is_taken(self, proposed: Case, people: People) -> None:
        carried_out(self.SQL, pk(people, Role.APPROVER))
        assert not Decision.objects.filter(approved_by=None).exists()

    @pytest.mark.parametrize("role", [role for role in Role if role not in (Role.APPROVER, Role.LEGAL)])
    def test_no_other_role_approves(self, proposed: Case, people: People, role: Role) -> None:
        assert "does not sign here" in refused(self.SQL, pk(people, role))

    def test_whoever_proposed_does_not_approve_under_another_role(self, proposed: Case, people: People) -> None:
        legal = people[Role.LEGAL].user
        assert legal is not None
        grant(legal, Role.APPROVER)
        assert "decision_four_eyes" in refused(self.SQL, legal.pk)

    def test_the_proposal_is_not_rewritten_while_it_is_approved(self, proposed: Case, people: People) -> None:
        approver = pk(people, Role.APPROVER)
        other = member("second.legal@house.example", role=Role.LEGAL)
        assert "signed first" in refused(self.SQL + ", proposed_by_id = %s", approver, other.pk)
        assert "signed first" in refused(self.SQL + ", choice = 'refuse'", approver)

    def test_somebody_who_left_does_not_approve(self, proposed: Case, people: People) -> None:
        approver = pk(people, Role.APPROVER)
        User.objects.filter(pk=approver).update(is_active=False)
        assert "does not sign here" in refused(self.SQL, approver)

    def test_whoever_entered_the_request_does_not_approve(self, walk: Any, people: People) -> None:
        legal = people[Role.LEGAL]
        case = walk(file_case(actor=legal), Status.DECISION)
        erase = decision.Proposal(choice=Decision.Choice.ERASE, ground="policy")
        other = Actor.of(member("second.legal@house.example", role=Role.LEGAL))
        decision.decision_propose(case=case, proposals={m.pk: erase for m in case.matches.all()}, actor=other)
        assert legal.user is not None
        grant(legal.user, Role.APPROVER)
        assert "entered the request" in refused(self.SQL, legal.user.pk)
        assert "never changed" in refused("UPDATE governance_case SET entered_by_id = NULL WHERE id = %s", case.pk)

    def test_whoever_entered_works_of_the_request_does_not_approve(self, walk: Any, people: People) -> None:
        case, legal = walk(works_entered(people), Status.DECISION), people[Role.LEGAL].user
        erase = decision.Proposal(choice=Decision.Choice.ERASE, ground="policy")
        other = Actor.of(member("second.legal@house.example", role=Role.LEGAL))
        decision.decision_propose(case=case, proposals={m.pk: erase for m in case.matches.all()}, actor=other)
        assert legal is not None and case.entered_by is None
        grant(legal, Role.APPROVER)
        assert "works of it does not sign" in refused(self.SQL, legal.pk)
        carried_out(self.SQL, pk(people, Role.APPROVER))

    def test_who_entered_a_work_is_not_changed_and_the_work_stays(self, people: People) -> None:
        case, other = works_entered(people), file_case()
        item = "UPDATE governance_claimeditem SET "
        assert "who entered a work" in refused(item + "entered_by_id = NULL WHERE entered_by_id IS NOT NULL")
        assert "who entered a work" in refused(item + "entered_by_id = %s", pk(people, Role.APPROVER))
        assert "who entered a work" in refused(item + "case_id = %s, position = position + 9", other.pk)
        assert "staff entered stays" in refused("DELETE FROM governance_claimeditem WHERE case_id = %s", case.pk)

    def test_a_decision_is_not_born_approved(self, proposed: Case, people: People) -> None:
        carried_out("DELETE FROM governance_decision")
        row = "INSERT INTO governance_decision (match_id, choice, ground, reason, proposed_by_id, proposed_at, "
        row += f"approved_by_id, approved_at) SELECT id, 'erase', 'x', '', %s, {NOW}, %s, {NOW} FROM governance_match"
        assert "a step of its own" in refused(row, pk(people, Role.LEGAL), pk(people, Role.APPROVER))

    def test_only_legal_proposes(self, proposed: Case, people: People) -> None:
        assert "does not sign" in refused(
            "UPDATE governance_decision SET proposed_by_id = %s", pk(people, Role.ENGINEER)
        )


class TestPlan:
    FIRST = f"UPDATE governance_plan SET chosen_by_id = %s, chosen_at = {NOW}"
    SECOND = f"UPDATE governance_plan SET state = 'confirmed', confirmed_by_id = %s, confirmed_at = {NOW}"

    def test_a_run_needs_both_signatures_in_their_order(self, planned: Plan, people: People) -> None:
        approver, engineer = pk(people, Role.APPROVER), pk(people, Role.ENGINEER)
        assert "two people signed" in refused("UPDATE governance_plan SET state = 'confirmed'")
        assert "a step of its own" in refused(self.SECOND, approver)
        assert "a step of its own" in refused(self.SECOND + ", chosen_by_id = %s", approver, engineer)
        carried_out(self.FIRST, engineer)
        assert "plan_four_eyes" in refused(self.SECOND, engineer)
        assert "does not sign here" in refused(self.SECOND, pk(people, Role.LEGAL))
        assert "signed first" in refused(self.SECOND + ", method = 'ascent'", approver)
        carried_out(self.SECOND, approver)
        assert "never changed" in refused("UPDATE governance_plan SET policy_digest = 'sha256:0'")
        assert refused(self.FIRST, pk(people, Role.ENGINEER) + 1)

    def test_only_an_engineer_chooses(self, planned: Plan, people: People) -> None:
        assert "does not sign here" in refused(self.FIRST, pk(people, Role.APPROVER))

    def test_whoever_entered_the_request_does_not_confirm(self, walk: Any, people: People) -> None:
        case = walk(file_case(actor=people[Role.LEGAL]), Status.PLANNING)
        run_house_jobs(case)
        planning.plan_choose(case=case, actor=people[Role.ENGINEER])
        legal = people[Role.LEGAL].user
        assert legal is not None
        grant(legal, Role.ENGINEER)
        assert "entered the request" in refused(self.SECOND, legal.pk)

    def test_whoever_entered_works_of_the_request_does_not_confirm(self, walk: Any, people: People) -> None:
        case, legal = walk(works_entered(people), Status.PLANNING), people[Role.LEGAL].user
        run_house_jobs(case)
        planning.plan_choose(case=case, actor=people[Role.ENGINEER])
        assert legal is not None
        grant(legal, Role.ENGINEER)
        assert "works of it does not sign" in refused(self.SECOND, legal.pk)


class TestRelease:
    def test_both_sides_sign_one_after_the_other(self, walk: Any, people: People) -> None:
        case = walk(file_case(), Status.RELEASE)
        plan = case.plans.latest("attempt")
        Release.objects.create(case=case, version=plan.candidate)
        manager, legal = pk(people, Role.RELEASE), pk(people, Role.LEGAL)
        both = f"UPDATE governance_release SET released_by_id = %s, released_at = {NOW}, legal_by_id = %s"
        assert "a step of its own" in refused(both, manager, legal)
        assert "does not sign here" in refused("UPDATE governance_release SET released_by_id = %s", legal)
        assert "does not sign here" in refused("UPDATE governance_release SET legal_by_id = %s", manager)
        release.release_sign(case=case, actor=people[Role.RELEASE])
        assert "never changed" in refused("UPDATE governance_release SET version_id = %s", plan.base_id)
        assert "never changed" in refused("DELETE FROM governance_release")
        release.release_sign(case=case, actor=people[Role.LEGAL])
        assert "never changed" in refused("UPDATE governance_release SET legal_by_id = %s", manager)

    @pytest.mark.parametrize("works", [False, True])
    def test_whoever_entered_the_request_or_works_of_it_signs_neither_side(
        self, walk: Any, people: People, works: bool
    ) -> None:
        case = walk(works_entered(people) if works else file_case(actor=people[Role.LEGAL]), Status.RELEASE)
        Release.objects.create(case=case, version=case.plans.latest("attempt").candidate)
        legal, sign = people[Role.LEGAL].user, f"UPDATE governance_release SET %s_by_id = %%s, %s_at = {NOW}"
        assert legal is not None
        assert "signs no release" in refused(sign % ("legal", "legal"), legal.pk)
        with pytest.raises(NotAllowed, match="You entered this request"):
            release.release_sign(case=case, actor=people[Role.LEGAL])
        carried_out(sign % ("legal", "legal"), pk(people, Role.APPROVER))
        grant(legal, Role.RELEASE)
        assert "signs no release" in refused(sign % ("released", "released"), legal.pk)
        carried_out(sign % ("released", "released"), pk(people, Role.RELEASE))


class TestRoles:
    SET = "UPDATE governance_user SET role = %s WHERE id = %s"

    def test_nobody_gets_a_role_without_a_grant(self, people: People) -> None:
        user = pk(people, Role.AUDITOR)
        assert "two administrators sign" in refused(self.SET, "approver", user)
        with pytest.raises(DatabaseError), transaction.atomic():
            User.objects.filter(pk=user).update(role=Role.APPROVER)
        with pytest.raises(DatabaseError), transaction.atomic():
            User.objects.create_user("new@house.example", role=Role.APPROVER)

    def test_a_superuser_signs_no_more_than_the_role_does(self, proposed: Case, people: People) -> None:
        auditor = people[Role.AUDITOR].user
        assert auditor is not None
        User.objects.filter(pk=auditor.pk).update(is_superuser=True, is_staff=True)
        assert "does not sign here" in refused(TestDecision.SQL, auditor.pk)
        auditor.refresh_from_db()
        with pytest.raises(Exception, match="may not"):
            decision.decision_approve(case=proposed, shown=decision.mark(proposed), actor=Actor.of(auditor))

    def test_a_grant_is_used_once(self, people: People) -> None:
        user = people[Role.AUDITOR].user
        assert user is not None
        grant(user, Role.APPROVER)
        carried_out(self.SET, "none", user.pk)
        assert "two administrators sign" in refused(self.SET, "approver", user.pk)

    def test_a_grant_needs_two_administrators_neither_of_them_the_person(self, people: People) -> None:
        first, second = administrators()
        user = pk(people, Role.AUDITOR)
        for person, proposer in ((first.pk, first.pk), (user, user)):
            with pytest.raises(DatabaseError), transaction.atomic():
                RoleGrant.objects.create(person_id=person, role="approver", before="none", proposed_by_id=proposer)
        row = RoleGrant.objects.create(person_id=user, role="approver", before="auditor", proposed_by=first)
        approve = f"UPDATE governance_rolegrant SET approved_at = {NOW}, approved_by_id = %s WHERE id = {row.pk}"
        assert "grant_four_eyes" in refused(approve, first.pk)
        assert "does not sign here" in refused(approve, pk(people, Role.LEGAL))
        assert "signed first" in refused(approve.replace("SET ", "SET role = 'release', "), second.pk)
        carried_out(approve, second.pk)
        carried_out(self.SET, "approver", user)
        assert "never changed" in refused("UPDATE governance_rolegrant SET applied_at = NULL WHERE id = %s", row.pk)

    def test_a_closed_account_does_not_come_back_with_its_role(self, people: People) -> None:
        user = pk(people, Role.APPROVER)
        carried_out("UPDATE governance_user SET is_active = %s WHERE id = %s", False, user)
        assert "until it is granted" in refused("UPDATE governance_user SET is_active = %s WHERE id = %s", True, user)
        assert "never deleted" in refused("DELETE FROM governance_user WHERE id = %s", user)


def test_only_the_first_two_accounts_are_administrators_without_a_grant() -> None:
    for n in (1, 2):
        User.objects.create_superuser(f"root{n}@house.example", "x")
    with pytest.raises(DatabaseError, match="two administrators sign"), transaction.atomic():
        User.objects.create_superuser("root3@house.example", "x")


def test_a_closed_case_stays_closed(walk: Any, people: People) -> None:
    case = file_case()
    intake.case_withdraw(case=case, actor=people[Role.LEGAL])
    Case.objects.filter(pk=case.pk).update(status=Status.CLOSED)
    assert "stays closed" in refused("UPDATE governance_case SET status = 'review'")


def test_a_table_of_signatures_is_never_emptied() -> None:
    written = {AuditSample, PatchPublication, PatchSubscriber, Plan, Release, Note, WorksReturn}
    assert {one._meta.db_table for one in written} <= set(guards.EMPTIED)
    if connection.vendor == "postgresql":  # SQLite has no such statement
        for table in guards.EMPTIED:
            assert "never emptied" in refused(f"TRUNCATE {table} CASCADE")
