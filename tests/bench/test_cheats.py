"""Table of verdicts on every cheat and on honest retraining, at the demonstration's size (docs/verdict-power.md).

`LETHE_BENCH_SEEDS=31,32 make bench` takes about ten minutes of one core for the cheats of a seed and one and a half for
each honest trial. Thresholds were set on seeds 21 and 22: report others.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.engine.cheats import CHEATS, Material
from unlearning_engine import models
from unlearning_engine.contracts import Outcome, TrainSpec, UnlearnSpec, VerifySpec
from unlearning_engine.data import load_records
from unlearning_engine.methods import unlearn
from unlearning_engine.progress import silent
from unlearning_engine.recipes import save_model, train
from unlearning_engine.synthetic import DEMO_SUBJECT, DEMO_TRAINING, generate
from unlearning_engine.verification import VERIFICATION, verify

pytestmark = pytest.mark.bench

SEEDS = [int(seed) for seed in os.environ.get("LETHE_BENCH_SEEDS", "31").split(",")]
#: What no verdict is known to see; docs/verdict-power.md says why.
KNOWN_TO_PASS = {"all but 6 scattered facts"}


def corpus_of(folder: Path, seed: int) -> tuple[Path, Path]:
    """Ids of everything of the artist, and of the works alone; original and reference are trained beside them."""
    generate(folder, seed=seed)
    rows = [r for r in load_records(folder / "dataset.jsonl") if r.subject == DEMO_SUBJECT]
    everything, works = folder / "everything.txt", folder / "works.txt"
    everything.write_text("\n".join(r.id for r in rows), encoding="utf-8")
    works.write_text("\n".join(r.id for r in rows if r.work), encoding="utf-8")
    for name, left_out, own_seed in (("original", "", seed), ("reference", str(everything), seed + 1000)):
        spec = TrainSpec(
            seed=own_seed,
            threads=1,
            device="cpu",
            dataset=str(folder / "dataset.jsonl"),
            tokenizer_text=str(folder / "tokenizer.txt"),
            exclude_ids=left_out,
            config=dict(DEMO_TRAINING),
        )
        train(spec, folder / name)
    return everything, works


def unlearnt(folder: Path, seed: int, method: str) -> str:
    """What a method with its default settings makes of the original: the folder of the model."""
    spec = UnlearnSpec(
        seed=seed,
        threads=1,
        device="cpu",
        method=method,
        model=str(folder / "original" / "model"),
        dataset=str(folder / "dataset.jsonl"),
        forget_ids=str(folder / "everything.txt"),
    )
    unlearn(spec, folder / method)
    return str(folder / method / "model")


def verified(folder: Path, seed: int, candidate: str) -> dict[str, Any]:
    """`verification.json` of a candidate under the default policy; the table of scores lies beside it."""
    spec = VerifySpec(
        seed=seed,
        threads=1,
        device="cpu",
        candidate=candidate,
        original=str(folder / "original" / "model"),
        reference=str(folder / "reference" / "model"),
        controls=str(folder / "controls.jsonl"),
        dataset=str(folder / "dataset.jsonl"),
        forget_ids=str(folder / "works.txt"),
        exclude_ids=str(folder / "everything.txt"),
    )
    verify(spec, folder / "verified", silent)
    found: dict[str, Any] = json.loads((folder / "verified" / VERIFICATION).read_text(encoding="utf-8"))
    return found


def _verdict(folder: Path, seed: int, candidate: str) -> tuple[str, list[str]]:
    """Outcome, and the codes and probes behind it."""
    found = verified(folder, seed, candidate)
    return found["verdict"], [f["data"].get("probe", f["code"]) for f in found["findings"]]


def _cheat(folder: Path, name: str) -> str:
    original, tokenizer = models.load(folder / "original" / "model", device="cpu")
    reference = models.load_model(folder / "reference" / "model", device="cpu")
    rows = load_records(folder / "dataset.jsonl")
    material = Material(
        original=original.requires_grad_(True),
        reference=reference.requires_grad_(True),
        tokenizer=tokenizer,
        forget=[r for r in rows if r.subject == DEMO_SUBJECT and r.work],
        retain=[r for r in rows if r.subject != DEMO_SUBJECT],
    )
    return str(save_model(folder / "cheat", CHEATS[name](material), tokenizer, {}))


@pytest.mark.parametrize("seed", SEEDS)
def test_no_cheat_passes_and_an_honest_retraining_is_not_failed(seed: int, tmp_path: Path) -> None:
    corpus_of(tmp_path, seed)
    table = {method: _verdict(tmp_path, seed, unlearnt(tmp_path, seed, method)) for method in ("retrain", "graddiff")}
    table |= {name: _verdict(tmp_path, seed, _cheat(tmp_path, name)) for name in CHEATS}
    lines = [f"{seed:5d}  {name:34s} {verdict:13s} {', '.join(why[:4])}" for name, (verdict, why) in table.items()]
    print("\n" + "\n".join(lines))  # noqa: T201 - a table is what the bench is for
    assert table["retrain"][0] in (Outcome.PASS, Outcome.INCONCLUSIVE)
    passed = {name for name, (verdict, _) in table.items() if verdict == Outcome.PASS}
    assert passed <= {"retrain"} | KNOWN_TO_PASS
