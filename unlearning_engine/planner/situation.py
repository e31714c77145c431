"""What a plan depends on: access, the policy of the house, what was tried. Standard library only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from unlearning_engine.catalog import METHODS
from unlearning_engine.contracts import Guarantee
from unlearning_engine.errors import ConfigError
from unlearning_engine.planner.costs import Hardware, Sizes

#: How candidates are ordered: cheaper first and exact last, least expected time until something holds, or the
#: strongest guarantee first.
ORDERS = ("cheapest", "quickest", "surest")
#: Mark of a retain set that nobody has, and that the model itself has to give.
SAMPLED = "sampled"
#: What the house can still read, and what a method may need of it.
ACCESS: Mapping[str, frozenset[str]] = {
    "training set": frozenset({"forget set", "retain set", "training set", "weights"}),
    "retain set": frozenset({"forget set", "retain set", "weights"}),
    # What is to be held is then sampled from the model itself (`source_free`).
    "none": frozenset({"forget set", "retain set", "weights", SAMPLED}),
}


@dataclass(frozen=True, kw_only=True)
class House:
    """The policy of the house, fixed before the first run; later attempts of the same case are planned under it.

    `methods` empty allows every one. `seconds` and `money` bound all attempts together, verifications included; 0 is
    no bound. `reserve` seconds before the deadline belong to release and report. A method with fewer than
    `measurements` whole verifications on record is proposed by no machine; a person may choose it.
    """

    minimum: str = Guarantee.APPROXIMATE.value
    methods: tuple[str, ...] = ()
    attempts: int = 2
    seconds: float = 0.0
    money: float = 0.0
    order: str = ORDERS[0]
    reserve: float = 86400.0
    measurements: int = 3

    def __post_init__(self) -> None:
        problems = []
        if self.minimum not in {g.value for g in Guarantee}:
            problems.append(f"minimum: {self.minimum!r} is unknown; one of {', '.join(g.value for g in Guarantee)}")
        if unknown := [name for name in self.methods if name not in METHODS]:
            problems.append(f"methods: {', '.join(unknown)} unknown; of {', '.join(METHODS)}")
        if self.order not in ORDERS:
            problems.append(f"order: {self.order!r} is unknown; one of {', '.join(ORDERS)}")
        if self.attempts < 1:
            problems.append(f"attempts: {self.attempts} is less than 1")
        if not (self.seconds >= 0 and self.money >= 0 and self.reserve >= 0):
            problems.append("seconds, money, reserve: 0 or more each")
        if problems:
            raise ConfigError(problems)


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What was tried: the method, its verdict (empty where the run broke), and the seconds that it took in all."""

    method: str
    verdict: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Situation:
    """All that a ranking depends on. `has` names what is there, in the catalogue's words (`MethodEntry.needs`).

    `deadline` is in seconds from now, None where there is none. `serves` is how many waiting requests one training
    without all their records would serve.
    """

    sizes: Sizes = field(default_factory=Sizes)
    hardware: Hardware = field(default_factory=Hardware)
    house: House = field(default_factory=House)
    has: frozenset[str] = ACCESS["training set"] | {"training recipe"}
    deadline: float | None = None
    tried: tuple[Attempt, ...] = ()
    serves: int = 1

    @property
    def attempts_left(self) -> int:
        """Runs that the budget still allows."""
        return max(0, self.house.attempts - len(self.tried))

    @property
    def seconds_left(self) -> float:
        """Seconds that the budget still allows; infinite without a bound."""
        spent = sum(attempt.seconds for attempt in self.tried)
        return self.house.seconds - spent if self.house.seconds else float("inf")

    @property
    def money_left(self) -> float:
        """Money that the budget still allows; infinite without a bound."""
        spent = sum(attempt.seconds for attempt in self.tried) * self.hardware.rate / 3600
        return self.house.money - spent if self.house.money else float("inf")


def available(access: str, *, recipe: bool = True, lineage: bool = False, also: Iterable[str] = ()) -> frozenset[str]:
    """What is there in the catalogue's words.

    Raises:
        ConfigError: the access is unknown.
    """
    if access not in ACCESS:
        raise ConfigError(f"access: {access!r} is unknown; one of {', '.join(ACCESS)}")
    found = ACCESS[access] | frozenset(also)
    return found | ({"training recipe"} if recipe else set()) | ({"lineage"} if lineage else set())
