"""Calls to addresses that somebody else named, without becoming a way into our own network.

The name is resolved once, every address is checked, and the connection goes to the checked address: a name that
resolves differently a moment later gains nothing. Size and time are bounded. What is sent follows no redirect; what
is read follows a few, each judged like the first address.
"""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

SECONDS = 10.0
ANSWER_BYTES = 4096
#: Addresses of one name that are tried.
TRIED = 3
#: Redirects that a read follows (RFC 9309, 2.3.1.2 asks for five).
HOPS = 5
PAGE_BYTES = 5 * 2**20
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_MAIL = re.compile(r"[^\s<>()\"'=:,;]+@[^\s<>()\"',;]+")


class CallFailed(Exception):
    """`permanent`: no further try will help. `bounced`: the receiver's side says that there is no such address."""

    def __init__(self, why: str, *, permanent: bool = False, bounced: bool = False) -> None:
        self.why, self.permanent, self.bounced = without_addresses(why), permanent or bounced, bounced
        super().__init__(self.why)


def without_addresses(text: str) -> str:
    """The text in one line, at most 300 characters, and without the e-mail addresses that servers like to quote."""
    return _MAIL.sub("…", " ".join(text.split()))[:300]


@dataclass(frozen=True)
class Target:
    """Where a request goes: the checked addresses beside the name that certificate and headers speak of."""

    host: str
    port: int
    path: str
    addresses: tuple[str, ...]
    secure: bool


def _inner(address: _Address) -> _Address:
    """The IPv4 address within an IPv6 one that only carries it."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return inner or address
    return address


def _public(address: _Address) -> bool:
    inner = _inner(address)
    return inner.is_global and not inner.is_multicast and not inner.is_reserved


def _within(address: _Address, networks: Sequence[str]) -> bool:
    return any(address in ipaddress.ip_network(network) for network in networks)


def check(url: str, *, networks: Sequence[str] = (), plain: bool = False) -> Target:
    """Resolve and judge an address. `networks` are private ones that the operator opened, for http as well.

    With `plain`, http is allowed everywhere: what is read from the open web is judged by its bytes, not by its sender.

    Raises:
        CallFailed: permanent where the address itself is not allowed, else the name does not resolve now.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise CallFailed(f"This is no address: {error}.", permanent=True) from error
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.password:
        raise CallFailed("Only https addresses without a user name are called.", permanent=True)
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise CallFailed(f"The name {parts.hostname[:80]} does not resolve.") from error
    addresses = [ipaddress.ip_address(str(row[4][0]).partition("%")[0]) for row in found]
    for address in addresses:
        opened = _within(address, networks)
        if not opened and not _public(address):
            raise CallFailed(f"{parts.hostname[:80]} leads to {address}, which is not public.", permanent=True)
        if parts.scheme == "http" and not (opened or plain):
            raise CallFailed("Only https addresses are called.", permanent=True)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.hostname, port, path, tuple(dict.fromkeys(map(str, addresses))), parts.scheme == "https")


class _Cut:
    """Ends a call from outside: a receiver that drips byte after byte outlasts the timeout of a single read."""

    def __init__(self) -> None:
        self.socket: socket.socket | None = None
        self.fired = False
        self.timer = threading.Timer(SECONDS, self._cut)
        self.timer.daemon = True

    def __enter__(self) -> _Cut:
        self.timer.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.timer.cancel()
        if self.socket:
            self.socket.close()

    def _cut(self) -> None:
        self.fired = True
        with suppress(OSError):
            if self.socket:
                self.socket.shutdown(socket.SHUT_RDWR)

    def connect(self, target: Target) -> socket.socket:
        """A socket to one of the checked addresses and no other."""
        for index, address in enumerate(target.addresses[:TRIED], 1):
            try:
                self.socket = socket.create_connection((address, target.port), timeout=SECONDS)
                break
            except OSError:
                if index == min(TRIED, len(target.addresses)):
                    raise
        if self.socket is None:
            raise OSError("no address")
        if target.secure:
            secure = ssl.create_default_context().wrap_socket(
                self.socket, server_hostname=target.host, do_handshake_on_connect=False
            )
            self.socket = secure
            secure.do_handshake()
        return self.socket


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What was answered, in the end, to a read: `cut` where the body was longer than was read."""

    url: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    cut: bool = False

    def header(self, name: str) -> list[str]:
        """Every value of a header, in order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


def get(
    url: str,
    *,
    networks: Sequence[str] = (),
    limit: int = PAGE_BYTES,
    headers: Mapping[str, str] | None = None,
    hops: int = HOPS,
    plain: bool = True,
) -> Answer:
    """Read an address, over a few redirects, each of which is resolved and judged anew.

    With `plain` false only https is read, save from `networks`: where it matters who answers.

    Raises:
        CallFailed: no answer, an address that is not allowed, or more redirects than are followed.
    """
    for _hop in range(hops + 1):
        target = check(url, networks=networks, plain=plain)
        answer, body = _call("GET", target, None, headers or {}, limit + 1)
        where = answer.getheader("Location")
        if answer.status not in (301, 302, 303, 307, 308) or not where:
            pairs = tuple(answer.getheaders())
            return Answer(url=url, status=answer.status, headers=pairs, body=body[:limit], cut=len(body) > limit)
        url = urljoin(url, where)
    raise CallFailed(f"More than {hops} redirects.", permanent=True)


def _call(
    method: str, target: Target, body: bytes | None, headers: Mapping[str, str], limit: int
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(target.host, target.port, timeout=SECONDS)
    connection.default_port = http.client.HTTPS_PORT if target.secure else http.client.HTTP_PORT
    try:
        with _Cut() as call:
            connection.sock = call.connect(target)
            connection.request(method, target.path, body=body, headers=dict(headers))
            answer = connection.getresponse()
            read = answer.read(limit)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise CallFailed(f"{type(error).__name__}: {error}") from error
    if call.fired:
        raise CallFailed(f"The receiver took longer than {SECONDS:g} seconds.")
    return answer, read


def send(
    url: str, body: bytes, headers: Mapping[str, str], *, networks: Sequence[str] = (), limit: int = ANSWER_BYTES
) -> Answer:
    """Send the body; returns whatever is answered, also a refusal.

    Raises:
        CallFailed: nothing was answered, and why.
    """
    answer, read = _call("POST", check(url, networks=networks), body, headers, limit)
    return Answer(url=url, status=answer.status, headers=tuple(answer.getheaders()), body=read, cut=len(read) == limit)


def post(url: str, body: bytes, headers: Mapping[str, str], *, networks: Sequence[str] = ()) -> int:
    """Send the body; returns the status of an answer that says yes (2xx).

    Raises:
        CallFailed: with what was answered, or why nothing was.
    """
    answer = send(url, body, headers, networks=networks)
    if 300 <= answer.status < 400:
        raise CallFailed(f"The receiver answered {answer.status}; redirects are not followed.")
    if not 200 <= answer.status < 300:
        raise CallFailed(f"The receiver answered {answer.status}.", permanent=answer.status == http.client.GONE)
    return answer.status
