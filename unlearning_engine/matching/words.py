"""A text as the words that two texts are compared by."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

SIZE = 5
#: Name and version of the comparison; it changes with the rules for words, shingles and score.
SCHEME = "words-nfkd-fold/1 shingles-5/1 containment-of-shorter/1"
#: A shared passage has at least this many shingles (seven words): below, common phrases would be hits. A work that
#: is shorter (a name, a line) is looked for as a whole.
LEAST_SHARED = 3
#: Scripts written without spaces: each character counts as a word.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")


class Word(NamedTuple):
    """A normalised word and where it stands in the original text (start and end, in characters)."""

    text: str
    start: int
    end: int


@lru_cache(maxsize=4096)
def _folded(character: str) -> str:
    """One character case-folded and decomposed, without marks (Mn) and invisible formatting (Cf)."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    return "".join(c for c in plain if unicodedata.category(c) not in ("Mn", "Cf"))


def words(text: str) -> list[Word]:
    """Words of a text, compared without regard to case, compatibility forms (NFKD), accents, punctuation and
    white space.

    Soft hyphens and zero-width characters inside a word do not part it, since they do not show.
    """
    shown: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        folded = _folded(character)
        shown.append(folded)
        places.extend([place] * len(folded))
    plain = "".join(shown)
    return [Word(m.group(), places[m.start()], places[m.end() - 1] + 1) for m in _WORD.finditer(plain)]


def shingles(found: list[str], size: int) -> list[tuple[str, ...]]:
    """Every run of `size` words, in order; a shorter text is one run of all its words."""
    if len(found) <= size:
        return [tuple(found)] if found else []
    return [tuple(found[i : i + size]) for i in range(len(found) - size + 1)]
