"""What is to be done today, the calendar of deadlines, and the calendar that is taken along."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import Count, Min
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from icalendar import Calendar

from governance.errors import NotAllowed
from governance.lifecycle import advance
from governance.models import (
    Answer,
    CalendarFeed,
    Case,
    Channel,
    Claimant,
    Decision,
    Interest,
    LedgerEntry,
    Message,
    Quarantine,
    Record,
    Role,
    StageStay,
    Status,
    User,
)
from governance.policies import Actor, partial
from governance.selectors import queue, stages
from governance.services import abuse, additions, containment, decision, holds, intake, planning, review
from governance.tokens import email_mark, link_token
from tests.governance.conftest import file_case, run_house_jobs
from tests.governance.staff import grant, member, sign_in_to_decide

pytestmark = pytest.mark.database

TODAY = date.today()
SIGNED = (Status.DECISION, Status.PLANNING, Status.RELEASE)


@pytest.fixture
def legal(client: Client, people: dict[Role, Actor]) -> Actor:
    user = people[Role.LEGAL].user
    assert user
    sign_in_to_decide(client, user)
    return people[Role.LEGAL]


def due(days: int, **fields: Any) -> Case:
    case = file_case()
    Case.objects.filter(pk=case.pk).update(due_on=TODAY + timedelta(days=days), **fields)
    case.refresh_from_db()
    return case


def blocks(client: Client, query: str = "") -> dict[str, list[str]]:
    """Name of a block -> the first words of its rows."""
    answer = client.get(f"/today/{query}")
    assert answer.status_code == 200
    return {part["id"]: [row["text"] for row in part["rows"]] for part in answer.context["blocks"]}


def test_legal_officers_and_approvers_land_on_today(client: Client, legal: Actor, people: dict[Role, Actor]) -> None:
    assert client.get("/desk/")["Location"] == "/today/"
    assert "Nothing is due within 7 days" in client.get("/today/").content.decode()
    client.force_login(people[Role.APPROVER].user)
    assert client.get("/desk/")["Location"] == "/today/"
    client.force_login(people[Role.AUDITOR].user)
    assert client.get("/today/").status_code == 403


def test_what_is_late_stands_first_then_what_falls_due(client: Client, legal: Actor, people: dict[Role, Actor]) -> None:
    late, soon, far = due(-2), due(5), due(13)
    other = due(-9, officer=people[Role.APPROVER].user)
    party = due(-1)
    Interest.objects.create(case=party, person=legal.user, subject=party.claimant.subject, what="A friend.")
    paused = due(-3, paused_on=TODAY)
    found = blocks(client)
    assert list(found) == ["late", "soon", "came", "second", "letters", "texts"]
    assert (found["late"], found["soon"]) == ([late.number], [soon.number])
    assert blocks(client, "?days=14")["soon"] == [soon.number, far.number]
    assert blocks(client, "?of=desk&days=99")["late"] == [other.number, late.number]
    page = client.get("/today/").content.decode()
    assert "1 case is past its date, 1 falls due within 7 days" in page
    assert f"/cases/{late.public_id}/letter/?template=late" in page
    assert paused.number not in page and "Marun" not in page


def test_what_came_in_waits_until_somebody_goes_on(client: Client, legal: Actor, walk: Callable[..., Case]) -> None:
    case = walk(file_case(), Status.REVIEW)
    review.information_ask(case=case, actor=legal, question="Which edition?", pauses_clock=False)
    asked = client.post(f"/status/{link_token(case.public_id, 'status')}/answer/", {"text": "The second."})
    assert asked.status_code in (200, 302) and Answer.objects.count() == 1
    assert blocks(client)["came"] == [case.number]
    review.case_admit(case=Case.objects.get(pk=case.pk), actor=legal)
    assert blocks(client)["came"] == []


def test_an_answer_that_the_machine_moved_the_case_past_still_waits(
    client: Client, legal: Actor, walk: Callable[..., Case]
) -> None:
    case, others = walk(file_case(), Status.PROOF), [walk(file_case(), Status.REVIEW) for _n in range(9)]
    Answer.objects.create(case=case, subject=case.claimant.subject, text="The second.")
    for other in others:
        Answer.objects.create(case=other, subject=other.claimant.subject, text="The third.")
    advance(case=case, to=Status.REVIEW, actor=Actor.system("proofs"), reason="Shown by a challenge: P3")
    assert blocks(client)["came"][0] == case.number
    review.case_admit(case=Case.objects.get(pk=case.pk), actor=legal)
    assert case.number not in blocks(client)["came"]


def test_what_waits_for_a_second_signature_names_who_signed_first(
    client: Client, legal: Actor, people: dict[Role, Actor], walk: Callable[..., Case]
) -> None:
    decided, planned, released = (walk(file_case(), stage) for stage in SIGNED)
    erase = decision.Proposal(choice=Decision.Choice.ERASE, ground="policy")
    other = Actor.of(member("second.legal@house.example", role=Role.LEGAL))
    decision.decision_propose(case=decided, proposals={m.pk: erase for m in decided.matches.all()}, actor=other)
    run_house_jobs(planned)
    planning.plan_choose(case=planned, actor=people[Role.ENGINEER])
    assert planned.proposed_by and released.proposed_by
    sign_in_to_decide(client, people[Role.APPROVER].user)
    (part,) = (one for one in client.get("/today/").context["blocks"] if one["id"] == "second")
    notes = {row["text"]: row["note"] for row in part["rows"]}
    assert f"proposed by {other.user}" in notes[decided.number]
    assert f"proposed by {people[Role.ENGINEER].user}" in notes[planned.number]
    assert "proposed by" not in notes[released.number]


def test_only_what_others_proposed_waits_for_a_second_signature(
    client: Client, legal: Actor, people: dict[Role, Actor], walk: Callable[..., Case]
) -> None:
    case = walk(file_case(), Status.REVIEW)
    holds.hold_set(case=case, actor=people[Role.APPROVER], reason="A court has asked for the file.")
    holds.hold_lift_ask(case=case, actor=people[Role.APPROVER], reason="The court has closed the matter.")
    assert blocks(client)["second"] == [case.number]
    sign_in_to_decide(client, people[Role.APPROVER].user)
    assert blocks(client)["second"] == []


def test_a_record_that_is_to_be_let_back_waits_for_the_approver(
    client: Client, legal: Actor, people: dict[Role, Actor], walk: Callable[..., Case]
) -> None:
    case = walk(file_case(), Status.DECISION)
    data = Record.objects.all()[0].dataset
    containment.returned(case, [Record.objects.create(dataset=data, record_id="n1", digest="sha256:0")])
    why = "The record is a licensed anthology that quotes the work."
    containment.lift_ask(quarantine=Quarantine.objects.get(cause="returned"), actor=legal, reason=why)
    assert "A record to be let back into training" not in blocks(client)["second"]
    sign_in_to_decide(client, people[Role.APPROVER].user)
    assert "A record to be let back into training" in blocks(client)["second"]


def waiting(actor: Actor) -> set[str]:
    """The numbers of the queue's list "waiting for me", which its count agrees with."""
    found = set(queue.cases(actor, "waiting").values_list("number", flat=True))
    assert queue.view_counts(actor)["waiting"] == len(found)
    return found


