"""Canary exposure: how much likelier a planted secret is than the secrets that might have been planted instead.

Carlini et al. (2019), "The Secret Sharer": over a space R of equally likely secrets, exposure = log2 |R| - log2 rank,
where rank 1 is the lowest perplexity. Each alternative must be drawn from R as the canary was. With a sample of n
alternatives the largest exposure that can be seen is log2(n + 1): the cap is given with every number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from unlearning_engine.statistics import Array

FAMILY = "canary"


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """`bits` between 0 and `cap`; about 1.44 (log2 e) on average for a canary that was never planted."""

    bits: float
    cap: float
    rank: float
    n: int


def exposure(canary: float, alternatives: Array) -> Exposure:
    """Rank exposure among the canary and its alternatives.

    Args:
        canary: total loss of the planted secret, in nats.
        alternatives: total losses of the others, shape (n,), n at least 1. Ties share their ranks: a model without
            any preference gives the middle rank, not the first.

    Raises:
        ValueError: a loss is not finite, or there are no alternatives.
    """
    if alternatives.size == 0 or not (math.isfinite(canary) and np.isfinite(alternatives).all()):
        raise ValueError("exposure needs a finite loss of the canary and of at least one alternative")
    below, tied = int((alternatives < canary).sum()), int((alternatives == canary).sum())
    rank = 1 + below + tied / 2
    cap = math.log2(alternatives.size + 1)
    return Exposure(bits=cap - math.log2(rank), cap=cap, rank=rank, n=int(alternatives.size))
