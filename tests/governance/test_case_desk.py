"""Assignment, workload, cases beside a case, the file for paper, images from a safe source, and bounded queries."""

from __future__ import annotations

import base64
import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from governance.errors import Conflict, NotAllowed, Unfit
from governance.models import Case, CaseLink, Dataset, Kind, LedgerOpening, Match, Record, Role, Status
from governance.policies import Actor
from governance.selectors import queue as select
from governance.services.assignment import case_assign
from governance.services.notes import note_write
from governance.web.thumbnails import LONGEST, thumbnail
from tests.governance.conftest import file_case
from tests.governance.staff import member, sign_in_to_decide

PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode()


@pytest.fixture
def legal(client: Client, people: dict[Role, Actor]) -> Actor:
    actor = people[Role.LEGAL]
    assert actor.user
    sign_in_to_decide(client, actor.user)
    return actor


def page(client: Client, case: Case, **query: str) -> str:
    return str(client.get(reverse("case", args=[case.public_id]), query).content.decode())


# ------------------------------------------------------------ who has it


def test_a_case_is_taken_given_on_and_put_back(
    client: Client, legal: Actor, people: dict[Role, Actor], case: Case
) -> None:
    assert "Take it" in page(client, case)
    client.post(reverse("case_take", args=[case.public_id]))
    case.refresh_from_db()
    assert case.officer == legal.user and "Take it" not in page(client, case)
    other = people[Role.APPROVER].user
    assert other
    client.post(reverse("case_assign", args=[case.public_id]), {"officer": other.pk})
    client.post(reverse("case_assign", args=[case.public_id]), {"officer": ""})
    bodies = [row.body for row in LedgerOpening.objects.filter(entry__action="case.assigned").order_by("entry_id")]
    me = legal.user and legal.user.pk
    assert bodies == [
        {"person": me, "from": None},
        {"person": other.pk, "from": me},
        {"person": None, "from": other.pk},
    ]


def test_a_case_is_given_only_to_somebody_who_can_work_it(people: dict[Role, Actor], case: Case) -> None:
    legal = people[Role.LEGAL]
    gone = member("gone@house.example", role=Role.LEGAL, is_active=False)
    for officer in (people[Role.ENGINEER].user, gone):
        with pytest.raises(Unfit, match="active legal officers"):
            case_assign(case=case, officer=officer, actor=legal)
    with pytest.raises(NotAllowed):
        case_assign(case=case, officer=legal.user, actor=people[Role.AUDITOR])
    stale = Case.objects.get(pk=case.pk)
    case_assign(case=case, officer=legal.user, actor=legal)
    with pytest.raises(Conflict, match="Somebody else changed"):
        case_assign(case=stale, officer=people[Role.APPROVER].user, actor=legal)
    Case.objects.filter(pk=case.pk).update(status="closed", disposition="refused")
    case.refresh_from_db()
    with pytest.raises(Conflict, match="is closed"):
        case_assign(case=case, officer=None, actor=legal)


def test_the_workload_counts_open_late_and_at_risk_per_officer(client: Client, legal: Actor) -> None:
    today = timezone.localdate()
    for days, mine in ((-2, True), (1, True), (30, True), (-1, False)):
        made = file_case()
        Case.objects.filter(pk=made.pk).update(
            due_on=today + timedelta(days=days), officer=legal.user if mine else None
        )
    paused = file_case()
    Case.objects.filter(pk=paused.pk).update(paused_on=today, officer=legal.user, due_on=today)
    loads = {load.officer: load for load in select.workload(legal)}
    mine = loads[legal.user]
    assert (mine.open, mine.late, mine.at_risk, mine.week, mine.paused) == (4, 1, 1, 1, 1)
    assert (loads[None].open, loads[None].late) == (1, 1)
    text = client.get(reverse("cases_workload")).content.decode()
    assert "2 cases are past their date, 1 is with nobody" in text and "officer=none" in text
    links = re.findall(r'<a href="(/cases/\?officer=[^"]+)">(\d+)</a>', text)
    assert len([one for one in links if "due_to=" in one[0]]) == 1 and len(links) == 7
    for url, number in links:
        listed = client.get(unescape(url)).context["groups"]
        assert sum(len(group["cases"]) for group in listed) == int(number), url


# ------------------------------------------------------------ beside it


def test_cases_beside_a_case_are_named_with_why(client: Client, legal: Actor, walk: Any) -> None:
    case = walk(file_case(email="one@artist.example"), Status.DECISION)
    same_work = walk(file_case(email="two@artist.example"), Status.DECISION)
    same_person, linked = file_case(email="ONE@artist.example"), file_case(email="three@artist.example")
    low, high = sorted((case, linked), key=lambda one: one.pk)
    CaseLink.objects.create(case=low, other=high, why="duplicate")
    text = page(client, case, tab="beside")
    for other, why in ((same_work, "On the same records"), (same_person, "Of the same claimant"),
                       (linked, "The same request once more")):  # fmt: skip
        assert other.number in text and why in text
    assert case.number in page(client, linked, tab="beside")


def test_only_who_may_know_the_person_sees_the_persons_other_cases(client: Client, people: dict[Role, Actor]) -> None:
    case, other = file_case(kind=Kind.PRIVACY), file_case(kind=Kind.PRIVACY)
    user = people[Role.ENGINEER].user
    assert user
    client.force_login(user)
    assert other.number not in page(client, case, tab="beside")


