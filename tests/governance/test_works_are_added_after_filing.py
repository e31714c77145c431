"""Works that come after filing: into the case until somebody signs, beside it afterwards; files scanned on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client

from governance import dispatch
from governance.errors import Conflict, NotAllowed
from governance.models import Case, CaseLink, Channel, DraftWork, Kind, LedgerOpening, Record, Role, Status, Upload
from governance.policies import Actor, demand_other_than_filer
from governance.services import additions, drafts, intake, jobs, matching, uploads, work_files
from governance.services.intake import Item
from governance.services.work_reading import WorkFile, size_words
from tests.governance.conftest import HITS, POEM, TODAY, engine_job, file_case, finish, run_house_jobs
from tests.governance.filing import begin
from tests.governance.staff import member
from tests.governance.test_uploads_are_held_and_judged import picture, scanner

SONG = "a lantern counts the ferries home and keeps the tally to itself"
WORK = Item(form="text", title="Lantern", text=SONG)
FOUND = b"stream: Eicar-Test-Signature FOUND\0"
S = Upload.State


def works_page(case: Case) -> str:
    return f"/status/{case.private_token}/works/"


def texts(case: Case) -> list[str]:
    return [item.text for item in case.items.all()]


def every_way() -> dict[str, Any]:
    return {
        "title": "Lantern", "text": SONG, "addresses": "https://example.org/tide", "domain": "example.org",
        "numbers": "ISBN 978-3-16-148410-0",
        "files": [SimpleUploadedFile("ebb.txt", b"the ebb"), SimpleUploadedFile("sea.png", picture("PNG"))],
        "table": SimpleUploadedFile("list.csv", b"title,text\nFlood,the flood\n"),
    }  # fmt: skip


def test_works_are_added_on_the_private_page_in_every_way_of_the_form(client: Client, case: Case) -> None:
    page = works_page(case)
    assert page in client.get(f"/status/{case.private_token}/").content.decode()
    assert "The date of our answer stays." in client.get(page).content.decode()
    assert client.post(page, every_way())["Location"] == f"/status/{case.private_token}/"
    forms = [item.form for item in case.items.all()]
    assert sorted(forms) == ["digest", "domain", "file", "number", "text", "text", "text", "url"]
    assert [row.state for row in case.uploads.all()] == [S.CLEAN, S.CLEAN]
    assert not case.uploads.exclude(artifact="").exists(), "of a work the work is kept, not the file"
    body = LedgerOpening.objects.get(case=case, entry__action="works.added").body
    assert body == {"items": 7, "first": 2} and SONG not in json.dumps(body)
    again = client.post(page, every_way())
    assert again.status_code == 422 and "stand in your request already" in again.content.decode()
    assert case.items.count() == 8


def test_whoever_adds_a_work_sees_that_it_arrived_and_how_it_was_taken(client: Client, case: Case) -> None:
    jpeg = picture("JPEG")
    sent = {"files": [SimpleUploadedFile("quay.jpg", jpeg), SimpleUploadedFile("ebb.txt", b"the ebb")]}
    text = client.post(works_page(case), sent | {"addresses": "https://example.org/tide"}, follow=True).content.decode()
    assert "3 works have arrived and belong to this request." in text
    assert "quay" in text and f"JPEG, {size_words(len(jpeg))}" in text and "bytes)" not in text
    assert "Text file, 7 characters" in text and "Address" in text
    again = client.get(f"/status/{case.private_token}/").content.decode()
    assert "have arrived" not in again and "quay" in again, "it is said once, and the works stay"
    more = client.post(works_page(case), {"title": "Lantern", "text": SONG, "more": "1"}, follow=True)
    assert "Your work has arrived and belongs to this request." in more.content.decode()


def test_the_page_of_a_case_shows_the_newest_works_and_says_how_many_there_are(client: Client, case: Case) -> None:
    sent = {"addresses": "\n".join(f"https://example.org/{n}" for n in range(12))}
    text = client.post(works_page(case), sent, follow=True).content.decode()
    assert [n for n in range(12) if f"example.org/{n}<" in text] == [7, 8, 9, 10, 11]
    assert "And 8 that came before." in text and "See all works" in text


def test_a_wrong_answer_loses_nothing(client: Client, case: Case) -> None:
    sent = {"addresses": "nowhere", "title": "Half", "files": [SimpleUploadedFile("ebb.txt", b"the ebb")]}
    answer = client.post(works_page(case), sent)
    text = answer.content.decode()
    assert answer.status_code == 422 and "is no whole address" in text and 'value="Half"' in text
    assert "the ebb" in texts(case) and "Name at least one work" in client.post(works_page(case), {}).content.decode()


def test_works_added_before_anybody_signs_are_looked_for_as_well(walk: Any, people: dict[Role, Actor]) -> None:
    case = walk(file_case(), Status.DECISION)
    item = additions.works_add(case=case, items=[WORK]).items[0]
    case.refresh_from_db()
    assert case.status == Status.MATCHING
    run_house_jobs(case)
    job = engine_job(case, "match")
    spec = dispatch.read_json(job.spec)
    assert SONG in dispatch.read_bytes(spec["works"]).decode()
    rows = [{**HITS[0], "item": str(item.pk), "record": "r3"}, {**HITS[0], "item": str(item.pk)}]
    finish(job, matches=b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    case.refresh_from_db()
    assert case.status == Status.DECISION
    assert case.matches.get(record=Record.objects.get(record_id="r3")).item == item
    assert case.matches.count() == 3, "a record counts once"


def test_a_search_under_way_waits_for_the_works_that_came_meanwhile(walk: Any) -> None:
    case = walk(file_case(), Status.MATCHING)
    run_house_jobs(case)
    first = engine_job(case, "match")
    additions.works_add(case=case, items=[WORK])
    finish(first, matches=b"")
    case.refresh_from_db()
    assert case.status == Status.MATCHING
    run_house_jobs(case)
    finish(engine_job(case, "match"), matches=b"")
    case.refresh_from_db()
    assert case.status == Status.DECISION


def test_a_search_that_could_not_be_handed_over_is_waited_for(walk: Any) -> None:
    case = walk(file_case(), Status.MATCHING)
    run_house_jobs(case)
    first = engine_job(case, "match")
    additions.works_add(case=case, items=[WORK])
    later = case.jobs.get(kind="match", state="queued")
    jobs.job_fail(job_id=str(later.pk), attempt=0, error={"type": "LeaseExpired", "messages": [], "retryable": False})
    finish(first, matches=b"")
    case.refresh_from_db()
    assert case.status == Status.MATCHING
    jobs.job_retry(job=case.jobs.get(pk=later.pk), actor=Actor.of(member("e@house.example", role=Role.ENGINEER)))
    run_house_jobs(case)
    finish(engine_job(case, "match"), matches=b"")
    case.refresh_from_db()
    assert case.status == Status.DECISION


def test_works_that_were_looked_for_are_not_put_into_the_store_again(
    walk: Any, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    case = walk(file_case(), Status.MATCHING)
    run_house_jobs(case)
    search, job = case.jobs.get(kind="match"), engine_job(case, "match")
    with django_capture_on_commit_callbacks(execute=True):
        finish(job, matches=b"")
    matching.matching_start(job=search)
    assert not dispatch.exists(dispatch.read_json(job.spec)["works"])


def test_an_address_alone_starts_no_search(walk: Any) -> None:
    case = walk(file_case(), Status.DECISION)
    additions.works_add(case=case, items=[Item(form="url", title="Tide", text="https://example.org/tide")])
    case.refresh_from_db()
    assert case.status == Status.DECISION and case.items.count() == 2


@pytest.mark.parametrize("status", [Status.PLANNING, Status.UNLEARNING])
def test_after_the_decision_works_become_a_request_of_their_own(client: Client, walk: Any, status: Status) -> None:
    case = walk(file_case(), status)
    page = client.get(works_page(case)).content.decode()
    assert "has begun or is made" in page and "a request of its own" in page
    answer = client.post(works_page(case), {"title": "Lantern", "text": SONG})
    other = CaseLink.objects.get(case=case, why=CaseLink.Why.SAME_CLAIMANT).other
    assert answer["Location"] == f"/status/{other.private_token}/"
    assert (other.status, other.claimant, texts(other)) == (Status.REVIEW, case.claimant, [SONG])
    assert [p.level for p in other.proofs.all()] == [p.level for p in case.proofs.all()]
    assert other.clocks.count() == 1 and case.items.count() == 1
    arrived = client.get(answer["Location"]).content.decode()
    assert f"It is a request of its own, with the number {other.number}." in arrived
    client.post(works_page(case), {"title": "Ebb", "text": "the ebb"})
    assert texts(other) == [SONG, "the ebb"], "what comes next goes where it can still be read"
    assert Case.objects.filter(claimant=case.claimant).count() == 2


def test_nothing_is_added_where_it_would_mean_nothing(client: Client, walk: Any) -> None:
    gone, personal = file_case(), file_case(Kind.PRIVACY)
    intake.email_confirm(token=drafts.link_token(gone.public_id, "confirm"))
    gone.refresh_from_db()
    intake.case_withdraw(case=gone, actor=additions.CLAIMANT)
    for case in (gone, personal):
        assert client.get(works_page(case))["Location"] == f"/status/{case.private_token}/"
        assert works_page(case) not in client.get(f"/status/{case.private_token}/").content.decode()
        with pytest.raises(Conflict, match="File a new one"):
            additions.works_add(case=case, items=[WORK])


def test_the_interface_adds_works_too(client: Client, walk: Any, case: Case) -> None:
    door = f"/api/v1/requests/{case.private_token}/works/"
    body = {"items": [{"form": "text", "title": "Lantern", "text": SONG}]}
    answer = client.post(door, body, content_type="application/json")
    assert answer.status_code == 201 and answer.json()["number"] == case.number and answer.json()["added"] == 1
    again = client.post(door, body, content_type="application/json")
    assert again.status_code == 422
    other = walk(file_case(), Status.PLANNING)
    client.post(door.replace(case.private_token, other.private_token), body, content_type="application/json")
    assert CaseLink.objects.get(case=other).other.channel == Channel.API
    fact = {"items": [{"form": "fact", "text": "Ada lives in Ardry."}]}
    assert client.post(door, fact, content_type="application/json").status_code == 400


def file_of(name: str = "ebb.txt", data: bytes = b"the ebb") -> WorkFile:
    return WorkFile(name=name, data=data)


def test_a_file_of_a_work_is_scanned_and_one_that_is_infected_is_not_taken(case: Case, settings: Any) -> None:
    with scanner(FOUND) as (settings.CLAMD, seen):
        added, problems = work_files.works_add(case=case, items=[WORK], files=[file_of()])
    assert added and added.case == case and len(problems) == 1
    assert problems[0].startswith("“ebb.txt”: The scanner found Eicar")
    assert seen == [b"the ebb"] and SONG in texts(case) and "the ebb" not in texts(case)
    row = case.uploads.get()
    assert (row.state, row.artifact, row.item) == (S.INFECTED, "", None)


def wait_over() -> None:
    Upload.objects.update(next_try_at="2020-01-01T00:00:00Z")


def test_a_file_that_waits_is_a_work_by_its_fingerprint_and_its_text_comes_later(
    walk: Any, settings: Any, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    case = walk(file_case(), Status.DECISION)
    settings.CLAMD = "tcp://127.0.0.1:9"
    work_files.works_add(case=case, items=[], files=[file_of()])
    case.refresh_from_db()
    row = case.uploads.get()
    assert (row.state, row.item.form if row.item else "") == (S.HELD, "digest") and case.status == Status.DECISION
    assert b"the ebb" not in dispatch.read_bytes(row.artifact)
    ref = row.artifact
    wait_over()
    assert work_files.sweep() == 0 and uploads.uploads_sweep() == 0
    wait_over()
    with scanner(b"stream: OK\0") as (settings.CLAMD, _seen), django_capture_on_commit_callbacks(execute=True):
        assert work_files.sweep() == 1
    case.refresh_from_db()
    row.refresh_from_db()
    assert (row.state, row.artifact, row.scanner) == (S.CLEAN, "", "ClamAV") and not dispatch.exists(ref)
    assert texts(case)[-1] == "the ebb" and case.status == Status.MATCHING


def test_a_text_that_comes_late_says_in_the_case_beside_how_its_file_came_and_who_entered_it(
    walk: Any, settings: Any, people: dict[Role, Actor]
) -> None:
    case, legal = walk(file_case(), Status.DECISION), people[Role.LEGAL]
    settings.CLAMD = "tcp://127.0.0.1:9"
    came = TODAY - timedelta(days=8)
    source = additions.Source(actor=legal, channel=Channel.POST, came_on=came, said="She wrote.")
    work_files.works_add(case=case, items=[], files=[file_of()], source=source)
    Case.objects.filter(pk=case.pk).update(proposed_by=people[Role.LEGAL].user)
    wait_over()
    with scanner(b"stream: OK\0") as (settings.CLAMD, _seen):
        assert work_files.sweep() == 1
    made = CaseLink.objects.get(case=case).other
    assert (made.channel, made.received_on, texts(made)) == (Channel.POST, came, ["the ebb"])
    with pytest.raises(NotAllowed, match="You entered this request"):
        demand_other_than_filer(made, legal)


def test_a_text_that_comes_late_has_the_day_on_which_the_claimant_sent_its_file(walk: Any, settings: Any) -> None:
    case = walk(file_case(), Status.DECISION)
    settings.CLAMD = "tcp://127.0.0.1:9"
    work_files.works_add(case=case, items=[], files=[file_of()])
    sent = TODAY - timedelta(days=4)
    assert case.items.get(form="digest").came_on == TODAY
    case.items.filter(form="digest").update(came_on=sent)
    Case.objects.filter(pk=case.pk).update(proposed_by=member("second.legal@house.example", role=Role.LEGAL))
    wait_over()
    with scanner(b"stream: OK\0") as (settings.CLAMD, _seen):
        assert work_files.sweep() == 1
    assert CaseLink.objects.get(case=case).other.received_on == sent


@pytest.mark.parametrize("channel", [Channel.API, Channel.FORM])
def test_a_text_that_comes_late_keeps_the_channel_of_the_filing(walk: Any, settings: Any, channel: Channel) -> None:
    case = walk(file_case(channel=channel), Status.DECISION)
    item = case.items.create(subject=case.claimant.subject, position=9, form="digest", title="Ebb", text="sha256:0")
    Case.objects.filter(pk=case.pk).update(proposed_by=member("second.legal@house.example", role=Role.LEGAL))
    Case.objects.filter(pk=case.pk).update(received_on=TODAY - timedelta(days=7))
    with transaction.atomic():
        additions.text_came(case=case, item=item, text="the ebb", actor=work_files.SYSTEM)
    made = CaseLink.objects.get(case=case).other
    assert (made.channel, made.received_on) == (channel, TODAY - timedelta(days=7)), "it came with the filing"


@pytest.mark.parametrize("drafted", [False, True])
def test_a_text_that_comes_late_does_not_lead_beyond_what_one_request_takes(
    client: Client, case: Case, settings: Any, monkeypatch: pytest.MonkeyPatch, drafted: bool
) -> None:
    settings.CLAMD = "tcp://127.0.0.1:9"
    if drafted:
        client.post(draft_page(client), {"files": SimpleUploadedFile("ebb.txt", b"the ebb"), "more": "1"})
    else:
        work_files.works_add(case=case, items=[], files=[file_of()])
    for module in (additions, work_files):
        monkeypatch.setattr(module, "MAX_TOTAL", 5 if drafted else len(POEM) + 5)
    wait_over()
    with scanner(b"stream: OK\0") as (settings.CLAMD, _seen):
        assert work_files.sweep() == 1
    assert Upload.objects.get().state == S.CLEAN and "the ebb" not in texts(case)
    assert {work.form for work in DraftWork.objects.all()} == ({"digest"} if drafted else set())


def draft_page(client: Client) -> str:
    return str(begin(client, "opt-out", {"name": "Zoë", "email": "zoe@example.org"})["Location"])


def test_the_files_of_a_draft_are_scanned(client: Client, settings: Any) -> None:
    page = draft_page(client)
    files = {"files": SimpleUploadedFile("ebb.txt", b"the ebb"), "title": "Lantern", "text": SONG}
    with scanner(FOUND) as (settings.CLAMD, seen):
        answer = client.post(page, files)
    assert answer.status_code == 422 and "The scanner found Eicar-Test-Signature." in answer.content.decode()
    assert seen == [b"the ebb"] and [work.title for work in DraftWork.objects.all()] == ["Lantern"]
    table = {"table": SimpleUploadedFile("list.csv", b"title,text\nFlood,the flood\n")}
    with scanner(FOUND) as (settings.CLAMD, _seen):
        assert "The scanner found" in client.post(page, table).content.decode()
    assert DraftWork.objects.count() == 1


def test_a_file_of_a_draft_that_waits_changes_hands_when_it_is_filed(
    client: Client, settings: Any, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    page = draft_page(client)
    settings.CLAMD = "tcp://127.0.0.1:9"
    client.post(page, {"files": SimpleUploadedFile("ebb.txt", b"the ebb"), "more": "1"})
    assert "Held until it is scanned" in client.get(page).content.decode()
    with django_capture_on_commit_callbacks(execute=True):
        client.post(page.replace("works", "check"), {"declared": "on"})
    case = Case.objects.get()
    row = case.uploads.get()
    assert row.item == case.items.get() and (row.item.form, row.name) == ("digest", "ebb.txt")
    wait_over()
    with scanner(b"stream: OK\0") as (settings.CLAMD, _seen):
        assert work_files.sweep() == 1
    assert texts(case) == ["the ebb"]


def test_a_draft_learns_what_became_of_a_file_and_leaves_no_bytes(
    client: Client, settings: Any, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    page = draft_page(client)
    settings.CLAMD = "tcp://127.0.0.1:9"
    for name in ("ebb", "tide"):
        client.post(page, {"files": SimpleUploadedFile(f"{name}.txt", name.encode()), "more": "1"})
    first, second = Upload.objects.order_by("pk")
    Upload.objects.filter(pk=first.pk).update(next_try_at="2020-01-01T00:00:00Z")
    with scanner(FOUND) as (settings.CLAMD, _seen):
        assert work_files.sweep() == 1
    assert "The scanner found Eicar-Test-Signature." in client.get(page).content.decode()
    with django_capture_on_commit_callbacks(execute=True):
        client.post(page, {"remove": str(second.draft_work_id)})
    assert not dispatch.exists(second.artifact) and Upload.objects.count() == 1
    assert client.get(page.replace("works", "check"))["Location"] == page, "a file that was not taken is no work"


def test_staff_see_every_file_of_a_case_and_what_is_kept_of_it(client: Client, case: Case) -> None:
    uploads.upload_take(case=case, name="<b>ada\u202egpj.exe", data=b"MZ\x90\x00" + b"\x00" * 60)
    uploads.upload_take(case=case, name="proof.png", data=picture("PNG"))
    work_files.works_add(case=case, items=[], files=[file_of(), file_of("sea.png", picture("PNG", (9, 9)))])
    page = f"/cases/{case.public_id}/?tab=files"
    client.force_login(member("l@house.example", role=Role.LEGAL))
    text = client.get(page).content.decode()
    kept = ("the file, sealed", "its text, as a work", "its fingerprint only, as a work")
    for told in ("Files, 4", "proof.png", "&lt;b&gt;ada gpj.exe", "not taken here", *kept):
        assert told in text, told
    client.force_login(member("a@house.example", role=Role.AUDITOR))
    text = client.get(page).content.decode()
    assert "proof.png" not in text and "File 2" in text and "not taken here" in text
