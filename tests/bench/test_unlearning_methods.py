"""Methods with their defaults on the demonstration's generator: what passes, what comes back, what it costs.

`LETHE_BENCH_SEEDS=111,112 LETHE_BENCH_METHODS=relabel,undo make bench`; with `LETHE_BENCH_FOLDER` corpora, models and
verdicts are kept there and taken from there. 20 artists, 20 persons and ordinary knowledge; forgotten are 5% of the
subjects (the artist of 30 works and one more) or 10% (two persons as well): at least 200 facts. Defaults were chosen on
seeds 101 to 104; report others.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from unlearning_engine.contracts import TrainSpec, UnlearnSpec, VerifySpec
from unlearning_engine.data import load_records
from unlearning_engine.methods import unlearn
from unlearning_engine.policy import Policy
from unlearning_engine.probes.contrasts import ks_distance
from unlearning_engine.probes.intervals import Found
from unlearning_engine.probes.table import read_scores
from unlearning_engine.progress import silent
from unlearning_engine.recipes import train
from unlearning_engine.synthetic import DEMO_TRAINING, generate
from unlearning_engine.verification import SCORES, VERIFICATION, verify

pytestmark = pytest.mark.bench

SEEDS = [int(seed) for seed in os.environ.get("LETHE_BENCH_SEEDS", "111,112,113,114,115").split(",")]
METHODS = os.environ.get("LETHE_BENCH_METHODS", "relabel,graddiff,npo,undo").split(",")
SUBJECTS = {5: ("artist-00", "artist-01"), 10: ("artist-00", "artist-01", "person-00", "person-01")}
#: What the bar names: memorisation, choice, forget quality, utility. Membership and the attack stand beside it.
PLAIN = ("exact_value", "answer_probability", "verbatim_text", "multiple_choice")
UTILITY = ("utility_retain", "utility_neighbours", "utility_general", "utility_pooled")
ATTACK = ("relearning_value", "relearning_choice", "relearning_rank")
BAR = 0.40
MARKS = ("plain", "quality", "useful", "bar", "member", "attack")


def measured(folder: Path, work: Callable[[], Any]) -> float:
    """CPU seconds of making what lies in `folder`; read where it was made before."""
    note = folder / "cpu_seconds"
    if not note.is_file():
        started = time.process_time()
        work()
        note.write_text(repr(time.process_time() - started))
    return float(note.read_text())


@dataclass(frozen=True)
class Trial:
    """A corpus, its original, and one forget set with its reference."""

    root: Path
    seed: int
    share: int

    @cached_property
    def corpus(self) -> Path:
        folder = self.root / str(self.seed) / "corpus"
        if not (folder / "manifest.json").is_file():
            generate(folder, seed=self.seed, artists=20, persons=20)
        rows = load_records(folder / "dataset.jsonl")
        wanted = SUBJECTS[self.share]
        (folder / f"forget-{self.share}.txt").write_text("\n".join(r.id for r in rows if r.subject in wanted))
        return folder

    @property
    def ids(self) -> str:
        return str(self.corpus / f"forget-{self.share}.txt")

    def trained(self, name: str, seed: int, exclude: str) -> tuple[Path, float]:
        """A model and what its training cost."""
        out = self.corpus.parent / name
        spec = TrainSpec(
            seed=seed,
            threads=1,
            device="cpu",
            dataset=str(self.corpus / "dataset.jsonl"),
            tokenizer_text=str(self.corpus / "tokenizer.txt"),
            exclude_ids=exclude,
            config=dict(DEMO_TRAINING),
        )
        return out / "model", measured(out, lambda: train(spec, out))

    @cached_property
    def original(self) -> Path:
        return self.trained("original", self.seed, "")[0]

    @cached_property
    def reference(self) -> tuple[Path, float]:
        return self.trained(f"reference-{self.share}", self.seed + 1000, self.ids)

    def unlearnt(self, method: str) -> tuple[Path, float]:
        """What a method with its defaults makes of the original, and what it cost."""
        out = self.corpus.parent / f"{method}-{self.share}"
        spec = UnlearnSpec(
            seed=self.seed + 9,
            threads=1,
            device="cpu",
            method=method,
            model=str(self.original),
            dataset=str(self.corpus / "dataset.jsonl"),
            forget_ids=self.ids,
            config={"checkpoint_every": 0},
        )
        return out / "model", measured(out, lambda: unlearn(spec, out))

    def verified(self, method: str) -> Path:
        """Where a verdict lies."""
        return self.corpus.parent / f"verified-{method}-{self.share}"

    def judged(self, method: str, candidate: Path) -> dict[str, Any]:
        """`verification.json` under the default policy with the relearning attack alone."""
        out = self.verified(method)
        spec = VerifySpec(
            seed=self.seed,
            threads=1,
            device="cpu",
            candidate=str(candidate),
            original=str(self.original),
            reference=str(self.reference[0]),
            dataset=str(self.corpus / "dataset.jsonl"),
            forget_ids=self.ids,
            controls=str(self.corpus / "controls.jsonl"),
            policy=Policy.from_json({"attacks": ["relearning"]}).to_json(),
        )
        if not (out / VERIFICATION).is_file():
            verify(spec, out, silent)
        found: dict[str, Any] = json.loads((out / VERIFICATION).read_text(encoding="utf-8"))
        return found


def distance(folder: Path, seed: int) -> Found:
    """The Kolmogorov-Smirnov distance between the candidate's truth ratios and the reference's, with its interval."""
    table = read_scores(folder / SCORES)
    own, other = (table.sample(model, "forget", "truth") for model in ("candidate", "reference"))
    assert own is not None and other is not None
    return ks_distance(own, other, Policy().settings(seed))


def row(trial: Trial, method: str) -> dict[str, Any]:
    """One line of the table."""
    candidate, cost = trial.unlearnt(method)
    verdict = trial.judged(method, candidate)
    probes = {p["name"]: p for p in verdict["probes"]}

    def passed(names: tuple[str, ...]) -> bool:
        return all(probes[name]["outcome"] == "pass" for name in names if name in probes)

    def gap(name: str) -> float:
        return float(probes[name]["candidate"]["value"] - probes[name]["reference"]["value"])

    found: dict[str, Any] = {
        "facts": probes["exact_value"]["candidate"]["n"],
        "cost": cost / trial.reference[1],
        "plain": passed(PLAIN),
        "quality": probes["forget_quality"]["outcome"] != "fail",
        "useful": passed(UTILITY),
        "member": passed(("membership_loss",)),
        "attack": passed(ATTACK),
        "pooled": probes["utility_pooled"]["candidate"]["value"],
        "gap": max(gap(name) for name in ATTACK),
        "ks": distance(trial.verified(method), trial.seed),
        "verdict": verdict["verdict"],
        "open": [p["name"] for p in verdict["probes"] if p["outcome"] not in ("pass", "reported")],
    }
    found["bar"] = found["cost"] <= BAR and found["plain"] and found["quality"] and found["useful"]
    return found


def line(found: dict[str, Any]) -> str:
    """A row as text; what is open is named."""
    marks = " ".join(f"{'yes' if found[name] else 'no':>7s}" for name in MARKS)
    ks = found["ks"]
    return (
        f"{found['facts']:5d} {found['cost']:5.2f} {marks} {found['pooled']:6.3f} {found['gap']:6.3f} "
        f"{ks.value:.3f} [{ks.low:.3f}, {ks.high:.3f}] {found['verdict']} {','.join(found['open'])}"
    )


def test_methods_beside_retraining(tmp_path: Path) -> None:
    kept = os.environ.get("LETHE_BENCH_FOLDER", "")
    root = Path(kept) if kept else tmp_path
    os.environ.setdefault("LETHE_SCORE_CACHE", str(root / "scores"))
    head = " ".join(f"{name:>7s}" for name in MARKS)
    print(f"\nmethod       % seed facts  cost {head} pooled    gap KS D with its interval")  # noqa: T201 - a table
    for seed in SEEDS:
        for share in SUBJECTS:
            trial = Trial(root, seed, share)
            for method in METHODS:
                found = row(trial, method)
                print(f"{method:10s} {share:3d} {seed:4d} {line(found)}", flush=True)  # noqa: T201
                assert found["facts"] >= 200
