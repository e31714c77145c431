"""Letters on their way: a real mail server, one that is down, refusals, bounces, several workers, poison."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail as django_mail
from django.utils import timezone

from governance.errors import Conflict, NotAllowed
from governance.models import Case, LedgerEntry, LedgerOpening, Letter, Message, Role
from governance.models.vault import subject_destroy
from governance.notifications import mail
from governance.policies import Actor
from governance.services import outbox
from governance.services.letters import letter_send
from tests.governance.conftest import file_case
from tests.governance.receivers import MailServer, mail_server, no_mail_server

pytestmark = pytest.mark.database

S = Message.State


@pytest.fixture
def server(settings: Any) -> Iterator[MailServer]:
    """A mail server that takes everything."""
    with mail_server(settings) as running:
        yield running


def newest() -> Message:
    """The last message."""
    return Message.objects.latest("id")


def make_due(message: Message) -> None:
    """Its next try is now."""
    Message.objects.filter(pk=message.pk).update(next_try_at=timezone.now())


def actions(case: Case) -> list[str]:
    """What the ledger holds on the case's letters."""
    found = LedgerEntry.objects.filter(opening__case=case, action__startswith="letter.")
    return list(found.values_list("action", flat=True))


def test_a_letter_travels_through_a_real_mail_server_and_leaves_evidence(server: MailServer) -> None:
    case = file_case()
    assert outbox.outbox_sweep() == 1
    (taken,) = server.taken
    assert (taken["To"], taken["Content-Language"]) == ("vel@marun.example", "en")
    assert case.number in taken["Subject"] and "/confirm/" in taken.get_content()
    message = newest()
    assert (message.state, message.attempts, message.provider_id) == (S.SENT, 1, taken["Message-ID"])
    assert message.letter and message.letter.sent_at and actions(case) == ["letter.written", "letter.sent"]
    entry = LedgerOpening.objects.get(entry__action="letter.sent")
    assert "marun" not in str(entry.body) and "@" not in str(entry.body)


def test_what_runs_from_right_to_left_travels_with_its_direction(server: MailServer) -> None:
    file_case(language="ar")
    outbox.outbox_sweep()
    html = server.taken[0].get_body(preferencelist=("html",))
    assert html and '<html lang="ar" dir="rtl">' in html.get_content() and 'href="http' in html.get_content()