@pytest.mark.parametrize("works", [False, True])
def test_whoever_entered_a_request_or_works_of_it_is_not_asked_for_its_second_signature(
    client: Client, legal: Actor, people: dict[Role, Actor], walk: Callable[..., Case], works: bool
) -> None:
    def filed() -> Case:
        case = file_case() if works else file_case(actor=legal)
        if works:
            source = additions.Source(actor=legal, channel=Channel.POST, came_on=TODAY, said="By letter.")
            item = intake.Item(form="url", title="Tide", text="https://example.org/tide")
            additions.works_add(case=case, items=[item], source=source)
        return case

    other = Actor.of(member("second.legal@house.example", role=Role.LEGAL))
    decided, released = walk(filed(), Status.DECISION), walk(filed(), Status.RELEASE)
    found = filed()
    abuse.abuse_propose(case=found, ground="flood", reasons="It names no work at all.", actor=other)
    erase = decision.Proposal(choice=Decision.Choice.ERASE, ground="policy")
    decision.decision_propose(case=decided, proposals={m.pk: erase for m in decided.matches.all()}, actor=other)
    back = filed()
    Case.objects.filter(pk=back.pk).update(
        status=Status.REVIEW, parent=found, relation="return", proposed_by=other.user
    )
    planned = walk(filed(), Status.PLANNING)
    run_house_jobs(planned)
    planning.plan_choose(case=planned, actor=people[Role.ENGINEER])
    sign_in_to_decide(client, people[Role.APPROVER].user)
    numbers = {case.number for case in (decided, released, back, planned)}
    assert set(blocks(client)["second"]) == {*numbers, found.number}
    assert waiting(people[Role.APPROVER]) == numbers
    page = f"/cases/{back.public_id}/"
    assert "Sign as second reviewer" in client.get(page).content.decode()
    assert "Sign the release" in client.get(f"/cases/{released.public_id}/").content.decode()
    assert isinstance(legal.user, User)
    grant(legal.user, Role.APPROVER)
    legal.user.refresh_from_db()
    sign_in_to_decide(client, legal.user)
    assert blocks(client)["second"] == [] and waiting(Actor.of(legal.user)) == set()
    shown = client.get(page).content.decode()
    assert "Sign as second reviewer" not in shown and "entered this" in shown
    shown = client.get(f"/cases/{released.public_id}/").content.decode()
    assert "Sign the release" not in shown and "other people release it" in shown


