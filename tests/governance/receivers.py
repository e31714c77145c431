"""Real receivers for what goes out: a mail server and a web server, each on a port of its own."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import pytest
from aiosmtpd.controller import Controller
from anymail.exceptions import AnymailAPIError

#: What a mail back end raises that takes nothing: SMTP's, and that of a provider's interface.
DOWN = (ConnectionRefusedError, AnymailAPIError)


def refuse_mail(patch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    """From now on the mail back end raises this."""

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise error

    patch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", refuse)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class MailServer:
    """Keeps what it takes; `answer` is what it says to each recipient."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.answer = "250 OK"
        self.says_to_data = "250 OK"
        self.slowly = 0.0

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        """Take the recipient or refuse it."""
        if self.answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Take the letter."""
        if self.slowly:
            time.sleep(self.slowly)
        if self.says_to_data.startswith("250"):
            parsed = message_from_bytes(envelope.content, policy=policy.default)
            self.taken.append(cast(EmailMessage, parsed))
        return self.says_to_data


@contextmanager
def mail_server(settings: Any) -> Iterator[MailServer]:
    """A mail server that Django's SMTP back end is pointed at."""
    handler, port = MailServer(), free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.EMAIL_USE_TLS, settings.EMAIL_HOST_USER, settings.EMAIL_TIMEOUT = False, "", 5
    try:
        yield handler
    finally:
        controller.stop()


def no_mail_server(settings: Any) -> None:
    """Point the SMTP back end at a port where nobody listens."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    settings.EMAIL_USE_TLS, settings.EMAIL_HOST_USER, settings.EMAIL_TIMEOUT = False, "", 2


@dataclass
class WebServer:
    """Keeps every request; answers with `status`."""

    url: str = ""
    status: int = 200
    location: str = ""
    answer: Callable[[BaseHTTPRequestHandler], None] | None = None
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def web_server() -> Iterator[WebServer]:
    """A web server on the loopback address."""
    kept = WebServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            if kept.answer:
                kept.answer(self)
                return
            self.send_response(kept.status)
            if kept.location:
                self.send_header("Location", kept.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    kept.url = f"http://127.0.0.1:{server.server_port}/hook"
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