def test_a_letter_is_tried_as_soon_as_its_step_is_committed(
    server: MailServer, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        file_case()
    assert len(server.taken) == 1 and newest().state == S.SENT
    assert outbox.outbox_sweep() == 0 and len(server.taken) == 1


def test_with_the_mail_server_down_letters_wait_and_the_server_is_asked_once_a_sweep(settings: Any) -> None:
    no_mail_server(settings)
    first, second = file_case(), file_case()
    assert outbox.outbox_sweep() == 0
    one, two = (Message.objects.get(case=case) for case in (first, second))
    assert (one.state, one.attempts, two.state, two.attempts) == (S.QUEUED, 1, S.QUEUED, 0)
    assert "Connection" in one.last_error and one.next_try_at > timezone.now()
    assert outbox.outbox_sweep() == 0
    two.refresh_from_db()
    assert two.attempts == 1
    with mail_server(settings) as server:
        for message in (one, two):
            make_due(message)
        assert outbox.outbox_sweep() == 2 and len(server.taken) == 2


def test_a_page_does_not_wait_for_a_mail_server_that_failed_a_moment_ago(
    settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    no_mail_server(settings)
    for _n in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            file_case()
    tried, left = Message.objects.order_by("id")
    assert (tried.attempts, left.attempts) == (1, 0)


def test_each_wait_is_twice_as_long_up_to_six_hours(settings: Any) -> None:
    assert [outbox.wait_after(n) / timedelta(minutes=1) for n in (1, 2, 3, 9, 10, 18)] == [1, 2, 4, 256, 360, 360]
    no_mail_server(settings)
    file_case()
    for n in (1, 2, 3):
        make_due(newest())
        before = timezone.now()
        outbox.outbox_sweep()
        waits = (newest().next_try_at - before) / timedelta(minutes=1)
        assert newest().attempts == n and 2 ** (n - 1) <= waits < 2 ** (n - 1) + 0.2


def test_after_its_last_try_a_letter_ends_as_failed_and_visible(settings: Any) -> None:
    no_mail_server(settings)
    case = file_case()
    Message.objects.update(attempts=outbox.TRIES["email"] - 1)
    outbox.outbox_sweep()
    assert newest().state == S.FAILED and newest().settled_at and actions(case)[-1] == "letter.failed"
    make_due(newest())
    assert outbox.outbox_sweep() == 0 and newest().attempts == outbox.TRIES["email"]


def test_an_address_that_the_server_refuses_comes_back_at_once(server: MailServer) -> None:
    server.answer = "550 <vel@marun.example>: no such user"
    case = file_case()
    outbox.outbox_sweep()
    assert newest().state == S.BOUNCED and actions(case)[-1] == "letter.bounced"
    assert "550" in newest().last_error and "marun" not in newest().last_error


def test_a_server_that_is_busy_is_asked_again(server: MailServer) -> None:
    server.answer = "451 try later, vel@marun.example"
    file_case()
    outbox.outbox_sweep()
    assert newest().state == S.QUEUED and "451" in newest().last_error
    server.answer = "250 OK"
    make_due(newest())
    assert outbox.outbox_sweep() == 1


def test_a_letter_that_the_server_will_never_take_ends_at_once(server: MailServer) -> None:
    server.says_to_data = "554 vel@marun.example: refused"
    file_case()
    outbox.outbox_sweep()
    assert newest().state == S.FAILED and "marun" not in newest().last_error


def test_poison_ends_as_failed_and_stops_nothing_else(server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    poisoned, healthy = file_case(name="Poison"), file_case(name="Vel Marun")
    letter = Letter.objects.get(case=poisoned)
    letter.title = "Two\nlines"
    letter.save()
    assert outbox.outbox_sweep() == 1
    assert Message.objects.get(case=poisoned).state == S.FAILED
    assert "BadHeaderError" in Message.objects.get(case=poisoned).last_error
    assert Message.objects.get(case=healthy).state == S.SENT


def test_a_message_that_ends_its_worker_each_time_ends_as_failed(monkeypatch: pytest.MonkeyPatch, case: Case) -> None:
    class WorkerGone(BaseException):
        """As if the process had been killed."""

    def die(_mail: mail.Mail) -> str:
        raise WorkerGone

    monkeypatch.setattr(mail, "send", die)
    for n in range(1, outbox.TRIES["email"] + 1):
        with pytest.raises(WorkerGone):
            outbox.deliver(newest().pk)
        assert (newest().state, newest().attempts) == (S.SENDING, n)
        Message.objects.update(taken_at=timezone.now() - outbox.LEASE - timedelta(seconds=1))
        outbox._take_up_lost()
        make_due(newest())
    assert newest().state == S.FAILED and "may have gone out" in newest().last_error


def test_what_another_worker_holds_is_left_alone(server: MailServer, case: Case) -> None:
    Message.objects.update(state=S.SENDING, taken_at=timezone.now())
    assert outbox.deliver(newest().pk) is False and outbox.outbox_sweep() == 0
    assert not server.taken and newest().state == S.SENDING


def test_a_second_worker_that_comes_while_the_first_sends_does_nothing(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent, second = [], []

    def slowly(one: mail.Mail) -> str:
        second.append((outbox.deliver(newest().pk), outbox.outbox_sweep()))
        sent.append(one.key)
        return "taken"

    monkeypatch.setattr(mail, "send", slowly)
    assert outbox.deliver(newest().pk) is True
    assert (len(sent), second) == (1, [(False, 0)]) and newest().state == S.SENT


def test_a_late_worker_cannot_undo_what_another_settled(case: Case) -> None:
    stale = newest()
    Message.objects.update(state=S.SENDING, attempts=2)
    stale.attempts = 1
    outbox._settle_failure(stale, outbox.SendFailed("late", permanent=True))
    assert newest().state == S.SENDING


def test_failed_letters_go_out_again_only_at_a_persons_word(
    settings: Any, case: Case, people: dict[Role, Actor]
) -> None:
    message = newest()
    with pytest.raises(Conflict):
        outbox.message_again(message=message, actor=people[Role.LEGAL])
    Message.objects.update(state=S.FAILED, attempts=18, last_error="x")
    with pytest.raises(NotAllowed):
        outbox.message_again(message=message, actor=people[Role.ENGINEER])
    outbox.message_again(message=message, actor=people[Role.LEGAL])
    with mail_server(settings) as server:
        assert outbox.outbox_sweep() == 1 and len(server.taken) == 1
    assert LedgerEntry.objects.filter(action="message.again").count() == 1


def test_news_of_delivery_and_bounce_are_kept_once_and_in_order(case: Case) -> None:
    Message.objects.update(state=S.SENT, provider_id="p-1", attempts=1)
    key = str(newest().public_id)
    assert outbox.tracked(key=key, provider_id="", arrived=True)
    assert newest().state == S.DELIVERED
    assert not outbox.tracked(key="", provider_id="p-1", arrived=True)
    assert outbox.tracked(key="", provider_id="p-1", arrived=False, why="mailbox full")
    assert newest().state == S.BOUNCED and newest().last_error == "mailbox full"
    assert not outbox.tracked(key=key, provider_id="p-1", arrived=True)
    assert not outbox.tracked(key="not an id", provider_id="unknown", arrived=False)
    assert actions(case)[-2:] == ["letter.delivered", "letter.bounced"]


def test_a_letter_that_came_back_to_the_mailbox_is_put_on_record(case: Case, people: dict[Role, Actor]) -> None:
    with pytest.raises(Conflict):
        outbox.message_returned(message=newest(), actor=people[Role.LEGAL])
    Message.objects.update(state=S.SENT)
    outbox.message_returned(message=newest(), actor=people[Role.LEGAL])
    assert newest().state == S.BOUNCED


def test_nobody_is_written_to_after_their_erasure(case: Case) -> None:
    subject_destroy(case.claimant.subject)
    assert outbox.outbox_sweep() == 0
    assert newest().state == S.FAILED and "erased" in newest().last_error
    assert LedgerOpening.objects.filter(entry__action="letter.failed", case=None).exists()


def test_the_same_letter_keeps_its_id_on_every_try(settings: Any, case: Case) -> None:
    key = mail.Mail(key="abc", to="a@b.example", title="t", body="b")
    mail.send(key)
    mail.send(key)
    assert len({m.extra_headers["Message-ID"] for m in django_mail.outbox}) == 1


def test_a_refused_step_leaves_no_message(case: Case) -> None:
    before = Message.objects.count()
    with pytest.raises(Exception, match="missing"):
        letter_send(case=case, template="extended")
    assert Message.objects.count() == before
