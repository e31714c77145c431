"""Membership: can the forget items still be told from never-seen ones by their loss? (Yeom et al. 2018.)

`membership_loss` is the chance that a forget fact has a lower loss than a control fact (AUC). It is compared with
the reference's AUC, on both sides: an AUC far below the reference's shows over-forgetting, which gives the
forgotten items away just as well. Without a reference the neutral value one half stands in, for controls from the
same source.

The other attacks are scores of one item, a pure function each. All are signed alike: the lower the score, the more
likely the item was trained on, so that the AUC is the chance that a member scores below a non-member. `log_probs` and
`z` have shape (N,), one a token of the answer, in nats; N is at least 1.
"""

from __future__ import annotations

import zlib

import numpy as np

from unlearning_engine.contracts import Estimate, ProbeResult
from unlearning_engine.probes.table import ScoreTable
from unlearning_engine.statistics import Array, Auc, Settings, auc_difference, p_beyond, resampled_auc

FAMILY = "membership"
NAME = "membership_loss"
#: Share of tokens that min-k and min-k++ look at: open-unlearning's setting; Shi et al. (2024) take 20% of long texts.
LOWEST = 0.4


def _auc(table: ScoreTable, model: str, settings: Settings) -> Auc | None:
    members, others = table.sample(model, "forget", "loss"), table.sample(model, "controls", "loss")
    if members is None or others is None:
        return None
    return resampled_auc(members, others, settings, name=NAME)


def compare(table: ScoreTable, margin: float, settings: Settings) -> ProbeResult | None:
    """AUC of each model and the candidate's difference, tested on both sides; None where losses are missing."""
    own, original = _auc(table, "candidate", settings), _auc(table, "original", settings)
    other: Auc | float | None = _auc(table, "reference", settings) if table.has_reference else 0.5
    if own is None or other is None:
        return None
    bounds = auc_difference(own, other, settings)
    level = other if isinstance(other, float) else other.value
    neutral = Estimate(value=0.5, low=0.5, high=0.5, n=own.n)
    beyond = [p_beyond(bounds, limit, settings, side=s) for limit, s in ((margin, "upper"), (-margin, "lower"))]
    return ProbeResult(
        name=NAME,
        family=FAMILY,
        candidate=own.estimate(settings),
        reference=neutral if isinstance(other, float) else other.estimate(settings),
        original=original.estimate(settings) if original is not None else None,
        difference=bounds.estimate(),
        margin=margin,
        limit=level + margin,
        bounds="both",
        p_value=min(beyond),
        detail={"lower_limit": level - margin},
    )


# ---------------------------------------------------------------- scores of one item


def loss_score(log_probs: Array) -> float:
    """Mean cross-entropy in nats per token (Yeom et al. 2018)."""
    return -float(log_probs.mean())


def zlib_score(log_probs: Array, text: str) -> float:
    """Mean loss divided by the bytes of the zlib-compressed text (Carlini et al. 2021): plain text is easy anyway."""
    return loss_score(log_probs) / len(zlib.compress(text.encode()))


def _lowest(values: Array, share: float) -> float:
    count = max(1, int(values.size * share))
    return -float(np.sort(values)[:count].mean())


def min_k(log_probs: Array, share: float = LOWEST) -> float:
    """Minus the mean of the lowest `share` of token log-probabilities, at least one token (Shi et al. 2024)."""
    return _lowest(log_probs, share)


def min_k_plus_plus(z: Array, share: float = LOWEST) -> float:
    """The same over standardised log-probabilities (Zhang et al. 2024); for `z` see `tokenwise.TokenScores`."""
    return _lowest(z, share)


def reference_ratio(log_probs: Array, reference: Array) -> float:
    """log of the ratio of the reference's probability to the model's: the difference of the mean losses, in nats.

    Carlini et al. (2021) divide perplexities; the logarithm of that quotient is this difference (as in Mireshghallah
    et al. 2022).
    """
    return loss_score(log_probs) - loss_score(reference)
