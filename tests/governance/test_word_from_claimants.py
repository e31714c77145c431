"""Each side hears of the other: letters at each step that tell nothing of findings; staff see word that came."""

from __future__ import annotations

import io
import json
import re
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import transaction
from django.test import Client
from django.utils import timezone

from governance.errors import Conflict, NotAllowed
from governance.models import Case, Kind, LedgerOpening, Letter, Role, Status, Upload
from governance.notifications.errors import SendFailed
from governance.policies import CLAIMANT, Actor
from governance.selectors import organisation
from governance.selectors import queue as select
from governance.services import additions, case_export, file_letters, letters, news, proof, proofs, review, uploads
from governance.services.intake import Item
from tests.governance.conftest import file_case
from tests.governance.staff import sign_in_to_decide
from tests.governance.test_claimants_show_what_is_theirs import begin, confirmed
from tests.governance.world import web

People = dict[Role, Actor]
NUMBER = "ISBN 978-3-16-148410-0"
TELLS = ("found", "record", "match", "hit")


def written(case: Case) -> list[str]:
    return list(case.letters.order_by("pk").values_list("template", flat=True))


def asked(case: Case, people: People) -> Case:
    review.information_ask(case=case, actor=people[Role.LEGAL], question="Which edition is it?", pauses_clock=False)
    return case


@pytest.mark.parametrize("kind", [Kind.COPYRIGHT, Kind.PRIVACY])
def test_the_claimant_hears_that_the_proof_counts_and_that_work_has_begun(
    walk: Any, kind: Kind, people: People
) -> None:
    case = walk(file_case(kind), Status.DECISION)
    assert written(case) == ["received", "proven", "admitted"]
    for letter in Letter.objects.filter(case=case, template__in=("proven", "admitted")):
        said = letter.body.lower().replace("what we find or decide", "")
        assert not [word for word in TELLS if word in said] and case.number in letter.title


def test_a_proof_by_oneself_is_told_once(people: People) -> None:
    case = confirmed(items=[Item(form="number", title=NUMBER, text=NUMBER)])
    row = begin(case, "registry", NUMBER)
    proofs.challenge_judge(challenge=row, accept=True, reason="The register names her.", actor=people[Role.LEGAL])
    proof.proof_accept(case=case, actor=people[Role.LEGAL])
    assert written(case) == ["received", "proven"]


def later() -> None:
    Upload.objects.update(settled_at=timezone.now() - file_letters.QUIET - timedelta(seconds=1))


def test_files_that_came_together_are_told_of_in_one_letter(case: Case) -> None:
    uploads.upload_take(case=case, name="secret name.txt", data=b"a poem")
    uploads.upload_take(case=case, name="tool.exe", data=b"MZ\x90\x00" + b"\x00" * 60)
    assert file_letters.files_tell() == 0, "a moment later"
    later()
    assert (file_letters.files_tell(), file_letters.files_tell()) == (1, 0)
    letter = case.letters.latest("pk")
    assert letter.template == "files" and "did not take others" in letter.body and "secret name" not in letter.body
    uploads.upload_take(case=case, name="b.txt", data=b"another")
    later()
    assert file_letters.files_tell() == 1 and "We took what you sent." in case.letters.latest("pk").body


def test_added_works_are_confirmed_to_the_address_and_one_beside_names_the_first(walk: Any, case: Case) -> None:
    work = Item(form="text", title="Lantern", text="a lantern counts the ferries home")
    additions.works_add(case=case, items=[work])
    assert "now holds the works that you added" in case.letters.latest("pk").body
    done = walk(file_case(), Status.PLANNING)
    beside = additions.works_add(case=done, items=[work]).case
    letter = beside.letters.get()
    assert letter.template == "added" and done.number in letter.body and beside.number in letter.title
    german = letters.compose(beside, "added", language="de", more={"added": "beside", "parent_number": done.number})
    assert done.number in german.body and "eigener Antrag" in german.body


def test_an_answer_is_seen_in_the_queue_and_on_the_case_until_somebody_has_read_it(
    client: Client, walk: Any, case: Case, people: People
) -> None:
    asked(walk(case, Status.REVIEW), people)
    legal = people[Role.LEGAL]
    assert not select.cases(legal, "news").exists()
    review.information_answer(case=case, text="The second edition.", actor=CLAIMANT)
    assert list(select.cases(legal, "news")) == [case]
    sign_in_to_decide(client, legal.user)
    page = client.get(f"/cases/{case.public_id}/").content.decode()
    assert "Word from the claimant, unread since" in page and "I have read it" in page
    assert "Word from the claimant" in client.get("/cases/?view=news").content.decode()
    with pytest.raises(NotAllowed):
        news.news_read(case=case, upto=10**6, actor=people[Role.AUDITOR])
    assert client.post(f"/cases/{case.public_id}/seen/", {"upto": upto_of(page)}).status_code == 302
    assert not select.cases(legal, "news").exists()
    assert LedgerOpening.objects.get(case=case, entry__action="news.read").actor == legal.user
    with pytest.raises(Conflict):
        news.news_read(case=case, upto=10**6, actor=legal)
    assert "unread since" not in client.get(f"/cases/{case.public_id}/").content.decode()


def upto_of(page: str) -> str:
    found = re.search(r'name="upto" value="(\d+)"', page)
    assert found, "the page carries how far it goes"
    return found[1]


