"""Pruning: set the smallest weights to zero (global magnitude pruning, Han et al. 2015).

Suppression that sits in many small changes falls out with them. One threshold for all linear layers, without the
output head.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from unlearning_engine.attacks.base import Attack, Given, Prepared, choice, linear_weights, value

if TYPE_CHECKING:
    from torch import Tensor

NAME = "pruning"
#: Share of the linear weights that goes.
SHARE = 0.3
#: Halvings of the interval in which the threshold is looked for: more than a float32 has bits of mantissa.
_HALVINGS = 40


def threshold(weights: Sequence[Tensor], share: float) -> float:
    """The smallest magnitude (but for rounding) at or below which a share of all weights lies.

    By bisection, so that no second copy of the weights is made.
    """
    wanted = round(share * sum(weight.numel() for weight in weights))
    low, high = 0.0, max(float(weight.abs().max()) for weight in weights)
    if wanted == 0:
        return -1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if sum(int((weight.abs() <= middle).sum()) for weight in weights) < wanted:
            low = middle
        else:
            high = middle
    return high


def prune(weights: Sequence[Tensor], share: float) -> None:
    """Zero the smallest of all weights together, in place."""
    limit = threshold(weights, share)
    for weight in weights:
        weight.masked_fill_(weight.abs() <= limit, 0.0)


def _prepare(given: Given) -> Iterator[Prepared]:
    prune([weight for _, weight in linear_weights(given.model)], SHARE)
    yield Prepared(items=(*given.items, *given.retained))


PRUNING = Attack(
    name=NAME,
    measures=(value(NAME), choice(NAME)),
    prepare=_prepare,
    changes_weights=True,
    describe={"share": SHARE},
)
