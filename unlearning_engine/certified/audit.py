"""The empirical epsilon: what an attacker who tells two kinds of outputs apart proves, with an exact interval.

A certificate is a bound from above. An attack with rates that no (epsilon, delta) allows refutes it: for any threshold
1 - delta - FPR <= e^epsilon FNR, and the other way round. Rates are bounded by Clopper and Pearson (1934), so that the
epsilon found is below the true one with the stated confidence; the threshold is chosen on trials apart.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import stats

Array = npt.NDArray[np.float64]


def empirical_epsilon(unlearned: Array, retrained: Array, delta: float, *, confidence: float = 0.95) -> float:
    """A lower confidence bound of epsilon from an attack's scores, larger where it takes an output for unlearned.

    Args:
        unlearned, retrained: scores of independent outputs, shapes (trials,); the even ones choose the threshold, and
            which of both errors is to be rare, the odd ones count.

    Returns:
        0 where nothing is proven.
    """
    limits = np.unique(np.concatenate([unlearned[::2], retrained[::2]]))
    first = [_bounds(unlearned[::2], retrained[::2], limit, delta, confidence) for limit in limits]
    side, at = max(((side, at) for at in range(len(limits)) for side in (0, 1)), key=lambda s: first[s[1]][s[0]])
    return _bounds(unlearned[1::2], retrained[1::2], float(limits[at]), delta, confidence)[side]


def _bounds(unlearned: Array, retrained: Array, limit: float, delta: float, confidence: float) -> tuple[float, float]:
    """What the two inequalities prove at one threshold; both rates hold together with the confidence."""
    false_positive = upper_rate(int((retrained >= limit).sum()), len(retrained), (1 + confidence) / 2)
    false_negative = upper_rate(int((unlearned < limit).sum()), len(unlearned), (1 + confidence) / 2)
    return _log_ratio(1 - delta - false_negative, false_positive), _log_ratio(
        1 - delta - false_positive, false_negative
    )


def _log_ratio(top: float, bottom: float) -> float:
    return max(0.0, math.log(top / bottom)) if top > 0 else 0.0


def upper_rate(hits: int, trials: int, confidence: float) -> float:
    """Clopper and Pearson's one-sided upper bound of a rate."""
    return 1.0 if hits == trials else float(stats.beta.ppf(confidence, hits + 1, trials - hits))


def likelihood_scores(outputs: Array, unlearned: Array, retrained: Array) -> Array:
    """The best attack on equal normal noise around two known centres: outputs (trials, weights) along their line."""
    line = unlearned - retrained
    return np.asarray(outputs @ line / max(float(np.linalg.norm(line)), 1e-300))
