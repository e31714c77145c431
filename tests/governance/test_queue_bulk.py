"""One step for many cases: asked once, confirmed on a page that names each, done per case, told per case."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from governance.errors import NotAllowed, Unfit
from governance.models import Case, Decision, Kind, LedgerOpening, Role, Status
from governance.policies import Actor, Permission
from governance.services.bulk import MOST, bulk_run
from tests.governance.conftest import file_case
from tests.governance.staff import sign_in_to_decide

pytestmark = pytest.mark.database


@pytest.fixture
def legal(client: Client, people: dict[Role, Actor]) -> Actor:
    actor = people[Role.LEGAL]
    assert actor.user
    sign_in_to_decide(client, actor.user)
    return actor


def send(client: Client, name: str, cases: list[Case], **data: Any) -> Any:
    return client.post(reverse(f"cases_{name}"), {"case": [str(case.public_id) for case in cases], **data})


def outcomes(answer: Any) -> dict[str, str]:
    return {one["number"]: one["state"] for one in answer.context["outcomes"]}


def test_the_first_answer_asks_and_changes_nothing(client: Client, legal: Actor, walk: Any) -> None:
    cases = [walk(file_case(), Status.REVIEW) for _n in range(2)]
    answer = send(client, "admit", cases)
    text = answer.content.decode()
    assert answer.status_code == 200 and all(case.number in text for case in cases)
    assert "Admit these requests: 2 cases" in text
    assert set(Case.objects.values_list("status", flat=True)) == {Status.REVIEW}


def test_each_case_is_done_by_itself_and_a_refusal_stops_no_other(client: Client, legal: Actor, walk: Any) -> None:
    early, first, second = file_case(), walk(file_case(), Status.REVIEW), walk(file_case(), Status.REVIEW)
    answer = send(client, "admit", [early, first, second], confirmed="1")
    assert outcomes(answer) == {early.number: "fail", first.number: "pass", second.number: "pass"}
    assert "2 cases done, 1 refused" in answer.content.decode()
    assert Case.objects.get(pk=early.pk).status == Status.RECEIVED
    assert LedgerOpening.objects.filter(entry__action="case.advanced", body__to="matching").count() == 2


def test_many_cases_are_assigned_and_put_back(client: Client, legal: Actor, people: dict[Role, Actor]) -> None:
    cases = [file_case() for _n in range(3)]
    other = people[Role.APPROVER].user
    assert other
    answer = send(client, "assign", cases, confirmed="1", officer=other.pk)
    assert set(outcomes(answer).values()) == {"pass"}
    assert Case.objects.filter(officer=other).count() == 3
    send(client, "assign", cases[:1], confirmed="1", officer="")
    assert Case.objects.filter(officer=None).count() == 1
    assert LedgerOpening.objects.filter(entry__action="case.assigned").count() == 4


def test_the_same_question_goes_to_each_claimant_and_pauses_only_where_the_law_pauses(
    client: Client, legal: Actor, walk: Any
) -> None:
    person, work = walk(file_case(kind=Kind.PRIVACY), Status.REVIEW), walk(file_case(), Status.REVIEW)
    question = "Which of your accounts do you mean?"
    answer = send(client, "ask", [person, work], confirmed="1", question=question, pauses_clock="on")
    assert outcomes(answer) == {person.number: "pass", work.number: "fail"}
    assert "does not pause" in answer.content.decode()
    person.refresh_from_db()
    assert person.status == Status.INFORMATION and person.letters.filter(template="question").exists()
    assert not work.letters.filter(template="question").exists()


def test_the_same_decision_is_proposed_by_each_cases_own_law(client: Client, legal: Actor, walk: Any) -> None:
    first, second = walk(file_case(), Status.DECISION), walk(file_case(kind=Kind.PRIVACY), Status.DECISION)
    answer = send(client, "propose", [first, second], confirmed="1", choice="erase")
    assert set(outcomes(answer).values()) == {"pass"}
    grounds = dict(Decision.objects.values_list("match__case", "ground"))
    assert grounds[first.pk] == "Company policy on opt-outs" and grounds[second.pk].startswith("GDPR")
    assert set(Case.objects.values_list("proposed_by", flat=True)) == {legal.user and legal.user.pk}


def test_a_code_that_a_law_does_not_know_is_refused_for_that_case_alone(
    client: Client, legal: Actor, walk: Any
) -> None:
    work, person = walk(file_case(), Status.DECISION), walk(file_case(kind=Kind.PRIVACY), Status.DECISION)
    sent = {"choice": "refuse", "exception": "licensed", "reason": "We hold a licence from the publisher."}
    answer = send(client, "propose", [work, person], confirmed="1", **sent)
    assert outcomes(answer) == {work.number: "pass", person.number: "fail"}
    assert set(Decision.objects.values_list("exception", flat=True)) == {"licensed"}


@pytest.mark.parametrize(
    "sent",
    [{"choice": "refuse"}, {"choice": "refuse", "reason": "x"}, {"choice": "erase", "exception": "licensed"}, {}],
)
def test_a_form_with_errors_comes_back_with_its_cases(
    client: Client, legal: Actor, walk: Any, sent: dict[str, str]
) -> None:
    case = walk(file_case(), Status.DECISION)
    answer = send(client, "propose", [case], confirmed="1", **sent)
    assert answer.status_code == 422 and case.number in answer.content.decode()
    assert not Decision.objects.exists()


def test_a_whole_list_is_taken_by_its_filters(client: Client, legal: Actor) -> None:
    work, person = file_case(), file_case(kind=Kind.PRIVACY)
    answer = client.post(reverse("cases_assign"), {"everything": "1", "query": "kind=privacy"})
    text = answer.content.decode()
    assert person.number in text and work.number not in text


def test_the_sheet_holds_no_person_and_no_formula(client: Client, legal: Actor) -> None:
    case = file_case()
    answer = send(client, "export", [case], confirmed="1")
    text = answer.content.decode()
    assert answer["Content-Type"].startswith("text/csv") and case.number in text
    assert "Marun" not in text and text.splitlines()[0].startswith("number,kind,law,stage")


@pytest.mark.parametrize("ids", [[], ["nonsense"], ["00000000-0000-4000-8000-000000000000"]])
def test_no_case_is_said_and_nothing_is_done(client: Client, legal: Actor, ids: list[str]) -> None:
    answer = client.post(reverse("cases_admit"), {"case": ids, "confirmed": "1"})
    assert answer.status_code == 422 and "Choose at least one case" in answer.content.decode()


def test_more_than_one_can_have_looked_at_are_not_taken(legal: Actor) -> None:
    import uuid

    with pytest.raises(Unfit, match=f"at most {MOST}"):
        bulk_run(
            public_ids=[uuid.uuid4() for _n in range(MOST + 1)], step=lambda case: "", permission=Permission.REVIEW,
            actor=legal,
        )  # fmt: skip


def test_the_permission_is_asked_before_the_first_case(people: dict[Role, Actor]) -> None:
    case, done = file_case(), []

    def step(case: Case) -> str:
        done.append(case)
        return ""

    with pytest.raises(NotAllowed):
        bulk_run(public_ids=[case.public_id], step=step, permission=Permission.REVIEW, actor=people[Role.AUDITOR])
    assert not done


def test_an_auditor_finds_the_export_alone(client: Client, people: dict[Role, Actor]) -> None:
    file_case()
    user = people[Role.AUDITOR].user
    assert user
    client.force_login(user)
    assert [one["name"] for one in client.get("/cases/").context["bulk"]] == ["export"]
