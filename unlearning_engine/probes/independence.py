"""Is the candidate a model of its own? What it does with facts that no model has seen tells.

Two independent trainings disagree about facts that neither has seen; a copy agrees with its source, whatever noise
was added and in whatever order its weights stand. `closeness` is the median absolute difference of losses on the
controls, as a share of the same between original and reference, which are two trainings by definition.
"""

from __future__ import annotations

import numpy as np

from unlearning_engine.probes.table import ScoreTable


def disagreement(table: ScoreTable, one: str, other: str) -> float | None:
    """Median absolute difference, in nats per token, of two models' losses on the same controls."""
    samples = [table.sample(model, "controls", "loss") for model in (one, other)]
    a, b = samples
    if a is None or b is None or a.n != b.n:
        return None
    return float(np.median(np.abs(a.values - b.values)))


def closeness(table: ScoreTable) -> dict[str, float]:
    """The candidate's disagreement with `reference` and `original`, as shares of theirs; empty without a reference.

    1 is as far as two trainings lie apart, 0 a copy.
    """
    apart = disagreement(table, "original", "reference") if table.has_reference else None
    if not apart:
        return {}
    pairs = {other: disagreement(table, "candidate", other) for other in ("reference", "original")}
    return {other: value / apart for other, value in pairs.items() if value is not None}
