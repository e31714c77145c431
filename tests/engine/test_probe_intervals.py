"""Means over facts and their intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from unlearning_engine.data import Record
from unlearning_engine.probes.intervals import Clusters, mean, paired_difference, resampled
from unlearning_engine.statistics import Settings

SETTINGS = Settings(resamples=400)


def clusters(facts: list[str], works: list[str] | None = None) -> Clusters:
    rows = [
        Record(id=str(n), fact=fact, work=works[n] if works else "", prompt="p", answer="a")
        for n, fact in enumerate(facts)
    ]
    return Clusters.of(rows, SETTINGS)


def test_an_unbounded_mean_has_students_interval() -> None:
    values = [1.0, 2.0, 4.0, 9.0]
    found = mean(values, clusters(list("abcd")), bounded=False)
    low, high = stats.t.interval(0.95, 3, loc=4.0, scale=stats.sem(values))
    assert (found.value, found.low, found.high) == (4.0, pytest.approx(low), pytest.approx(high))


def test_facts_of_one_work_widen_the_interval() -> None:
    values = [0.0] * 6 + [1.0] * 6
    facts = [f"f{n}" for n in range(12)]
    alone = mean(values, clusters(facts), bounded=True)
    together = mean(values, clusters(facts, ["x"] * 6 + ["y"] * 6), bounded=True)
    assert alone.high is not None and alone.low is not None and together.high is not None and together.low is not None
    assert together.high - together.low > alone.high - alone.low


def test_one_fact_has_wilsons_interval_or_none() -> None:
    share, real = (mean([1.0, 1.0], clusters(["a", "a"]), bounded=bounded) for bounded in (True, False))
    assert (share.n, share.items, real.low) == (1, 2, None)
    assert share.low == pytest.approx(0.2065, abs=1e-3)
    assert "one fact alone" in share.note
    assert real.to_json()["interval"] is None


def test_rows_without_a_score_are_left_out_on_both_sides() -> None:
    own, other = [1.0, None, 0.0, 1.0], [0.0, 1.0, None, 0.0]
    found = paired_difference(own, other, clusters(list("abcd")), bounded=True, name="x")
    assert (found.value, found.n, found.items) == (1.0, 2, 2)
    assert mean([None], clusters(["a"]), bounded=True).value is None


def test_a_bootstrap_covers_a_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for run in range(60):
        values = rng.normal(size=40)
        low, high = resampled(
            values.tolist(),
            clusters([str(n) for n in range(40)]),
            lambda w, v=values: float((w * v).sum() / w.sum()),
            name=str(run),
        )
        hits += low <= 0 <= high
    assert hits >= 50