def test_what_came_after_the_page_was_loaded_stays_unread_and_is_mailed(
    client: Client, walk: Any, case: Case, people: People
) -> None:
    asked(walk(case, Status.REVIEW), people)
    review.information_answer(case=case, text="The second edition.", actor=CLAIMANT)
    sign_in_to_decide(client, people[Role.LEGAL].user)
    loaded = upto_of(client.get(f"/cases/{case.public_id}/").content.decode())
    assert news.news_mail() == 1
    first = Case.objects.get(pk=case.pk).news_at
    additions.works_add(case=case, items=[Item(form="url", title="Tide", text="https://example.org/tide")])
    answer = client.post(f"/cases/{case.public_id}/seen/", {"upto": loaded}, follow=True).content.decode()
    assert "More has come since you loaded the page" in answer
    case.refresh_from_db()
    assert first and case.news_at and case.news_at > first and news.news_mail() == 1
    client.post(f"/cases/{case.public_id}/seen/", {"upto": upto_of(answer)})
    case.refresh_from_db()
    assert case.news_at is None


def test_staff_are_mailed_once_and_again_only_where_the_server_took_nothing(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = confirmed(items=[Item(form="number", title=NUMBER, text=NUMBER)])
    mail.outbox.clear()
    begin(case, "registry", NUMBER)
    with monkeypatch.context() as patch:
        patch.setattr("governance.notifications.mail.send", lambda _mail: (_ for _ in ()).throw(SendFailed("down")))
        assert news.news_mail() == 0
    assert (news.news_mail(), news.news_mail()) == (1, 0)
    contact = organisation.current().contact
    assert {m.to[0] for m in mail.outbox} == {people[Role.LEGAL].user.email, *([contact] if "@" in contact else [])}
    (first, *_rest) = mail.outbox
    assert case.number in first.subject and f"/cases/{case.public_id}/" in first.body and "Marun" not in first.body
    additions.works_add(case=case, items=[Item(form="url", title="Tide", text="https://example.org/tide")])
    assert news.news_mail() == 0, "what is unread is mailed once"
    Case.objects.filter(pk=case.pk).update(officer=people[Role.APPROVER].user)
    assert news.news_read(case=case, upto=news.newest(case) or 0, actor=people[Role.LEGAL])
    news.news_note(case)
    assert news.recipients(Case.objects.get(pk=case.pk))[0] != people[Role.LEGAL].user.email


def test_a_proof_that_the_machine_saw_after_the_page_was_loaded_stays_unread(settings: Any, people: People) -> None:
    settings.OUTBOUND_NETWORKS = ["127.0.0.0/8"]
    case = confirmed()
    with web() as world:
        row = begin(case, "profile", f"{world.url}/vel")
        world.put("/vel", row.code)
        news.news_note(case)
        loaded = news.newest(case) or 0
        assert proofs.challenge_try(challenge=row).shown
    entries = LedgerOpening.objects.filter(case=case, entry_id__gt=loaded)
    assert set(entries.values_list("entry__action", flat=True)) >= {"proof.recorded", "proof.settled"}
    assert not news.news_read(case=case, upto=loaded, actor=people[Role.LEGAL])
    assert news.news_read(case=case, upto=news.newest(case) or 0, actor=people[Role.LEGAL])


def test_a_text_that_was_read_after_the_page_was_loaded_stays_unread(walk: Any, people: People) -> None:
    first = walk(file_case(), Status.PLANNING)
    item = first.items.create(subject=first.claimant.subject, position=9, form="digest", title="Ebb", text="sha256:0")
    beside = additions.works_add(case=first, items=[Item(form="text", title="Tide", text="the tide")]).case
    loaded = news.newest(beside) or 0
    Case.objects.filter(pk=beside.pk).update(received_on=first.received_on)
    with transaction.atomic():
        additions.text_came(case=first, item=item, text="the ebb", actor=Actor.system("uploads"))
    assert beside.items.count() == 2
    assert not news.news_read(case=beside, upto=loaded, actor=people[Role.LEGAL])
    assert news.news_read(case=beside, upto=news.newest(beside) or 0, actor=people[Role.LEGAL])


def test_a_begun_proof_that_nobody_has_to_look_at_is_no_news() -> None:
    case = confirmed()
    begin(case, "profile", "https://example.org/vel")
    case.refresh_from_db()
    assert case.news_at is None


def test_the_export_holds_answers_challenges_and_files(walk: Any, people: People) -> None:
    case = confirmed(items=[Item(form="number", title=NUMBER, text=NUMBER)])
    begin(case, "registry", NUMBER)
    begin(case, "profile", "https://example.org/vel")
    uploads.upload_take(case=case, name="proof.txt", data=b"a poem")
    asked(case, people)
    review.information_answer(case=case, text="The second edition.", actor=CLAIMANT)
    archive = zipfile.ZipFile(io.BytesIO(case_export.case_export(case=case, actor=people[Role.LEGAL])))
    told = json.loads(archive.read("case.json"))
    assert [one["text"] for one in told["answers"]] == ["The second edition."]
    assert [(one["method"], one["state"]) for one in told["challenges"]] == [
        ("registry", "waiting"),
        ("profile", "open"),
    ]
    code = case.challenges.get(method="profile").code
    assert code and code not in json.dumps(told)
    assert [(one["name"], one["state"], one["work"]) for one in told["files"]] == [("proof.txt", "clean", False)]
