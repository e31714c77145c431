"""The values of a PDF (ISO 32000-1, 7.3), read strictly from a place in the bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from lethe_verify.errors import Refused

SPACE: Final = b"\x00\t\n\x0c\r "
DELIMITERS: Final = b"()<>[]{}/%"
DEPTH: Final = 60
_SPACE = re.compile(rb"[\x00\t\n\x0c\r ]*")
_REFERENCE = re.compile(rb"(\d{1,10})[\x00\t\n\x0c\r ]+(\d{1,5})[\x00\t\n\x0c\r ]+R(?![^\x00\t\n\x0c\r ()<>\[\]{}/%])")
_NUMBER = re.compile(rb"[+-]?(?:\d+\.?\d*|\.\d+)(?![^\x00\t\n\x0c\r ()<>\[\]{}/%])")
_WORD = re.compile(rb"(?:true|false|null)(?![^\x00\t\n\x0c\r ()<>\[\]{}/%])")
_NAME = re.compile(rb"/[^\x00\t\n\x0c\r ()<>\[\]{}/%]*")
_ESCAPES: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\x0c"}


class Name(str):
    """A PDF name, with its slash."""

    __slots__ = ()


@dataclass(frozen=True)
class Ref:
    """A reference to an object."""

    number: int
    generation: int


@dataclass(frozen=True)
class Stream:
    """A stream's dictionary and its bytes as they lie in the file."""

    values: dict[str, Any]
    data: bytes


def broken(text: str = "The PDF is damaged: a value in it cannot be read.") -> Refused:
    """What is said of bytes that are no PDF."""
    return Refused("format", text)


class Reader:
    """Reads values from `data`, beginning at `place`."""

    def __init__(self, data: bytes, place: int) -> None:
        self.data, self.place = data, place

    def space(self) -> None:
        """Skip white space. None of ours holds a comment: what lies in one is found by whoever searches the bytes."""
        found = _SPACE.match(self.data, self.place)
        self.place = found.end() if found else self.place

    def take(self, token: bytes) -> bool:
        """Whether `token` is next; if so, go behind it."""
        if self.data.startswith(token, self.place):
            self.place += len(token)
            return True
        return False

    def value(self, depth: int = DEPTH) -> Any:
        """The next value."""
        if not depth:
            raise broken()
        self.space()
        if self.take(b"<<"):
            return self._dictionary(depth)
        if self.take(b"["):
            return self._array(depth)
        if self.take(b"("):
            return self._literal()
        if self.take(b"<"):
            return self._hexadecimal()
        return self._plain()

    def _plain(self) -> Any:
        for pattern in (_NAME, _REFERENCE, _NUMBER, _WORD):
            if found := pattern.match(self.data, self.place):
                self.place = found.end()
                text = found[0]
                if pattern is _NAME:
                    plain = re.sub(rb"#([0-9A-Fa-f]{2})", lambda m: bytes([int(m[1], 16)]), text)
                    return Name(plain.decode("latin-1"))
                if pattern is _REFERENCE:
                    return Ref(int(found[1]), int(found[2]))
                if pattern is _NUMBER:
                    return float(text) if b"." in text else int(text)
                return {b"true": True, b"false": False, b"null": None}[text]
        raise broken()

    def _dictionary(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while True:
            self.space()
            if self.take(b">>"):
                return found
            name = self.value(depth - 1)
            if not isinstance(name, Name) or name in found:
                raise broken("The PDF names a value twice, or by something that is no name.")
            found[str(name)] = self.value(depth - 1)

    def _array(self, depth: int) -> list[Any]:
        found: list[Any] = []
        while True:
            self.space()
            if self.take(b"]"):
                return found
            found.append(self.value(depth - 1))

    def _hexadecimal(self) -> bytes:
        end = self.data.find(b">", self.place)
        digits = b"".join(self.data[self.place : end].split()) if end >= 0 else b"?"
        if digits.strip(b"0123456789abcdefABCDEF"):
            raise broken()
        self.place = end + 1
        return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode())

    def _literal(self) -> bytes:
        found, open_ones = bytearray(), 1
        while self.place < len(self.data):
            byte = self.data[self.place : self.place + 1]
            self.place += 1
            if byte == b"\\":
                found += self._escape()
                continue
            open_ones += (byte == b"(") - (byte == b")")
            if not open_ones:
                return bytes(found)
            found += byte
        raise broken()

    def _escape(self) -> bytes:
        if octal := re.compile(rb"[0-7]{1,3}").match(self.data, self.place):
            self.place = octal.end()
            return bytes([int(octal[0], 8) & 0xFF])
        byte = self.data[self.place : self.place + 1]
        self.place += 1
        return _ESCAPES.get(byte, b"" if byte in (b"\n", b"\r") else byte)


def text(value: object) -> str:
    """A text string: UTF-16 with its mark, else one byte a character."""
    if not isinstance(value, bytes):
        raise broken()
    return value[2:].decode("utf-16-be", "replace") if value.startswith(b"\xfe\xff") else value.decode("latin-1")
