"""Which way to forget: every method of the catalogue as a ranked candidate, or with the reason why it cannot run.

    ranking = rank(Situation(...))
    ranking.candidates[0]      what stands first; empty where nothing is left, and `ranking.ended` says why

Pure functions of what is known before a run: sizes, access, lineage, deadline, hardware, the policy of the house and
what was tried already. Standard library only, so that a web process can read it. See docs/adr/0012.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from unlearning_engine.catalog import METHODS, MethodEntry
from unlearning_engine.contracts import LINEAGE_METHODS, Guarantee
from unlearning_engine.planner.costs import Cost, Hardware, Sizes, cost_of, verification_cost
from unlearning_engine.planner.reading import model_sizes, tokens_of
from unlearning_engine.planner.situation import ACCESS, ORDERS, SAMPLED, Attempt, House, Situation, available
from unlearning_engine.planner.words import MEASURED, SENTENCES, Reason, chance, duration, inside, reason, risks

__all__ = [
    "ACCESS",
    "ORDERS",
    "SENTENCES",
    "Attempt",
    "Candidate",
    "Cost",
    "Hardware",
    "House",
    "Ranking",
    "Reason",
    "Refusal",
    "Situation",
    "Sizes",
    "available",
    "cost_of",
    "duration",
    "ended",
    "model_sizes",
    "rank",
    "serves",
    "tokens_of",
    "verification_cost",
]

_STRENGTH = {Guarantee.APPROXIMATE: 0, Guarantee.CERTIFIED: 1, Guarantee.EXACT: 2}


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One way that can be gone. `total` are the seconds with verification, `expected` those until something holds.

    `unasked` says that a machine may propose it; `in_time` is None where time or deadline is not known.
    """

    method: str
    title: str
    guarantee: str
    cost: Cost
    total: float | None
    expected: float | None
    chance: float | None
    in_time: bool | None
    unasked: bool
    risk: tuple[Reason, ...]
    why: tuple[Reason, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A method that cannot run, and why."""

    method: str
    title: str
    guarantee: str
    why: Reason


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Candidates in order, methods that cannot run, and, where none is left, why: then the last proposal to people
    is to withdraw the model."""

    candidates: tuple[Candidate, ...]
    refused: tuple[Refusal, ...]
    verification: Cost
    ended: Reason | None = None

    def to_json(self) -> dict[str, Any]:
        """As a plan keeps it, with every reason as a code and its values."""
        return dataclasses.asdict(self)


def serves(run: float | None, waiting: Sequence[float | None]) -> int:
    """How many of the waiting requests (their deadlines, in seconds) one run of so many seconds ends in time for.

    Where the length of the run or a deadline is not known, nothing speaks against joining.
    """
    return sum(run is None or deadline is None or run <= deadline for deadline in waiting)


def rank(situation: Situation) -> Ranking:
    """Every method of the catalogue, ranked or refused; see the module."""
    verification = verification_cost(situation.sizes, situation.hardware)
    over = ended(situation)
    candidates, refused = [], []
    for entry in METHODS.values():
        cost = cost_of(entry.name, situation.sizes, situation.hardware)
        why = over or _refusal(entry, cost, verification, situation)
        if why:
            refused.append(
                Refusal(method=entry.name, title=entry.title, guarantee=entry.guarantee.value, why=why),
            )
        else:
            candidates.append(_candidate(entry, cost, verification, situation))
    if not candidates and over is None:
        over = reason("end_nothing")
    ranked = _ranked(candidates, situation)
    return Ranking(candidates=tuple(ranked), refused=tuple(refused), verification=verification, ended=over)


# ---------------------------------------------------------------- what cannot run


def ended(situation: Situation) -> Reason | None:
    """Why nothing more is tried at all, by what was tried and the budget alone; None where something may be."""
    for attempt in situation.tried:
        entry = METHODS.get(attempt.method)
        if attempt.verdict and entry and entry.guarantee is Guarantee.EXACT:
            return reason("end_judged")
    if not situation.attempts_left:
        return reason("end_attempts", n=situation.house.attempts)
    if situation.seconds_left <= 0:
        return reason("end_seconds")
    return reason("end_money") if situation.money_left <= 0 else None


def _refusal(entry: MethodEntry, cost: Cost, verification: Cost, situation: Situation) -> Reason | None:
    house, tried = situation.house, {attempt.method: attempt for attempt in situation.tried}
    strength = _STRENGTH[entry.guarantee]
    if entry.name in tried:
        return reason("no_second_look", verdict=tried[entry.name].verdict.replace("_", " ") or "the run broke")
    if house.methods and entry.name not in house.methods:
        return reason("no_allowed")
    if strength < _STRENGTH[Guarantee(house.minimum)]:
        return reason("no_guarantee", guarantee=entry.guarantee.value, minimum=house.minimum)
    judged = [METHODS[a.method].guarantee for a in situation.tried if a.verdict and a.method in METHODS]
    if any(strength < _STRENGTH[guarantee] for guarantee in judged):
        return reason("no_weaker")
    if "lineage" in situation.has:
        # Retraining over a lineage takes its recipe and records from there.
        return None if entry.name in LINEAGE_METHODS else reason("no_lineage_left")
    if missing := [need for need in entry.needs if not _there(need, situation.has)]:
        return reason("no_need", needs=", ".join(missing))
    return _over_budget(cost, verification, situation)


def _there(need: str, has: frozenset[str]) -> bool:
    """Whether a need is met; `surrogate or retain set` is met by either."""
    return any(name in has for part in need.split(" or ") for name in (part, f"{part} set"))


def _over_budget(cost: Cost, verification: Cost, situation: Situation) -> Reason | None:
    total = _total(cost, verification)
    if total is None:
        return None
    if total > situation.seconds_left:
        return reason("no_seconds", needed=duration(total), left=duration(max(0.0, situation.seconds_left)))
    money = situation.hardware.rate * total / 3600
    if money > situation.money_left:
        return reason("no_money", needed=f"{money:.2f}", left=f"{situation.money_left:.2f}")
    return None


def _total(cost: Cost, verification: Cost) -> float | None:
    return None if cost.seconds is None else cost.seconds + (verification.seconds or 0.0)


# ---------------------------------------------------------------- what can, and in which order


def _candidate(entry: MethodEntry, cost: Cost, verification: Cost, situation: Situation) -> Candidate:
    total = _total(cost, verification)
    late = _late(total, situation)
    known = sum(one.of for one in MEASURED if one.method == entry.name and one.what == "verdict")
    return Candidate(
        method=entry.name,
        title=entry.title,
        guarantee=entry.guarantee.value,
        cost=cost,
        total=total,
        expected=total if entry.guarantee is not Guarantee.APPROXIMATE else None,
        chance=1.0 if entry.guarantee is Guarantee.EXACT else chance(entry.name),
        in_time=None if late is None else late <= 0,
        unasked=entry.guarantee is not Guarantee.APPROXIMATE or known >= situation.house.measurements,
        risk=risks(entry.name, entry.guarantee.value),
    )


def _late(total: float | None, situation: Situation) -> float | None:
    """Seconds after the deadline, less the reserve, at which a run would end; negative where it ends before."""
    if total is None or situation.deadline is None:
        return None
    return total + situation.house.reserve - situation.deadline


def _work(candidate: Candidate) -> float:
    """What candidates are compared by; without a measurement, more than any that has one."""
    return float("inf") if candidate.cost.flops is None else candidate.cost.flops


def _ranked(candidates: Sequence[Candidate], situation: Situation) -> list[Candidate]:
    exact = min((c for c in candidates if c.guarantee == Guarantee.EXACT), key=_work, default=None)
    seen = [_with_expected(c, exact, situation) for c in candidates]
    order = {name: at for at, name in enumerate(METHODS)}

    def place(one: Candidate) -> tuple[Any, ...]:
        sure = -_STRENGTH[Guarantee(one.guarantee)]
        first: tuple[Any, ...] = (_demoted(one, exact, situation) is not None, -sure if exact else sure)
        if situation.house.order == "surest":
            first = (sure,)
        if situation.house.order == "quickest":
            first = (one.expected is None, one.expected or 0.0)
        # Both yield the same bits from a lineage: training all of it again is for checkpoints that are damaged.
        again = "lineage" in situation.has and one.method != LINEAGE_METHODS[0]
        return (
            again,
            one.in_time is False,
            not one.unasked,
            *first,
            -(one.chance or 0.0),
            _work(one),
            order[one.method],
        )

    ranked = sorted(seen, key=place)
    return [dataclasses.replace(one, why=_why(one, at, ranked, exact, situation)) for at, one in enumerate(ranked)]


def _with_expected(one: Candidate, exact: Candidate | None, situation: Situation) -> Candidate:
    """With the time until something holds: its own, and where it fails that of the exact way behind it."""
    if one.guarantee == Guarantee.EXACT or one.chance is None or one.total is None:
        return one
    if exact is None or exact.total is None or situation.attempts_left < 2:
        return one  # nothing would follow a failure
    return dataclasses.replace(one, expected=one.total + (1 - one.chance) * exact.total)


def _demoted(one: Candidate, exact: Candidate | None, situation: Situation) -> Reason | None:
    """Why something that may fail stands behind what is exact, although the house tries what is cheaper first."""
    if exact is None or one.guarantee == Guarantee.EXACT:
        return None
    if situation.attempts_left == 1:
        return reason("why_behind_last")
    if one.cost.flops is not None and exact.cost.flops is not None and one.cost.flops >= exact.cost.flops:
        return reason("why_no_cheaper", other=inside(exact.title))
    if one.total is not None and exact.total is not None and exact.in_time:
        both = _late(one.total + exact.total, situation)
        if both is not None and both > 0:
            return reason("why_one_run_only")
    return None


def _why(
    one: Candidate, at: int, ranked: Sequence[Candidate], exact: Candidate | None, situation: Situation
) -> tuple[Reason, ...]:
    """Why a candidate stands where it does, the weightiest reason first."""
    found = [_late_reason(one, situation)] if one.in_time is False else []
    if one.unasked:
        found.append(_position(one, at, ranked, exact, situation))
    else:
        found.append(reason("why_unmeasured", least=situation.house.measurements))
    if one.expected is not None and one.guarantee != Guarantee.EXACT and exact is not None and exact.total is not None:
        words = {"mine": duration(one.expected), "other": duration(exact.total), "exact": inside(exact.title)}
        found.append(reason("why_expected", **words))
    if SAMPLED in situation.has and "retain set" in METHODS[one.method].needs:
        found.append(reason("why_sampled"))
    if one.method == "retrain" and situation.serves > 1:
        found.append(reason("why_serves", n=situation.serves))
    if one.cost.runs:
        found.append(reason("why_corrected", factor=f"{one.cost.correction:.2f}", runs=one.cost.runs))
    if one.cost.unknown:
        found.append(reason(one.cost.unknown))
    return tuple(found)


def _late_reason(one: Candidate, situation: Situation) -> Reason:
    return reason("why_late", late=duration(_late(one.total, situation) or 0.0))


def _position(
    one: Candidate, at: int, ranked: Sequence[Candidate], exact: Candidate | None, situation: Situation
) -> Reason:
    """The one reason that the order itself gives."""
    if one.guarantee == Guarantee.EXACT:
        if "lineage" in situation.has:
            other = next((c for c in ranked if c is not one and c.guarantee == Guarantee.EXACT), None)
            return reason("why_same_bits", other=inside(other.title)) if other and at else reason("why_lineage")
        if at:
            return reason("why_fallback")
        return reason("why_last_attempt" if situation.attempts_left == 1 else "why_sure")
    demoted = _demoted(one, exact, situation) if situation.house.order == "cheapest" else None
    if demoted:
        return demoted
    if at == 0 and exact is not None:
        return reason("why_cheaper_first", fallback=inside(exact.title))
    before = next((c for c in reversed(ranked[:at]) if c.guarantee != Guarantee.EXACT), None)
    if before is None:
        return reason("why_cheapest")
    less = (one.chance or 0.0) < (before.chance or 0.0)
    return reason("why_less_likely" if less else "why_no_better", other=inside(before.title))
