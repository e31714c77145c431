"""Letters and messages as pages: seen before they go out, marked as read, sent again, told to other systems."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from governance.models import Case, LedgerEntry, Letter, LetterDraft, LetterReview, Message, Role, Subscription, User
from governance.notifications import letters as files
from governance.notifications.languages import LANGUAGES
from governance.services.letters import compose, is_reviewed, letter_send
from governance.tokens import link_token
from tests.governance.conftest import file_case
from tests.governance.receivers import web_server
from tests.governance.staff import member, sign_in_to_decide

Enter = Callable[[Role], User]
S = Message.State


@pytest.fixture
def enter(client: Client) -> Enter:
    """Sign somebody in who may decide."""

    def by_role(role: Role) -> User:
        user = member(f"{role.value}.letters@house.example", first_name=str(role.label), role=role)
        sign_in_to_decide(client, user)
        return user

    return by_role


def text_of(answer: Any) -> str:
    """The page without mark-up, in one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def test_every_text_stands_in_the_table_with_its_state(client: Client, enter: Enter) -> None:
    enter(Role.LEGAL)
    page = client.get(reverse("letters"))
    count = len(files.names()) * len(LANGUAGES)
    assert page.status_code == 200 and page.content.decode().count("unreviewed") >= count
    assert f"{count} of {count} texts are unreviewed" in text_of(page)


def test_a_text_is_marked_by_counsel_and_translator_and_the_letter_stops_saying_otherwise(
    client: Client, enter: Enter, case: Case
) -> None:
    user = enter(Role.LEGAL)
    found = files.template("refused", "de")
    address = reverse("letter_review", args=["refused", "de"])
    before = compose(case, "refused", text="Kein Treffer.", language="de")
    assert not before.reviewed and "von keinem Juristen geprüft" in before.body and "Dear Vel Marun" in before.body
    for n, reader in enumerate(("counsel", "translator"), 1):
        assert client.post(address, {"reader": reader, "digest": found.digest}).status_code == 302
        assert is_reviewed(found) == (n == 2)
    after = compose(case, "refused", text="Kein Treffer.", language="de")
    assert after.reviewed and "geprüft und geben" in after.body and "Dear" not in after.body
    assert "keinem Juristen" not in after.body
    entry = LedgerEntry.objects.filter(action="letter.reviewed").latest("index")
    assert entry.opening.actor == user and entry.opening.body == {
        "template": "refused", "language": "de", "version": 1, "text": found.digest, "reader": "translator",
        "role": "legal",
    }  # fmt: skip
    page = text_of(client.get(reverse("letter", args=["refused", "de"])))
    assert "reviewed" in page and "Read by counsel" in page and "Mark as read" not in page
    assert client.post(address, {"reader": "counsel", "digest": found.digest}).status_code == 422


def test_an_edit_voids_the_mark(client: Client, enter: Enter, monkeypatch: Any, tmp_path: Path) -> None:
    user = enter(Role.LEGAL)
    old = files.template("refused", "en")
    LetterReview.objects.create(template="refused", language="en", digest=old.digest, reader="counsel", by=user)
    assert is_reviewed(old)
    for path in (files.FOLDER / "en").glob("*.txt"):
        (tmp_path / "en").mkdir(exist_ok=True)
        changed = path.read_text().replace("do not act on it", "will not act on it")
        (tmp_path / "en" / path.name).write_text(changed)
    monkeypatch.setattr(files, "FOLDER", tmp_path)
    files._load.cache_clear()
    try:
        new = files.template("refused", "en")
        assert new.digest != old.digest and not is_reviewed(new)
        stale = {"reader": "counsel", "digest": old.digest}
        assert client.post(reverse("letter_review", args=["refused", "en"]), stale).status_code == 409
    finally:
        files._load.cache_clear()


def test_a_change_of_a_passage_voids_the_mark_of_every_letter_that_may_take_it() -> None:
    found = files.template("refused", "en")
    assert "remedies.gdpr" in found.passages and "clock.paused" not in found.passages


