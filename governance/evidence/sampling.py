"""Which cases of a list are drawn for an audit: a few lines that anybody can run again (docs/audits.md).

    commitment = SHA-256(text)                               stated, before the draw is known
    seed       = SHA-256("lethe-sample/2" LF root LF text)   root of the ledger up to the statement, hex
    place      = SHA-256(seed LF number)                     of each case, seed in hex
    drawn      = of each stratum the first n by place

The text is the auditor's, the root is nobody's: it depends on every entry of the ledger up to the statement and on no
later one, so that with the statement the draw is fixed, whichever checkpoint proves it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

FORMAT = "lethe-sample/2"
#: Number of a case, name of its stratum (empty without strata).
Member = tuple[str, str]


def commitment(text: str) -> str:
    """What is stated of the auditor's text: 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def population(members: Iterable[Member]) -> bytes:
    """The list from which is drawn, as bytes: a line `number,stratum` for each case, in order."""
    return "".join(f"{number},{stratum}\n" for number, stratum in sorted(members)).encode()


def members(data: bytes) -> list[Member]:
    """The list that `population` wrote."""
    lines = data.decode().split("\n")[:-1]
    return [(number, stratum) for number, _comma, stratum in (line.partition(",") for line in lines)]


def seed(root: bytes, text: str) -> str:
    """The seed of the draw: 64 hexadecimal digits."""
    return hashlib.sha256(f"{FORMAT}\n{root.hex()}\n{text}".encode()).hexdigest()


def place(drawn_by: str, number: str) -> str:
    """Where a case stands in the order of the draw."""
    return hashlib.sha256(f"{drawn_by}\n{number}".encode()).hexdigest()


def draw(listed: Iterable[Member], n: int, drawn_by: str) -> list[Member]:
    """The first `n` cases of each stratum (all where it has fewer), stratum by stratum in the order of the draw."""
    strata: dict[str, list[str]] = {}
    for number, stratum in listed:
        strata.setdefault(stratum, []).append(number)
    return [
        (number, stratum)
        for stratum in sorted(strata)
        for number in sorted(strata[stratum], key=lambda one: place(drawn_by, one))[:n]
    ]