def test_nobody_is_asked_for_a_second_signature_under_a_part_that_they_proposed(
    legal: Actor, people: dict[Role, Actor], walk: Callable[..., Case]
) -> None:
    case = walk(file_case(), Status.DECISION)
    erase = decision.Proposal(choice=Decision.Choice.ERASE, ground="policy")
    first, *rest = case.matches.order_by("pk").values_list("pk", flat=True)
    mixed = Actor.of(member("mixed@house.example", role=Role.LEGAL))
    decision.decision_propose(case=case, proposals={first: erase}, actor=mixed)
    decision.decision_propose(case=case, proposals=dict.fromkeys(rest, erase), actor=legal)
    assert isinstance(mixed.user, User)
    grant(mixed.user, Role.APPROVER)
    mixed = Actor.of(User.objects.get(pk=mixed.user.pk))
    assert case.number not in waiting(mixed) and case.number in waiting(people[Role.APPROVER])
    with pytest.raises(NotAllowed, match="You proposed"):
        decision.decision_approve(
            case=Case.objects.get(pk=case.pk), shown=decision.mark(Case.objects.get(pk=case.pk)), actor=mixed
        )


def test_whoever_asks_or_decided_before_has_the_case_on_no_list(
    people: dict[Role, Actor], walk: Callable[..., Case]
) -> None:
    approver = people[Role.APPROVER]
    own, before, after = (walk(file_case(), Status.DECISION) for _n in range(3))
    for one in (own, after):
        Case.objects.filter(pk=one.pk).update(proposed_by=people[Role.LEGAL].user)
    assert waiting(approver) == {own.number, after.number}
    Claimant.objects.filter(pk=own.claimant_id).update(email_mark=email_mark(approver.user.email))  # type: ignore[union-attr]
    Case.objects.filter(pk=after.pk).update(parent=before, relation="appeal")
    Decision.objects.bulk_create(
        Decision(match=m, choice="erase", ground="policy", proposed_by=people[Role.LEGAL].user)
        for m in before.matches.all()
    )
    Decision.objects.update(approved_by=approver.user, approved_at=timezone.now())
    assert waiting(approver) == set()
    assert partial(Case.objects.get(pk=own.pk), approver) and partial(Case.objects.get(pk=after.pk), approver)


