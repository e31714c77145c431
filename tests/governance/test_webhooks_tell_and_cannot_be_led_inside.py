"""Webhooks: a real receiver, signatures, replay, retries, a dead receiver, and addresses that would lead inside."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from governance import outbound
from governance.errors import Conflict, KeyDestroyed, NotAllowed, Unfit
from governance.models import LedgerEntry, Message, Role, Status, Subscription
from governance.notifications import signature
from governance.notifications.errors import SendFailed
from governance.policies import Actor
from governance.services import intake, notification, outbox, webhooks
from governance.services.jobs import job_run
from governance.tokens import link_token
from tests.governance.conftest import file_case
from tests.governance.receivers import WebServer, free_port, web_server

S = Message.State


@pytest.fixture
def receiver(settings: Any) -> Iterator[WebServer]:
    """A receiver on the loopback network, which is opened for it."""
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    with web_server() as running:
        yield running


@pytest.fixture
def admin(people: dict[Role, Actor]) -> Actor:
    """The administrator."""
    return people[Role.ADMINISTRATOR]


def subscribe(receiver: WebServer, admin: Actor, *events: str) -> webhooks.Made:
    """A subscription to some events, all by default."""
    chosen = list(events) or list(webhooks.EVENTS)
    return webhooks.subscription_create(name="Tickets", url=receiver.url, events=chosen, actor=admin)


def send_all() -> int:
    """What the worker does: read the ledger, send what is due."""
    webhooks.webhooks_publish()
    Message.objects.filter(channel="webhook", state=S.QUEUED).update(next_try_at=timezone.now())
    return outbox.outbox_sweep()


def test_what_happens_to_a_case_is_told_signed_and_without_personal_data(receiver: WebServer, admin: Actor) -> None:
    made = subscribe(receiver, admin)
    case = file_case()
    intake.email_confirm(token=link_token(case.public_id, "confirm"))
    send_all()
    told = [json.loads(body) for _headers, body in receiver.got]
    assert [event["type"] for event in told] == ["case.received", "case.moved"]
    case.refresh_from_db()
    due = case.due_on.isoformat()
    assert told[1]["data"] == {"case": case.number, "status": "proof", "disposition": "", "due_on": due}
    for headers, body in receiver.got:
        assert signature.verify(received=headers, body=body, secret=made.secret)
        assert b"marun" not in body.lower() and b"@" not in body and headers["content-type"] == "application/json"


def test_a_receiver_that_knows_only_the_standard_agrees(receiver: WebServer, admin: Actor) -> None:
    made = subscribe(receiver, admin)
    file_case()
    send_all()
    headers, body = receiver.got[0]
    key = base64.b64decode(made.secret.removeprefix("whsec_"))
    signed = headers["webhook-id"].encode() + b"." + headers["webhook-timestamp"].encode() + b"." + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == expected and abs(int(headers["webhook-timestamp"]) - time.time()) < 30


def test_the_published_example_of_the_standard_is_reproduced() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    made = signature.headers(
        key="msg_p5jXN8AQM9LWM0D4loKWxJek", moment=1614265330, body=b'{"test": 2432232314}', secrets_in_force=[secret]
    )
    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("change", ["body", "id", "timestamp", "signature", "missing", "secret"])
def test_anything_changed_on_the_way_is_noticed(change: str) -> None:
    secret, body = signature.new_secret(), b'{"a":1}'
    headers = signature.headers(key="msg_1", body=body, secrets_in_force=[secret])
    if change == "body":
        body = b'{"a":2}'
    elif change == "missing":
        del headers["webhook-signature"]
    elif change == "secret":
        secret = signature.new_secret()
    else:
        headers[f"webhook-{change}"] = {"timestamp": str(int(time.time()) + 1)}.get(change, "v1,AAAA")
    assert not signature.verify(received=headers, body=body, secret=secret)


@pytest.mark.parametrize(("seconds", "good"), [(0, True), (299, True), (-299, True), (301, False), (-301, False)])
def test_a_message_played_again_later_is_refused(seconds: int, good: bool) -> None:
    secret, now = signature.new_secret(), int(time.time())
    headers = signature.headers(key="msg_1", body=b"{}", secrets_in_force=[secret], moment=now)
    assert signature.verify(received=headers, body=b"{}", secret=secret, now=now + seconds) is good


def test_only_chosen_events_are_told_and_nothing_of_before(receiver: WebServer, admin: Actor) -> None:
    file_case()
    subscribe(receiver, admin, "case.closed", "case.moved")
    case = file_case()
    intake.email_confirm(token=link_token(case.public_id, "confirm"))
    send_all()
    assert [json.loads(body)["type"] for _headers, body in receiver.got] == ["case.moved"]


def test_the_end_of_a_case_is_told_with_its_disposition(
    receiver: WebServer, admin: Actor, people: dict[Role, Actor]
) -> None:
    subscribe(receiver, admin, "case.closed")
    case = file_case()
    intake.case_withdraw(case=case, actor=people[Role.LEGAL])
    job = case.jobs.get(kind="notify")
    job_run(job_id=str(job.pk), attempt=0, handlers={"notify": notification.case_close})
    send_all()
    (body,) = (json.loads(body) for _headers, body in receiver.got)
    assert body["data"]["status"] == Status.CLOSED and body["data"]["disposition"] == "withdrawn"


def test_two_workers_read_an_entry_once(receiver: WebServer, admin: Actor) -> None:
    made = subscribe(receiver, admin)
    file_case()
    stale = Subscription.objects.get(pk=made.subscription.pk)
    assert webhooks.webhooks_publish() == 1
    assert webhooks._publish(stale) == 0 and Message.objects.filter(channel="webhook").count() == 1


def test_a_receiver_that_fails_is_tried_again_with_the_same_id_and_a_new_time(
    receiver: WebServer, admin: Actor
) -> None:
    subscribe(receiver, admin, "case.received")
    file_case()
    receiver.status = 503
    send_all()
    message = Message.objects.get(channel="webhook")
    assert (message.state, message.attempts) == (S.QUEUED, 1) and "503" in message.last_error
    assert message.next_try_at > timezone.now() + timedelta(seconds=50)
    receiver.status = 204
    send_all()
    first, second = receiver.got
    assert first[0]["webhook-id"] == second[0]["webhook-id"] and first[1] == second[1]
    message.refresh_from_db()
    assert message.state == S.SENT and [t.ok for t in message.tries.all()] == [True, False]


def test_a_dead_receiver_is_stopped_with_notice_and_nothing_is_lost(
    receiver: WebServer, admin: Actor, django_capture_on_commit_callbacks: Any
) -> None:
    made = subscribe(receiver, admin, "case.received")
    file_case()
    receiver.status = 500
    webhooks.webhooks_publish()
    Message.objects.filter(channel="webhook").update(attempts=outbox.TRIES["webhook"] - 1)
    with django_capture_on_commit_callbacks(execute=True):
        send_all()
    row = Subscription.objects.get(pk=made.subscription.pk)
    assert row.stopped_at and "10 times" in row.stopped_why and "500" in row.stopped_why
    assert any("was stopped" in letter.subject and "administrator@house.example" in letter.to for letter in mail.outbox)
    file_case()
    receiver.status = 200
    assert webhooks.webhooks_publish() == 0
    webhooks.subscription_resume(subscription=row, actor=admin)
    failed = Message.objects.get(channel="webhook", state=S.FAILED)
    outbox.message_again(message=failed, actor=admin)
    before = len(receiver.got)
    send_all()
    assert len(receiver.got) - before == 2
    assert Message.objects.filter(channel="webhook", state=S.SENT).count() == 2


def test_while_secrets_change_both_sign_and_later_only_the_new_one(receiver: WebServer, admin: Actor) -> None:
    made = subscribe(receiver, admin, "case.received")
    fresh = webhooks.secret_rotate(subscription=made.subscription, actor=admin)
    file_case()
    send_all()
    headers, body = receiver.got[-1]
    assert all(signature.verify(received=headers, body=body, secret=s) for s in (made.secret, fresh.secret))
    Subscription.objects.update(old_until=timezone.now())
    file_case()
    send_all()
    headers, body = receiver.got[-1]
    assert signature.verify(received=headers, body=body, secret=fresh.secret)
    assert not signature.verify(received=headers, body=body, secret=made.secret)


def test_the_secret_is_sealed_at_rest_and_unreadable_once_removed(
    receiver: WebServer, admin: Actor, django_capture_on_commit_callbacks: Any
) -> None:
    made = subscribe(receiver, admin)
    row = Subscription.objects.get(pk=made.subscription.pk)
    assert made.secret not in repr(made) and made.secret.encode() not in bytes(row.__dict__["secret"])
    assert str(row.secret) == made.secret
    with django_capture_on_commit_callbacks(execute=True):
        webhooks.subscription_remove(subscription=row, actor=admin)
    with pytest.raises(KeyDestroyed):
        str(Subscription.objects.get(pk=row.pk).secret)
    with pytest.raises(Conflict):
        webhooks.subscription_remove(subscription=row, actor=admin)
    bodies = str([list(e.opening.body.items()) for e in LedgerEntry.objects.filter(action__startswith="webhook.")])
    assert "whsec" not in bodies and "127.0.0.1" not in bodies


def test_a_test_message_goes_out_and_shows_how_it_went(receiver: WebServer, admin: Actor) -> None:
    made = subscribe(receiver, admin)
    ping = webhooks.webhook_ping(subscription=made.subscription, actor=admin)
    assert outbox.deliver(ping.pk) and json.loads(receiver.got[0][1])["type"] == "ping"


def test_only_administrators_manage_webhooks(receiver: WebServer, people: dict[Role, Actor]) -> None:
    for role in set(Role) - {Role.ADMINISTRATOR}:
        with pytest.raises(NotAllowed):
            subscribe(receiver, people[role])


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/", "https://localhost/", "https://[::1]/", "https://10.0.0.8/", "https://192.168.1.1/",
        "https://172.16.0.1/", "https://169.254.169.254/latest/meta-data/", "https://100.64.0.1/", "https://0.0.0.0/",
        "https://[fd00::1]/", "https://[fe80::1]/", "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/", "https://224.0.0.1/", "https://240.0.0.1/", "https://2130706433/",
        "http://93.184.216.34/", "ftp://93.184.216.34/", "https://user:pw@93.184.216.34/", "https://", "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_", "https://93.184.216.34:99999/",
    ],
)  # fmt: skip
def test_addresses_that_lead_inside_or_are_not_https_are_refused(url: str, admin: Actor) -> None:
    with pytest.raises(SendFailed) as caught:
        outbound.check(url)
    assert caught.value.permanent
    with pytest.raises(Unfit):
        webhooks.subscription_create(name="x", url=url, events=["case.moved"], actor=admin)


def test_a_public_address_passes_the_check() -> None:
    target = outbound.check("https://93.184.216.34/hook?x=1")
    assert (target.addresses, target.path, target.port, target.secure) == (("93.184.216.34",), "/hook?x=1", 443, True)


def test_a_name_is_judged_by_all_of_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(socket.AF_INET, 1, 6, "", (address, 443)) for address in ("93.184.216.34", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: rows)
    with pytest.raises(SendFailed, match=r"10\.0\.0\.1"):
        outbound.check("https://both.example/")


def test_a_name_that_changes_after_the_check_gains_nothing(
    receiver: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    real = socket.getaddrinfo

    def once(host: Any, *rest: Any, **more: Any) -> Any:
        if host == "rebind.example":
            asked.append(host)
            return real("127.0.0.1" if len(asked) == 1 else "127.9.9.9", *rest, **more)
        return real(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", once)
    url = receiver.url.replace("127.0.0.1", "rebind.example")
    assert outbound.post(url, b"{}", {}, networks=["127.0.0.0/8"]) == 200
    assert asked == ["rebind.example"] and receiver.got[0][0]["host"].startswith("rebind.example")


def test_a_stored_address_is_judged_again_on_every_send(receiver: WebServer, admin: Actor, settings: Any) -> None:
    subscribe(receiver, admin, "case.received")
    settings.WEBHOOK_NETWORKS = []
    file_case()
    send_all()
    message = Message.objects.get(channel="webhook")
    assert message.state == S.FAILED and "not public" in message.last_error and not receiver.got


def test_redirects_are_not_followed(receiver: WebServer, settings: Any) -> None:
    with web_server() as inside:
        receiver.status, receiver.location = 307, inside.url
        with pytest.raises(SendFailed, match="redirects are not followed"):
            outbound.post(receiver.url, b"{}", {}, networks=settings.WEBHOOK_NETWORKS)
        assert not inside.got


def test_a_receiver_that_drips_is_cut_off(receiver: WebServer, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        try:
            for letter in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 400:
                handler.wfile.write(bytes([letter]))
                handler.wfile.flush()
                time.sleep(0.05)
        except OSError:
            return

    receiver.answer = drip
    monkeypatch.setattr(outbound, "SECONDS", 0.6)
    began = time.monotonic()
    with pytest.raises(SendFailed):
        outbound.post(receiver.url, b"{}", {}, networks=settings.WEBHOOK_NETWORKS)
    assert time.monotonic() - began < 15  # all of it would take 21 s


def test_an_endless_answer_is_not_read_to_its_end(receiver: WebServer, settings: Any) -> None:
    def flood(handler: BaseHTTPRequestHandler) -> None:
        try:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
            while True:
                handler.wfile.write(b"x" * 65536)
        except OSError:
            return

    receiver.answer = flood
    assert outbound.post(receiver.url, b"{}", {}, networks=settings.WEBHOOK_NETWORKS) == 200


def test_nobody_at_the_address_is_a_failure_to_try_again(settings: Any) -> None:
    with pytest.raises(SendFailed) as caught:
        outbound.post(f"http://127.0.0.1:{free_port()}/", b"{}", {}, networks=["127.0.0.0/8"])
    assert not caught.value.permanent
