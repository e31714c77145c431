"""Drafts: kept sealed page by page, resumed by a link, filed once, destroyed when their time is over."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from governance.models import Capacity, Case, Draft, DraftWork, LedgerOpening, SubjectKey
from governance.models.vault import subject_readable
from governance.services import drafts
from tests.governance.filing import begin, file

pytestmark = pytest.mark.database

ARTIST = {"name": "Zoë Ængström", "email": "zoe@example.org", "title": "Tide", "text": "The tide.", "declared": "on"}
PERSON = {"name": "Ada Quill", "email": "ada@example.org", "facts": "Ada lives in Ardry.", "law": "gdpr"}


def upload(name: str, text: str) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, text.encode())


def test_a_draft_is_resumed_by_its_link_from_another_device(client: Client) -> None:
    begin(client, "privacy", PERSON)
    link = f"/draft/{drafts.draft_token(Draft.objects.get())}/"
    other = Client()
    assert other.get(link)["Location"] == f"{link}facts/"
    other.post(f"{link}facts/", {"facts": PERSON["facts"]})
    assert other.get(link)["Location"] == f"{link}law/"
    assert PERSON["facts"] in client.get(f"{link}facts/").content.decode()
    assert 'value="Ada Quill"' in client.get(f"{link}who/").content.decode()


def test_a_draft_lies_sealed(client: Client) -> None:
    begin(client, "opt-out", ARTIST)
    draft = Draft.objects.get()
    client.post(f"/draft/{drafts.draft_token(draft)}/works/", {"title": "Tide", "text": "The tide."})
    raw = bytes(Draft.objects.values_list("answers", flat=True)[0])
    work = DraftWork.objects.values_list("title", "text")[0]
    for private in ("Zoë", "zoe@example.org", "Tide", "tide"):
        assert private.encode() not in raw + bytes(work[0]) + bytes(work[1])


def test_filing_destroys_the_drafts_key_and_content(client: Client, django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        file(client, "opt-out", ARTIST)
    draft = Draft.objects.get()
    assert draft.case == Case.objects.get() and not DraftWork.objects.exists()
    assert not subject_readable(draft) and not bytes(Draft.objects.values_list("answers", flat=True)[0])


def test_a_second_press_files_nothing_and_shows_the_receipt(client: Client) -> None:
    file(client, "opt-out", ARTIST)
    check = f"/draft/{drafts.draft_token(Draft.objects.get())}/check/"
    assert client.post(check, {"declared": "on"})["Location"] == "/receipt/"
    stranger = Client().post(check, {"declared": "on"}).content.decode()
    assert "This request was sent already." in stranger and Case.objects.get().number in stranger
    assert Case.objects.count() == 1


def test_what_the_intake_refuses_stays_a_draft(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("governance.services.intake.MAX_ITEMS", 0)
    answer = file(client, "opt-out", ARTIST)
    assert answer.status_code == 422 and "file at most 0" in answer.content.decode()
    assert Draft.objects.get().sent_at is None and DraftWork.objects.count() == 1


def test_a_draft_whose_time_is_over_is_destroyed_with_its_key(client: Client) -> None:
    begin(client, "opt-out", ARTIST)
    draft = Draft.objects.get()
    link = f"/draft/{drafts.draft_token(draft)}/works/"
    assert drafts.drafts_expire() == 0
    Draft.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    answer = client.get(link)
    assert answer.status_code == 404 and "This link leads to no draft." in answer.content.decode()
    assert drafts.drafts_expire() == 1
    assert not Draft.objects.exists() and SubjectKey.objects.get(subject=draft.subject).wrapped is None


def test_a_draft_is_deleted_at_its_writers_word(client: Client, django_capture_on_commit_callbacks: Any) -> None:
    begin(client, "opt-out", ARTIST)
    draft = Draft.objects.get()
    with django_capture_on_commit_callbacks(execute=True):
        page = client.post(f"/draft/{drafts.draft_token(draft)}/discard/").content.decode()
    assert "The draft is deleted." in page and not Draft.objects.exists() and not subject_readable(draft)


def test_the_link_is_shown_and_sent_at_most_once_in_a_quarter_of_an_hour(client: Client) -> None:
    begin(client, "opt-out", ARTIST)
    link = f"/draft/{drafts.draft_token(Draft.objects.get())}/"
    page = client.get(f"{link}save/").content.decode()
    assert link in page and "z…@example.org" in page and "zoe@example.org" not in page
    assert "Sent." in client.post(f"{link}save/").content.decode()
    assert "a moment ago" in client.post(f"{link}save/").content.decode()
    (letter,) = mail.outbox
    assert letter.to == ["zoe@example.org"] and link in letter.body


@pytest.mark.parametrize("token", ["x", "a" * 32])
def test_a_wrong_link_tells_nothing(client: Client, token: str) -> None:
    begin(client, "opt-out", ARTIST)
    for rest in ("", "who/", "check/", "save/"):
        answer = client.get(f"/draft/{token}/{rest}")
        assert answer.status_code == 404 and "Zoë" not in answer.content.decode()


def test_an_unknown_page_leads_back_into_the_draft(client: Client) -> None:
    works = begin(client, "opt-out", ARTIST)["Location"]
    assert client.get(works.replace("works", "nowhere"))["Location"] == works.replace("works/", "")
    assert client.get(works.replace("works", "check"))["Location"] == works


def test_who_acts_for_somebody_names_them_and_declares_a_mandate(client: Client) -> None:
    acts = {**ARTIST, "capacity": "agent"}
    assert "name of the person for whom you act" in begin(client, "opt-out", acts).content.decode()
    acts["principal"] = "Mira Holm"
    answer = file(client, "opt-out", acts)
    assert answer.status_code == 422 and "I declare that Mira Holm gave me a mandate" in answer.content.decode()
    draft = Draft.objects.latest("pk")
    client.post(f"/draft/{drafts.draft_token(draft)}/check/", {"declared": "on", "mandate": "on"})
    case = Case.objects.get()
    assert (case.capacity, case.claimant.principal) == (Capacity.AGENT, "Mira Holm")
    body = LedgerOpening.objects.get(case=case, entry__action="case.received").body
    assert body["capacity"] == "agent" and "Mira" not in json.dumps(body)


@pytest.mark.parametrize(("kind", "capacity"), [("opt-out", "guardian"), ("privacy", "heir"), ("privacy", "king")])
def test_a_capacity_that_does_not_fit_is_refused(client: Client, kind: str, capacity: str) -> None:
    answer = begin(client, kind, {**PERSON, "capacity": capacity, "principal": "Mira Holm"})
    assert answer.status_code == 422 and not Draft.objects.exists()


CSV = "title,text,url,number\nTide,The tide.,,\nBook,,,978-3-16-148410-0\n,,https://example.org/a,\n"
JSONL = '{"title": "Tide", "text": "The tide."}\n\n{"number": "ISRC US-SKG-19-12345"}\n'


@pytest.mark.parametrize(
    ("name", "text", "forms"),
    [
        ("works.csv", CSV, ["text", "number", "url"]),
        ("works.csv", CSV.replace(",", ";"), ["text", "number", "url"]),
        ("works.jsonl", JSONL, ["text", "number"]),
    ],
)
def test_a_list_names_many_works(client: Client, name: str, text: str, forms: list[str]) -> None:
    file(client, "opt-out", {**ARTIST, "title": "", "text": "", "table": upload(name, text)})
    assert [item.form for item in Case.objects.get().items.all()] == forms


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("works.csv", "title,text\nTide,\n", "Line 2: it has no text, no address and no number."),
        ("works.csv", "number\n978-3-16-148410-1\n", "Line 2: “978-3-16-148410-1” is no valid ISBN"),
        ("works.csv", "url\njavascript:x\n", "Line 2: Write a whole address"),
        ("works.jsonl", '{"title": "Tide"', "Line 1: this is no JSON object."),
        ("works.jsonl", "[" * 5000, "Line 1: this is no JSON object."),
        ("works.csv", "", "“works.csv” is empty: 0 bytes."),
        ("works.csv", "text\n" + "line\n" * 201, "The list names 201 works; one request takes at most 200."),
    ],
)
def test_a_list_that_cannot_be_read_is_explained_by_line(client: Client, name: str, text: str, said: str) -> None:
    answer = file(client, "opt-out", {**ARTIST, "table": upload(name, text)})
    assert answer.status_code == 422 and said in answer.content.decode()


def test_a_picture_is_known_by_its_digest_and_not_kept(client: Client) -> None:
    png = b"\x89PNG\r\n\x1a\n" + bytes(100)
    file(client, "opt-out", {**ARTIST, "title": "", "text": "", "files": SimpleUploadedFile("Sea.png", png)})
    item = Case.objects.get().items.get()
    assert (item.form, item.title) == ("digest", "Sea") and item.text.startswith("sha256:") and "108 bytes" in item.text


def test_more_works_than_a_request_takes_are_refused_and_nothing_is_lost(client: Client) -> None:
    works = begin(client, "opt-out", ARTIST)["Location"]
    client.post(works, {"addresses": "\n".join(f"https://example.org/{n}" for n in range(150)), "more": "1"})
    answer = client.post(works, {"addresses": "\n".join(f"https://example.org/b{n}" for n in range(150))})
    assert answer.status_code == 422 and "file at most 200" in answer.content.decode()
    assert DraftWork.objects.count() == 150 and "https://example.org/b149" in answer.content.decode()
