"""How far two honest retrainings lie apart, probe by probe, beside the margin that the default policy allows.

`LETHE_BENCH_SEEDS=21,22,... python -m pytest tests/bench/test_margins.py -m bench -s` trains original, reference and
one more retraining at the demonstration's size and verifies them: about two minutes of one core a seed. With
`LETHE_BENCH_FOLDER` the tables of scores are kept there, and those that lie there are judged as they are. The seeds are
development seeds: no forget set of theirs is scored for a confusion matrix.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from tests.bench.test_cheats import corpus_of, unlearnt, verified
from unlearning_engine.catalog import DEFAULT_POLICY
from unlearning_engine.contracts import Outcome
from unlearning_engine.policy import Policy
from unlearning_engine.probes.independence import closeness
from unlearning_engine.probes.table import ScoreTable, read_scores
from unlearning_engine.verdict import judge
from unlearning_engine.verification import SCORES

pytestmark = pytest.mark.bench

SEEDS = [int(seed) for seed in os.environ.get("LETHE_BENCH_SEEDS", "21,22,23,24,25,26,27,28").split(",")]
PERCENTILE = 95


def _table(seed: int, tmp_path: Path) -> ScoreTable:
    """Scores of a retraining beside another one, measured now or before."""
    kept = os.environ.get("LETHE_BENCH_FOLDER", "")
    folder = (Path(kept) if kept else tmp_path) / str(seed)
    scores = folder / "verified" / SCORES
    if not scores.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        corpus_of(folder, seed)
        verified(folder, seed, unlearnt(folder, seed, "retrain"))
    return read_scores(scores)


def test_margins_are_wider_than_retrainings_lie_apart(tmp_path: Path) -> None:
    policy = Policy()
    apart: dict[str, list[float]] = {name: [] for name in policy.margins}
    lines = []
    for seed in SEEDS:
        table = _table(seed, tmp_path)
        verdict = judge(table, policy)
        codes = sorted({finding.code for finding in verdict.findings})
        lines.append(f"seed {seed}: {verdict.outcome} {' '.join(codes)}, closeness {closeness(table)['reference']:.2f}")
        assert verdict.outcome in (Outcome.PASS, Outcome.INCONCLUSIVE), verdict.findings
        for probe in verdict.probes:
            if probe.name in apart and probe.difference is not None:
                apart[probe.name].append(abs(probe.difference.value))
    lines.append(f"{'probe':28s} {'margin':>6s} {'95th':>6s} {'most':>6s} seeds")
    for name, margin in policy.margins.items():
        far = np.percentile(apart[name], PERCENTILE)
        lines.append(f"{name:28s} {margin:6.2f} {far:6.3f} {max(apart[name]):6.3f} {len(apart[name]):5d}")
        assert far <= margin, name
    print("\n" + "\n".join(lines))  # noqa: T201 - a table is what the bench is for
    assert dict(policy.margins) == dict(DEFAULT_POLICY["margins"])
