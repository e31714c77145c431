"""The case's page: what each reader sees of it, who finds a button and who finds why not, and what a refusal says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance.models import Case, Decision, Deployment, Disposition, Job, Kind, LedgerOpening, Role, Status, User
from governance.policies import Actor
from governance.services import decision, intake, planning
from governance.services.decision import Proposal, decision_propose
from governance.services.intake import Item
from governance.tokens import link_token
from tests.governance.conftest import file_case, run_house_jobs
from tests.governance.staff import give_second_factor, sign_in_to_decide

Enter = Callable[[Role], User]
FACTS = "Lives in Mill Lane.\n---\nWas born in 1970."


@pytest.fixture
def enter(client: Client, people: dict[Role, Actor]) -> Enter:
    """Sign in as the person of a role, able to decide."""

    def sign_in(role: Role) -> User:
        user = people[role].user
        assert user is not None
        sign_in_to_decide(client, user)
        return user

    return sign_in


def page(client: Client, case: Case, **query: str) -> str:
    return str(client.get(reverse("case", args=[case.public_id]), query).content.decode())


def act(client: Client, case: Case, name: str, **data: Any) -> Any:
    return client.post(reverse(f"case_{name}", args=[case.public_id]), data)


def propose(case: Case, actor: Actor) -> None:
    erase = Proposal(choice=Decision.Choice.ERASE, ground="Company policy on opt-outs")
    decision_propose(case=case, proposals={m.pk: erase for m in case.matches.all()}, actor=actor)


def test_name_and_address_are_masked_until_revealed_and_the_look_is_in_the_ledger(
    client: Client, case: Case, enter: Enter
) -> None:
    user = enter(Role.LEGAL)
    before = page(client, case)
    assert "Marun" not in before and "vel@marun.example" not in before
    shown = act(client, case, "reveal")
    assert "Vel Marun" in shown.content.decode() and "vel@marun.example" in shown.content.decode()
    assert "no-store" in shown["Cache-Control"]
    opening = LedgerOpening.objects.get(case=case, entry__action="person.revealed")
    assert (opening.actor, opening.body) == (user, {})
    assert "Marun" not in page(client, case)
    assert "looked at the claimant" in page(client, case)


def test_who_may_not_reveal_reads_no_fact_about_a_person(client: Client, enter: Enter) -> None:
    case = file_case(
        kind=Kind.PRIVACY, items=[Item(form="fact", title="Street", text="Vel Marun lives in Mill Lane 4.")]
    )
    enter(Role.ENGINEER)
    text = page(client, case, tab="request")
    assert "Mill Lane" not in text and "Street" not in text and "Reveal" not in text
    enter(Role.LEGAL)
    text = page(client, case, tab="request")
    assert "Mill Lane" in text and "Marun" not in text


def test_the_date_is_shown_with_how_it_was_worked_out(client: Client, enter: Enter) -> None:
    case = file_case(kind=Kind.PRIVACY)
    enter(Role.AUDITOR)
    text = page(client, case)
    assert "How this date was worked out" in text
    assert "One month later, GDPR Art. 12(3)" in text
    assert "rule set gdpr 4, in force since 25 May 2018" in text


def test_who_proposed_sees_no_button_but_why(client: Client, walk: Any, people: Any, enter: Enter) -> None:
    case = walk(file_case(), Status.DECISION)
    enter(Role.LEGAL)
    assert "Sign as first reviewer" in page(client, case)
    propose(case, people[Role.LEGAL])
    text = page(client, case)
    assert "the second signature has to be another person" in text
    assert "Sign as second reviewer" not in text
    enter(Role.APPROVER)
    assert "Sign as second reviewer" in page(client, case)
    enter(Role.ENGINEER)
    assert "This step is for: Approver." in page(client, case)


def test_one_choice_for_all_and_one_hit_that_differs(client: Client, walk: Any, enter: Enter) -> None:
    case = walk(file_case(), Status.DECISION)
    first, second = case.matches.order_by("id")
    enter(Role.LEGAL)
    answer = act(
        client,
        case,
        "propose",
        choice="erase",
        ground="Company policy on opt-outs",
        reason="Held under a licence of 2021.",
        **{f"hit_{second.pk}": "refuse", f"code_{second.pk}": "licensed"},
    )
    assert answer.status_code == 302
    decisions = Decision.objects.order_by("match_id")
    assert [(d.choice, d.exception, d.ground) for d in decisions] == [
        ("erase", "", "Company policy on opt-outs"),
        ("refuse", "licensed", "licence on file"),
    ]
    assert "erase 1, refuse 1" in page(client, case)


def test_a_refusal_without_reasons_comes_back_with_what_was_chosen(client: Client, walk: Any, enter: Enter) -> None:
    case = walk(file_case(), Status.DECISION)
    second = case.matches.latest("id")
    enter(Role.LEGAL)
    sent = {f"hit_{second.pk}": "refuse", f"code_{second.pk}": "licensed"}
    answer = act(client, case, "propose", choice="erase", ground="Company policy on opt-outs", **sent)
    assert answer.status_code == 422
    assert "say why it is not erased" in answer.content.decode()
    assert '<option value="refuse" selected>' in answer.content.decode()
    assert not Decision.objects.exists()


def test_the_second_person_approves_or_returns(client: Client, walk: Any, people: Any, enter: Enter) -> None:
    case = walk(file_case(), Status.DECISION)
    propose(case, people[Role.LEGAL])
    enter(Role.APPROVER)
    assert act(client, case, "approve", choice="return").status_code == 422
    back = {"choice": "return", "reason": "Look at hit 2 again.", "shown": decision.mark(case)}
    assert act(client, case, "approve", **back).status_code == 302
    assert not Decision.objects.exists()
    propose(case, people[Role.LEGAL])
    assert act(client, case, "approve", choice="approve", shown=decision.mark(case)).status_code == 302
    case.refresh_from_db()
    assert case.status == Status.PLANNING


def test_a_step_that_somebody_else_took_first_is_a_conflict(client: Client, walk: Any, enter: Enter) -> None:
    case = walk(file_case(), Status.MATCHING)
    enter(Role.LEGAL)
    answer = act(client, case, "review", choice="admit")
    assert answer.status_code in (409, 422)
    case.refresh_from_db()
    assert case.status == Status.MATCHING


def test_review_admits_refuses_or_asks(client: Client, walk: Any, enter: Enter) -> None:
    enter(Role.LEGAL)
    asked, refused = walk(file_case(kind=Kind.PRIVACY), Status.REVIEW), walk(file_case(), Status.REVIEW)
    assert act(client, asked, "review", choice="ask", text="Which account?", pauses_clock="on").status_code == 302
    asked.refresh_from_db()
    assert asked.status == Status.INFORMATION and asked.paused_on
    assert "paused" in client.get("/cases/").content.decode()
    assert act(client, asked, "answer").status_code == 302
    assert act(client, refused, "review", choice="refuse", text="short").status_code == 422
    reasons = "The letter names no work that could be looked for."
    assert act(client, refused, "review", choice="refuse", text=reasons).status_code == 302
    refused.refresh_from_db()
    assert refused.disposition == Disposition.REFUSED


def test_a_case_that_came_by_post_is_proved_and_accepted_in_two_steps(client: Client, case: Case, enter: Enter) -> None:
    enter(Role.LEGAL)
    assert act(client, case, "proof", level="4").status_code == 422
    assert act(client, case, "proof", level="4", note="Registry entry seen.", then="stay").status_code == 302
    assert act(client, case, "proof", then="accept").status_code == 302
    case.refresh_from_db()
    assert case.status == Status.REVIEW


def test_the_engineer_reads_the_thresholds_in_words_before_confirming(client: Client, walk: Any, enter: Enter) -> None:
    case = walk(file_case(), Status.PLANNING)
    run_house_jobs(case)
    enter(Role.ENGINEER)
    text = page(client, case)
    assert "At most 10 points beyond the reference" in text and "At least 90% of the utility stays" in text
    assert case.plans.get().policy_digest in text
    assert act(client, case, "confirm", choice="approve").status_code == 409
    assert act(client, case, "plan").status_code == 302
    assert "another person confirms it" in page(client, case)
    assert act(client, case, "confirm", choice="approve").status_code == 403
    enter(Role.APPROVER)
    assert "First signature, by an engineer" in page(client, case)
    shown = planning.mark(case.plans.get())
    assert act(client, case, "confirm", choice="approve", shown=shown).status_code == 302
    case.refresh_from_db()
    assert case.status == Status.UNLEARNING
    enter(Role.ENGINEER)
    text = page(client, case)
    assert "data-refresh" in text and "The run is prepared" in text


def test_a_release_is_signed_placed_and_finished_from_the_page(
    client: Client, walk: Any, enter: Enter, catalogue: Any
) -> None:
    case = walk(file_case(), Status.RELEASE)
    enter(Role.RELEASE)
    assert act(client, case, "release").status_code == 302
    assert "The other signature is another person" in page(client, case)
    assert act(client, case, "release").status_code in (403, 409)
    enter(Role.LEGAL)
    assert act(client, case, "release").status_code == 302
    enter(Role.RELEASE)
    place = Deployment.objects.get()
    assert "still wait" in page(client, case)
    assert act(client, case, "finish").status_code == 422
    assert act(client, case, "place", place=place.pk, state="serving").status_code == 422
    assert act(client, case, "place", place=place.pk, state="replaced").status_code == 302
    assert act(client, case, "finish").status_code == 302
    case.refresh_from_db()
    assert (case.status, case.disposition) == (Status.REPORTING, Disposition.FULFILLED)


def test_the_verification_sets_the_plans_side_by_side(client: Client, walk: Any, enter: Enter) -> None:
    case = walk(file_case(), Status.RELEASE)
    enter(Role.AUDITOR)
    address = reverse("verification", args=[case.public_id])
    text = client.get(address).content.decode()
    assert "Plan 2 passed: no probe exceeds its limit" in text
    assert "Plan 1, gradient ascent with a retain term" in text and "What was tried first did not stand" in text
    assert "Gives the right value" in text
    sheet = client.get(address, {"format": "csv"})
    assert sheet["Content-Type"].startswith("text/csv")
    assert sheet.content.decode().splitlines()[1].startswith("1,graddiff,exact_value,memorisation,0.01,")


def test_a_case_without_a_verification_has_no_such_page(client: Client, case: Case, enter: Enter) -> None:
    enter(Role.AUDITOR)
    assert client.get(reverse("verification", args=[case.public_id])).status_code == 404


TABS = ["request", "proof", "matches", "plan", "release", "report", "files", "letters", "notes", "beside", "nonsense"]


@pytest.mark.parametrize("tab", TABS)
def test_every_part_of_a_new_case_and_of_a_verified_one_is_shown(
    client: Client, walk: Any, enter: Enter, case: Case, tab: str
) -> None:
    enter(Role.AUDITOR)
    assert "LT-" in page(client, case, tab=tab)
    assert "LT-" in page(client, walk(case, Status.RELEASE), tab=tab, hit="99")


def test_a_letters_text_with_its_private_link_is_not_shown_to_staff(client: Client, case: Case, enter: Enter) -> None:
    enter(Role.LEGAL)
    text = page(client, case, tab="letters")
    assert link_token(case.public_id, "status") not in text and "received" in text


def test_only_the_claimants_word_withdraws(client: Client, case: Case, enter: Enter) -> None:
    enter(Role.LEGAL)
    assert act(client, case, "withdraw").status_code == 422
    assert act(client, case, "withdraw", sure="on").status_code == 302
    case.refresh_from_db()
    assert case.disposition == Disposition.WITHDRAWN


def test_a_clock_is_extended_once_with_reasons(client: Client, enter: Enter) -> None:
    case = file_case(kind=Kind.PRIVACY)
    enter(Role.LEGAL)
    assert "Extend the clock" in page(client, case)
    assert act(client, case, "extend", reasons="no").status_code == 422
    assert act(client, case, "extend", reasons="The request touches three models and many records.").status_code == 302
    assert "Extend the clock" not in page(client, case)


def test_a_request_by_telephone_keeps_its_true_date(client: Client, enter: Enter) -> None:
    enter(Role.LEGAL)
    day = timezone.localdate() - timedelta(days=6)
    data = {"channel": "phone", "received_on": day.isoformat(), "asked": "privacy", "law": "gdpr", "name": "Ada Brenn",
            "email": "ada@brenn.example", "title": "Address", "text": FACTS}  # fmt: skip
    answer = client.post(reverse("case_new"), data)
    case = Case.objects.get()
    assert answer["Location"] == reverse("case", args=[case.public_id])
    assert (case.received_on, case.channel, case.kind, case.items.count()) == (day, "phone", "privacy", 2)
    late = {**data, "received_on": (timezone.localdate() + timedelta(days=1)).isoformat()}
    answer = client.post(reverse("case_new"), late)
    assert answer.status_code == 422 and "lies in the future" in answer.content.decode()
    assert client.post(reverse("case_new"), {}).status_code == 422


def test_an_erased_person_leaves_a_page_that_says_so(client: Client, case: Case, enter: Enter) -> None:
    from governance.models.vault import subject_destroy

    subject_destroy(case.claimant.subject)
    enter(Role.LEGAL)
    answer = client.get(reverse("case", args=[case.public_id]), {"tab": "request"})
    assert answer.status_code == 410 and "data was destroyed" in answer.content.decode()
    assert case.number in answer.content.decode() and "received by public form" in answer.content.decode()


def test_the_claimants_own_steps_stand_in_the_history(client: Client, case: Case, enter: Enter) -> None:
    intake.email_confirm(token=link_token(case.public_id, "confirm"))
    enter(Role.AUDITOR)
    assert "The claimant</b> recorded proof, level P1; the case is at proof" in page(client, case)


def test_a_decision_sent_without_a_fresh_password_is_made_after_it(client: Client, walk: Any, people: Any) -> None:
    case = walk(file_case(), Status.DECISION)
    user = people[Role.LEGAL].user
    user.set_password("a long and quiet river")
    user.save()
    give_second_factor(user)
    client.force_login(user)
    answer = act(client, case, "propose", choice="erase", ground="Company policy on opt-outs")
    assert answer["Location"].startswith(("/accounts/reauthenticate/", "/accounts/2fa/reauthenticate/"))
    assert not Decision.objects.exists()
    there = reverse("case_propose", args=[case.public_id])
    answer = client.post("/accounts/reauthenticate/", {"password": "a long and quiet river", "next": there})
    assert answer.status_code == 302 and Decision.objects.count() == 2


def test_a_job_that_stopped_stands_on_its_case_in_the_queue_and_in_today(
    client: Client, case: Case, enter: Enter
) -> None:
    Case.objects.filter(pk=case.pk).update(status=Status.REPORTING)
    error = {"type": "Unfit", "messages": ["the seal's certificate is over"]}
    job = Job.objects.create(kind="report", key="report:x", queue="signing", case=case, state="failed", error=error)
    link, stopped = reverse("job", args=[job.pk]), reverse("cases")
    enter(Role.LEGAL)
    told = page(client, case)
    assert "s certificate is over." in told and "it is run again by" in told and link in told
    assert "written and signed by a worker" not in told
    assert case.number in client.get(stopped, {"view": "stopped"}).content.decode()
    today = client.get(reverse("today")).content.decode()
    assert "Stopped work" in today and link in today
    enter(Role.ENGINEER)
    assert "let it run again" in page(client, case)
    assert case.number in client.get(stopped, {"view": "waiting"}).content.decode()
    Job.objects.filter(pk=job.pk).update(state="queued")
    assert "written and signed by a worker" in page(client, case)
    assert case.number not in client.get(stopped, {"view": "stopped"}).content.decode()
