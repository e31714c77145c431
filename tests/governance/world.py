"""A small piece of the open web on the loopback address: paths with what they answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Web:
    """Path -> (status, headers, body)."""

    url: str = ""
    pages: dict[str, tuple[int, list[tuple[str, str]], bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def put(self, path: str, body: str | bytes = "", *headers: tuple[str, str], status: int = 200) -> None:
        """Answer a path from now on."""
        self.pages[path] = (status, list(headers), body.encode() if isinstance(body, str) else body)


@contextmanager
def web() -> Iterator[Web]:
    """The server; what it does not know is not found."""
    kept = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kept.asked.append(self.path)
            status, headers, body = kept.pages.get(self.path, (404, [], b"nothing here"))
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    kept.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
