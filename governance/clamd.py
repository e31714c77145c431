"""ClamAV's daemon: a file is sent over its socket (INSTREAM), an answer comes back. Configured or not used at all."""

from __future__ import annotations

import socket
import struct
from urllib.parse import urlsplit

SECONDS = 30.0
_CHUNK = 2**16
_ANSWER_BYTES = 4096


class Unreachable(Exception):
    """The daemon gave no answer: nothing is known about the file, and it is asked again later."""


def scan(data: bytes, address: str) -> str:
    """The name of what was found in the file, empty for nothing.

    Raises:
        Unreachable: no daemon at the address, or no answer that can be read.
    """
    try:
        with _connect(address) as line:
            line.settimeout(SECONDS)
            line.sendall(b"zINSTREAM\0")
            for start in range(0, len(data), _CHUNK):
                chunk = data[start : start + _CHUNK]
                line.sendall(struct.pack("!L", len(chunk)) + chunk)
            line.sendall(struct.pack("!L", 0))
            answer = b""
            while not answer.endswith(b"\0") and len(answer) < _ANSWER_BYTES:
                more = line.recv(_ANSWER_BYTES)
                if not more:
                    break
                answer += more
    except (OSError, ValueError) as error:
        raise Unreachable(f"{type(error).__name__}: {error}") from error
    text = answer.rstrip(b"\0\n").decode("utf-8", "replace").removeprefix("stream: ")
    if text == "OK":
        return ""
    if text.endswith(" FOUND"):
        return text.removesuffix(" FOUND")[:120]
    raise Unreachable(f"The daemon answered: {text[:120] or 'nothing'}")


def _connect(address: str) -> socket.socket:
    parts = urlsplit(address)
    if parts.scheme == "unix":
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        line.settimeout(SECONDS)
        try:
            line.connect(parts.path)
        except OSError:
            line.close()
            raise
        return line
    return socket.create_connection((parts.hostname or "", parts.port or 3310), timeout=SECONDS)
