"""Distribution: do the candidate's truth ratios look like the reference's? (Maini et al. 2024, TOFU.)

Truth ratio t = exp(-mean loss of the wrong answers) / exp(-loss of the right one), under a held-out prompt where
there is one. `forget_quality` is the two-sided Kolmogorov-Smirnov p between the two models' truth ratios, one a
fact. A small p can fail a model; a large one proves nothing (power .10 at 80 facts with a tenth kept), so this
probe never makes a pass. Without a reference the controls' truth ratios under the candidate stand in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from unlearning_engine.contracts import ProbeResult
from unlearning_engine.probes.table import Row, ScoreTable
from unlearning_engine.statistics import Array, Settings, estimate, ks

FAMILY = "distribution"
NAME = "forget_quality"


def closeness(row: Row) -> float | None:
    """min(t, 1/t) of a row's truth ratio: 1 where right and wrong answers are equally likely."""
    return None if row.truth is None else float(np.exp(-abs(row.truth)))


def compare(table: ScoreTable, alpha: float, settings: Settings) -> ProbeResult | None:
    """Mean min(t, 1/t) of each model, D and p; None where truth ratios were not measured."""
    other_model, other_set = ("reference", "forget") if table.has_reference else ("candidate", "controls")
    own, other = table.sample("candidate", "forget", "truth"), table.sample(other_model, other_set, "truth")
    own_mean, other_mean = (
        table.sample("candidate", "forget", closeness),
        table.sample(other_model, other_set, closeness),
    )
    if own is None or other is None or own_mean is None or other_mean is None:
        return None
    original = table.sample("original", "forget", closeness)
    distance, p = ks(own.values, other.values)
    return ProbeResult(
        name=NAME,
        family=FAMILY,
        candidate=estimate(own_mean, settings),
        reference=estimate(other_mean, settings),
        original=estimate(original, settings) if original is not None else None,
        bounds="both",
        p_value=p,
        detail={"ks_distance": distance, "alpha": alpha, "n_reference": other.n},
    )


# ---------------------------------------------------------------- scores of one item


def log_truth_ratio(right: Sequence[float], wrong: Sequence[float]) -> float:
    """log t, t = exp(-mean wrong loss) / exp(-mean right loss) (Maini et al. 2024); losses in nats per token.

    Args:
        right: mean losses of the right answer or, where there are any, of its paraphrases; at least one.
        wrong: mean losses of the wrong answers; at least one.

    In logarithms nothing is added to the denominator. open-unlearning divides by the probability plus 1e-10, which
    moves t once the right answer is less likely than about 1e-4 (more than 1e-6 of it).
    """
    return float(np.mean(right) - np.mean(wrong))


def near_one(log_ratio: float) -> float:
    """min(t, 1/t), in [0, 1]: of items to be forgotten, 1 is best."""
    return math.exp(-abs(log_ratio))


def true_better(log_ratio: float) -> float:
    """max(0, 1 - t), in [0, 1]: of items to be kept, 1 is best."""
    return max(0.0, -math.expm1(min(0.0, log_ratio)))


def forget_quality(log_ratios: Array, reference: Array) -> float:
    """Two-sided Kolmogorov-Smirnov p between two models' truth ratios, one a fact, shapes (n,) and (m,).

    The test sees ranks only, so that logarithms give the very p of the ratios themselves.
    """
    return ks(log_ratios, reference)[1]