def test_unknown_texts_and_fallbacks_have_no_page(client: Client, enter: Enter) -> None:
    enter(Role.AUDITOR)
    for name, language in (("praise", "en"), ("refused", "sv")):
        assert client.get(reverse("letter", args=[name, language])).status_code == 404


def test_an_arabic_text_is_shown_from_right_to_left(client: Client, enter: Enter) -> None:
    enter(Role.AUDITOR)
    page = client.get(reverse("letter", args=["refused", "ar"])).content.decode()
    assert 'lang="ar" dir="rtl"' in page


def test_a_letter_is_seen_before_it_goes_out_without_name_and_link(client: Client, enter: Enter, case: Case) -> None:
    enter(Role.LEGAL)
    page = client.get(reverse("case_letter", args=[case.public_id]), {"template": "no_data_found"}).content.decode()
    assert "no record that matches" in page and "masked:" in page
    assert "Vel Marun" not in page and link_token(case.public_id, "status") not in page


def test_a_look_from_a_steps_form_shows_its_words_and_changes_nothing(client: Client, enter: Enter, case: Case) -> None:
    enter(Role.LEGAL)
    before = (Letter.objects.count(), LedgerEntry.objects.count())
    sent = {"choice": "refuse", "text": "The works were never in our data."}
    page = client.post(reverse("case_letter_preview", args=[case.public_id]), sent)
    assert page.status_code == 200 and "never in our data" in text_of(page)
    page = client.post(reverse("case_letter_preview", args=[case.public_id]), {"choice": "ask", "text": ""})
    assert "the merge field “text” is missing" in text_of(page)
    page = client.post(reverse("case_letter_preview", args=[case.public_id]), {"choice": "admit"})
    assert "This choice writes no letter." in text_of(page)
    assert (Letter.objects.count(), LedgerEntry.objects.count()) == before


def test_a_message_is_written_by_hand_in_the_language_that_is_chosen(client: Client, enter: Enter, case: Case) -> None:
    enter(Role.LEGAL)
    address = reverse("case_letter", args=[case.public_id])
    empty = client.post(address, {"template": "message", "language": "fr", "text": "", "do": "send"})
    assert empty.status_code == 422 and "the merge field “text” is missing" in text_of(empty)
    sent = client.post(address, {"template": "message", "language": "fr", "text": "Bonjour.", "do": "send"})
    assert sent.status_code == 302
    letter = Letter.objects.latest("id")
    case.refresh_from_db()
    assert (letter.template, letter.language, case.language) == ("message", "fr", "fr") and "Bonjour." in letter.body
    assert client.post(address, {"template": "refused", "language": "fr", "text": "x", "do": "send"}).status_code == 422


def test_words_kept_for_the_closing_letter_stand_in_it(client: Client, enter: Enter, case: Case) -> None:
    enter(Role.LEGAL)
    address = reverse("case_letter", args=[case.public_id])
    kept = {"template": "no_data_found", "language": "en", "text": "We looked twice.", "do": "keep"}
    assert client.post(address, kept).status_code == 302
    assert b"twice" not in bytes(LetterDraft.objects.get().__dict__["text"])
    assert "We looked twice." in client.get(address, {"template": "no_data_found"}).content.decode()
    assert "We looked twice." in letter_send(case=case, template="no_data_found").body
    assert not LetterDraft.objects.exists()


