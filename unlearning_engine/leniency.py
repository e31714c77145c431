"""Which way a threshold points: whether a change of a verification policy makes a pass easier or harder.

Standard library only. A threshold that is not listed, or whose change works both ways, is "either": whoever reads the
change has to judge it.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

EASIER, HARDER, EITHER = "easier", "harder", "either"
#: What raising a threshold does to a model that wants to pass.
_RAISED: Mapping[str, str] = types.MappingProxyType(
    {
        "confidence": HARDER,
        "minimum_items": HARDER,
        "minimum_utility_items": HARDER,
        # With fewer works than this, facts are resampled instead of works, which narrows the intervals.
        "minimum_works": EASIER,
        "paraphrases": HARDER,
        "answer_slack": HARDER,
        "forget_quality_alpha": HARDER,
        "survivor_alpha": HARDER,
        "copy_below": HARDER,
        # A correlation from which on a reference is refused: higher refuses fewer.
        "kinship_limit": EASIER,
        "balance_limit": EASIER,
        "attack_floor": HARDER,
        "attack_kept_floor": HARDER,
        "utility_floor": HARDER,
        "pooled_utility_floor": HARDER,
        "damaged_below": HARDER,
        "relearning.rounds": HARDER,
        "relearning.epochs": HARDER,
        # The more is taught, and the faster, the more comes back.
        "relearning.share": HARDER,
        "relearning.learning_rate": HARDER,
    }
)
_OPPOSITE = {EASIER: HARDER, HARDER: EASIER, EITHER: EITHER}
#: Lists of names of which each is one more thing to pass.
_DEMANDS = ("attacks", "required_utility")
#: What names a policy is no threshold.
_NAMES = ("name", "version")


@dataclass(frozen=True, kw_only=True)
class Change:
    """One threshold that differs: `name` with a dot inside a group; `effect` is "easier", "harder" or "either".

    `before` and `after` are numbers; None where a margin comes or goes with its attack, or, for a list, the name that
    comes (`after`) or goes (`before`).
    """

    name: str
    before: float | str | None
    after: float | str | None
    effect: str


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Every threshold in which two whole policies differ, in the order of their fields."""
    return [
        change
        for name in dict.fromkeys([*before, *after])
        if name not in _NAMES
        for change in _of(name, before.get(name), after.get(name))
    ]


def _of(name: str, before: Any, after: Any) -> Iterator[Change]:
    if isinstance(before, Mapping) or isinstance(after, Mapping):
        one, other = before or {}, after or {}
        for key in dict.fromkeys([*one, *other]):
            yield from _of(f"{name}.{key}", one.get(key), other.get(key))
    elif isinstance(before, list | tuple) or isinstance(after, list | tuple):
        one, other = tuple(before or ()), tuple(after or ())
        demanded = name in _DEMANDS
        yield from (
            Change(name=name, before=item, after=None, effect=EASIER if demanded else EITHER)
            for item in one
            if item not in other
        )
        yield from (
            Change(name=name, before=None, after=item, effect=HARDER if demanded else EITHER)
            for item in other
            if item not in one
        )
    elif before != after:
        yield Change(name=name, before=before, after=after, effect=_effect(name, before, after))


def _effect(name: str, before: Any, after: Any) -> str:
    margin = name.startswith("margins.")
    if before is None or after is None:
        # A margin comes and goes with its attack: one more thing to pass, or one less.
        return EITHER if not margin else HARDER if before is None else EASIER
    raised = EASIER if margin else _RAISED.get(name, EITHER)
    return raised if after > before else _OPPOSITE[raised]
