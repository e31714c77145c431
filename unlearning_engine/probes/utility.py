"""Utility: what the candidate still does well, as a ratio to the reference (or to the original, without one).

An item's score is the mean of its answer probability and its exact-value hit: probability alone would miss a model
that refuses while it keeps the answer likely. Running text has no answer to hit; there the score is the
probability per token. Components: `retain`; `neighbours` (retained items of other subjects of the forgotten kind,
the first to suffer); `general`. Perplexity is exp(total loss / total tokens).
"""

from __future__ import annotations

import math

from unlearning_engine.contracts import Estimate, ProbeResult
from unlearning_engine.probes.table import ScoreTable, Value, mean_of
from unlearning_engine.statistics import Bounds, Settings, p_beyond, ratio

FAMILY = "utility"
COMPONENTS = ("retain", "neighbours", "general")
SCORE = mean_of("prob", "exact")
_COLUMNS: dict[str, str | Value] = {"score": SCORE, "probability": "prob", "exact_value": "exact"}


def _where(component: str) -> tuple[str, bool]:
    return ("retain", True) if component == "neighbours" else (component, False)


def perplexity(table: ScoreTable, model: str, component: str) -> float | None:
    """exp(total loss / total tokens) over a component's items; None where there are none."""
    name, near = _where(component)
    rows = table.select(model, name, near=near)
    found = [(r.loss * r.tokens, r.tokens) for r in rows if r.loss is not None and r.tokens]
    if not found:
        return None
    mean = sum(loss for loss, _ in found) / sum(tokens for _, tokens in found)
    return math.exp(min(mean, 700.0))


def _mean(table: ScoreTable, model: str, component: str, column: str | Value) -> float | None:
    name, near = _where(component)
    sample = table.sample(model, name, column, near=near)
    return None if sample is None else sample.mean


def standing(table: ScoreTable, component: str, settings: Settings) -> Bounds | None:
    """What the reference does as well as the original, as a ratio: a poor reference would excuse a poor candidate."""
    name, near = _where(component)
    own, other = (table.sample(model, name, SCORE, near=near) for model in ("reference", "original"))
    if own is None or other is None:
        return None
    return ratio(own, other, settings, name=f"reference utility {component}", paired=True)


def compare(table: ScoreTable, component: str, floor: float, settings: Settings) -> ProbeResult | None:
    """Ratio of scores with its one-sided bounds; None where the component was not measured or the model it is
    compared with scores nought."""
    base = "reference" if table.has_reference else "original"
    name, near = _where(component)
    own, other = (table.sample(model, name, SCORE, near=near) for model in ("candidate", base))
    if own is None or other is None:
        return None
    bounds: Bounds | None = ratio(own, other, settings, name=f"utility {component}", paired=True)
    if bounds is None or math.isinf(bounds.high):
        return None
    models = ("candidate", base)
    detail = {c: {m: _mean(table, m, component, v) for m in models} for c, v in _COLUMNS.items()}
    detail["perplexity"] = {m: perplexity(table, m, component) for m in models}
    return ProbeResult(
        name=f"utility_{component}",
        family=FAMILY,
        candidate=Estimate(value=bounds.value, low=bounds.low, high=bounds.high, n=bounds.n),
        limit=floor,
        bounds="lower",
        p_value=p_beyond(bounds, floor, settings, side="lower"),
        detail={"ratio_to": base, **detail},
    )
