"""A name server on the loopback address that knows a few TXT records."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


@contextmanager
def name_server(records: dict[str, str]) -> Iterator[str]:
    """`address:port` of a server that answers over TCP; what it does not know does not exist."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            size = int.from_bytes(self.rfile.read(2), "big")
            query = dns.message.from_wire(self.rfile.read(size))
            answer, asked = dns.message.make_response(query), query.question[0].name
            answer.flags |= dns.flags.RA
            text = records.get(asked.to_text(omit_final_dot=True))
            if text is None:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            else:
                answer.answer.append(dns.rrset.from_text(asked, 60, "IN", "TXT", f'"{text}"'))
            wire = answer.to_wire()
            self.wfile.write(len(wire).to_bytes(2, "big") + wire)

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
