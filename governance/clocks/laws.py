"""Every law whose clock the house knows, and how one is found."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from types import MappingProxyType

from governance.clocks import laws_americas as americas
from governance.clocks import laws_europe as europe
from governance.clocks.places import Place, place_of
from governance.clocks.reckon import Asked, Reckoning, reckon
from governance.clocks.rules import Law, Rule
from governance.errors import Unfit

LAWS: Mapping[str, Law] = MappingProxyType(
    {
        law.code: law
        for law in (
            europe.GDPR,
            europe.UK_GDPR,
            americas.CCPA,
            americas.US_VA,
            americas.US_CO,
            americas.LGPD,
            americas.QUEBEC,
            europe.GPAI,
            europe.HOUSE,
        )
    }
)


def law_get(code: str) -> Law:
    """The law of a code.

    Raises:
        Unfit: an unknown one, with those that are known.
    """
    if code not in LAWS:
        raise Unfit(f"Law {code!r} is not known; one of {', '.join(LAWS)}.")
    return LAWS[code]


def laws_for(kind: str) -> list[Law]:
    """The laws that a request of this kind may rest on."""
    return [law for law in LAWS.values() if kind in law.kinds]


def default_for(kind: str) -> str:
    """The law that is meant where none is named: the only one, or the house's where all are policies; else none."""
    fitting = laws_for(kind)
    if len(fitting) == 1 or (fitting and all(law.policy_only for law in fitting)):
        return fitting[-1].code
    return ""


def home_of(rule: Rule, house: str) -> Place:
    """The place whose calendar counts when none is named: the house's own where the law allows it, else the law's."""
    if not house:
        return rule.place(rule.home)
    place_of(house)  # one that nobody knows is an error, not a place by which the law does not count
    try:
        return rule.place(house)
    except Unfit:
        return rule.place(rule.home)


def midnight(day: date, place: Place) -> datetime:
    """The first moment of a day at a place: what is known of a receipt without an hour."""
    return datetime.combine(day, time(), tzinfo=place.zone)


def due_date(code: str, received: date, *, house: str = "") -> Reckoning:
    """The dates of a plain request under a law, received on a day, at the house's place."""
    rule = law_get(code).rule_on(received)
    place = home_of(rule, house)
    return reckon(Asked(rule=rule, kind=next(iter(rule.kinds)), received=midnight(received, place), place=place))