def test_words_of_a_colleague_are_not_replaced_unread(client: Client, enter: Enter, case: Case) -> None:
    address, letter = reverse("case_letter", args=[case.public_id]), {"template": "no_data_found", "language": "en"}
    enter(Role.LEGAL)
    assert client.post(address, {**letter, "text": "We looked twice.", "do": "keep"}).status_code == 302
    mine = {**letter, "language": "fr", "text": "My own words.", "do": "keep"}
    for old in ("", f"no_data_found:{LetterDraft.objects.get().pk + 1}", f"refused:{LetterDraft.objects.get().pk}"):
        told = client.post(address, {**mine, "shown": old})
        page = text_of(told)
        assert told.status_code == 409 and "not what was shown" in page and "We looked twice." in page
        assert "My own words." in page and LetterDraft.objects.get().text == "We looked twice."
        case.refresh_from_db()
        assert case.language == "en"
    shown = told.context["form"]["shown"].value()
    assert client.post(address, {**mine, "shown": shown}).status_code == 302
    assert LetterDraft.objects.get().text == "My own words."
    again = client.get(address, {"template": "no_data_found"}).context["form"]["shown"].value()
    assert client.post(address, {**mine, "text": "", "shown": again}).status_code == 302
    assert not LetterDraft.objects.exists()


def test_a_letter_that_failed_is_shown_and_sent_again(client: Client, enter: Enter, case: Case) -> None:
    enter(Role.LEGAL)
    Message.objects.update(state=S.FAILED, last_error="The mail server was down.", attempts=18)
    message = Message.objects.get()
    assert "1 message did not arrive" in text_of(client.get(reverse("outbox")))
    assert "The mail server was down." in client.get(reverse("outbox"), {"state": "failed"}).content.decode()
    assert "No message stands here." in client.get(reverse("outbox"), {"state": "sent"}).content.decode()
    assert "The mail server was down." in text_of(
        client.get(reverse("case", args=[case.public_id]), {"tab": "letters"})
    )
    assert "Send again" in client.get(reverse("message", args=[message.public_id])).content.decode()
    client.post(reverse("message_again", args=[message.public_id]))
    message.refresh_from_db()
    assert (message.state, message.attempts) == (S.QUEUED, 0)
    assert client.post(reverse("message_again", args=[message.public_id])).status_code == 409


def test_the_outbox_goes_on_page_by_page(client: Client, enter: Enter, case: Case, monkeypatch: Any) -> None:
    enter(Role.ADMINISTRATOR)
    other = file_case()
    monkeypatch.setattr("governance.web.outbox_pages.SIZE", 1)
    first = client.get(reverse("outbox")).content.decode()
    assert other.number in first and case.number not in first and "Next page" in first
    second = client.get(reverse("outbox"), {"before": Message.objects.latest("id").pk}).content.decode()
    assert case.number in second


def test_an_administrator_subscribes_tests_rotates_and_removes(client: Client, enter: Enter, settings: Any) -> None:
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    enter(Role.ADMINISTRATOR)
    refused = {"name": "Inside", "url": "https://10.0.0.1/", "events": ["case.moved"]}
    answer = client.post(reverse("webhook_new"), refused)
    assert answer.status_code == 422 and "which is not public" in text_of(answer)
    with web_server() as receiver:
        good = {"name": "Tickets", "url": receiver.url, "events": ["case.moved", "case.closed"]}
        secret = re.search(r"whsec_[\w+/=]+", client.post(reverse("webhook_new"), good).content.decode())
        row = Subscription.objects.get()
        address = reverse("webhook", args=[row.public_id])
        assert secret and secret[0] == str(row.secret) and secret[0] not in client.get(address).content.decode()
        assert client.post(reverse("webhook_ping", args=[row.public_id])).status_code == 302
        assert "The receiver took the test message." in text_of(client.get(address))
        receiver.status = 500
        client.post(reverse("webhook_ping", args=[row.public_id]))
        assert "did not take it: The receiver answered 500." in text_of(client.get(address))
    rotated = client.post(reverse("webhook_rotate", args=[row.public_id])).content.decode()
    assert "whsec_" in rotated and secret[0] not in rotated
    client.post(reverse("webhook_stop", args=[row.public_id]))
    assert "stopped" in text_of(client.get(address))
    assert client.post(reverse("webhook_ping", args=[row.public_id])).status_code == 409
    client.post(reverse("webhook_resume", args=[row.public_id]))
    assert client.post(reverse("webhook_remove", args=[row.public_id])).status_code == 302
    assert client.get(address).status_code == 404
