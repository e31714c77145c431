"""Membership: can the forget items still be told from never-seen ones by their loss? (Yeom et al. 2018.)

`membership_loss` is the chance that a forget fact has a lower loss than a control fact (AUC). It is compared with
the reference's AUC, on both sides: an AUC far below the reference's shows over-forgetting, which gives the
forgotten items away just as well. Without a reference the neutral value one half stands in, for controls from the
same source.
"""

from __future__ import annotations

from unlearning_engine.contracts import Estimate, ProbeResult
from unlearning_engine.probes.table import ScoreTable
from unlearning_engine.statistics import Auc, Settings, auc_difference, p_beyond, resampled_auc

FAMILY = "membership"
NAME = "membership_loss"


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