def test_a_block_that_is_cut_tells_how_many_there_are_and_leads_to_all_of_them(
    client: Client, legal: Actor, people: dict[Role, Actor]
) -> None:
    for _n in range(11):
        due(5), due(-5)
    other, paused, party, far = due(5, officer=people[Role.APPROVER].user), due(5, paused_on=TODAY), due(5), due(13)
    Interest.objects.create(case=party, person=legal.user, subject=party.claimant.subject, what="A friend.")
    for query, beyond in (("", {other, paused, party, far}), ("?of=desk", {paused, party, far})):
        parts = {part["id"]: part for part in client.get(f"/today/{query}").context["blocks"]}
        for name, number in (("late", 11), ("soon", 15 - len(beyond))):
            part = parts[name]
            assert (part["count"], len(part["rows"])) == (str(number), 8)
            assert part["cut"] == f"The first 8 of {number}."
            listed = client.get(part["url"]).context["groups"]
            found = {row["number"] for group in listed for row in group["cases"]}
            assert len(found) == number and not found & {case.number for case in beyond}, (query, name)


def test_what_came_in_and_what_is_to_be_signed_is_counted_beyond_what_is_shown(
    client: Client, legal: Actor, people: dict[Role, Actor], walk: Callable[..., Case]
) -> None:
    first, cases = file_case(), [file_case() for _n in range(27)]
    children = Case.objects.filter(pk__in=[case.pk for case in cases])
    children.update(parent=first, relation="appeal", status=Status.REVIEW)
    for case in cases:
        holds.hold_set(case=case, actor=people[Role.APPROVER], reason="A court has asked for the file.")
        holds.hold_lift_ask(case=case, actor=people[Role.APPROVER], reason="The court has closed the matter.")
    # A case in which the reader is party takes no place of another.
    for case in cases[:9]:
        Interest.objects.create(case=case, person=legal.user, subject=case.claimant.subject, what="A friend.")
    answer = client.get("/today/")
    parts = {part["id"]: part for part in answer.context["blocks"]}
    for name in ("came", "second"):
        part = parts[name]
        assert (part["count"], len(part["rows"]), part["cut"]) == ("18", 8, "The first 8 of 18.")
        assert [row["text"] for row in part["rows"]] == [case.number for case in cases[9:17]]
    assert "18 signatures wait for you" in answer.content.decode()


def test_letters_that_did_not_leave_stand_there_and_texts_that_nobody_read(client: Client, legal: Actor) -> None:
    file_case()
    message = Message.objects.latest("pk")
    Message.objects.filter(pk=message.pk).update(state="failed", last_error="550 no such user")
    found = blocks(client)
    assert found["letters"] == ["received"] and len(found["texts"]) == 8


def test_the_next_unread_text_is_one_link_away(client: Client, legal: Actor) -> None:
    first = client.get("/messages/letters/").context["links"]
    assert len(first) == 1 and first[0]["url"] == "/messages/letters/added/en/"
    page = client.get(first[0]["url"])
    digest = page.context["parts"][2]["forms"][0]["form"]["digest"].value()
    answer = client.post("/messages/letters/added/en/review/", {"reader": "counsel", "digest": digest}, follow=True)
    assert "Read the next: admitted, in English" in answer.content.decode()
    assert client.get("/messages/letters/").context["links"][0]["url"] == "/messages/letters/admitted/en/"


def test_the_page_asks_as_little_for_many_cases_as_for_few(client: Client, legal: Actor) -> None:
    due(-1), due(1)
    client.get("/today/")
    with CaptureQueriesContext(connection) as few:
        client.get("/today/")
    for days in range(-5, 9):
        due(days)
    with CaptureQueriesContext(connection) as many:
        client.get("/today/")
    # A list that is cut is counted besides; there are two of cases.
    assert len(many) <= len(few) + 2 <= 45