# ------------------------------------------------------------ on paper


def test_the_file_holds_every_part_and_nothing_to_press(client: Client, legal: Actor, walk: Any) -> None:
    case = walk(file_case(), Status.RELEASE)
    note_write(case=case, text="Agent rang on Monday.", actor=legal)
    answer = client.get(reverse("case_print", args=[case.public_id]))
    text = answer.content.decode()
    for words in (
        "What was asked",
        "Agent rang on Monday.",
        "Plan 2",
        "Letters",
        "Every entry of the ledger",
        "Printed",
    ):
        assert words in text, words
    assert "Marun" not in text
    main = text[text.index('<main id="main"') : text.index("</main>")]
    assert "<form" not in main and "<select" not in main
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids)), sorted(i for i in ids if ids.count(i) > 1)


def test_on_paper_neighbours_of_which_the_same_is_said_share_a_row(client: Client, legal: Actor, walk: Any) -> None:
    case = walk(file_case(), Status.DECISION)
    first, _second = case.matches.order_by("id")
    for n in range(4, 9):
        record = Record.objects.create(dataset=first.record.dataset, record_id=f"r{n}", digest="sha256:" + "0" * 64)
        case.matches.create(item=first.item, record=record, method="same_work", subject=first.subject)
    text = client.get(reverse("case_print", args=[case.public_id])).content.decode()
    rows = re.findall(r'<tr><td>([^<]+)</td><th class="mono" scope="row">([^<]+)</th>', text)
    assert rows == [("1", "r1"), ("2–7", "r2, r4, r5, r6, r7, r8")]
    assert "?tab=matches" not in text


def test_the_file_of_an_erased_person_says_so(client: Client, legal: Actor, case: Case) -> None:
    from governance.models.vault import subject_destroy

    subject_destroy(case.claimant.subject)
    answer = client.get(reverse("case_print", args=[case.public_id]))
    assert answer.status_code == 200 and "was erased" in answer.content.decode()


# ------------------------------------------------------------ images


def test_a_stored_thumbnail_is_shown_and_nothing_from_elsewhere(client: Client, legal: Actor, walk: Any) -> None:
    case = walk(file_case(), Status.DECISION)
    hit = case.matches.select_related("item").earliest("id")
    hit.excerpt = PNG
    hit.save()
    hit.item.text = "https://artist.example/portrait.png"
    hit.item.save()
    text = page(client, case, tab="matches", hit="1")
    assert f'src="{PNG}"' in text and text.count("<img") == 1 and "https://artist.example/portrait.png" in text


@pytest.mark.parametrize(
    "text",
    [
        "https://artist.example/a.png", "data:image/svg+xml;base64,PHN2Zz4=", "data:text/html;base64,PGI+",
        "data:image/png;base64,PHNjcmlwdD4=", 'data:image/png;base64,iVBORw0KGgo=" onerror="x',
        "data:image/png;base64," + "A" * LONGEST, "data:image/png;base64,iVBORw0KGgo", "",
    ],
)  # fmt: skip
def test_what_is_no_small_stored_image_is_text(text: str) -> None:
    assert thumbnail(text) == ""
    assert thumbnail(PNG) == PNG


# ------------------------------------------------------------ queries


def asked(client: Client, address: str) -> int:
    client.get(address)
    with CaptureQueriesContext(connections["default"]) as data, CaptureQueriesContext(connections["keyring"]) as keys:
        assert client.get(address).status_code == 200
    assert len(keys) <= 2, "the keyring is asked whether the person can be read, and for the key: once each"
    return len(data) + len(keys)


@pytest.mark.parametrize("tab", ["request", "proof", "matches", "plan", "notes", "beside", "letters", "files"])
def test_a_case_asks_a_bounded_number_of_queries_however_many_hits_it_has(
    client: Client, legal: Actor, walk: Any, tab: str
) -> None:
    case = walk(file_case(kind=Kind.PRIVACY), Status.DECISION)
    address = f"{reverse('case', args=[case.public_id])}?tab={tab}"
    few = asked(client, address)
    data, item = Dataset.objects.get(purpose="training"), case.items.get()
    for n in range(100):
        record = Record.objects.create(dataset=data, record_id=f"more/{n}", digest="")
        Match.objects.create(
            case=case, item=item, record=record, subject=case.claimant.subject, method="near_duplicate", score=0.9,
            excerpt="the salt orchard keeps",
        )  # fmt: skip
    assert asked(client, address) <= few <= 36


def test_many_hits_are_shown_in_stretches_and_decided_together(client: Client, legal: Actor, walk: Any) -> None:
    case = walk(file_case(), Status.DECISION)
    data, item = Dataset.objects.get(purpose="training"), case.items.get()
    for n in range(100):
        record = Record.objects.create(dataset=data, record_id=f"more/{n}", digest="")
        Match.objects.create(case=case, item=item, record=record, subject=case.claimant.subject, method="exact")
    assert "Hits 1 to 60 of 102" in page(client, case, tab="matches")
    assert "Hits 61 to 102 of 102" in page(client, case, tab="matches", hit="61")
    sent = {"choice": "erase", "ground": "Company policy on opt-outs"}
    assert client.post(reverse("case_propose", args=[case.public_id]), sent).status_code == 302
    assert case.matches.filter(decision__choice="erase").count() == 102
