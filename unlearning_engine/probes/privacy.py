"""Privacy leak: how far a membership attack's AUC lies from the retrained reference's (Shi et al. 2024, MUSE).

privleak = 100 ((1 - AUC) - (1 - AUC_ref)) / (1 - AUC_ref), in percent, where AUC is the chance that a forgotten item
scores below one that was never seen. Nought is what retraining gives; below nought the forgotten items are still known
(under-forgetting), above it they stand out as too unlikely (over-forgetting). Both leak.
"""

from __future__ import annotations

import numpy as np

from unlearning_engine.statistics import Auc, Bounds, Settings

FAMILY = "privacy"


def privacy_leak(auc: float, reference: float) -> float | None:
    """privleak in percent; None where the reference's AUC is 1, for then nothing can be divided by.

    open-unlearning adds 1e-10 to the denominator and returns up to 1e12 there.
    """
    if reference >= 1:
        return None
    return 100 * (reference - auc) / (1 - reference)


def resampled_leak(own: Auc, reference: Auc, settings: Settings) -> Bounds | None:
    """privleak with a two-sided bootstrap interval, from draws that both models share (same facts, same name).

    Returns None where it is not defined for the estimate, or for so many draws that the interval would be open.
    """
    value = privacy_leak(own.value, reference.value)
    usable = reference.draws < 1
    tail = (1 - settings.confidence) / 2
    if value is None or np.mean(~usable) > tail:
        return None
    draws = 100 * (reference.draws - own.draws)[usable] / (1 - reference.draws[usable])
    low, high = (float(q) for q in np.quantile(draws, [tail, 1 - tail]))
    return Bounds(value=value, low=min(low, value), high=max(high, value), n=own.n)