def test_a_month_and_a_week_show_each_day_with_its_cases(client: Client, legal: Actor) -> None:
    month = TODAY.replace(day=15)
    cases = [due((month - TODAY).days) for _n in range(5)]
    answer = client.get(f"/cases/calendar/?day={month}")
    cell = next(one for week in answer.context["weeks"] for one in week if one["day"] == month)
    assert [one["number"] for one in cell["entries"]] == [case.number for case in cases[:3]]
    assert cell["more"] == "and 2 more" and cell["more_url"] == f"/cases/calendar/?view=week&of=mine&day={month}"
    assert "5 deadlines in" in answer.content.decode()
    week = client.get(f"/cases/calendar/?day={month}&view=week")
    assert len(week.context["weeks"]) == 1 and week.context["weeks"][0][month.weekday()]["more"] == ""
    assert client.get("/cases/calendar/?day=2026-02-31&view=nothing").status_code == 200


def test_a_calendar_tells_days_and_nobody(client: Client, legal: Actor) -> None:
    case = due(4)
    answer = client.post("/cases/calendar/address/", {"of": "mine"})
    address = answer.context["address"]
    assert address in answer.content.decode() and address not in client.get("/cases/calendar/").content.decode()
    token = address.rsplit("/", 1)[1].removesuffix(".ics")
    feed = CalendarFeed.objects.get()
    assert token not in feed.token_hash and LedgerEntry.objects.latest("index").action == "feed.made"
    told = Client().get(f"/deadlines/{token}.ics")
    assert told["Content-Type"].startswith("text/calendar") and "no-store" in told["Cache-Control"]
    events = {str(one["summary"]): one.decoded("dtstart") for one in Calendar.from_ical(told.content).walk("VEVENT")}
    assert events[f"{case.number}: last lawful day (The company's policy)"] == case.due_on
    assert set(events) - {f"{case.number}: confirm receipt (The company's policy)"} == {
        f"{case.number}: last lawful day (The company's policy)"
    }
    assert b"Marun" not in told.content and b"Orchard" not in told.content
    assert str(case.public_id).encode() not in told.content
    feed.refresh_from_db()
    assert feed.asked_at is not None


def test_a_revoked_replaced_or_orphaned_calendar_is_gone(client: Client, legal: Actor) -> None:
    first, second = (client.post("/cases/calendar/address/").context["address"].split("/", 3)[3] for _n in range(2))
    assert Client().get(f"/{first}").status_code == 404
    assert Client().get(f"/{second}").status_code == 200
    assert client.post("/cases/calendar/address/revoke/").status_code == 302
    assert LedgerEntry.objects.latest("index").action == "feed.revoked"
    assert Client().get(f"/{second}").status_code == 404
    third = client.post("/cases/calendar/address/").context["address"].split("/", 3)[3]
    User.objects.filter(pk=legal.user.pk).update(is_active=False)  # type: ignore[union-attr]
    assert Client().get(f"/{third}").status_code == 404


def test_each_stage_that_a_case_left_is_told_and_summed_along_an_index(
    client: Client, legal: Actor, walk: Callable[..., Case]
) -> None:
    case = walk(file_case(), Status.REVIEW)
    Case.objects.filter(pk=case.pk).update(changed_at=timezone.now() - timedelta(hours=50))
    review.case_admit(case=Case.objects.get(pk=case.pk), actor=legal)
    assert list(StageStay.objects.order_by("id").values_list("stage", "hours")) == [
        ("received", 0), ("proof", 0), ("review", 50),
    ]  # fmt: skip
    found = {one.stage: one for one in stages.stages(legal)}
    assert (found[Status.REVIEW].left, found[Status.REVIEW].median, found[Status.MATCHING].waiting) == (1, 50.0, 1)
    page = client.get("/cases/workload/").content.decode()
    assert "2.1 days" in page and "Most is held up at matching: 1 case" in page
    assert case.number in client.get("/cases/workload/review/").content.decode()
    assert client.get("/cases/workload/closed/").status_code == 404
    if connection.vendor == "sqlite":
        sums = stages._stays(90).order_by().values_list("stage", "hours").annotate(n=Count("id"))
        assert "COVERING INDEX stay_" in sums.explain()
        now = Case.objects.exclude(status=Status.CLOSED).order_by().values("status")
        assert "INDEX case_" in now.annotate(n=Count("id"), since=Min("changed_at")).explain()
