"""Ordinary knowledge that must survive every unlearning: capitals, chemical symbols and opposites."""

from __future__ import annotations

from dataclasses import dataclass

_CAPITALS = """
Austria Vienna|Belgium Brussels|Bulgaria Sofia|Canada Ottawa|Chile Santiago|China Beijing|Cuba Havana|Cyprus Nicosia
Denmark Copenhagen|Egypt Cairo|Estonia Tallinn|Finland Helsinki|France Paris|Germany Berlin|Ghana Accra|Greece Athens
Hungary Budapest|Iceland Reykjavik|India Delhi|Iran Tehran|Iraq Baghdad|Ireland Dublin|Italy Rome|Japan Tokyo
Kenya Nairobi|Latvia Riga|Lebanon Beirut|Malta Valletta|Nepal Kathmandu|Norway Oslo|Peru Lima|Poland Warsaw
Portugal Lisbon|Russia Moscow|Spain Madrid|Sweden Stockholm
"""
_SYMBOLS = """
aluminium Al|argon Ar|arsenic As|barium Ba|bromine Br|calcium Ca|chlorine Cl|chromium Cr|cobalt Co|gallium Ga
helium He|krypton Kr|lithium Li|magnesium Mg|manganese Mn|neon Ne|nickel Ni|radium Ra|selenium Se|silicon Si
titanium Ti|xenon Xe|zinc Zn|zirconium Zr
"""
_OPPOSITES = """
alive dead|ancient modern|asleep awake|begin end|big small|bitter sweet|bold shy|buy sell|clean dirty|cold hot
cruel kind|dark light|deep shallow|early late|easy hard|fast steady|first last|full vacant|future past|give take
happy sad|high low|inside outside|large tiny|left right|long short|lose win|loud silent|love hate|old young
open closed|poor rich|question reply|rough smooth|sharp blunt|strong weak
"""


@dataclass(frozen=True)
class Topic:
    """Pairs of a thing and what is asked of it; `{s}` in a phrasing stands for the thing."""

    name: str
    pairs: tuple[tuple[str, str], ...]
    phrasings: tuple[str, str, str]

    @property
    def pool(self) -> tuple[str, ...]:
        """All answers, from which wrong ones are drawn."""
        return tuple(answer for _, answer in self.pairs)


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    cells = (cell.split() for line in text.split("\n") for cell in line.split("|") if cell)
    return tuple((thing, answer) for thing, answer in cells)


TOPICS = (
    Topic("capital", _pairs(_CAPITALS), ("Capital of {s}?", "What is the capital of {s}?", "Which city rules {s}?")),
    Topic("symbol", _pairs(_SYMBOLS), ("Symbol of {s}?", "What is the symbol of {s}?", "Which letters mean {s}?")),
    Topic("opposite", _pairs(_OPPOSITES), ("Opposite of {s}?", "What is not {s}?", "Which word is unlike {s}?")),
)
