"""Works that a letter or a call brings: staff enter them by the claimants' form, and what two people signed stays."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import translation
from django.utils.formats import date_format, get_format

from governance.errors import NotAllowed, Unfit
from governance.models import Case, CaseLink, Channel, Kind, LedgerOpening, Role, Status
from governance.notifications import letters as files
from governance.notifications.languages import LANGUAGES
from governance.policies import Actor, demand_other_than_filer
from governance.services import additions, intake, proof, proofs
from governance.services.additions import Source
from governance.services.intake import Item
from governance.tokens import link_token
from tests.governance.conftest import TODAY, file_case
from tests.governance.staff import sign_in_to_decide

People = dict[Role, Actor]
SONG = "a lantern counts the ferries home and keeps the tally to itself"
SAID = "Her sister Ona rang and read the title out."
WORK = Item(form="text", title="Lantern", text=SONG)


@pytest.fixture
def legal(client: Client, people: People) -> Actor:
    sign_in_to_decide(client, people[Role.LEGAL].user)
    return people[Role.LEGAL]


def page(case: Case) -> str:
    return reverse("case_works", args=[case.public_id])


def word(day: date = TODAY, **more: Any) -> dict[str, Any]:
    return {"channel": "phone", "came_on": day.isoformat(), "said": SAID, "title": "Lantern", "text": SONG, **more}


def test_works_join_the_case_and_the_claimant_is_told_who_said_so_is_kept(
    client: Client, legal: Actor, case: Case
) -> None:
    assert page(case) in client.get(reverse("case", args=[case.public_id])).content.decode()
    shown = client.get(page(case)).content.decode()
    assert "The Salt Orchard" in shown and "Who said so" in shown and 'enctype="multipart/form-data"' in shown
    assert "The claimant&#x27;s own website" in shown and "Your files" not in shown
    sent = word(files=SimpleUploadedFile("ebb.txt", b"the ebb"), numbers="ISBN 978-3-16-148410-0")
    answer = client.post(page(case), sent, follow=True)
    assert answer.status_code == 200 and "3. The claimant is being told." in answer.content.decode()
    assert {item.form for item in case.items.all()} == {"text", "file", "number"} and case.items.count() == 4
    assert case.letters.latest("pk").template == "added" and case.number in case.letters.latest("pk").title
    opening = LedgerOpening.objects.get(case=case, entry__action="works.added")
    note = case.notes.get()
    assert (note.text, note.author) == (SAID, legal.user)
    assert opening.actor == legal.user and opening.body == {
        "items": 3, "first": 2, "channel": "phone", "came_on": TODAY.isoformat(), "note": note.pk,
    }  # fmt: skip
    assert SONG not in json.dumps(opening.body) and "Ona" not in json.dumps(opening.body)
    case.refresh_from_db()
    assert case.news_at is None, "staff know what they entered"


def test_what_is_missing_is_asked_for_and_nothing_is_added(client: Client, legal: Actor, case: Case) -> None:
    later = (TODAY + timedelta(days=1)).isoformat()
    for missing in ({"said": " "}, {"came_on": ""}, {"came_on": later}, {"channel": "form"}, {"title": "", "text": ""}):
        answer = client.post(page(case), {**word(), **missing})
        assert answer.status_code == 422, missing
    assert case.items.count() == 1 and not case.notes.exists()
    with pytest.raises(Unfit) as refused:
        additions.works_add(case=case, items=[WORK], source=Source(actor=legal))
    assert len(refused.value.messages) == 2


def test_after_the_first_signature_they_become_a_case_of_their_own_with_the_date_of_the_letter(
    client: Client, legal: Actor, people: People, walk: Any
) -> None:
    case, came = walk(file_case(), Status.PLANNING), TODAY - timedelta(days=6)
    assert "This becomes a request of its own" in client.get(page(case)).content.decode()
    answer = client.post(page(case), word(came, channel="post"))
    made = CaseLink.objects.get(case=case, why=CaseLink.Why.SAME_CLAIMANT).other
    assert answer["Location"] == reverse("case", args=[made.public_id])
    assert (made.status, made.received_on, made.channel) == (Status.REVIEW, came, Channel.POST)
    assert (made.entered_by, made.claimant) == (legal.user, case.claimant) and case.items.count() == 1
    assert made.letters.get().template == "added" and case.number in made.letters.get().body
    assert made.notes.get().text == SAID and not case.notes.exists()


@pytest.mark.parametrize("channel", [Channel.POST, Channel.PHONE])
@pytest.mark.parametrize("language", list(LANGUAGES))
def test_the_letter_says_how_and_when_word_came_and_not_that_the_claimant_added_them(
    legal: Actor, walk: Any, channel: Channel, language: str
) -> None:
    came = TODAY - timedelta(days=6)
    source = Source(actor=legal, channel=channel, came_on=came, said=SAID)
    for status in (Status.DECISION, Status.PLANNING):
        case = walk(file_case(language=language), status)
        made = additions.works_add(case=case, items=[WORK], source=source).case
        letter = made.letters.get(template="added")
        with translation.override(language):
            day = date_format(came, "j F Y" if language == "en" else get_format("DATE_FORMAT"))
        assert letter.language == language and day in letter.body and made.number in letter.body
        assert (
            (case.number in letter.body) and letter.title and files.passage("objection.told", language) in letter.body
        )
        assert files.passage("objection.own", language) not in letter.body
    assert "replace the link" not in letter.body and "that you added" not in letter.body


def test_a_letter_that_came_before_the_case_beside_opens_one_that_begins_on_its_day(legal: Actor, walk: Any) -> None:
    case, days = walk(file_case(), Status.PLANNING), {}
    for n, ago in enumerate((3, 9, 2, 5)):
        item = Item(form="text", title=f"Lantern {n}", text=f"{SONG} {n}")
        source = Source(actor=legal, channel=Channel.POST, came_on=TODAY - timedelta(days=ago), said=SAID)
        days[ago] = additions.works_add(case=case, items=[item], source=source).case
    assert [days[ago].received_on for ago in (3, 9)] == [TODAY - timedelta(days=ago) for ago in (3, 9)]
    assert days[2] == days[5] == days[9], "the newest that began in time"
    own = additions.works_add(case=case, items=[WORK]).case
    assert own == days[9] and own.items.latest("pk").came_on == TODAY


@pytest.mark.parametrize(("status", "begins"), [(Status.RECEIVED, Status.PROOF), (Status.DECISION, Status.REVIEW)])
def test_word_that_is_older_than_an_undecided_case_is_answered_from_its_own_day(
    legal: Actor, walk: Any, status: Status, begins: Status
) -> None:
    case = file_case() if status == Status.RECEIVED else walk(file_case(), status)
    source = Source(actor=legal, channel=Channel.POST, came_on=TODAY - timedelta(days=6), said=SAID)
    made = additions.works_add(case=case, items=[WORK], source=source).case
    assert made != case and made.received_on == source.came_on and made.due_on < case.due_on
    assert made.status == begins and case.items.count() == 1
    body = made.letters.get(template="added").body
    assert f"Your request {case.number} began only after that day." in body
    assert additions.works_add(case=case, items=[WORK]).case == case, "what comes now joins it"


def test_what_is_shown_while_both_cases_wait_for_proof_counts_in_both(legal: Actor) -> None:
    case = file_case(items=[Item(form="number", title="Lantern", text="ISBN 978-3-16-148410-0")])
    source = Source(actor=legal, channel=Channel.POST, came_on=TODAY - timedelta(days=6), said=SAID)
    made = additions.works_add(case=case, items=[WORK], source=source).case
    intake.email_confirm(token=link_token(case.public_id, "confirm"))
    made.refresh_from_db()
    assert made.news_at, "the machine took it, so somebody is told"
    row = proofs.challenge_begin(case=case, method="registry", target="978-3-16-148410-0", declared=True)
    assert [one.level for one in made.proofs.order_by("pk")] == [1]
    proofs.challenge_judge(challenge=row, accept=True, reason="It stands in the register.", actor=legal)
    proof.proof_record(case=made, level=5, note="Known by telephone.", actor=legal)
    for one in (case, made):
        assert [shown.level for shown in one.proofs.order_by("pk")] == [1, 4, 5]
    assert "It stands in the register." in made.proofs.get(level=4).note
    told = LedgerOpening.objects.filter(entry__action="proof.recorded", case=made).order_by("entry_id")
    assert [one.body.get("beside") for one in told] == [case.number, case.number, None]
    proof.proof_accept(case=Case.objects.get(pk=case.pk), actor=legal)
    proof.proof_record(case=Case.objects.get(pk=made.pk), level=2, note="A page of hers.", actor=legal)
    assert case.proofs.count() == 3 and made.proofs.count() == 4
    assert proof.proof_accept(case=Case.objects.get(pk=made.pk), actor=legal).status == Status.REVIEW


def test_one_signature_is_called_a_decision_that_has_begun(legal: Actor, walk: Any) -> None:
    case = walk(file_case(), Status.PLANNING)
    source = Source(actor=legal, channel=Channel.POST, came_on=TODAY, said=SAID)
    body = additions.works_add(case=case, items=[WORK], source=source).case.letters.get(template="added").body
    assert "has begun or is made" in body and "already" not in body


def test_whoever_entered_works_gives_no_second_signature(legal: Actor, people: People, case: Case) -> None:
    demand_other_than_filer(case, legal)
    source = Source(actor=legal, channel=Channel.POST, came_on=TODAY, said=SAID)
    additions.works_add(case=case, items=[WORK], source=source)
    with pytest.raises(NotAllowed, match="You entered this request"):
        demand_other_than_filer(case, legal)
    demand_other_than_filer(case, people[Role.APPROVER])
    with pytest.raises(NotAllowed):
        additions.works_add(case=case, items=[WORK], source=Source(actor=people[Role.APPROVER], said=SAID))


def test_works_are_looked_for_again_where_nobody_has_signed(client: Client, legal: Actor, walk: Any) -> None:
    case = walk(file_case(), Status.DECISION)
    client.post(page(case), word())
    case.refresh_from_db()
    assert case.status == Status.MATCHING and case.jobs.filter(kind="match", state="queued").count() == 1


def test_a_case_about_a_person_takes_no_works(client: Client, legal: Actor) -> None:
    case = file_case(Kind.PRIVACY)
    assert page(case) not in client.get(reverse("case", args=[case.public_id])).content.decode()
    assert client.post(page(case), word())["Location"] == reverse("case", args=[case.public_id])
    assert case.items.count() == 1
