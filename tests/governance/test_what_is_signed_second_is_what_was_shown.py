"""Whoever signs second signs what stood on their page: what was changed since is a conflict, and nothing is lost."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance.errors import Conflict
from governance.models import (
    AbuseFinding,
    Case,
    Decision,
    HouseProfile,
    LedgerOpening,
    PatchPublication,
    Role,
    Status,
    User,
)
from governance.policies import Actor
from governance.services import abuse, codes, decision, patch_withdrawals, planning
from tests.governance.conftest import file_case, run_house_jobs
from tests.governance.publishing import made, published
from tests.governance.staff import administrators, member, sign_in_to_decide

pytestmark = pytest.mark.database
People = dict[Role, Actor]
Walk = Callable[..., Case]
LEFT_OUT = "Left out of what is trained next; the models stay."
ABUSE = "Forty letters this week, each of them answered already."
NOT_SHOWN = "This is not what was shown to you"


def signed_in(user: User | None) -> Client:
    assert user is not None
    client = Client()
    sign_in_to_decide(client, user)
    return client


def text(answer: Any) -> str:
    return str(answer.content.decode())


def shown(page: str, name: str) -> str:
    """The mark in the form that posts to this address."""
    form = re.search(rf'<form[^>]*action="{re.escape(name)}".*?</form>', page, re.DOTALL)
    assert form, name
    found = re.search(r'name="shown"(?: value="([^"]*)")?', form.group())
    assert found, name
    return found.group(1) or ""


class Desk:
    """One person at the page of one case: what they were shown goes with what they send."""

    def __init__(self, user: User | None, case: Case) -> None:
        self.client, self.case = signed_in(user), case
        self.page = self.look()

    def look(self) -> str:
        self.page = text(self.client.get(reverse("case", args=[self.case.public_id])))
        return self.page

    def send(self, name: str, **data: Any) -> int:
        address = reverse(f"case_{name}", args=[self.case.public_id])
        answer = self.client.post(address, {"shown": shown(self.page, address), **data})
        if answer.status_code != 302:
            self.page = text(answer)
        return int(answer.status_code)


def body(action: str) -> dict[str, Any]:
    found = LedgerOpening.objects.filter(entry__action=action).latest("entry_id").body
    assert isinstance(found, dict)
    return found


def proposals(case: Case, *choices: Decision.Choice) -> dict[int, decision.Proposal]:
    pks = case.matches.order_by("pk").values_list("pk", flat=True)
    return {
        pk: decision.Proposal(choice=choice, ground="policy", reason=LEFT_OUT)
        for pk, choice in zip(pks, choices, strict=True)
    }


E, X = Decision.Choice.ERASE, Decision.Choice.EXCLUDE


class TestADecision:
    @pytest.fixture
    def proposed(self, walk: Walk, people: People) -> Case:
        case = walk(file_case(), Status.DECISION)
        decision.decision_propose(case=case, proposals=proposals(case, X, E), actor=people[Role.LEGAL])
        return case

    def test_that_was_swapped_behind_the_page_is_not_approved(self, proposed: Case, people: People) -> None:
        desk = Desk(people[Role.APPROVER].user, proposed)
        again = decision.mark(proposed)
        decision.decision_propose(
            case=proposed, proposals=proposals(proposed, E, X), actor=people[Role.LEGAL], shown=again
        )
        assert desk.send("approve", choice="approve", reason="Kept words.") == 409
        assert NOT_SHOWN in desk.page and "Kept words." in desk.page
        assert not Decision.objects.exclude(approved_by=None).exists()
        # What stands now is on the page that came back: it may be signed.
        assert desk.send("approve", choice="approve") == 302
        proposed.refresh_from_db()
        assert proposed.status == Status.PLANNING

    def test_that_was_swapped_is_not_sent_back_either(self, proposed: Case, people: People) -> None:
        desk, before = Desk(people[Role.APPROVER].user, proposed), decision.mark(proposed)
        decision.decision_propose(
            case=proposed, proposals=proposals(proposed, E, E), actor=people[Role.LEGAL], shown=before
        )
        assert desk.send("approve", choice="return", reason="Look at hit two.") == 409
        assert Decision.objects.count() == 2

    def test_keeps_its_mark_through_an_error_that_is_no_conflict(self, proposed: Case, people: People) -> None:
        desk, before = Desk(people[Role.APPROVER].user, proposed), decision.mark(proposed)
        decision.decision_propose(
            case=proposed, proposals=proposals(proposed, E, E), actor=people[Role.LEGAL], shown=before
        )
        assert desk.send("approve", choice="return") == 422
        assert desk.send("approve", choice="approve") == 409

    def test_two_hits_that_change_places_change_the_entry_in_the_ledger(self, proposed: Case, people: People) -> None:
        first, before = body("decision.proposed"), decision.mark(proposed)
        decision.decision_propose(
            case=proposed, proposals=proposals(proposed, E, X), actor=people[Role.LEGAL], shown=before
        )
        second = body("decision.proposed")
        assert first["erase"] == second["erase"] == 1 and first["decisions"] == before != second["decisions"]
        decision.decision_approve(case=proposed, actor=people[Role.APPROVER], shown=second["decisions"])
        assert body("decision.approved") == second
        assert LEFT_OUT not in str(second)

    def test_of_a_colleague_is_not_replaced_unread(self, walk: Walk, people: People) -> None:
        case = walk(file_case(), Status.DECISION)
        ground, hit = codes.grounds(case)[0][0], case.matches.earliest("pk").pk
        one, two = Desk(people[Role.LEGAL].user, case), Desk(member("two@house.example", role=Role.LEGAL), case)
        own = {f"hit_{hit}": "exclude", f"why_{hit}": "Half a day of thought about this hit."}
        assert one.send("propose", choice="erase", ground=ground, **own) == 302
        assert two.send("propose", choice="erase", ground=ground, reason="My own words.") == 409
        assert NOT_SHOWN in two.page and "My own words." in two.page and "Half a day of thought" in two.page
        assert Decision.objects.get(match=hit).choice == "exclude"
        assert two.send("propose", choice="erase", ground=ground, reason="My own words.") == 302
        assert Decision.objects.get(match=hit).choice == "erase"

    def test_of_a_colleague_is_not_replaced_by_a_step_on_many_cases(self, proposed: Case, people: People) -> None:
        client = signed_in(people[Role.LEGAL].user)
        sent = {"case": [str(proposed.public_id)], "confirmed": "1", "choice": "erase"}
        assert NOT_SHOWN in text(client.post(reverse("cases_propose"), sent))
        assert Decision.objects.filter(choice="exclude").exists()

    def test_changes_nothing_when_it_is_signed_in_the_database(self, proposed: Case, people: People) -> None:
        rows = Decision.objects.filter(match__case=proposed)
        signature = {"approved_by": people[Role.APPROVER].user, "approved_at": timezone.now()}
        for column, value in (("exception", "licensed"), ("proposed_at", timezone.now())):
            with pytest.raises(DatabaseError), transaction.atomic():
                rows.update(**signature, **{column: value})


class TestAPlan:
    @pytest.fixture
    def signed(self, walk: Walk, people: People) -> Case:
        case = walk(file_case(), Status.PLANNING)
        run_house_jobs(case)
        planning.plan_choose(case=case, actor=people[Role.ENGINEER])
        return case

    def test_that_its_engineer_swapped_is_not_confirmed(self, signed: Case, people: People) -> None:
        desk, plan = Desk(people[Role.APPROVER].user, signed), signed.plans.get()
        planning.plan_take_back(case=signed, actor=people[Role.ENGINEER])
        other = next(way["method"] for way in plan.ranking["candidates"] if way["method"] != plan.method)
        planning.plan_choose(case=signed, actor=people[Role.ENGINEER], method=other, reason="Quicker by far.")
        assert desk.send("confirm", choice="return", reason="Kept words.") == 409
        assert "Kept words." in desk.page
        desk.page = desk.page.replace(planning.mark(signed.plans.get()), "")
        assert desk.send("confirm", choice="approve") == 409 and signed.plans.get().state == "proposed"
        assert desk.send("confirm", choice="approve") == 302 and signed.plans.get().state == "confirmed"

    def test_that_was_signed_anew_is_another(self, signed: Case, people: People) -> None:
        before = planning.mark(signed.plans.get())
        planning.plan_take_back(case=signed, actor=people[Role.ENGINEER])
        planning.plan_choose(case=signed, actor=people[Role.ENGINEER])
        with pytest.raises(Conflict, match=NOT_SHOWN):
            planning.plan_confirm(case=signed, actor=people[Role.APPROVER], shown=before)


def test_a_role_that_was_swapped_is_not_given(people: People) -> None:
    one, two = (signed_in(user) for user in administrators())
    person = member("mallory@house.example", role=Role.AUDITOR)
    page, sign = reverse("person", args=[person.pk]), reverse("person_role_approve", args=[person.pk])
    one.post(reverse("person_role", args=[person.pk]), {"role": "executive"})
    before = shown(text(two.get(page)), sign)
    one.post(reverse("person_role_return", args=[person.pk]))
    one.post(reverse("person_role", args=[person.pk]), {"role": "administrator"})
    for old in ({"shown": before}, {}):
        answer = two.post(sign, old)
        assert answer.status_code == 409 and NOT_SHOWN in text(answer) and "administrator waits" in text(answer)
    person.refresh_from_db()
    assert person.role == Role.AUDITOR
    two.post(sign, {"shown": shown(text(answer), sign)})
    person.refresh_from_db()
    assert person.role == Role.ADMINISTRATOR


def test_a_finding_of_abuse_that_was_swapped_is_not_signed(case: Case, people: People) -> None:
    legal = people[Role.LEGAL]
    abuse.abuse_propose(case=case, ground="flood", reasons=ABUSE, actor=legal)
    desk = Desk(people[Role.APPROVER].user, case)
    abuse.abuse_return(case=case, actor=legal)
    abuse.abuse_propose(case=case, ground="false", reasons=ABUSE, actor=legal)
    assert desk.send("abuse_second", choice="find") == 409
    assert not AbuseFinding.objects.exclude(approved_at=None).exists()
    assert desk.send("abuse_second", choice="find") == 302


def test_a_withdrawal_of_a_patch_whose_reason_was_swapped_is_not_signed(
    walk: Walk, case: Case, people: People, catalogue: dict[str, Any], settings: Any, tmp_path: Any
) -> None:
    publication: PatchPublication = published(made(walk, case, people, settings, tmp_path), people)
    engineer, legal = people[Role.ENGINEER], signed_in(people[Role.LEGAL].user)
    sign = reverse("patch_withdraw_approve", args=[publication.patch_id])
    row = patch_withdrawals.withdrawal_propose(publication=publication, reason="replaced", actor=engineer)
    before = shown(text(legal.get(reverse("patches"))), sign)
    patch_withdrawals.withdrawal_return(withdrawal=row, actor=engineer)
    patch_withdrawals.withdrawal_propose(publication=publication, reason="rights", actor=engineer)
    answer = legal.post(sign, {"shown": before})
    assert answer.status_code == 409 and NOT_SHOWN in text(answer)
    assert publication.withdrawals.filter(approved_at=None, returned_at=None).exists()
    assert legal.post(sign, {"shown": shown(text(answer), sign)}).status_code == 302


def test_the_languages_of_the_house_stay_as_they_were_proposed(people: People) -> None:
    profile = {"name": "House", "address": "", "contact": "", "languages": ["en"]}
    row = HouseProfile.objects.create(**profile, proposed_by=administrators()[0])
    with pytest.raises(DatabaseError), transaction.atomic():
        HouseProfile.objects.filter(pk=row.pk).update(languages=["en", "de"])
