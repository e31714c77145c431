"""Law as code: dated, cited, versioned rules for statutory deadlines, and the arithmetic that applies them."""

from governance.clocks.laws import LAWS, default_for, due_date, home_of, law_get, laws_for, midnight
from governance.clocks.places import Place, place_of
from governance.clocks.reckon import Asked, Pause, Reckoning, local_day, reckon
from governance.clocks.rules import KINDS, Law, Rule

__all__ = [
    "KINDS",
    "LAWS",
    "Asked",
    "Law",
    "Pause",
    "Place",
    "Reckoning",
    "Rule",
    "default_for",
    "due_date",
    "home_of",
    "law_get",
    "laws_for",
    "local_day",
    "midnight",
    "place_of",
    "reckon",
]
