"""What every adapter of a standard works with: bytes and headers in, findings out; no network, no database."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import urlsplit

from governance.outbound import Answer


class Use(enum.StrEnum):
    """What somebody may want to do with a work. Mining (DSM directive, Art. 2(2)) holds training within it."""

    TRAIN = "train"
    INPUT = "input"
    SEARCH = "search"
    MINE = "mine"


class Stance(enum.StrEnum):
    """What is stated about a use, from the most to the least restrictive. What is not stated is unknown."""

    RESERVED = "reserved"
    ALLOWED = "allowed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One statement about one use, in the words of its source."""

    standard: str
    use: Use
    stance: Stance
    quote: str
    where: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Site:
    """What was fetched about one address: the page or file itself, and files of its origin by their path."""

    page: Answer
    files: Mapping[str, Answer] = field(default_factory=lambda: MappingProxyType({}))

    def text(self, path: str) -> str:
        """The text of a file that was found; empty where there is none."""
        answer = self.files.get(path)
        if answer is None or not 200 <= answer.status < 300:
            return ""
        return answer.body.decode("utf-8", "replace").removeprefix("\ufeff")

    def where(self, path: str) -> str:
        """The address of such a file."""
        return self.files[path].url

    @property
    def path(self) -> str:
        """The path of the page, with its query."""
        parts = urlsplit(self.page.url)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """One standard: its name, which files of the origin it reads, and how."""

    name: str
    reads: Callable[[Site], list[Finding]]
    files: tuple[str, ...] = ()


def quote(text: str) -> str:
    """A line as it was found, short enough to be shown."""
    return " ".join(text.split())[:300]
