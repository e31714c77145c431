"""What a check of a report found: a code for programs, a sentence with its values for people.

The check runs without Django, so it speaks English. Its sentences are marked for the catalogues, and the page of the
check says them in the reader's language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


def _(sentence: str) -> str:
    """Marks a sentence that the page translates."""
    return sentence


class Words(NamedTuple):
    """A marked sentence, and what stands in it."""

    sentence: str
    values: Mapping[str, str] = {}

    def __str__(self) -> str:
        return self.sentence % self.values if self.values else self.sentence


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was checked. `open`: not good, and not refuted. `detail`: what the parser said, in English."""

    code: str
    good: bool
    sentence: str
    values: Mapping[str, str] = field(default_factory=dict)
    detail: str = ""
    open: bool = False

    @property
    def text(self) -> str:
        """In English, in one line."""
        said = str(Words(self.sentence, self.values))
        return f"{said.removesuffix('.')}: {self.detail.removesuffix('.')}." if self.detail else said


def told(code: str, sentence: str, *, good: bool, detail: str = "", values: Mapping[str, object] = {}) -> Finding:
    """A finding with what stands in its sentence."""
    said = {name: str(value) for name, value in values.items()}
    return Finding(code=code, good=good, sentence=sentence, values=said, detail=detail)


def of_doubt(code: str, doubt: Words) -> Finding:
    """A time stamp that holds and is not to be believed now."""
    return Finding(code=code, good=False, open=True, sentence=doubt.sentence, values=doubt.values)
