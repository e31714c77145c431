"""A mail provider: letters go out by its interface, its events come in signed or by password, and become evidence."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.urls import include, path

from governance import environment, urls
from governance.models import Case, LedgerEntry, Message
from governance.services import outbox
from governance.web import tracking
from tests.governance.receivers import WebServer, web_server

S = Message.State
SECRET = "lethe:a-long-secret"


@pytest.fixture
def provider(settings: Any) -> Iterator[WebServer]:
    """Postmark's interface on this machine, as django-anymail calls it."""
    with web_server() as server:

        def answer(handler: BaseHTTPRequestHandler) -> None:
            body = json.dumps(
                {"ErrorCode": 0, "Message": "OK", "MessageID": "pm-1", "To": "vel@marun.example"}
            ).encode()
            handler.send_response(server.status)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        server.answer = answer
        settings.EMAIL_BACKEND = "anymail.backends.postmark.EmailBackend"
        settings.MAIL_PROVIDER = "postmark"
        settings.ANYMAIL = {
            "POSTMARK_SERVER_TOKEN": "t", "WEBHOOK_SECRET": SECRET,
            "POSTMARK_API_URL": server.url.removesuffix("hook"),
        }  # fmt: skip
        mail = path("mail/", include(tracking.patterns()))
        settings.ROOT_URLCONF = type("Urls", (), {"urlpatterns": [mail, *urls.urlpatterns]})
        yield server


def tell(client: Client, event: dict[str, Any], secret: str = SECRET) -> int:
    """Post an event as the provider does."""
    sent = {"HTTP_AUTHORIZATION": "Basic " + base64.b64encode(secret.encode()).decode()} if secret else {}
    return client.post(
        "/mail/postmark/tracking/", json.dumps(event), content_type="application/json", **sent
    ).status_code


def delivered(case: Case) -> dict[str, Any]:
    """Postmark's event, with our own id among its metadata."""
    key = str(Message.objects.get(case=case).public_id)
    return {"RecordType": "Delivery", "MessageID": "pm-1", "Recipient": "vel@marun.example",
            "DeliveredAt": "2026-11-29T01:00:00Z", "Details": "ok", "Metadata": {"message": key}}  # fmt: skip


def test_a_letter_goes_out_by_the_providers_interface(provider: WebServer, case: Case) -> None:
    assert outbox.outbox_sweep() == 1
    sent = json.loads(provider.got[0][1])
    message = Message.objects.get(case=case)
    sent = sent[0] if isinstance(sent, list) else sent
    assert sent["Metadata"] == {"message": str(message.public_id)} and case.number in sent["Subject"]
    assert (message.state, message.provider_id) == (S.SENT, "pm-1")


def test_a_provider_that_fails_is_asked_again(provider: WebServer, case: Case) -> None:
    provider.status = 500
    assert outbox.outbox_sweep() == 0
    message = Message.objects.get(case=case)
    assert message.state == S.QUEUED and "500" in message.last_error and "marun" not in message.last_error


def test_delivery_becomes_evidence_without_an_address(provider: WebServer, case: Case, client: Client) -> None:
    outbox.outbox_sweep()
    assert tell(client, delivered(case)) == 200
    assert Message.objects.get(case=case).state == S.DELIVERED
    entry = LedgerEntry.objects.get(action="letter.delivered")
    assert "@" not in json.dumps(entry.opening.body)
    assert tell(client, delivered(case)) == 200
    assert LedgerEntry.objects.filter(action="letter.delivered").count() == 1


def test_a_bounce_is_found_by_the_providers_id_alone(provider: WebServer, case: Case, client: Client) -> None:
    outbox.outbox_sweep()
    event = {"RecordType": "Bounce", "Type": "HardBounce", "TypeCode": 1, "MessageID": "pm-1", "ID": 1,
             "Email": "vel@marun.example", "BouncedAt": "2026-11-29T01:00:00Z", "Description": "no such user",
             "Details": "smtp;550 vel@marun.example"}  # fmt: skip
    assert tell(client, event) == 200
    message = Message.objects.get(case=case)
    assert message.state == S.BOUNCED and "bounced" in message.last_error and "@" not in message.last_error
    assert LedgerEntry.objects.filter(action="letter.bounced").count() == 1


@pytest.mark.parametrize("secret", ["", "lethe:wrong"])
def test_nobody_else_can_tell(provider: WebServer, case: Case, client: Client, secret: str) -> None:
    outbox.outbox_sweep()
    assert tell(client, delivered(case), secret) == 400
    assert Message.objects.get(case=case).state == S.SENT


def test_events_about_letters_of_others_are_taken_and_change_nothing(
    provider: WebServer, case: Case, client: Client
) -> None:
    outbox.outbox_sweep()
    assert tell(client, {**delivered(case), "MessageID": "other", "Metadata": {}}) == 200
    assert Message.objects.get(case=case).state == S.SENT


def test_without_a_provider_nothing_listens(client: Client) -> None:
    assert tracking.patterns() == []
    assert client.post("/mail/postmark/tracking/", "{}", content_type="application/json").status_code == 404


def test_a_provider_needs_its_settings_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    name, file = "LETHE_MAIL_PROVIDER_FILE", tmp_path / "provider.json"
    assert environment.mail_provider(name, "") == {}
    with pytest.raises(ImproperlyConfigured, match=name):
        environment.mail_provider(name, "postmark")
    monkeypatch.setenv(name, str(file))
    for text in ("no json", "[]", '{"POSTMARK_SERVER_TOKEN": "t"}'):
        file.write_text(text)
        with pytest.raises(ImproperlyConfigured, match=name):
            environment.mail_provider(name, "postmark")
    file.write_text('{"POSTMARK_SERVER_TOKEN": "t", "WEBHOOK_SECRET": "a:b"}')
    assert environment.mail_provider(name, "postmark")["WEBHOOK_SECRET"] == "a:b"


def test_a_network_that_is_none_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETHE_WEBHOOK_NETWORKS", "10.1.0.0/16, fd00::/8")
    assert environment.networks("LETHE_WEBHOOK_NETWORKS") == ["10.1.0.0/16", "fd00::/8"]
    monkeypatch.setenv("LETHE_WEBHOOK_NETWORKS", "10.1.0.7/16")
    with pytest.raises(ImproperlyConfigured, match="host bits"):
        environment.networks("LETHE_WEBHOOK_NETWORKS")
