"""Utility of a model on items that it should still know: perplexity, and TOFU's harmonic mean.

The items are the caller's: retained ones, neighbours of the forgotten, or general knowledge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from unlearning_engine.probes import distribution, utility
from unlearning_engine.probes.families import Material, Measure, broken, log_truth_ratio, probability, recall, values_of
from unlearning_engine.probes.gather import ItemScores
from unlearning_engine.probes.intervals import ONE, Clusters, Found, mean, resampled


def _perplexity(items: Sequence[ItemScores], clusters: Clusters, name: str) -> Found:
    losses = np.array([item.own.total for item in items])
    tokens = np.array([float(item.own.tokens) for item in items])

    def statistic(weights: Any) -> float:
        return float((weights * losses).sum() / (weights * tokens).sum())

    value, n = float(losses.sum() / tokens.sum()), len(set(clusters.facts))
    if n < 2:
        return Found(value=float(np.exp(min(value, 700))), n=n, items=len(items), note=ONE)
    low, high = resampled(losses.tolist(), clusters, statistic, name=name)
    value, low, high = (float(np.exp(min(v, 700.0))) for v in (value, min(low, value), max(high, value)))
    return Found(value=value, low=low, high=high, n=n, items=len(items))


def _model_utility(items: Sequence[ItemScores], clusters: Clusters, name: str) -> Found:
    """The mean rises with each component: its interval lies between the means of their lower and upper bounds, each
    component's at a confidence such that all hold together (Bonferroni)."""
    ratios = values_of(items, log_truth_ratio)
    kept_ratios = [None if ratio is None else distribution.true_better(ratio) for ratio in ratios]
    rows = [values_of(items, probability), values_of(items, recall), kept_ratios]
    given = [row for row in rows if all(value is not None for value in row)]
    together = replace(clusters.settings, confidence=1 - (1 - clusters.settings.confidence) / len(given))
    parts = [mean(row, replace(clusters, settings=together), bounded=True) for row in given]
    value, low, high = (
        utility.harmonic_mean([bound or 0.0 for bound in bounds])
        for bounds in zip(*((part.value, part.low, part.high) for part in parts), strict=True)
    )
    return Found(value=value, low=low, high=high, n=parts[0].n, items=len(items), note=parts[0].note)


def usefulness(material: Material) -> list[Measure]:
    """Perplexity, and the harmonic mean of probability, ROUGE-L and the true-better truth ratio, as far as given."""
    found = []
    for name, measure in (("perplexity", _perplexity), ("model_utility", _model_utility)):
        note = next((note for items in material.items.values() if (note := broken(items))), "")
        if note:
            found.append(Measure(name=name, family=utility.FAMILY, found=Found(value=None, note=note)))
            continue
        rows = {model: measure(items, material.clusters, name) for model, items in material.items.items()}
        found.append(Measure(name=name, family=utility.FAMILY, found=rows["model"], reference=rows.get("reference")))
    return found
