"""What the database refuses, whoever holds the connection."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from governance.errors import NotAllowed, Unfit
from governance.evidence import ledger
from governance.models import Decision, LedgerEntry, LedgerOpening, Role, Status
from governance.policies import Actor
from governance.services import decision
from tests.governance.staff import grant

pytestmark = pytest.mark.database


def test_one_person_cannot_sign_twice_even_by_sql(walk, case, people):
    walk(case, Status.DECISION)
    erase = decision.Proposal(choice=Decision.Choice.ERASE, ground="policy")
    legal = people[Role.LEGAL]
    decision.decision_propose(case=case, proposals={m.pk: erase for m in case.matches.all()}, actor=legal)
    with pytest.raises(IntegrityError), transaction.atomic():
        Decision.objects.update(approved_by=legal.user, approved_at=timezone.now())


def test_whoever_proposed_cannot_approve(walk, case, people):
    walk(case, Status.DECISION)
    erase = decision.Proposal(choice=Decision.Choice.ERASE, ground="policy")
    decision.decision_propose(case=case, proposals={m.pk: erase for m in case.matches.all()}, actor=people[Role.LEGAL])
    same = people[Role.LEGAL].user
    grant(same, Role.APPROVER)
    with pytest.raises(NotAllowed, match="second person"):
        decision.decision_approve(case=case, shown=decision.mark(case), actor=Actor.of(same))


def test_an_approved_decision_is_final(walk, case):
    walk(case, Status.PLANNING)
    for change in (lambda: Decision.objects.update(choice="refuse"), lambda: Decision.objects.all().delete()):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()
    assert set(Decision.objects.values_list("choice", flat=True)) == {"erase"}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE governance_ledgerentry SET action = 'x'",
        "DELETE FROM governance_ledgerentry",
        "UPDATE governance_ledgeropening SET body = '{}'",
    ],
)
def test_the_ledger_refuses_change(case, statement):
    before = list(LedgerEntry.objects.values_list("leaf", flat=True))
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        if statement.startswith("DELETE"):
            cursor.execute("DELETE FROM governance_ledgeropening")
        cursor.execute(statement)
    assert [bytes(leaf) for leaf in LedgerEntry.objects.values_list("leaf", flat=True)] == [bytes(b) for b in before]


def test_an_opening_may_be_destroyed_and_the_leaf_stays_provable(case):
    root = ledger.tree().root()
    LedgerOpening.objects.filter(case=case).delete()
    assert ledger.tree().root() == root


def test_a_refusal_of_a_hit_needs_reasons_and_its_exception(walk, case, people):
    walk(case, Status.DECISION)
    refuse = decision.Proposal(choice=Decision.Choice.REFUSE, ground="GDPR Art. 17(3)(b)")
    with pytest.raises(Unfit) as refused:
        decision.decision_propose(
            case=case, proposals={m.pk: refuse for m in case.matches.all()}, actor=people[Role.LEGAL]
        )
    assert len(refused.value.messages) == 4
    assert sum("name the exception" in message for message in refused.value.messages) == 2


def test_a_second_person_may_send_the_proposal_back(walk, case, people):
    walk(case, Status.DECISION)
    erase = decision.Proposal(choice=Decision.Choice.ERASE, ground="policy")
    decision.decision_propose(case=case, proposals={m.pk: erase for m in case.matches.all()}, actor=people[Role.LEGAL])
    decision.decision_return(
        case=case, shown=decision.mark(case), actor=people[Role.APPROVER], reason="The second record is a court notice."
    )
    assert not Decision.objects.exists()
    assert LedgerOpening.objects.filter(case=case, entry__action="decision.returned").exists()
