"""DER (X.690, 10): one byte form for each value. What is not in that form is refused."""

from __future__ import annotations

from dataclasses import dataclass, field

from lethe_verify.errors import Refused

INTEGER, BIT_STRING, OCTETS, NULL, OID, SEQUENCE, SET = 0x02, 0x03, 0x04, 0x05, 0x06, 0x30, 0x31
CONTEXT_0, CONTEXT_1, CONTEXT_3 = 0xA0, 0xA1, 0xA3
DEPTH = 24
#: Each value becomes a node, however short: this bounds how many a file can ask for.
MAX = 256 * 1024


@dataclass(frozen=True)
class Node:
    """One value: its tag, the bytes inside, the bytes with tag and length, and its parts where it is constructed."""

    tag: int
    content: bytes
    raw: bytes
    children: tuple[Node, ...] = field(default=())


def parse(data: bytes) -> Node:
    """The one value that fills `data` to its end."""
    node, end = _read(_bounded(data), 0, len(data), DEPTH)
    if end != len(data):
        raise Refused("form", "Something follows a value that should fill its place.")
    return node


def parse_first(data: bytes) -> tuple[Node, bytes]:
    """The first value of `data`, and what follows it."""
    node, end = _read(_bounded(data), 0, len(data), DEPTH)
    return node, data[end:]


def _bounded(data: bytes) -> bytes:
    if len(data) > MAX:
        raise Refused("size", "A signature is larger than any of ours.")
    return data


def _read(data: bytes, start: int, limit: int, depth: int) -> tuple[Node, int]:
    """The value at `start`, which must end before `limit`. No copy for each child: large lists take linear time."""
    if limit - start < 2 or not depth:
        raise Refused("form", "A signature's structure is cut off or too deep.")
    tag, length, place = data[start], data[start + 1], start + 2
    if tag & 0x1F == 0x1F:
        raise Refused("form", "A signature's structure has a tag that none of ours has.")
    if length & 0x80:
        size = length & 0x7F
        long = data[place : min(place + size, limit)]
        place, length = place + size, int.from_bytes(long, "big")
        if not 1 <= size <= 4 or len(long) != size or length < 0x80 or not long[0]:
            raise Refused("form", "A length in the signature is not in its shortest form.")
    end = place + length
    if end > limit:
        raise Refused("form", "A signature's structure is cut off.")
    children = []
    if tag & 0x20:
        while place < end:
            child, place = _read(data, place, end, depth - 1)
            children.append(child)
    return Node(tag, data[end - length : end], data[start:end], tuple(children)), end


def integer(node: Node) -> int:
    """A whole number in its shortest form."""
    content = node.content
    if node.tag != INTEGER or not content:
        raise Refused("form", "A number was expected in the signature.")
    if len(content) > 1 and (content[0], content[1] >> 7) in ((0, 0), (0xFF, 1)):
        raise Refused("form", "A number in the signature is not in its shortest form.")
    return int.from_bytes(content, "big", signed=True)


def make(tag: int, *parts: bytes) -> bytes:
    """A value of that tag over its parts."""
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + body


def oid(text: str) -> bytes:
    """An object identifier as a value."""
    first, second, *rest = (int(part) for part in text.split("."))
    body = bytes([first * 40 + second])
    for number in rest:
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(0x80 | number & 0x7F)
        body += bytes(reversed(groups))
    return make(OID, body)
