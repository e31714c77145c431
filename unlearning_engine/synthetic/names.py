"""Invented names from a fixed inventory of syllables.

Every word has the same number of syllables of the same lengths, so that no word is part of another and a
tokenizer that learnt the syllables from some words cuts all others alike. That matters for membership
inference: a tokenizer trained on the subjects themselves would tell members from non-members on its own.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from unlearning_engine.synthetic import pools

STARTS = pools.words(
    "Bal Bel Bor Cal Cor Dal Del Dor Fal Fel For Gal Gel Gor Hal Hel Jal Jor Kal Kel Kor Lal Lor Mal Mel Mor Nal Nel "
    "Nor Pal Pel Por Ral Rel Ror Sal Sel Sor Tal Tel Tor Val Vel Vor Wal Wel Zal Zel"
)
ENDS = pools.words(
    "bax bin bok dax dim duk fax fim fob gax gim gud hax hib hod jax jin jud kax kib kos mab mik mux nab nik nux pax "
    "pib pod qax qib quk tak tib tox vab vib vux zab zik zut"
)


def words(rng: random.Random) -> Iterator[str]:
    """All words of the inventory, each once, in an order drawn from `rng`."""
    order = [start + end for start in STARTS for end in ENDS]
    rng.shuffle(order)
    yield from order


def person(source: Iterator[str]) -> str:
    """A full name of two words that nobody else has."""
    return f"{next(source)} {next(source)}"


def syllable_lines(repeats: int) -> Iterator[str]:
    """Text in which every syllable stands alone, as often as asked: it makes each syllable one token."""
    for _ in range(repeats):
        yield " " + " ".join(STARTS)
        yield "-".join(("", *STARTS, *ENDS, ""))
