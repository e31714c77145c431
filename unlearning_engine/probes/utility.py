"""Utility: what the candidate still does well, as a ratio to the reference (or to the original, without one).

An item's score is the mean of its answer probability and its exact-value hit: probability alone would miss a model
that refuses while it keeps the answer likely. Running text has no answer to hit; there the score is the
probability per token. Components: `retain`; `neighbours` (retained items of other subjects of the forgotten kind,
the first to suffer); `general`. `pooled` are all items together, each counted once: its floor is higher, since a loss
that no component shows alone adds up. Perplexity is exp(total loss / total tokens).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from unlearning_engine.contracts import Estimate, ProbeResult
from unlearning_engine.probes.table import Row, ScoreTable, Value, mean_of
from unlearning_engine.statistics import Bounds, Sample, Settings, by_fact, p_beyond, ratio

FAMILY = "utility"
COMPONENTS = ("retain", "neighbours", "general")
POOLED = "pooled"
NAMES = tuple(f"{FAMILY}_{part}" for part in (*COMPONENTS, POOLED))
SCORE = mean_of("prob", "exact")
_COLUMNS: dict[str, Value] = {"score": SCORE, "probability": mean_of("prob"), "exact_value": mean_of("exact")}


def _rows(table: ScoreTable, model: str, component: str) -> Iterator[Row]:
    sets = {"neighbours": ("retain",), POOLED: ("retain", "general")}.get(component, (component,))
    for name in sets:
        yield from table.select(model, name, near=component == "neighbours")


def _sample(table: ScoreTable, model: str, component: str, value: Value = SCORE) -> Sample | None:
    """A score averaged within the facts of a component; None where no row has it."""
    found = [(v, row) for row in _rows(table, model, component) if (v := value(row)) is not None]
    if not found:
        return None
    return by_fact([v for v, _ in found], [row.fact for _, row in found], [row.work for _, row in found])


def perplexity(table: ScoreTable, model: str, component: str) -> float | None:
    """exp(total loss / total tokens) over a component's items; None where there are none."""
    rows = _rows(table, model, component)
    found = [(r.loss * r.tokens, r.tokens) for r in rows if r.loss is not None and r.tokens]
    if not found:
        return None
    mean = sum(loss for loss, _ in found) / sum(tokens for _, tokens in found)
    return math.exp(min(mean, 700.0))


def harmonic_mean(values: Sequence[float]) -> float:
    """Harmonic mean, 0 where one value is 0: TOFU's model utility over its nine components (Maini et al. 2024)."""
    if min(values) <= 0:
        return 0.0
    return len(values) / sum(1 / value for value in values)


def _mean(table: ScoreTable, model: str, component: str, value: Value) -> float | None:
    sample = _sample(table, model, component, value)
    return None if sample is None else sample.mean


def standing(table: ScoreTable, component: str, settings: Settings) -> Bounds | None:
    """What the reference does as well as the original, as a ratio: a poor reference would excuse a poor candidate."""
    own, other = (_sample(table, model, component) for model in ("reference", "original"))
    if own is None or other is None:
        return None
    return ratio(own, other, settings, name=f"reference utility {component}", paired=True)


def compare(table: ScoreTable, component: str, floor: float, settings: Settings) -> ProbeResult | None:
    """Ratio of scores with its one-sided bounds; None where the component was not measured or the model it is
    compared with scores nought."""
    base = "reference" if table.has_reference else "original"
    own, other = (_sample(table, model, component) for model in ("candidate", base))
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
