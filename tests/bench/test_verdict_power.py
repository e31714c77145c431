"""How often the verdict is right, on score tables drawn from models that are known: see docs/verdict-power.md.

`python -m pytest tests/bench/test_verdict_power.py -s` prints the table; `POWER_RUNS` sets the runs a row.
"""

from __future__ import annotations

import collections
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.engine.score_tables import World
from unlearning_engine.contracts import Outcome
from unlearning_engine.policy import GATING, Policy
from unlearning_engine.verdict import Verdict, judge

RUNS = int(os.environ.get("POWER_RUNS", "100"))
Make = Callable[[int], dict[str, Any]]


def scattered(share: float, facts: int = 180) -> Make:
    def make(run: int) -> dict[str, Any]:
        kept = np.random.default_rng(run).choice(facts, round(share * facts), replace=False)
        return {"facts": facts, "knows": {"candidate": kept.tolist()}}

    return make


def whole_works(share: float, facts: int = 180) -> Make:
    return lambda run: {"facts": facts, "knows": {"candidate": range(facts - round(share * facts), facts)}}


CASES: dict[str, Make] = {
    "true retrain, 180 facts": lambda run: {},
    "true retrain, 180 facts, no reference": lambda run: {"reference": False},
    "true retrain, 300 facts": lambda run: {"facts": 300},
    "true retrain, 120 facts": lambda run: {"facts": 120},
    "true retrain, 84 facts": lambda run: {"facts": 84},
    "5% kept, scattered": scattered(0.05),
    "10% kept, scattered": scattered(0.10),
    "10% kept, whole works": whole_works(0.10),
    "10% kept, scattered, no reference": lambda run: {**scattered(0.10)(run), "reference": False},
    "20% kept, scattered": scattered(0.20),
    "hidden: 25% come back under attack": lambda run: {
        "hidden": {"candidate": np.random.default_rng(run).choice(180, 45, replace=False).tolist()}
    },
    "untouched": lambda run: {"knows": {"candidate": range(180)}},
}


def margins_hold(found: Verdict) -> bool:
    """Whether every probe with a margin passed: the verdict as it would be without any other test."""
    return {p.outcome for p in found.probes if p.name in GATING} == {Outcome.PASS}


@pytest.mark.bench
def test_power_of_the_verdict() -> None:
    policy = Policy(resamples=600)
    for name, make in CASES.items():
        counts: collections.Counter[str] = collections.Counter()
        reasons: collections.Counter[str] = collections.Counter()
        for run in range(RUNS):
            found = judge(World(seed=5000 + run, **make(run)).table(), policy)
            counts[str(found.outcome)] += 1
            counts["margins alone"] += margins_hold(found)
            reasons.update({f"{f.code} {f.data.get('probe', '')}".strip() for f in found.findings})
        print(f"{name:40s} {dict(counts)} {dict(reasons.most_common(4))}", flush=True)  # noqa: T201 - the bench's output
